// SPDX-License-Identifier: Apache-2.0 OR MIT
//
// A flag that coroutines of one loop wait for: asyncio's Event. Not for threads.
#pragma once

#include "line.hpp"

namespace coloop {

class event {
    class waiting_for_it : public detail::line::place {
    public:
        explicit waiting_for_it(event &awaited) noexcept : awaited_(awaited) {}
        bool await_ready() const noexcept { return awaited_.set_; }
        template <class Promise> bool await_suspend(std::coroutine_handle<Promise> waiting) {
            return stand_in(awaited_.waiting_, waiting);
        }
        void await_resume() {
            if (const int code = leave()) detail::fail(code, loop_last_error());
        }

    private:
        event &awaited_;
    };

public:
    event() noexcept = default;
    event(const event &) = delete;
    event &operator=(const event &) = delete;

    bool is_set() const noexcept { return set_; }

    // All who wait go on, also if it is cleared before they do.
    void set() noexcept {
        if (!std::exchange(set_, true)) waiting_.wake_all();
    }
    void clear() noexcept { set_ = false; }

    // co_await wait(): goes on at once if the flag is set. Throws cancelled_error;
    // LOOP_EWRONG_LOOP if coroutines of another loop wait for it.
    [[nodiscard]] waiting_for_it wait() noexcept { return waiting_for_it(*this); }

private:
    detail::line waiting_;
    bool set_ = false;
};

} // namespace coloop
