// SPDX-License-Identifier: Apache-2.0 OR MIT
//
// A number of permits for the coroutines of one loop: asyncio's Semaphore and
// BoundedSemaphore. Not for threads.
#pragma once

#include "line.hpp"

#include <cstddef>

namespace coloop {

class semaphore {
    class acquiring : public detail::line::place {
    public:
        explicit acquiring(semaphore &wanted) noexcept : wanted_(wanted) {}

        bool await_ready() noexcept { return has_it_ = wanted_.try_acquire(); }
        template <class Promise> bool await_suspend(std::coroutine_handle<Promise> waiting) {
            return stand_in(wanted_.waiting_, waiting);
        }
        void await_resume() {
            if (has_it_) return;
            leave_orphan();
            const int code = leave();
            if (code && is_woken()) ++wanted_.value_; // got it just before it was cancelled
            wanted_.hand_out();
            if (code) detail::fail(code, loop_last_error());
        }

    private:
        semaphore &wanted_;
        bool has_it_ = false;
    };

public:
    explicit semaphore(std::size_t value = 1) noexcept : value_(value) {}
    semaphore(const semaphore &) = delete;
    semaphore &operator=(const semaphore &) = delete;

    // Would acquire() have to wait?
    bool locked() const noexcept { return value_ == 0 || waiting_.expected(); }

    // co_await acquire(): waits for a permit, which is the caller's until release(). Throws
    // cancelled_error; LOOP_EWRONG_LOOP if coroutines of another loop wait for it.
    [[nodiscard]] acquiring acquire() noexcept { return acquiring(*this); }

    // Takes a permit if there is one and nobody waits: was it taken?
    bool try_acquire() noexcept {
        if (locked()) return false;
        --value_;
        return true;
    }

    void release() noexcept {
        ++value_;
        hand_out();
    }

protected:
    std::size_t value() const noexcept { return value_; }

private:
    // A woken coroutine has its permit already.
    void hand_out() noexcept {
        while (value_ && waiting_.wake_next()) --value_;
    }

    detail::line waiting_;
    std::size_t value_;
};

// The same, for which more releases than acquires are an error.
class bounded_semaphore : public semaphore {
public:
    explicit bounded_semaphore(std::size_t value = 1) noexcept : semaphore(value), bound_(value) {}

    // LOOP_EINVALID_STATE if there are as many permits as in the beginning.
    void release() {
        if (value() >= bound_) throw error(LOOP_EINVALID_STATE, "BoundedSemaphore released too many times");
        semaphore::release();
    }

private:
    std::size_t bound_;
};

} // namespace coloop
