// SPDX-License-Identifier: Apache-2.0 OR MIT
//
// task<T>: a lazy coroutine, asyncio's coroutine object.
//
//     coloop::task<int> twice(int n) {
//         co_await coloop::sleep(10ms);
//         co_return 2 * n;
//     }
//
// It begins when it is awaited, by another task (then it is a part of that one's task of the
// library, without a turn in between), or by run, create_task and the like. It belongs to
// the thread of the loop that it runs on. Destroying it destroys its frame, also where it
// waits: what it waited for is let go of.
//
// GCC 12 destroys a lambda twice that stands inside a co_await expression and has captures
// with destructors; give such a lambda a name before.
#pragma once

#include "driver.hpp"
#include "frame_memory.hpp"

#include <exception>
#include <memory>
#include <optional>
#include <type_traits>

namespace coloop {

template <class T = void> class task;

namespace detail {

template <class T> class chain;

class promise_base {
public:
    // At the end the coroutine that awaits this one goes on, or, at the end of a chain, the
    // step of the task returns.
    struct final_awaiter {
        bool await_ready() const noexcept { return false; }
        template <class Promise>
        std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> ended) const noexcept {
            const promise_base &promise = ended.promise();
            return promise.driver_->transfer(promise.awaited_by_);
        }
        void await_resume() const noexcept {}
    };

    static void *operator new(std::size_t size) { return frame_memory::allocate(size); }
    static void operator delete(void *frame, std::size_t size) noexcept { frame_memory::release(frame, size); }

    std::suspend_always initial_suspend() const noexcept { return {}; }
    final_awaiter final_suspend() const noexcept { return {}; }
    void unhandled_exception() noexcept { exception_ = std::current_exception(); }

    driver &get_driver() const noexcept { return *driver_; }
    void begin(driver &own, std::coroutine_handle<> awaited_by) noexcept {
        driver_ = &own;
        awaited_by_ = awaited_by;
    }

protected:
    void rethrow() {
        if (exception_) std::rethrow_exception(std::exchange(exception_, nullptr));
    }

private:
    driver *driver_ = nullptr;
    std::coroutine_handle<> awaited_by_;
    std::exception_ptr exception_;
};

template <class T> class promise final : public promise_base {
public:
    task<T> get_return_object() noexcept;
    template <class Value = T> void return_value(Value &&value) { result_.emplace(std::forward<Value>(value)); }
    T take() {
        rethrow();
        return std::move(*result_);
    }

private:
    std::optional<T> result_;
};

template <class T> class promise<T &> final : public promise_base {
public:
    task<T &> get_return_object() noexcept;
    void return_value(T &value) noexcept { result_ = std::addressof(value); }
    T &take() {
        rethrow();
        return *result_;
    }

private:
    T *result_ = nullptr;
};

template <> class promise<void> final : public promise_base {
public:
    task<void> get_return_object() noexcept;
    void return_void() noexcept {}
    void take() { rethrow(); }
};

} // namespace detail

template <class T> class [[nodiscard("a coroutine does nothing until it is awaited")]] task {
public:
    using value_type = T;
    using promise_type = detail::promise<T>;

    task() noexcept = default; // none
    task(task &&other) noexcept : frame_(std::exchange(other.frame_, nullptr)) {}
    task &operator=(task &&other) noexcept {
        task taken(std::move(other));
        std::swap(frame_, taken.frame_);
        return *this;
    }
    ~task() {
        if (frame_) frame_.destroy();
    }
    explicit operator bool() const noexcept { return static_cast<bool>(frame_); }

    // Runs it as a part of the awaiting task: its result, moved, or its exception. Once only.
    auto operator co_await() && noexcept { return awaiter(std::move(*this)); }

private:
    friend promise_type;
    friend class detail::chain<T>;
    using handle = std::coroutine_handle<promise_type>;

    // Keeps the frame until the result is taken.
    class awaiter {
    public:
        explicit awaiter(task &&awaited) noexcept : awaited_(std::move(awaited)) {}
        bool await_ready() const noexcept { return !awaited_; }
        template <class Promise>
        std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> awaited_by) const noexcept {
            detail::driver &driver = detail::driver_of(awaited_by);
            awaited_.frame_.promise().begin(driver, awaited_by);
            return driver.transfer(awaited_.frame_);
        }
        T await_resume() const { return awaited_.take(); }

    private:
        task awaited_;
    };

    explicit task(handle frame) noexcept : frame_(frame) {}

    T take() const {
        if (!frame_) throw error(LOOP_EINVALID_STATE, "cannot reuse already awaited coroutine");
        return frame_.promise().take();
    }

    handle frame_;
};

namespace detail {

template <class T> task<T> promise<T>::get_return_object() noexcept {
    return task<T>(std::coroutine_handle<promise>::from_promise(*this));
}
template <class T> task<T &> promise<T &>::get_return_object() noexcept {
    return task<T &>(std::coroutine_handle<promise>::from_promise(*this));
}
inline task<void> promise<void>::get_return_object() noexcept {
    return task<void>(std::coroutine_handle<promise>::from_promise(*this));
}

} // namespace detail
} // namespace coloop
