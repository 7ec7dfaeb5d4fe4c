// SPDX-License-Identifier: Apache-2.0 OR MIT
//
// Waiting, with a lock, for what another coroutine changes: asyncio's Condition. Not for
// threads.
#pragma once

#include "coroutine.hpp"
#include "lock.hpp"

#include <cstddef>
#include <limits>

namespace coloop {

class condition {
    class notification : public detail::line::place {
    public:
        explicit notification(condition &awaited) noexcept : awaited_(awaited) {}
        bool await_ready() const noexcept { return false; }
        template <class Promise> bool await_suspend(std::coroutine_handle<Promise> waiting) {
            return stand_in(awaited_.waiting_, waiting);
        }
        // 0 or a code.
        int await_resume() noexcept { return leave(); }

    private:
        condition &awaited_;
    };

public:
    condition() noexcept : lock_(own_) {}
    // With a lock that others use, too; it must outlive this.
    explicit condition(lock &shared) noexcept : lock_(shared) {}
    condition(const condition &) = delete;
    condition &operator=(const condition &) = delete;

    lock &get_lock() const noexcept { return lock_; }
    bool locked() const noexcept { return lock_.locked(); }
    [[nodiscard]] auto acquire() noexcept { return lock_.acquire(); }
    [[nodiscard]] auto hold() noexcept { return lock_.hold(); }
    void release() { lock_.release(); }

    // co_await wait(): gives the lock away until it is notified, and holds it again then,
    // also when it throws cancelled_error. LOOP_EINVALID_STATE if nobody holds the lock.
    task<void> wait() {
        if (!lock_.locked()) throw error(LOOP_EINVALID_STATE, "cannot wait on un-acquired lock");
        notification notified(*this);
        const std::uint64_t holder = lock_.holder_;
        lock_.release();
        std::exception_ptr thrown;
        if (const int code = co_await notified) thrown = failure_of(code);
        for (;;) {
            try {
                co_await lock_.acquire();
                break;
            } catch (const cancelled_error &) {
                thrown = std::current_exception();
            }
        }
        lock_.holder_ = holder; // a held_lock of its caller goes on
        if (!thrown) co_return;
        // It may have been notified, and cannot act on that: somebody else shall.
        wake(1);
        std::rethrow_exception(thrown);
    }

    // Waits until `predicate()` is true.
    template <class Predicate> task<void> wait_until(Predicate predicate) {
        while (!predicate()) co_await wait();
    }

    // Wakes `count` of those who wait. LOOP_EINVALID_STATE if nobody holds the lock.
    void notify(std::size_t count = 1) {
        if (!lock_.locked()) throw error(LOOP_EINVALID_STATE, "cannot notify on un-acquired lock");
        wake(count);
    }
    void notify_all() { notify(std::numeric_limits<std::size_t>::max()); }

private:
    friend class barrier; // which changes things while it leaves, with the lock

    static std::exception_ptr failure_of(int code) noexcept {
        try {
            detail::fail(code, loop_last_error());
        } catch (...) {
            return std::current_exception();
        }
    }
    void wake_all() noexcept { waiting_.wake_all(); }
    void wake(std::size_t count) noexcept {
        while (count-- && waiting_.wake_next()) {}
    }

    lock own_;
    lock &lock_;
    detail::line waiting_;
};

} // namespace coloop
