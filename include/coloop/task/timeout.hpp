// SPDX-License-Identifier: Apache-2.0 OR MIT
//
// Time limits: asyncio's timeout and wait_for.
#pragma once

#include "../combine.hpp"
#include "await_future.hpp"
#include "sleep.hpp"

#include <array>

namespace coloop {

// The deadline of a part of a task, which is cancelled when it has passed. asyncio: Timeout.
class timeout_scope {
public:
    template <class Rep, class Period>
    timeout_scope(const any_task &task, std::chrono::duration<Rep, Period> delay) {
        detail::check(loop_timeout_enter(task.capi(), detail::to_timeout(delay), &timeout_));
    }
    timeout_scope(const timeout_scope &) = delete;
    timeout_scope &operator=(const timeout_scope &) = delete;
    ~timeout_scope() {
        if (timeout_) exit(0); // the coroutine is destroyed inside
    }

    // Moves the deadline to `delay` from now; no_timeout: there is none. LOOP_EINVALID_STATE
    // once it has passed.
    template <class Rep, class Period, class... Sink>
    void reschedule(std::chrono::duration<Rep, Period> delay, Sink &...sink) const noexcept(detail::quiet<Sink...>) {
        detail::check(loop_timeout_reschedule(timeout_, detail::to_timeout(delay)), sink...);
    }

    // The part is over, with 0 or a code: that, or -ETIMEDOUT for a cancellation which the
    // deadline alone has caused. The scope is of no more use: again, that is the answer.
    int exit(int outcome) noexcept {
        return timeout_ ? loop_timeout_exit(std::exchange(timeout_, nullptr), outcome) : outcome;
    }

private:
    loop_timeout_t *timeout_ = nullptr;
};

namespace detail {

// Leaves the scope because of the exception that is being handled, or of the deadline.
[[noreturn]] inline void leave_by_exception(timeout_scope &scope) {
    const int code = describe(std::current_exception(), [](described failure) { return failure.code; });
    if (const int left = scope.exit(code); left != code) fail(left, loop_last_error());
    throw;
}

// A limit that is over at once: the coroutine is cancelled before it begins, as asyncio does.
template <class T> task<T> too_late(task<T> inner) {
    const loop_view loop = co_await this_loop();
    const std::array<task_handle<T>, 1> started{create_task(loop, std::move(inner))};
    started[0].cancel();
    co_await wait(loop, started);
    throw error(-ETIMEDOUT, nullptr);
}

template <class Body> std::invoke_result_t<Body &, timeout_scope &> limited(nanoseconds delay, Body body) {
    using result = typename std::invoke_result_t<Body &, timeout_scope &>::value_type;
    timeout_scope scope(co_await this_task(), delay);
    try {
        if constexpr (std::is_void_v<result>) {
            co_await body(scope);
            scope.exit(0);
            co_return;
        } else {
            result value = co_await body(scope);
            scope.exit(0);
            co_return static_cast<result &&>(value);
        }
    } catch (...) {
        leave_by_exception(scope);
    }
}

// Rounded up, as everywhere; what cannot be told from no limit is none.
template <class Rep, class Period> nanoseconds limit(std::chrono::duration<Rep, Period> delay) noexcept {
    return nanoseconds(to_ns(delay));
}

} // namespace detail

// Awaits `inner`; if that takes longer than `delay`, it is cancelled, and once it has ended,
// an error is thrown that equals std::errc::timed_out. With a limit of 0 or less it does not
// begin. Futures and task handles: see coloop/combine.hpp. asyncio: wait_for().
template <class T, class Rep, class Period> task<T> wait_for(task<T> inner, std::chrono::duration<Rep, Period> delay) {
    if (detail::limit(delay) <= nanoseconds::zero()) return detail::too_late(std::move(inner));
    auto body = [awaited = std::move(inner)](timeout_scope &) mutable { return std::move(awaited); };
    return detail::limited(detail::limit(delay), std::move(body));
}

// The same for a part of a coroutine: co_await timeout(1s, [&](timeout_scope &scope) ->
// task<void> { ... }), where the scope can move the deadline. asyncio: timeout().
template <class Rep, class Period, class Body>
auto timeout(std::chrono::duration<Rep, Period> delay, Body body) {
    return detail::limited(detail::limit(delay), std::move(body));
}

} // namespace coloop
