// SPDX-License-Identifier: Apache-2.0 OR MIT
//
// Mutual exclusion between the coroutines of one loop: asyncio's Lock. Not for threads.
//
//     const coloop::held_lock held = co_await lock.hold();  // until the end of the scope
#pragma once

#include "line.hpp"

#include <cstdint>

namespace coloop {

class lock;

// A lock that somebody holds, released when this ends; move-only.
class held_lock {
public:
    held_lock() noexcept = default;
    held_lock(held_lock &&other) noexcept : held_(std::exchange(other.held_, nullptr)), number_(other.number_) {}
    held_lock &operator=(held_lock &&other) noexcept {
        held_lock taken(std::move(other));
        std::swap(held_, taken.held_);
        std::swap(number_, taken.number_);
        return *this;
    }
    ~held_lock() { release(); }

    explicit operator bool() const noexcept { return held_ != nullptr; }
    // Before the scope ends; does nothing if there is none.
    inline void release() noexcept;

private:
    friend lock;
    inline explicit held_lock(lock &held) noexcept;

    lock *held_ = nullptr;
    std::uint64_t number_ = 0; // which of the lock's holders this is
};

// Whoever waits longest gets it next. Must outlive those who hold it.
class lock {
    class acquiring : public detail::line::place {
    public:
        explicit acquiring(lock &wanted) noexcept : wanted_(wanted) {}

        bool await_ready() noexcept { return has_it_ = wanted_.try_acquire(); }
        template <class Promise> bool await_suspend(std::coroutine_handle<Promise> waiting) {
            return stand_in(wanted_.waiting_, waiting);
        }
        void await_resume() {
            if (has_it_) return;
            leave_orphan();
            if (const int code = leave()) {
                if (!wanted_.locked_) wanted_.waiting_.wake_first();
                detail::fail(code, loop_last_error());
            }
            wanted_.take();
        }

    protected:
        lock &wanted_;

    private:
        bool has_it_ = false;
    };

    class holding : public acquiring {
    public:
        using acquiring::acquiring;
        held_lock await_resume() {
            acquiring::await_resume();
            return held_lock(wanted_);
        }
    };

public:
    lock() noexcept = default;
    lock(const lock &) = delete;
    lock &operator=(const lock &) = delete;

    bool locked() const noexcept { return locked_; }

    // co_await acquire(): waits until it is free, and holds it until release(). Throws
    // cancelled_error; LOOP_EWRONG_LOOP if coroutines of another loop wait for it.
    [[nodiscard]] acquiring acquire() noexcept { return acquiring(*this); }
    // The same for a scope: co_await hold() is a held_lock.
    [[nodiscard]] holding hold() noexcept { return holding(*this); }

    // Takes it if nobody holds it or waits for it: was it taken?
    bool try_acquire() noexcept {
        if (locked_ || waiting_.expected()) return false;
        take();
        return true;
    }

    // LOOP_EINVALID_STATE if nobody holds it.
    void release() {
        if (!locked_) throw error(LOOP_EINVALID_STATE, "Lock is not acquired.");
        locked_ = false;
        waiting_.wake_first();
    }

private:
    friend held_lock;
    friend class condition;

    void take() noexcept {
        locked_ = true;
        holder_ = ++holders_;
    }

    detail::line waiting_;
    std::uint64_t holder_ = 0, holders_ = 0;
    bool locked_ = false;
};

inline held_lock::held_lock(lock &held) noexcept : held_(&held), number_(held.holder_) {}

inline void held_lock::release() noexcept {
    lock *const left = std::exchange(held_, nullptr);
    // Released behind its back, it may be somebody else's by now.
    if (left && left->locked_ && left->holder_ == number_) left->release();
}

} // namespace coloop
