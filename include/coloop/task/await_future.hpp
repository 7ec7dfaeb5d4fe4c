// SPDX-License-Identifier: Apache-2.0 OR MIT
//
// Awaiting futures, and so everything that yields one: tasks, executor jobs, futures that C
// code or another language ends.
//
//     co_await std::move(f)   its result, moved out
//     co_await f              a reference to it (for integers, pointers and the like a copy)
//     co_await awaitable(raw) a loop_future_t *, borrowed: its result as a void *
//
// Its failure is thrown; a C++ exception arrives as it was. Cancelling the task that awaits a
// future cancels the future, as in asyncio; see shield.
#pragma once

#include "../future.hpp"
#include "coroutine.hpp"

namespace coloop {

namespace detail {

// Waits by the library itself, which then knows what the task awaits.
class future_wait {
public:
    explicit future_wait(loop_future_t *awaited) noexcept : awaited_(awaited) {}
    future_wait(const future_wait &) = delete;
    future_wait &operator=(const future_wait &) = delete;

    bool await_ready() const noexcept { return false; }
    template <class Promise> bool await_suspend(std::coroutine_handle<Promise> waiting) noexcept {
        driver_ = &driver_of(waiting);
        return driver_->wait(waiting, loop_task_await(driver_->get_task(), loop_future_ref(awaited_)));
    }

protected:
    // The result as the library has it. The future is done unless the task was cancelled.
    void *result() {
        if (const int code = driver_->take_outcome()) {
            if (code == LOOP_ECANCELLED) fail(code, loop_last_error());
            check_outcome(awaited_, code);
        }
        void *stored = nullptr;
        check_outcome(awaited_, loop_future_result(awaited_, &stored));
        return stored;
    }

private:
    loop_future_t *awaited_;
    driver *driver_ = nullptr;
};

class raw_future_wait : public future_wait {
public:
    using future_wait::future_wait;
    void *await_resume() { return result(); }
};

template <class T> class borrowed_future_wait : public future_wait {
public:
    explicit borrowed_future_wait(const future<T> &awaited) noexcept : future_wait(awaited.capi()), awaited_(&awaited) {}
    typename result_traits<T>::reference await_resume() {
        return result_traits<T>::load(awaited_->capi(), result());
    }

private:
    const future<T> *awaited_;
};

template <class T> class owned_future_wait : public future_wait {
public:
    explicit owned_future_wait(future<T> &&awaited) noexcept : future_wait(awaited.capi()), awaited_(std::move(awaited)) {}
    T await_resume() {
        if constexpr (std::is_void_v<T>)
            result();
        else
            return std::move(result_traits<T>::load(awaited_.capi(), result()));
    }

private:
    future<T> awaited_;
};

} // namespace detail

[[nodiscard]] inline detail::raw_future_wait awaitable(loop_future_t *borrowed) noexcept {
    return detail::raw_future_wait(borrowed);
}

template <class T> auto operator co_await(const future<T> &awaited) noexcept {
    return detail::borrowed_future_wait<T>(awaited);
}
template <class T> auto operator co_await(future<T> &&awaited) noexcept {
    return detail::owned_future_wait<T>(std::move(awaited));
}

} // namespace coloop
