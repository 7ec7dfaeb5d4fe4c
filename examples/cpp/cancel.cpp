/* Cancelling, time limits, groups, Ctrl-C. asyncio: Task.cancel(), timeout(), TaskGroup, run().
 *
 * Output:
 * told: enough
 * cancelled: yes
 * too late: Connection timed out
 * unhandled errors in a TaskGroup (1 sub-exception): it broke
 * the sibling was cancelled: yes
 * Ctrl-C: Interrupted system call, after the main task was told
 */
#include <coloop/task.hpp>

#include <csignal>
#include <iostream>
#include <stdexcept>

using namespace std::chrono_literals;

static coloop::task<> waits() {
    try {
        co_await coloop::sleep(1h);
    } catch (const coloop::cancelled_error &told) {
        std::cout << "told: " << told.what() << '\n';
        throw;
    }
}

static coloop::task<> endless() { co_await coloop::sleep(1h); }

static coloop::task<> breaks() {
    co_await coloop::schedule();
    throw std::runtime_error("it broke");
}

static coloop::task<> shows() {
    const auto task = coloop::create_task(waits());
    co_await coloop::schedule();
    task.cancel("enough");
    try {
        co_await task;
    } catch (const coloop::cancelled_error &) {
        std::cout << "cancelled: " << (task.cancelled() ? "yes" : "no") << '\n';
    }
    try {
        co_await coloop::wait_for(endless(), 1ms);
    } catch (const coloop::error &late) {
        std::cout << "too late: " << late.what() << '\n';
    }
    coloop::task_handle<void> sibling;
    try {
        co_await coloop::with_task_group([&](coloop::task_group &group) -> coloop::task<> {
            sibling = group.create_task(endless());
            (void)group.create_task(breaks());
            co_return;
        });
    } catch (const coloop::exception_group &group) {
        try {
            std::rethrow_exception(group.exceptions().front());
        } catch (const std::runtime_error &first) {
            std::cout << group.what() << ": " << first.what() << '\n';
        }
    }
    std::cout << "the sibling was cancelled: " << (sibling.cancelled() ? "yes" : "no") << '\n';
}

static coloop::task<> interrupted(bool &told) {
    std::raise(SIGINT);
    try {
        co_await coloop::sleep(1h);
    } catch (const coloop::cancelled_error &) {
        told = true;
        throw;
    }
}

int main() {
    coloop::run(shows());
    coloop::runner_options options;
    options.flags = LOOP_RUN_SIGINT;
    bool told = false;
    try {
        coloop::run(interrupted(told), options);
    } catch (const coloop::error &ctrl_c) {
        std::cout << "Ctrl-C: " << ctrl_c.what() << (told ? ", after the main task was told\n" : "\n");
    }
}
