// SPDX-License-Identifier: Apache-2.0 OR MIT
//
// Executors: Python's ThreadPoolExecutor and asyncio's run_in_executor.
#pragma once

#include "concurrent.hpp"

namespace coloop {

namespace detail {

// loop_job_t for a callable: its result as a future<T> has it, or its exception.
template <class Callable> int run_job(void *data, void **ret_result) noexcept {
    using call = user_data<Callable>;
    using result = std::decay_t<decltype(call::call(data))>;
#if COLOOP_EXCEPTIONS
    try {
#endif
        if constexpr (std::is_void_v<result>)
            call::call(data);
        else
            *ret_result = result_traits<result>::store(call::call(data));
        return 0;
#if COLOOP_EXCEPTIONS
    } catch (...) {
        return set_failure(
            std::current_exception(), [](auto... failure) { return loop_job_fail_data(failure...); },
            [](const char *text) { return loop_job_fail(LOOP_ECANCELLED, text); });
    }
#endif
}

} // namespace detail

// Runs blocking jobs: a pool of threads, or a host's executor. One reference; move-only.
// Any thread.
class executor {
public:
    // A pool of at most so many threads; 0: the number of processors plus 4, at most 32.
    template <class... Sink>
    explicit executor(std::uint32_t workers, Sink &...sink) noexcept(detail::quiet<Sink...>) {
        detail::check(loop_executor_new(workers, &executor_), sink...);
    }
    executor() noexcept = default; // none
    executor(executor &&other) noexcept : executor_(other.release()) {}
    executor &operator=(executor &&other) noexcept {
        executor taken(std::move(other));
        std::swap(executor_, taken.executor_);
        return *this;
    }
    // Gives the reference back. The pool's threads do what is queued and end; this never waits.
    ~executor() { loop_executor_unref(executor_); }

    // Takes over a reference, such as that of loop_executor_create.
    static executor from_capi(loop_executor_t *given) noexcept {
        executor made;
        made.executor_ = given;
        return made;
    }
    executor clone() const noexcept { return from_capi(loop_executor_ref(executor_)); }
    loop_executor_t *capi() const noexcept { return executor_; }
    loop_executor_t *release() noexcept { return std::exchange(executor_, nullptr); }
    explicit operator bool() const noexcept { return executor_ != nullptr; }

    // Calls `job()` on a thread of the executor; what it returns or throws ends the future.
    // Without a loop: see loop_view::run_in_executor. Python: executor.submit().
    template <class Job, class... Sink> auto submit(Job &&job, Sink &...sink) const {
        using result = std::decay_t<std::invoke_result_t<std::decay_t<Job> &>>;
        auto made = concurrent_future<result>::make(sink...);
        if (!made) return made;
        work<std::decay_t<Job>, result> whole{std::forward<Job>(job), made.clone()};
        const int code = detail::give_callback(
            std::move(whole), [this](auto... data) { return loop_executor_submit(executor_, data...); }, sink...);
        return code < 0 ? concurrent_future<result>() : std::move(made);
    }

    template <class... Sink> void set_workers(std::uint32_t workers, Sink &...sink) const noexcept(detail::quiet<Sink...>) {
        detail::check(loop_executor_set_workers(executor_, workers), sink...);
    }
    // How many threads there are, and how many jobs wait for one.
    template <class... Sink> int threads(Sink &...sink) const noexcept(detail::quiet<Sink...>) {
        return detail::check(loop_executor_threads(executor_), sink...);
    }
    template <class... Sink> int queued(Sink &...sink) const noexcept(detail::quiet<Sink...>) {
        return detail::check(loop_executor_queued(executor_), sink...);
    }
    // Takes no more jobs; LOOP_EXECUTOR_WAIT and LOOP_EXECUTOR_CANCEL_QUEUED in `flags`.
    template <class... Sink>
    void shutdown(std::uint32_t flags, nanoseconds timeout, Sink &...sink) const noexcept(detail::quiet<Sink...>) {
        detail::check(loop_executor_shutdown(executor_, flags, detail::to_timeout(timeout)), sink...);
    }
    // Waits for everything. Python: executor.shutdown().
    template <class... Sink, class = std::enable_if_t<detail::are_sinks<Sink...>>>
    void shutdown(Sink &...sink) const noexcept(detail::quiet<Sink...>) {
        shutdown(LOOP_EXECUTOR_WAIT, no_timeout, sink...);
    }
    template <class... Sink> void reinit_after_fork(Sink &...sink) const noexcept(detail::quiet<Sink...>) {
        detail::check(loop_executor_reinit_after_fork(executor_), sink...);
    }

private:
    // A job with the future it ends; one that never runs cancels it.
    template <class Job, class Result> struct work {
        Job job;
        concurrent_future<Result> promise;

        work(Job &&given, concurrent_future<Result> &&ends) : job(std::move(given)), promise(std::move(ends)) {}
        work(const Job &given, concurrent_future<Result> &&ends) : job(given), promise(std::move(ends)) {}
        work(work &&) = default;
        ~work() {
            std::error_code done_already;
            if (promise) promise.cancel(done_already);
        }

        void operator()() {
            std::error_code cancelled_meanwhile;
#if COLOOP_EXCEPTIONS
            try {
                run(cancelled_meanwhile);
            } catch (...) {
                promise.set_exception(std::current_exception(), cancelled_meanwhile);
            }
#else
            run(cancelled_meanwhile);
#endif
        }
        void run(std::error_code &sink) {
            if (promise.done(sink)) return;
            if constexpr (std::is_void_v<Result>) {
                job();
                promise.set_result(sink);
            } else {
                promise.set_result(job(), sink);
            }
        }
    };

    loop_executor_t *executor_ = nullptr;
};

// Calls `job()` at once on a thread of the executor; what it returns or throws ends the
// future, on the loop's thread. The job is destroyed before that. Cancelling the future takes
// a job out of the queue. asyncio: loop.run_in_executor().
template <class Job, class... Sink>
auto loop_view::run_in_executor(const executor &given, Job &&job, Sink &...sink) const {
    using result = std::decay_t<std::invoke_result_t<std::decay_t<Job> &>>;
    using traits = result_traits<result>;
    future<result> made;
    detail::give<detail::user_data<Job>>(
        std::forward<Job>(job), loop_job_t(detail::run_job<Job>),
        [&](loop_job_t function, void *data, loop_destroy_t destroy) {
            return loop_run_in_executor(loop_, given.capi(), function, data, destroy,
                                        traits::destroys ? loop_destroy_t(traits::destroy) : nullptr, made.receive());
        },
        sink...);
    return made;
}
// The same on the loop's default executor.
template <class Job, class... Sink, class> auto loop_view::run_in_executor(Job &&job, Sink &...sink) const {
    return run_in_executor(executor(), std::forward<Job>(job), sink...);
}

// The executor of jobs that name none. The loop shuts it down when it closes.
template <class... Sink>
void loop_view::set_default_executor(const executor &given, Sink &...sink) const noexcept(detail::quiet<Sink...>) {
    detail::check(loop_set_default_executor(loop_, given.capi()), sink...);
}
// Done when all of its threads have ended. asyncio: loop.shutdown_default_executor().
template <class... Sink>
future<void> loop_view::shutdown_default_executor(nanoseconds timeout, Sink &...sink) const
    noexcept(detail::quiet<Sink...>) {
    future<void> made;
    detail::check(loop_shutdown_default_executor(loop_, detail::to_timeout(timeout), made.receive()), sink...);
    return made;
}

} // namespace coloop
