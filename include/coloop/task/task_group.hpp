// SPDX-License-Identifier: Apache-2.0 OR MIT
//
// Tasks that end together: asyncio's TaskGroup.
//
//     co_await with_task_group([&](task_group &group) -> task<void> {
//         group.create_task(first());
//         group.create_task(second());
//         co_return;
//     });  // both have ended
#pragma once

#include "await_future.hpp"
#include "sleep.hpp"

#include <memory>

namespace coloop {

// Tasks of a group failed, or its body did: what() counts them. Python: ExceptionGroup.
class COLOOP_VISIBLE exception_group : public error {
public:
    exception_group(int code, const char *text, std::vector<std::exception_ptr> all)
        : error(code, text), exceptions_(std::make_shared<std::vector<std::exception_ptr>>(std::move(all))) {}

    // In the order in which they came; that of the body last.
    const std::vector<std::exception_ptr> &exceptions() const noexcept { return *exceptions_; }

private:
    std::shared_ptr<const std::vector<std::exception_ptr>> exceptions_; // copies cannot fail
};

// When one of its tasks fails, the others are cancelled, and so is the body.
class task_group {
public:
    explicit task_group(const any_task &parent) : loop_(loop_future_get_loop(loop_task_future(parent.capi()))) {
        detail::check(loop_task_group_new(parent.capi(), &group_));
    }
    task_group(const task_group &) = delete;
    task_group &operator=(const task_group &) = delete;
    ~task_group() { loop_task_group_unref(group_); }

    loop_task_group_t *capi() const noexcept { return group_; }

    // Starts a task of the group; the handle may be dropped. LOOP_EINVALID_STATE when the
    // group shuts down or has ended.
    template <class T> task_handle<T> create_task(task<T> &&coroutine, const char *name = nullptr) const {
        any_task made;
        detail::check(loop_task_group_create_task(group_, detail::chain<T>::step,
                                                  detail::chain<T>::make(loop_.capi(), std::move(coroutine)),
                                                  detail::chain<T>::destroy, made.receive()));
        if (name) made.set_name(name);
        return task_handle<T>::from_capi(made.release());
    }

    // Cancels its tasks and what is left of the body; the group then ends without an error.
    template <class... Sink> void cancel(Sink &...sink) const noexcept(detail::quiet<Sink...>) {
        detail::check(loop_task_group_cancel(group_), sink...);
    }

    // The body is over, with 0 or a code: the future is done when all tasks are.
    future<void> exit(int outcome) const {
        future<void> left;
        detail::check(loop_task_group_exit(group_, outcome, left.receive()));
        return left;
    }

    // The exceptions of the tasks that failed, in the order in which they came.
    std::vector<std::exception_ptr> errors() const {
        std::vector<std::exception_ptr> found;
        const int count = detail::check(loop_task_group_errors(group_, 0, nullptr, nullptr, 0));
        for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
            const auto data = loop_task_group_error_data(group_, i);
            if (auto own = detail::carried::of(data, loop_task_group_error_destroy(group_, i))) {
                found.push_back(std::move(own));
                continue;
            }
            int code = 0;
            char text[256] = "";
            loop_task_group_errors(group_, i, &code, text, sizeof text);
            found.push_back(std::make_exception_ptr(error(code, text)));
        }
        return found;
    }

private:
    loop_view loop_;
    loop_task_group_t *group_ = nullptr;
};

// Runs `body(group)`, a task<void>, and awaits the tasks of the group, however the body ends.
// Throws an exception_group if one failed or the body did, cancelled_error if whoever awaits
// this was cancelled.
template <class Body> task<void> with_task_group(Body body) {
    task_group group(co_await this_task());
    std::exception_ptr thrown;
    int code = 0;
    try {
        co_await body(group);
    } catch (...) {
        thrown = std::current_exception();
        code = detail::describe(thrown, [](detail::described failure) { return failure.code; });
    }
    const future<void> left = group.exit(code);
    bool cancelled = false;
    try {
        co_await left;
        co_return;
    } catch (const cancelled_error &) {
        if (!left.done() || left.cancelled() || !left.error()) throw;
        cancelled = true;
    } catch (const error &) {
        if (!left.done()) throw;
    }
    std::vector<std::exception_ptr> all = group.errors();
    if (thrown && code != LOOP_ECANCELLED) all.push_back(thrown);
    // All had ended before the request to cancel: failures come first, and it at the next wait.
    if (cancelled) {
        const any_task parent = co_await this_task();
        parent.uncancel();
        parent.cancel();
    }
    const char *text = nullptr;
    loop_future_exception(left.capi(), &code, &text);
    throw exception_group(code, text, std::move(all));
}

} // namespace coloop
