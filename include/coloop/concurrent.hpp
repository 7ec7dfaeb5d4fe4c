// SPDX-License-Identifier: Apache-2.0 OR MIT
//
// Futures for threads: Python's concurrent.futures.Future, and the way from another thread
// into a loop.
#pragma once

#include "future.hpp"

namespace coloop {

// A future that any thread may wait for, end or cancel; its result of type T stands in the
// loop_cfuture_t. Move-only; clone() for another reference. Every method is for any thread.
template <class T> class concurrent_future {
public:
    using value_type = T;
    using traits = result_traits<T>;

    concurrent_future() noexcept = default;
    concurrent_future(concurrent_future &&other) noexcept : cfuture_(other.release()) {}
    concurrent_future &operator=(concurrent_future &&other) noexcept {
        concurrent_future taken(std::move(other));
        std::swap(cfuture_, taken.cfuture_);
        return *this;
    }
    ~concurrent_future() { loop_cfuture_unref(cfuture_); }

    // A pending one, which the caller ends.
    template <class... Sink> static concurrent_future make(Sink &...sink) noexcept(detail::quiet<Sink...>) {
        concurrent_future made;
        detail::check(loop_cfuture_new(made.receive()), sink...);
        return made;
    }
    static concurrent_future from_capi(loop_cfuture_t *given) noexcept {
        concurrent_future made;
        made.cfuture_ = given;
        return made;
    }
    concurrent_future clone() const noexcept { return from_capi(loop_cfuture_ref(cfuture_)); }
    loop_cfuture_t *capi() const noexcept { return cfuture_; }
    loop_cfuture_t *release() noexcept { return std::exchange(cfuture_, nullptr); }
    explicit operator bool() const noexcept { return cfuture_ != nullptr; }

    template <class... Sink> bool done(Sink &...sink) const noexcept(detail::quiet<Sink...>) {
        return detail::check(loop_cfuture_done(cfuture_), sink...) == 1;
    }
    // Cancels it, and on the loop's thread what was submitted: true, or false if it is done.
    template <class... Sink> bool cancel(Sink &...sink) const noexcept(detail::quiet<Sink...>) {
        return detail::check(loop_cfuture_cancel(cfuture_, nullptr), sink...) == 1;
    }

    // Waits for the result, which stays the future's, as with future::result(). Throws its
    // failure; std::errc::timed_out if it is not done yet. Never wait without limit on the
    // thread of the loop that is to end it.
    typename traits::reference result(nanoseconds timeout = no_timeout) const {
        return traits::load(nullptr, outcome(timeout));
    }
    typename traits::pointer result(nanoseconds timeout, std::error_code &sink) const noexcept {
        void *const result = outcome(timeout, sink);
        if constexpr (std::is_void_v<T>)
            return;
        else
            return sink ? typename traits::pointer() : traits::quiet_load(nullptr, result);
    }
    // Moves the result out.
    T take(nanoseconds timeout = no_timeout) const {
        if constexpr (std::is_void_v<T>)
            outcome(timeout);
        else
            return std::move(traits::load(nullptr, outcome(timeout)));
    }

    template <class... Values> void emplace_result(Values &&...values) const {
        detail::check(detail::give_result<T>(setter(), std::forward<Values>(values)...));
    }
    template <class Value = T, class Given, std::enable_if_t<!std::is_void_v<Value>> * = nullptr>
    void set_result(Given &&given) const {
        detail::check(detail::give_result<Value>(setter(), std::forward<Given>(given)));
    }
    template <class Value = T, class Given, std::enable_if_t<!std::is_void_v<Value>> * = nullptr>
    void set_result(Given &&given, std::error_code &sink) const noexcept(std::is_nothrow_constructible_v<Value, Given>) {
        detail::check(detail::quiet_give_result<Value>(setter(), std::forward<Given>(given)), sink);
    }
    template <class Value = T, class... Sink, std::enable_if_t<std::is_void_v<Value>> * = nullptr>
    void set_result(Sink &...sink) const noexcept(detail::quiet<Sink...>) {
        detail::check(loop_cfuture_set_result(cfuture_, nullptr, nullptr), sink...);
    }

    template <class... Sink>
    void set_exception(int code, const char *text, Sink &...sink) const noexcept(detail::quiet<Sink...>) {
        const int answer = code == LOOP_ECANCELLED ? refused(loop_cfuture_cancel(cfuture_, text))
                                                   : loop_cfuture_set_exception(cfuture_, code, text);
        detail::check(answer, sink...);
    }
#if COLOOP_EXCEPTIONS
    template <class... Sink> void set_exception(const std::exception_ptr &exception, Sink &...sink) const {
        detail::check(detail::set_failure(
                          exception, [this](auto... data) { return loop_cfuture_set_exception_data(cfuture_, data...); },
                          [this](const char *text) { return refused(loop_cfuture_cancel(cfuture_, text)); }),
                      sink...);
    }
#endif

    // Calls `callback()` when it is done: now, if it is; else on the thread that ends it. What
    // it throws is printed, unless that thread runs a loop by these headers.
    template <class Callback, class... Sink>
    void add_done_callback(Callback &&callback, Sink &...sink) const noexcept(detail::quiet_give<Callback, Sink...>) {
        const loop_cfuture_callback_t function = [](loop_cfuture_t *, void *data) noexcept {
            detail::guarded(nullptr, [data] { (void)detail::user_data<Callback>::call(data); });
        };
        detail::give<detail::user_data<Callback>>(
            std::forward<Callback>(callback), function,
            [this](auto... given) { return loop_cfuture_add_done_callback(cfuture_, given...); }, sink...);
    }

    // The address of a reference, for the ret_cfuture of a C function.
    loop_cfuture_t **receive() noexcept {
        loop_cfuture_unref(release());
        return &cfuture_;
    }

private:
    static int refused(int answer) noexcept { return answer == 0 ? LOOP_EINVALID_STATE : answer; }

    auto setter() const noexcept {
        return [this](void *result, loop_destroy_t destroy) { return loop_cfuture_set_result(cfuture_, result, destroy); };
    }

    void *outcome(nanoseconds timeout, std::error_code &sink) const noexcept {
        void *result = nullptr;
        detail::check(loop_cfuture_result(cfuture_, detail::to_timeout(timeout), &result), sink);
        return result;
    }
#if COLOOP_EXCEPTIONS
    void *outcome(nanoseconds timeout) const {
        void *result = nullptr;
        const int code = loop_cfuture_result(cfuture_, detail::to_timeout(timeout), &result);
        if (code >= 0) return result;
        const std::string text = loop_last_error();
        const void *const data = loop_cfuture_exception_data(cfuture_);
        if (const auto own = detail::carried::of(data, loop_cfuture_get_destroy(cfuture_))) std::rethrow_exception(own);
        detail::fail(code, text.c_str());
    }
#else
    void *outcome(nanoseconds timeout) const = delete;
#endif

    loop_cfuture_t *cfuture_ = nullptr;
};

namespace detail {

template <class T> struct submitted { using type = T; static constexpr bool waits = false; };
template <class T> struct submitted<future<T>> { using type = T; static constexpr bool waits = true; };

// loop_submit_callback_t for a callable: its future, or one that has its result.
template <class Callable> int start_submitted(loop_t *loop, loop_future_t **ret_future, void *data) noexcept {
    using call = user_data<Callable, loop_view>;
    using result = decltype(call::call(data, loop_view()));
    using kind = submitted<std::decay_t<result>>;
    std::error_code code;
    const auto begin = [&] {
        if constexpr (kind::waits) {
            *ret_future = call::call(data, loop_view(loop)).release();
        } else if constexpr (std::is_void_v<result>) {
            call::call(data, loop_view(loop));
        } else {
            auto done = loop_view(loop).create_future<typename kind::type>(code);
            if (code) return;
            done.set_result(call::call(data, loop_view(loop)), code);
            if (!code) *ret_future = done.release();
        }
    };
#if COLOOP_EXCEPTIONS
    try {
        begin();
    } catch (...) {
        auto failed = loop_view(loop).create_future<typename kind::type>(code);
        if (!code) failed.set_exception(std::current_exception(), code);
        // A cancellation makes a cancelled future of it, and that is its outcome.
        if (!code) *ret_future = failed.release();
    }
#else
    begin();
#endif
    return error_number(code);
}

} // namespace detail

// Calls `callback(loop)` or `callback()` on the loop's thread, from any thread. What it
// returns, or what the future ends with that it returns, ends the future for threads; so do
// exceptions. asyncio: run_coroutine_threadsafe().
template <class Callback, class... Sink> auto loop_view::submit_threadsafe(Callback &&callback, Sink &...sink) const {
    if constexpr (!std::is_invocable_v<std::decay_t<Callback> &, loop_view>) {
        auto ignoring = [callable = std::forward<Callback>(callback)](loop_view) mutable { return callable(); };
        return submit_threadsafe(std::move(ignoring), sink...);
    } else {
        using returned = std::decay_t<std::invoke_result_t<std::decay_t<Callback> &, loop_view>>;
        concurrent_future<typename detail::submitted<returned>::type> made;
        detail::give<detail::user_data<Callback, loop_view>>(
            std::forward<Callback>(callback), loop_submit_callback_t(detail::start_submitted<Callback>),
            [&](auto... data) { return loop_submit_threadsafe(loop_, data..., made.receive()); }, sink...);
        return made;
    }
}

// A future of this loop that ends as the thread's does; cancelling it cancels that.
// asyncio: wrap_future().
template <class T, class... Sink>
future<T> loop_view::wrap_future(const concurrent_future<T> &wrapped, Sink &...sink) const noexcept(detail::quiet<Sink...>) {
    future<T> made;
    detail::check(loop_wrap_cfuture(loop_, wrapped.capi(), made.receive()), sink...);
    return made;
}

} // namespace coloop
