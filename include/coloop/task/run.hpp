// SPDX-License-Identifier: Apache-2.0 OR MIT
//
// Running a coroutine from code that is none: asyncio's run, Runner and run_until_complete.
#pragma once

#include "create_task.hpp"

namespace coloop {

// Options with their size: change what you want.
struct runner_options : loop_runner_options_t {
    runner_options() noexcept : loop_runner_options_t{} { size = sizeof(loop_runner_options_t); }
};

// Runs main coroutines on a loop of its own, which it closes in the end: all other tasks are
// cancelled and awaited then, finalizers called, the default executor shut down.
// asyncio: Runner.
class runner {
public:
    explicit runner(const runner_options &options = {}) { detail::check(loop_runner_new(&options, &runner_)); }
    runner(const runner &) = delete;
    runner &operator=(const runner &) = delete;
    ~runner() { loop_runner_close(runner_); }

    loop_view get_loop() const noexcept { return loop_runner_get_loop(runner_); }

    // Runs a coroutine to its end: its result, or its exception. May be called again.
    template <class T> T run(task<T> &&main) const {
        loop_t *const loop = get_loop().capi();
        auto *const data = detail::chain<T>::make(loop, std::move(main));
        future<T> ended;
        int code = 0;
        {
            detail::run_frame frame(loop);
            code = loop_runner_run(runner_, detail::chain<T>::step, data, detail::chain<T>::destroy, ended.receive());
            frame.rethrow();
        }
        if (code > 0) detail::stopped();
        detail::check_outcome(ended.capi(), code);
        return ended.take();
    }

    // Ends everything. What callbacks throw meanwhile goes to the exception handler.
    void close() { detail::check(loop_runner_close(std::exchange(runner_, nullptr))); }

private:
    loop_runner_t *runner_ = nullptr;
};

// Runs a coroutine on a new loop, ends everything, and answers its result or throws its
// exception. With LOOP_RUN_SIGINT in the options' flags, Ctrl-C cancels it.
// asyncio: run().
template <class T> T run(task<T> &&main, const runner_options &options = {}) {
    runner own(options);
    if constexpr (std::is_void_v<T>) {
        own.run(std::move(main));
        own.close();
    } else {
        T result = own.run(std::move(main));
        own.close();
        return result;
    }
}

// Runs the loop until a coroutine has ended as a task of it: its result, or its exception.
template <class T> T loop_view::run_until_complete(task<T> &&main) const {
    const auto started = coloop::create_task(*this, std::move(main));
    detail::run_until_complete(loop_, started.capi());
    return started.take();
}

// Starts a coroutine as a task of this loop: coloop::create_task.
template <class T> task_handle<T> loop_view::create_task(task<T> &&coroutine, const char *name) const {
    return coloop::create_task(*this, std::move(coroutine), name);
}

} // namespace coloop
