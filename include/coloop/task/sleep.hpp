// SPDX-License-Identifier: Apache-2.0 OR MIT
//
// Letting time or a turn pass; asking who and where one is.
#pragma once

#include "../time.hpp"
#include "create_task.hpp"

namespace coloop {

namespace detail {

class schedule_wait : public waiter<schedule_wait> {
public:
    schedule_wait() noexcept = default;
    bool await_ready() const noexcept { return false; }
    template <class Promise> bool await_suspend(std::coroutine_handle<Promise> waiting) noexcept {
        return yield(waiting);
    }
    void await_resume() { check(); }
    void let_go() noexcept {}
};

class sleep_wait : public waiter<sleep_wait> {
public:
    explicit sleep_wait(std::int64_t delay_ns) noexcept : delay_ns_(delay_ns) {}
    ~sleep_wait() { let_go(); }

    bool await_ready() const noexcept { return false; }
    template <class Promise> bool await_suspend(std::coroutine_handle<Promise> waiting) noexcept {
        if (delay_ns_ <= 0) return yield(waiting);
        loop_ = driver_of(waiting).get_loop();
        return park(waiting, loop_call_later(loop_, delay_ns_, fired, this, nullptr, &timer_));
    }
    void await_resume() { check(); }

    void let_go() noexcept {
        if (timer_) loop_handle_cancel(loop_, std::exchange(timer_, 0));
    }

private:
    static void fired(void *data) noexcept {
        auto *const self = static_cast<sleep_wait *>(data);
        self->timer_ = 0;
        self->wake();
    }

    std::int64_t delay_ns_;
    loop_t *loop_ = nullptr;
    loop_handle_t timer_ = 0;
};

// What only the driver of the awaiting coroutine knows; nothing waits for it.
template <class Answer> class driver_question {
public:
    bool await_ready() const noexcept { return false; }
    template <class Promise> bool await_suspend(std::coroutine_handle<Promise> asking) noexcept {
        driver_ = &driver_of(asking);
        return false;
    }
    auto await_resume() const { return Answer()(*driver_); }

private:
    driver *driver_ = nullptr;
};

struct loop_of_driver {
    loop_view operator()(const driver &own) const noexcept { return own.get_loop(); }
};
struct task_of_driver {
    any_task operator()(const driver &own) const noexcept { return any_task::from_capi(loop_task_ref(own.get_task())); }
};

} // namespace detail

// co_await schedule(): goes on in the loop's next turn. asyncio: sleep(0).
[[nodiscard]] inline detail::schedule_wait schedule() noexcept { return {}; }

// co_await sleep(10ms): goes on after `delay`, never earlier; 0 or less: in the next turn.
// asyncio: sleep().
template <class Rep, class Period>
[[nodiscard]] detail::sleep_wait sleep(std::chrono::duration<Rep, Period> delay) noexcept {
    return detail::sleep_wait(detail::to_ns(delay));
}

// co_await this_loop(): the loop that the coroutine runs on.
[[nodiscard]] inline detail::driver_question<detail::loop_of_driver> this_loop() noexcept { return {}; }

// co_await this_task(): the task that the coroutine is a part of.
[[nodiscard]] inline detail::driver_question<detail::task_of_driver> this_task() noexcept { return {}; }

} // namespace coloop
