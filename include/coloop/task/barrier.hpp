// SPDX-License-Identifier: Apache-2.0 OR MIT
//
// A point that so many coroutines of one loop have to reach before any goes on: asyncio's
// Barrier. Not for threads.
#pragma once

#include "condition.hpp"

namespace coloop {

// The barrier was reset or aborted while, or before, somebody waited for it. asyncio:
// BrokenBarrierError.
class COLOOP_VISIBLE broken_barrier_error : public error {
public:
    explicit broken_barrier_error(const char *text) : error(LOOP_EINVALID_STATE, text) {}
};

class barrier {
public:
    // LOOP_EINVAL unless it is for one at least.
    explicit barrier(std::size_t parties) : parties_(parties) {
        if (!parties) throw error(LOOP_EINVAL, "parties must be >= 1");
    }
    barrier(const barrier &) = delete;
    barrier &operator=(const barrier &) = delete;

    std::size_t parties() const noexcept { return parties_; }
    // How many wait for the others now.
    std::size_t n_waiting() const noexcept { return state_ == state::filling ? count_ : 0; }
    bool broken() const noexcept { return state_ == state::broken; }

    // co_await wait(): goes on when all have come; a number from 0 on, for each of them
    // another. The barrier can be used again then. Throws broken_barrier_error,
    // cancelled_error: the others go on waiting for somebody else.
    task<std::size_t> wait() {
        const held_lock held = co_await changed_.hold();
        co_await changed_.wait_until([this] { return state_ != state::draining && state_ != state::resetting; });
        if (state_ == state::broken) throw broken_barrier_error("Barrier aborted");
        const std::size_t index = count_++;
        const leaver leaves{*this};
        if (count_ == parties_) {
            become(state::draining);
        } else {
            co_await changed_.wait_until([this] { return state_ != state::filling; });
            if (state_ != state::draining) throw broken_barrier_error("Abort or reset of barrier");
        }
        co_return index;
    }

    // Those who wait get broken_barrier_error; then it is as new, also if it was aborted.
    task<void> reset() {
        const held_lock held = co_await changed_.hold();
        become(count_ ? state::resetting : state::filling);
    }

    // All who wait, and all who come, get broken_barrier_error.
    task<void> abort() {
        const held_lock held = co_await changed_.hold();
        become(state::broken);
    }

private:
    enum class state { filling, draining, resetting, broken };

    struct leaver {
        barrier &left;
        ~leaver() {
            if (--left.count_ == 0 && (left.state_ == state::resetting || left.state_ == state::draining))
                left.become(state::filling);
        }
    };

    void become(state next) noexcept {
        state_ = next;
        changed_.wake_all();
    }

    condition changed_;
    std::size_t parties_, count_ = 0;
    state state_ = state::filling;
};

} // namespace coloop
