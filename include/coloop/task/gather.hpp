// SPDX-License-Identifier: Apache-2.0 OR MIT
//
// Several coroutines at a time: asyncio's gather and shield. For futures and task handles
// see coloop/combine.hpp.
#pragma once

#include "../combine.hpp"
#include "await_future.hpp"
#include "sleep.hpp"

#include <array>
#include <tuple>
#include <variant>

namespace coloop {

struct return_exceptions_t {};
inline constexpr return_exceptions_t return_exceptions{};

namespace detail {

// What stands for the result of a coroutine in a tuple.
template <class T> using gathered_result = std::conditional_t<std::is_void_v<T>, std::monostate, T>;

template <class T> gathered_result<T> take_result(const future<T> &done) {
    if constexpr (std::is_void_v<T>)
        return done.take(), std::monostate();
    else
        return done.take();
}

template <class T> std::vector<task_handle<T>> start_all(loop_view loop, std::vector<task<T>> &&tasks) {
    std::vector<task_handle<T>> started;
    started.reserve(tasks.size());
    for (task<T> &one : tasks) started.push_back(create_task(loop, std::move(one)));
    return started;
}

} // namespace detail

// Runs coroutines as tasks at the same time: a tuple of their results (std::monostate for
// void), in the order given. The first exception is thrown at once, and the others go on;
// cancelling whoever awaits this cancels them all. asyncio: gather().
template <class... Ts> task<std::tuple<detail::gathered_result<Ts>...>> gather(task<Ts>... tasks) {
    const loop_view loop = co_await this_loop();
    const std::tuple<task_handle<Ts>...> started{create_task(loop, std::move(tasks))...};
    co_await std::apply([&](auto &...all) { return detail::gather_all(loop, 0, all...); }, started);
    co_return std::apply([](auto &...all) { return std::tuple<detail::gathered_result<Ts>...>{detail::take_result<Ts>(all)...}; },
                         started);
}

// The same for any number of one type: a vector of their results.
template <class T>
    requires(!std::is_void_v<T>)
task<std::vector<T>> gather(std::vector<task<T>> tasks) {
    const loop_view loop = co_await this_loop();
    const auto started = detail::start_all(loop, std::move(tasks));
    co_await gather(loop, started);
    std::vector<T> results;
    results.reserve(started.size());
    for (const auto &one : started) results.push_back(one.take());
    co_return results;
}
inline task<void> gather(std::vector<task<void>> tasks) {
    const loop_view loop = co_await this_loop();
    const auto started = detail::start_all(loop, std::move(tasks));
    co_await gather(loop, started);
}

// gather(return_exceptions, ...) waits for all, and throws for none of them: their futures,
// each done. asyncio: gather(..., return_exceptions=True).
template <class... Ts> task<std::tuple<task_handle<Ts>...>> gather(return_exceptions_t, task<Ts>... tasks) {
    const loop_view loop = co_await this_loop();
    std::tuple<task_handle<Ts>...> started{create_task(loop, std::move(tasks))...};
    co_await std::apply([&](auto &...all) { return detail::gather_all(loop, LOOP_RETURN_EXCEPTIONS, all...); }, started);
    co_return std::move(started);
}
template <class T> task<std::vector<task_handle<T>>> gather(return_exceptions_t, std::vector<task<T>> tasks) {
    const loop_view loop = co_await this_loop();
    auto started = detail::start_all(loop, std::move(tasks));
    co_await gather(loop, started, LOOP_RETURN_EXCEPTIONS);
    co_return std::move(started);
}

// Runs a coroutine as a task that goes on when whoever awaits this is cancelled.
// asyncio: shield().
template <class T> task<T> shield(task<T> inner) {
    const auto started = create_task(co_await this_loop(), std::move(inner));
    co_return co_await shield(started);
}

// Awaits a blocking job on the loop's default executor, or on a given one: what it returns
// or throws. asyncio: run_in_executor().
template <class Job> auto in_executor(Job job) -> task<std::decay_t<std::invoke_result_t<Job &>>> {
    const loop_view loop = co_await this_loop();
    co_return co_await loop.run_in_executor(std::move(job));
}

} // namespace coloop
