// SPDX-License-Identifier: Apache-2.0 OR MIT
//
// How coroutines wait: one task of the library drives a chain of them.
//
// A chain is a coroutine, the one that it awaits, and so on. To the library it is one
// loop_task_t, so it has a name, can be cancelled, and is listed like any other task. The
// innermost coroutine waits: it parks the task (loop_task_park), and the next step of the
// task resumes it there.
//
// How to write an awaitable: derive from detail::waiter, register what is to call wake(),
// and park. It lives in the frame of the coroutine that awaits it, so that is all the memory
// it needs.
//
//     class event_wait : public coloop::detail::waiter<event_wait> {
//     public:
//         explicit event_wait(event &given) : event_(given) {}
//         ~event_wait() { let_go(); }  // the coroutine is destroyed while it waits
//
//         bool await_ready() const noexcept { return event_.is_set(); }
//
//         // False: it was refused, and await_resume throws why.
//         template <class Promise> bool await_suspend(std::coroutine_handle<Promise> waiting) noexcept {
//             return park(waiting, event_.add(this));  // 0 or a negative code
//         }
//         void await_resume() { check(); }  // throws cancelled_error
//
//         // The task is cancelled: called at once, before cancel() returns. Also for other
//         // ways out; so it must do no harm when nothing is registered.
//         void let_go() noexcept { event_.remove(this); }
//     };
//
// The event then calls wake(), which resumes the coroutine in the next turn. Between wake()
// and that turn the task may still be cancelled: check() throws then, and let_go() is not
// called, because the wait was over. Whoever was handed something by the wake, such as a
// lock, has to pass it on before check() throws.
#pragma once

#include "../exception.hpp"

#if !defined(__cpp_impl_coroutine) || !COLOOP_EXCEPTIONS
#error "coloop/task.hpp needs C++20 with coroutines and exceptions"
#endif

#include <coroutine>
#include <utility>

namespace coloop::detail {

// What the coroutines of a chain share, and what the steps of its task work on.
class driver {
public:
    loop_t *get_loop() const noexcept { return loop_; }
    // Borrowed: valid while the chain is.
    loop_task_t *get_task() const noexcept { return task_; }

    // What a coroutine returns to hand control to another one. Without optimisation compilers
    // make calls of that, so every now and then the stack is left before.
    std::coroutine_handle<> transfer(std::coroutine_handle<> next) noexcept {
        if (--transfers_left_ != 0) return next;
        next_ = next;
        return std::noop_coroutine();
    }

    // The coroutine waits, and the present step of the task answers so: one of
    // LOOP_TASK_..., or a negative code, with which the coroutine goes on at once.
    bool wait(std::coroutine_handle<> waiting, int answer) noexcept {
        if (answer < 0) return refused(answer);
        innermost_ = waiting;
        answer_ = answer;
        return true;
    }
    bool refused(int code) noexcept {
        outcome_ = code;
        return false;
    }

    // How the wait ended: 0 or a code, whose text is in loop_last_error.
    int take_outcome() noexcept { return std::exchange(outcome_, 0); }

protected:
    driver(loop_t *loop, std::coroutine_handle<> first) noexcept : loop_(loop), innermost_(first) {}

    // Resumes the innermost coroutine; what the step answers if the chain is not over.
    int resume(loop_task_t *task, int outcome) noexcept {
        task_ = task;
        outcome_ = outcome;
        answer_ = bad_yield;
        next_ = innermost_;
        do {
            transfers_left_ = most_transfers;
            std::exchange(next_, nullptr).resume();
        } while (next_);
        return answer_;
    }

private:
    static constexpr int most_transfers = 100;
    // No answer that the library knows: the coroutine awaits what is not written for it, and
    // the task fails.
    static constexpr int bad_yield = 1000;

    loop_t *loop_;
    loop_task_t *task_ = nullptr;
    std::coroutine_handle<> innermost_;
    std::coroutine_handle<> next_;
    int transfers_left_ = 0;
    int outcome_ = 0;
    int answer_ = bad_yield;
};

// Where an awaitable finds the driver of the coroutine that awaits it.
template <class Promise> driver &driver_of(std::coroutine_handle<Promise> waiting) noexcept {
    static_assert(requires { static_cast<driver &>(waiting.promise().get_driver()); },
                  "coloop's awaitables are for coroutines of the type coloop::task");
    return waiting.promise().get_driver();
}

// Base of what a coroutine waits for with nothing but memory of its own; see above.
template <class Derived> class waiter {
public:
    waiter(const waiter &) = delete;
    waiter &operator=(const waiter &) = delete;

    // Lets the coroutine go on in the loop's next turn; again does nothing. Of the loop's
    // thread.
    void wake() noexcept { loop_task_wake(driver_->get_task()); }
    // The same without that turn, unless a coroutine runs now: it goes on before this
    // returns, and what waited is gone then.
    void wake_now() noexcept { loop_task_wake_now(driver_->get_task()); }

protected:
    waiter() noexcept = default;

    // The end of await_suspend: waits for wake(), unless `registered` is an error.
    template <class Promise> bool park(std::coroutine_handle<Promise> waiting, int registered) noexcept {
        driver_ = &driver_of(waiting);
        if (registered >= 0) registered = loop_task_park(driver_->get_task(), cancelled, static_cast<Derived *>(this));
        return driver_->wait(waiting, registered);
    }

    // The same for a wait until the next turn, of which nobody need be told.
    template <class Promise> bool yield(std::coroutine_handle<Promise> waiting) noexcept {
        driver_ = &driver_of(waiting);
        return driver_->wait(waiting, LOOP_TASK_YIELD);
    }

    // The beginning of await_resume: throws if the wait was refused, or cancelled. Nothing
    // happens if it never began.
    void check() {
        if (const int code = outcome()) fail(code, loop_last_error());
    }
    // The same as a code, for those who have something to put in order first.
    int outcome() noexcept { return driver_ ? driver_->take_outcome() : 0; }

private:
    static void cancelled(void *self) noexcept { static_cast<Derived *>(self)->let_go(); }

    driver *driver_ = nullptr;
};

} // namespace coloop::detail
