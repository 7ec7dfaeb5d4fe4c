// SPDX-License-Identifier: Apache-2.0 OR MIT
//
// What a host hears of a loop: failures, slow callbacks, waits, numbers.
//
// A handler stays until it is replaced, taken back with nullptr, or the loop closes; then it
// is destroyed.
#pragma once

#include "loop.hpp"

namespace coloop {

namespace detail {

// A hook's function: called with the loop, what `Rest` are, and the user data.
template <class Callable, class... Rest> struct hook {
    using data = user_data<Callable, loop_view, Rest...>;
    static void call(loop_t *loop, Rest... rest, void *user_data) noexcept {
        guarded(loop, [&] { (void)data::call(user_data, loop_view(loop), std::forward<Rest>(rest)...); });
    }
};

// A report's function: the same with the struct behind a pointer.
template <class Callable, class Report> struct report_hook {
    using data = user_data<Callable, loop_view, const Report &>;
    static void call(loop_t *loop, const Report *report, void *user_data) noexcept {
        guarded(loop, [&] { (void)data::call(user_data, loop_view(loop), *report); });
    }
};

// The same for exception handlers: what one of them throws must not get back to it.
template <class Callable> struct exception_hook {
    using data = user_data<Callable, loop_view, const loop_exception_context_t &>;
    static void call(loop_t *loop, const loop_exception_context_t *context, void *user_data) noexcept {
#if COLOOP_EXCEPTIONS
        try {
            (void)data::call(user_data, loop_view(loop), *context);
        } catch (...) {
            if (keep_exception(loop)) return;
            loop_default_exception_handler(loop, context);
            print_exception("exception in the exception handler");
        }
#else
        (void)data::call(user_data, loop_view(loop), *context);
#endif
    }
};

// Two callables with one destructor.
template <class Before, class After> struct wait_hooks {
    Before before;
    After after;
    static void call_before(loop_t *loop, void *data) noexcept {
        guarded(loop, [&] { static_cast<wait_hooks *>(data)->before(loop_view(loop)); });
    }
    static void call_after(loop_t *loop, void *data) noexcept {
        guarded(loop, [&] { static_cast<wait_hooks *>(data)->after(loop_view(loop)); });
    }
    static void destroy(void *data) noexcept { delete static_cast<wait_hooks *>(data); }
};

} // namespace detail

// Calls `handler(loop, context)` for failures that nobody waits for; the context is borrowed.
// asyncio: loop.set_exception_handler().
template <class Handler, class... Sink> void loop_view::set_exception_handler(Handler &&handler, Sink &...sink) const {
    using hook = detail::exception_hook<Handler>;
    detail::give<typename hook::data>(std::forward<Handler>(handler), loop_exception_handler_t(hook::call),
                                      [this](auto... data) { return loop_set_exception_handler(loop_, data...); }, sink...);
}
template <class... Sink>
void loop_view::set_exception_handler(std::nullptr_t, Sink &...sink) const noexcept(detail::quiet<Sink...>) {
    detail::check(loop_set_exception_handler(loop_, nullptr, nullptr, nullptr), sink...);
}

// A context with its size, and no descriptor.
struct exception_context : loop_exception_context_t {
    exception_context() noexcept : loop_exception_context_t{} {
        size = sizeof(loop_exception_context_t);
        fd = -1;
    }
};

// Gives a failure to the loop's handler, now. asyncio: loop.call_exception_handler().
template <class... Sink>
void loop_view::call_exception_handler(const loop_exception_context_t &context, Sink &...sink) const {
    detail::check(loop_call_exception_handler(loop_, &context), sink...);
}

// Calls `hook(loop, report)` for slow callbacks in debug mode.
template <class Hook, class... Sink> void loop_view::set_slow_callback_hook(Hook &&hook, Sink &...sink) const {
    using told = detail::report_hook<Hook, loop_slow_callback_t>;
    detail::give<typename told::data>(std::forward<Hook>(hook), loop_slow_callback_hook_t(told::call),
                                      [this](auto... data) { return loop_set_slow_callback_hook(loop_, data...); }, sink...);
}
template <class... Sink>
void loop_view::set_slow_callback_hook(std::nullptr_t, Sink &...sink) const noexcept(detail::quiet<Sink...>) {
    detail::check(loop_set_slow_callback_hook(loop_, nullptr, nullptr, nullptr), sink...);
}
// From when on a callback is slow. Any thread.
template <class... Sink>
void loop_view::set_slow_callback_duration(nanoseconds duration, Sink &...sink) const noexcept(detail::quiet<Sink...>) {
    const auto ns = duration.count() < 0 ? 0 : duration.count();
    detail::check(loop_set_slow_callback_duration(loop_, static_cast<std::uint64_t>(ns)), sink...);
}
inline nanoseconds loop_view::get_slow_callback_duration() const noexcept {
    return detail::to_time_point(loop_get_slow_callback_duration(loop_)).time_since_epoch();
}

// Calls `before(loop)` just before and `after(loop)` just after every wait that may block.
template <class Before, class After, class... Sink>
void loop_view::set_wait_hooks(Before &&before, After &&after, Sink &...sink) const {
    using hooks = detail::wait_hooks<std::decay_t<Before>, std::decay_t<After>>;
    auto *made = new hooks{std::forward<Before>(before), std::forward<After>(after)};
    detail::check(loop_set_wait_hooks(loop_, hooks::call_before, hooks::call_after, made, hooks::destroy), sink...);
}
template <class... Sink>
void loop_view::set_wait_hooks(std::nullptr_t, Sink &...sink) const noexcept(detail::quiet<Sink...>) {
    detail::check(loop_set_wait_hooks(loop_, nullptr, nullptr, nullptr, nullptr), sink...);
}

// For a loop that a host drives by prepare(): calls `hook(loop)` when the host must come back
// sooner than it was told; on the thread of whoever posts.
template <class Hook, class... Sink> void loop_view::set_wake_hook(Hook &&hook, Sink &...sink) const {
    using told = detail::hook<Hook>;
    detail::give<typename told::data>(std::forward<Hook>(hook), loop_hook_t(told::call),
                                      [this](auto... data) { return loop_set_wake_hook(loop_, data...); }, sink...);
}
template <class... Sink>
void loop_view::set_wake_hook(std::nullptr_t, Sink &...sink) const noexcept(detail::quiet<Sink...>) {
    detail::check(loop_set_wake_hook(loop_, nullptr, nullptr, nullptr), sink...);
}

// What the loop has counted. Any thread.
template <class... Sink> loop_stats_t loop_view::get_stats(Sink &...sink) const noexcept(detail::quiet<Sink...>) {
    loop_stats_t stats{};
    stats.size = sizeof stats;
    detail::check(loop_get_stats(loop_, &stats), sink...);
    return stats;
}
// How much is measured: LOOP_STATS_... . Any thread.
template <class... Sink>
void loop_view::set_stats_level(std::uint32_t level, Sink &...sink) const noexcept(detail::quiet<Sink...>) {
    detail::check(loop_set_stats_level(loop_, level), sink...);
}

// Starts a thread that calls `callback(loop, report)` while a callback of the loop takes
// longer than `threshold`. What it throws goes to stderr.
template <class Callback, class... Sink>
void loop_view::start_watchdog(nanoseconds threshold, Callback &&callback, Sink &...sink) const {
    using told = detail::report_hook<Callback, loop_watchdog_report_t>;
    const auto ns = static_cast<std::uint64_t>(threshold.count() < 0 ? 0 : threshold.count());
    detail::give<typename told::data>(
        std::forward<Callback>(callback), loop_watchdog_callback_t(told::call),
        [&](auto... data) { return loop_watchdog_start(loop_, ns, data...); }, sink...);
}
// True if there was one.
template <class... Sink> bool loop_view::stop_watchdog(Sink &...sink) const noexcept(detail::quiet<Sink...>) {
    return detail::check(loop_watchdog_stop(loop_), sink...) == 1;
}

} // namespace coloop
