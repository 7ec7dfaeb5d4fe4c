// SPDX-License-Identifier: Apache-2.0 OR MIT
//
// Exceptions that leave a callback. None ever crosses the library: it is caught here.
//
// If the callback's loop is run on this thread by a call of these headers, the exception is
// kept, the run ends right after the callback, and the call throws it. Else, and after a
// first one, it goes to the loop's exception handler, as in asyncio.
#pragma once

#include "error.hpp"

#include <cstdio>
#include <utility>

namespace coloop::detail {

#if COLOOP_EXCEPTIONS

// A run, or part of one, that a call of these headers makes on this thread.
class run_frame {
public:
    explicit run_frame(loop_t *loop) noexcept;
    ~run_frame();
    run_frame(const run_frame &) = delete;
    run_frame &operator=(const run_frame &) = delete;

    // Keeps the exception that is being handled, if there is none yet, and ends the run.
    bool keep() noexcept {
        if (exception_) return false;
        exception_ = std::current_exception();
        loop_interrupt(loop_, 1); // fails in a hook of loop_poll, which ends anyway
        return true;
    }
    void rethrow() {
        if (exception_) std::rethrow_exception(std::exchange(exception_, nullptr));
    }
    loop_t *loop() const noexcept { return loop_; }

private:
    loop_t *loop_;
    run_frame *outer_;
    std::exception_ptr exception_;
};

// The parameter keeps two different standard libraries in a process apart.
template <class Standard> struct COLOOP_VISIBLE this_thread {
    static inline thread_local run_frame *frame = nullptr;
};

inline run_frame *&current_frame() noexcept { return this_thread<std::string>::frame; }

inline run_frame::run_frame(loop_t *loop) noexcept : loop_(loop), outer_(current_frame()) {
    current_frame() = this;
}
inline run_frame::~run_frame() { current_frame() = outer_; }

// An exception as the library's code and text, and the future that has failed with it if it
// is of another language; what stands here lives as long as the exception.
struct described {
    int code;
    const char *text;
    loop_future_t *failed = nullptr;
};

template <class Use> auto describe(const std::exception_ptr &exception, Use use) {
    try {
        std::rethrow_exception(exception);
    } catch (const foreign_error &error) {
        return use(described{error.number(), error.what(), error.failed()});
    } catch (const std::system_error &error) {
        const int number = error_number(error.code()); // 0: an exception without an error
        return use(described{number ? number : LOOP_EINTERNAL, error.what()});
    } catch (const std::bad_alloc &error) {
        return use(described{-ENOMEM, error.what()});
    } catch (const std::exception &error) {
        return use(described{LOOP_EEXCEPTION, error.what()});
    } catch (...) {
        return use(described{LOOP_EEXCEPTION, "a C++ exception of unknown type"});
    }
}

// What is left where nobody else can be told of the exception that is being handled.
inline void print_exception(const char *what) noexcept {
    describe(std::current_exception(),
             [what](described failure) { std::fprintf(stderr, "coloop: %s: %s\n", what, failure.text); });
}

// Tells of the exception that is being handled. `loop` may be NULL inside a run.
inline void report_exception(loop_t *loop) noexcept {
    describe(std::current_exception(), [loop](described failure) {
        if (loop && loop_callback_failed(loop, failure.code, failure.text) == 0) return;
        loop_exception_context_t context{};
        context.size = sizeof context;
        context.code = failure.code;
        context.exception = failure.text;
        context.fd = -1;
        if (loop && loop_call_exception_handler(loop, &context) == 0) return;
        if (loop && loop_default_exception_handler(loop, &context) == 0) return;
        print_exception("unhandled exception");
    });
}

// Keeps the exception that is being handled for the run that is to throw it: false if no
// run of these headers is the one. In a forked child no loop runs, but its frames are left.
inline bool keep_exception(loop_t *loop) noexcept {
    run_frame *frame = current_frame();
    if (!frame) return false;
    loop_t *running = nullptr;
    if (loop_get_running(&running) == 0) loop = running;
    return (!loop || loop == frame->loop()) && frame->keep();
}

// Called in a handler of every exception that leaves a callback.
inline void callback_threw(loop_t *loop) noexcept {
    if (keep_exception(loop)) return;
    loop_t *running = nullptr;
    if (!loop && loop_get_running(&running) == 0) loop = running;
    report_exception(loop);
}

#endif

// Runs the body of a callback of the library. `loop` is NULL where the callback is not told.
template <class Body> void guarded(loop_t *loop, Body &&body) noexcept {
#if COLOOP_EXCEPTIONS
    try {
        body();
    } catch (...) {
        callback_threw(loop);
    }
#else
    (void)loop;
    body();
#endif
}

// Runs a body that makes the loop call back, and throws what a callback threw.
template <class Body, class... Sink> int run(loop_t *loop, Body &&body, Sink &...sink) {
#if COLOOP_EXCEPTIONS
    run_frame frame(loop);
    const int result = body();
    frame.rethrow();
#else
    (void)loop;
    const int result = body();
#endif
    return check(result, sink...);
}

} // namespace coloop::detail
