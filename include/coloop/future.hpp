// SPDX-License-Identifier: Apache-2.0 OR MIT
//
// Futures: asyncio's Future with a result of type T.
//
// A future<T> is one reference to a loop_future_t; its result, its failure and its callbacks
// stand there, so that C, other languages and combinators see the same. It belongs to its
// loop's thread; only references (clone, move, destruction) are for any thread.
#pragma once

#include "failure.hpp"
#include "loop.hpp"
#include "result.hpp"

#include <optional>

namespace coloop {

namespace detail {

#if COLOOP_EXCEPTIONS

// The exception that a future ended with; null if it is of no C++.
inline std::exception_ptr exception_of(loop_future_t *future) noexcept {
    return carried::of(loop_future_exception_data(future), loop_future_get_destroy(future));
}

inline int check_outcome(loop_future_t *future, int code) {
    if (code >= 0) return code;
    const std::string text = loop_last_error();
    // An error of the call that happens to be like the future's failure says as much.
    int failure = 0;
    const bool is_failure = loop_future_exception(future, &failure, nullptr) == 1 && failure == code;
    if (const std::exception_ptr own = is_failure ? exception_of(future) : nullptr) std::rethrow_exception(own);
    if (is_failure && loop_future_exception_data(future)) throw foreign_error(future, code, text.c_str());
    fail(code, text.c_str());
}

#else

int check_outcome(loop_future_t *future, int code) = delete;

#endif

inline int check_outcome(loop_future_t *, int code, std::error_code &sink) noexcept { return check(code, sink); }

// Gives a new result to set(result, destroy).
template <class T, class Set, class... Values> int give_result(Set set, Values &&...values) {
    using traits = result_traits<T>;
    return set(traits::store(std::forward<Values>(values)...), traits::destroys ? loop_destroy_t(traits::destroy) : nullptr);
}

// The same, with -ENOMEM for what cannot be stored.
template <class T, class Set, class... Values> int quiet_give_result(Set set, Values &&...values) {
    using traits = result_traits<T>;
    if constexpr (traits::destroys) {
        void *const result = traits::quiet_store(std::forward<Values>(values)...);
        return result ? set(result, traits::destroy) : -ENOMEM;
    } else {
        return give_result<T>(set, std::forward<Values>(values)...);
    }
}

} // namespace detail

// What futures of all types can do. An empty one (default-constructed, moved from) answers
// LOOP_EINVAL.
class any_future {
public:
    any_future() noexcept = default;
    any_future(any_future &&other) noexcept : future_(other.release()) {}
    any_future &operator=(any_future &&other) noexcept {
        any_future taken(std::move(other));
        std::swap(future_, taken.future_);
        return *this;
    }
    ~any_future() { loop_future_unref(future_); }

    // The library's future, borrowed.
    loop_future_t *capi() const noexcept { return future_; }
    // Gives the reference to the caller.
    loop_future_t *release() noexcept { return std::exchange(future_, nullptr); }
    explicit operator bool() const noexcept { return future_ != nullptr; }
    // Are they the same future?
    friend bool operator==(const any_future &a, const any_future &b) noexcept { return a.future_ == b.future_; }
    friend bool operator!=(const any_future &a, const any_future &b) noexcept { return a.future_ != b.future_; }

    loop_view get_loop() const noexcept { return future_ ? loop_future_get_loop(future_) : nullptr; }

    template <class... Sink> bool done(Sink &...sink) const noexcept(detail::quiet<Sink...>) {
        return detail::check(loop_future_done(future_), sink...) == 1;
    }
    template <class... Sink> bool cancelled(Sink &...sink) const noexcept(detail::quiet<Sink...>) {
        return detail::check(loop_future_cancelled(future_), sink...) == 1;
    }
    // True if it is or will be cancelled. What works on it has let go when this returns.
    template <class... Sink, class = std::enable_if_t<detail::are_sinks<Sink...>>>
    bool cancel(Sink &...sink) const noexcept(detail::quiet<Sink...>) {
        return detail::check(loop_future_cancel(future_, nullptr), sink...) == 1;
    }
    template <class... Sink> bool cancel(const char *message, Sink &...sink) const noexcept(detail::quiet<Sink...>) {
        return detail::check(loop_future_cancel(future_, message), sink...) == 1;
    }

    // The failure of a done future as a code; none after a result. Errors of the question
    // look the same: LOOP_EINVALID_STATE while it is pending.
    std::error_code error() const noexcept {
        int code = 0;
        const int answer = loop_future_exception(future_, &code, nullptr);
        return make_error_code(answer == 1 ? code : answer);
    }

    // Ends it with a failure: a negative code and a text (NULL: that of the code).
    template <class... Sink>
    void set_exception(int code, const char *text, Sink &...sink) const noexcept(detail::quiet<Sink...>) {
        const int answer = code == LOOP_ECANCELLED ? refused(loop_future_cancel(future_, text))
                                                   : loop_future_set_exception(future_, code, text);
        detail::check(answer, sink...);
    }

#if COLOOP_EXCEPTIONS
    // The same with an exception, which whoever asks for the result gets again; C code and
    // other languages see its code and its text. A cancelled_error cancels.
    template <class... Sink> void set_exception(const std::exception_ptr &exception, Sink &...sink) const {
        detail::check(detail::set_failure(
                          exception, [this](auto... data) { return loop_future_set_exception_data(future_, data...); },
                          [this](const char *text) { return refused(loop_future_cancel(future_, text)); },
                          [this](loop_future_t *failed) { return loop_future_set_exception_of(future_, failed); }),
                      sink...);
    }

    // The failure of a done future; null after a result. Throws cancelled_error if it was
    // cancelled, LOOP_EINVALID_STATE while it is pending.
    std::exception_ptr exception() const {
        int code = 0;
        const char *text = nullptr;
        if (detail::check(loop_future_exception(future_, &code, &text)) == 0) return nullptr;
        if (std::exception_ptr own = detail::exception_of(future_)) return own;
        if (loop_future_exception_data(future_)) return std::make_exception_ptr(foreign_error(future_, code, text));
        return std::make_exception_ptr(coloop::error(code, text));
    }
#endif

    // The address of a reference, for the ret_future of a C function.
    loop_future_t **receive() noexcept {
        loop_future_unref(release());
        return &future_;
    }

protected:
    explicit any_future(loop_future_t *given) noexcept : future_(given) {}

    // Calls `callback`, on the loop's thread in a later turn, with a Future if it takes one.
    template <class Future, class Callback, class... Sink> void on_done(Callback &&callback, Sink &...sink) const {
        static constexpr bool takes_future = std::is_invocable_v<std::decay_t<Callback> &, Future>;
        using data = std::conditional_t<takes_future, detail::user_data<Callback, Future>, detail::user_data<Callback>>;
        static_assert(takes_future || std::is_invocable_v<std::decay_t<Callback> &>,
                      "a done callback is called with the future, or without arguments");
        const loop_future_callback_t function = [](loop_future_t *done, void *user_data) noexcept {
            detail::guarded(loop_future_get_loop(done), [&] {
                if constexpr (takes_future)
                    (void)data::call(user_data, Future::from_capi(loop_future_ref(done)));
                else
                    (void)data::call(user_data);
            });
        };
        detail::give<data>(std::forward<Callback>(callback), function,
                           [this](auto... given) { return loop_future_add_done_callback(future_, given...); }, sink...);
    }

private:
    // A done future does not end again.
    static int refused(int answer) noexcept { return answer == 0 ? LOOP_EINVALID_STATE : answer; }

    loop_future_t *future_ = nullptr;
};

// A future whose result is a T, a void, or (T = void *) whatever its C result is. Move-only;
// clone() for another reference.
template <class T> class future : public any_future {
public:
    using value_type = T;
    using traits = result_traits<T>;

    future() noexcept = default;

    // Takes over a reference to a future whose result was stored as result_traits<T> does.
    static future from_capi(loop_future_t *given) noexcept { return future(given); }
    future clone() const noexcept { return future(loop_future_ref(capi())); }

    // Ends it with a T made of `values`.
    template <class... Values> void emplace_result(Values &&...values) const {
        detail::check(detail::give_result<T>(setter(), std::forward<Values>(values)...));
    }
    // Ends it with a result: set_result(value), for void set_result(). A std::error_code may
    // follow.
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
        detail::check(loop_future_set_result(capi(), nullptr, nullptr), sink...);
    }

    // The result, which stays the future's: a T & that lives as long (for integers, pointers
    // and the like a T). Throws its failure, or LOOP_EINVALID_STATE while it is pending.
    typename traits::reference result() const { return traits::load(capi(), outcome()); }
    // The same as a T *, NULL without a result (for integers and the like a T or 0).
    typename traits::pointer result(std::error_code &sink) const noexcept {
        void *const result = outcome(sink);
        if constexpr (std::is_void_v<T>)
            return;
        else
            return sink ? typename traits::pointer() : traits::quiet_load(capi(), result);
    }
    // Moves the result out; others who have this future see what is left of it.
    T take() const {
        if constexpr (std::is_void_v<T>)
            outcome();
        else
            return std::move(traits::load(capi(), outcome()));
    }

    // Calls `callback(future<T>)` or `callback()` by call_soon once it is done.
    template <class Callback, class... Sink> void add_done_callback(Callback &&callback, Sink &...sink) const {
        on_done<future>(std::forward<Callback>(callback), sink...);
    }

private:
    explicit future(loop_future_t *given) noexcept : any_future(given) {}

    auto setter() const noexcept {
        return [this](void *result, loop_destroy_t destroy) { return loop_future_set_result(capi(), result, destroy); };
    }

    template <class... Sink> void *outcome(Sink &...sink) const {
        void *result = nullptr;
        detail::check_outcome(capi(), loop_future_result(capi(), &result), sink...);
        return result;
    }
};

// A pending future, which whoever made it ends. asyncio: loop.create_future().
template <class T, class... Sink>
future<T> loop_view::create_future(Sink &...sink) const noexcept(detail::quiet<Sink...>) {
    future<T> made;
    detail::check(loop_future_new(loop_, made.receive()), sink...);
    return made;
}

namespace detail {

#if COLOOP_EXCEPTIONS
[[noreturn]] inline int stopped() { throw error(LOOP_ESTOPPED, nullptr); }
#endif
inline int stopped(std::error_code &sink) noexcept { return check(LOOP_ESTOPPED, sink); }

// Runs until the future is done: 0, or its failure.
template <class... Sink> int run_until_complete(loop_t *loop, loop_future_t *future, Sink &...sink) {
#if COLOOP_EXCEPTIONS
    run_frame frame(loop);
    int code = loop_run_until_complete(loop, future, nullptr);
    frame.rethrow();
#else
    int code = loop_run_until_complete(loop, future, nullptr);
#endif
    // A code of interrupt(): whoever gave it left the future where it was.
    if (code > 0) return stopped(sink...);
    return check_outcome(future, code, sink...);
}

} // namespace detail

// Runs the loop until the future is done, and answers its result: see future::result().
// asyncio: loop.run_until_complete().
template <class T> typename result_traits<T>::reference loop_view::run_until_complete(const future<T> &awaited) const {
    detail::run_until_complete(loop_, awaited.capi());
    return awaited.result();
}
template <class T>
typename result_traits<T>::pointer loop_view::run_until_complete(const future<T> &awaited, std::error_code &sink) const {
    detail::run_until_complete(loop_, awaited.capi(), sink);
    if (sink) return typename result_traits<T>::pointer();
    return awaited.result(sink);
}
// The same for a future that ends here: the result is moved out.
template <class T> T loop_view::run_until_complete(future<T> &&awaited) const {
    detail::run_until_complete(loop_, awaited.capi());
    return awaited.take();
}

} // namespace coloop
