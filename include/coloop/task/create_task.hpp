// SPDX-License-Identifier: Apache-2.0 OR MIT
//
// Coroutines as tasks of their own: asyncio's Task and create_task.
#pragma once

#include "../future.hpp"
#include "../policy.hpp"
#include "coroutine.hpp"

#include <string>
#include <vector>

namespace coloop {

// A task of the library, whatever language it is written in: one reference; move-only. It
// belongs to its loop's thread.
class any_task {
public:
    any_task() noexcept = default;
    any_task(any_task &&other) noexcept : task_(other.release()) {}
    any_task &operator=(any_task &&other) noexcept {
        any_task taken(std::move(other));
        std::swap(task_, taken.task_);
        return *this;
    }
    ~any_task() { loop_task_unref(task_); }

    // Takes over a reference.
    static any_task from_capi(loop_task_t *given) noexcept {
        any_task made;
        made.task_ = given;
        return made;
    }
    any_task clone() const noexcept { return from_capi(loop_task_ref(task_)); }
    loop_task_t *capi() const noexcept { return task_; }
    loop_task_t *release() noexcept { return std::exchange(task_, nullptr); }
    loop_task_t **receive() noexcept {
        loop_task_unref(release());
        return &task_;
    }
    explicit operator bool() const noexcept { return task_ != nullptr; }
    friend bool operator==(const any_task &a, const any_task &b) noexcept { return a.task_ == b.task_; }

    // Its future, with a reference, whose results are a T's.
    template <class T> future<T> get_future() const noexcept {
        return future<T>::from_capi(loop_future_ref(loop_task_future(task_)));
    }

    // Asks the task to end: what it waits for is cancelled, and cancelled_error thrown there.
    // False if it is done.
    template <class... Sink> bool cancel(const char *message, Sink &...sink) const noexcept(detail::quiet<Sink...>) {
        return detail::check(loop_task_cancel(task_, message), sink...) == 1;
    }
    template <class... Sink> bool cancel(Sink &...sink) const noexcept(detail::quiet<Sink...>) {
        return cancel(static_cast<const char *>(nullptr), sink...);
    }
    // Takes one request back: how many are left.
    template <class... Sink> int uncancel(Sink &...sink) const noexcept(detail::quiet<Sink...>) {
        return detail::check(loop_task_uncancel(task_), sink...);
    }
    template <class... Sink> int cancelling(Sink &...sink) const noexcept(detail::quiet<Sink...>) {
        return detail::check(loop_task_cancelling(task_), sink...);
    }
    std::string get_name() const {
        std::string name(static_cast<std::size_t>(detail::check(loop_task_get_name(task_, nullptr, 0))), '\0');
        detail::check(loop_task_get_name(task_, name.data(), name.size() + 1));
        return name;
    }
    template <class... Sink> void set_name(const char *name, Sink &...sink) const noexcept(detail::quiet<Sink...>) {
        detail::check(loop_task_set_name(task_, name), sink...);
    }

private:
    loop_task_t *task_ = nullptr;
};

// The task whose step runs on this loop now; empty outside any. asyncio: current_task().
inline any_task current_task(loop_view loop) noexcept {
    return any_task::from_capi(loop_task_ref(loop_current_task(loop.capi())));
}

// The loop's tasks that are not done. asyncio: all_tasks().
inline std::vector<any_task> all_tasks(loop_view loop) {
    const auto count = static_cast<std::size_t>(detail::check(loop_all_tasks(loop.capi(), nullptr, 0)));
    std::vector<loop_task_t *> found(count);
    std::vector<any_task> all(count);
    loop_all_tasks(loop.capi(), found.data(), count);
    for (std::size_t i = 0; i < count; ++i) all[i] = any_task::from_capi(found[i]);
    return all;
}

namespace detail {

// A chain of coroutines as user data of the library's task, which destroys it.
template <class T> class chain final : public driver {
public:
    static chain *make(loop_t *loop, task<T> &&first) {
        if (!first) throw error(LOOP_EINVAL, "the coroutine is none, or was awaited already");
        return new chain(loop, std::move(first));
    }

    static void destroy(void *data) noexcept { delete static_cast<chain *>(data); }

    static int step(loop_task_t *task, int outcome, void *data) noexcept {
        auto *const self = static_cast<chain *>(data);
        if (outcome < 0 && !self->began_) return outcome; // cancelled before it could begin
        self->began_ = true;
        const int answer = self->resume(task, outcome);
        return self->first_.frame_.done() ? self->end(task) : answer;
    }

private:
    chain(loop_t *loop, task<T> &&first) noexcept : driver(loop, first.frame_), first_(std::move(first)) {
        first_.frame_.promise().begin(*this, std::noop_coroutine());
    }

    // Hands the result to the library, or the exception.
    int end(loop_task_t *task) noexcept {
        try {
            const auto give = [task](auto... result) { return loop_task_return(task, result...); };
            if constexpr (std::is_void_v<T>) {
                first_.take();
                return give_result<T>(give);
            } else {
                return give_result<T>(give, first_.take());
            }
        } catch (...) {
            return set_failure(
                std::current_exception(), [task](auto... failure) { return loop_task_fail_data(task, failure...); },
                [task](const char *text) { return loop_task_fail(task, LOOP_ECANCELLED, text); },
                [task](loop_future_t *failed) { return loop_task_fail_of(task, failed); });
        }
    }

    task<T> first_;
    bool began_ = false;
};

} // namespace detail

// A coroutine that runs as a task: asyncio's Task, and like that a future of its result. It
// can be awaited; cancelling whoever awaits it cancels it. Dropping the handle cancels
// nothing; an exception that nobody asked for goes to the loop's exception handler.
template <class T> class task_handle : public future<T> {
public:
    task_handle() noexcept = default;
    // Takes over a reference to a task whose result was stored as result_traits<T> does.
    static task_handle from_capi(loop_task_t *given) noexcept { return task_handle(any_task::from_capi(given)); }
    task_handle clone() const noexcept { return task_handle(task_.clone()); }

    const any_task &get_task() const noexcept { return task_; }
    // Asks it to end; awaiting it then waits until it has.
    template <class... Given> bool cancel(Given &&...given) const noexcept(noexcept(any_task().cancel(given...))) {
        return task_.cancel(given...);
    }
    template <class... Sink> int uncancel(Sink &...sink) const noexcept(detail::quiet<Sink...>) {
        return task_.uncancel(sink...);
    }
    template <class... Sink> int cancelling(Sink &...sink) const noexcept(detail::quiet<Sink...>) {
        return task_.cancelling(sink...);
    }
    std::string get_name() const { return task_.get_name(); }
    template <class... Sink> void set_name(const char *name, Sink &...sink) const noexcept(detail::quiet<Sink...>) {
        task_.set_name(name, sink...);
    }

private:
    explicit task_handle(any_task &&given) noexcept : future<T>(given.get_future<T>()), task_(std::move(given)) {}

    any_task task_;
};

// Starts a coroutine as a task of the loop: its first step is in the next turn. It is named
// Task-N, or `name`. asyncio: loop.create_task().
template <class T> task_handle<T> create_task(loop_view loop, task<T> &&coroutine, const char *name = nullptr) {
    loop_task_options_t options{};
    options.size = sizeof options;
    options.name = name;
    any_task made;
    detail::check(loop_create_task_with(loop.capi(), &options, detail::chain<T>::step,
                                        detail::chain<T>::make(loop.capi(), std::move(coroutine)),
                                        detail::chain<T>::destroy, made.receive()));
    return task_handle<T>::from_capi(made.release());
}

// The same on the running loop. asyncio: create_task().
template <class T> task_handle<T> create_task(task<T> &&coroutine, const char *name = nullptr) {
    return create_task(get_running_loop(), std::move(coroutine), name);
}

} // namespace coloop
