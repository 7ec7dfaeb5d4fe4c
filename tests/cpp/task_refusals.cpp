// Coroutines that await what they should not, throw what nobody expects, or wait for what is
// no more. How gather, groups, limits and cancelling meet is compared with asyncio's:
// sync_ends_oracle.py.
#include "task_test.hpp"

using namespace coloop;

namespace {

// An exception in the move that brings the result out of a coroutine.
struct moves_badly {
    explicit moves_badly(int given) : left(given) {}
    moves_badly(moves_badly &&other) : left(other.left - 1) {
        if (left == 0) throw std::out_of_range("moved too often");
    }
    int left;
};

task<moves_badly> moves(int times) {
    moves_badly made(times);
    co_await schedule();
    co_return std::move(made);
}

} // namespace

TEST_CASE("an awaitable that is not written for the library is the task's failure") {
    auto at_once = []() -> task<std::string> {
        co_await std::suspend_always();
        co_return "never";
    };
    int alive = 0;
    auto later = [&]() -> task<std::string> {
        counted here(alive);
        co_await schedule();
        co_await std::suspend_always();
        co_return "never";
    };
    CHECK_THROWS_WITH_AS(run(at_once()), "Task got bad yield", error);
    CHECK_THROWS_WITH_AS(run(later()), "Task got bad yield", error);
    CHECK(alive == 0);
}

TEST_CASE("a limit does not change what a result throws on its way out") {
    for (int times = 1; times < 12; ++times) {
        try {
            run(wait_for(moves(times), 1h));
        } catch (const std::out_of_range &) {
        }
        try {
            run(timeout(1h, [times](timeout_scope &) { return moves(times); }));
        } catch (const std::out_of_range &) {
        }
    }
}

TEST_CASE("without time a coroutine does not begin") {
    bool began = false;
    auto begins = [&]() -> task<int> {
        began = true;
        co_return 1;
    };
    for (const nanoseconds none : {0ns, -1ns}) {
        try {
            run(wait_for(begins(), none));
            FAIL("not reached");
        } catch (const error &late) {
            CHECK(late.code() == std::errc::timed_out);
        }
    }
    CHECK(!began);
}

TEST_CASE("a deadline of a future does not hide somebody else's cancellation") {
    int cancelled = 0;
    auto limits = [](const future<void> &limited, nanoseconds limit) -> task<> { co_await wait_for(limited, limit); };
    auto body = [&](bool late_first) -> task<> {
        const auto inner = create_task(endless(cancelled));
        co_await schedule();
        const auto outer = create_task(limits(inner, late_first ? 0ns : 1us));
        co_await schedule();
        if (!late_first) CHECK(outer.cancel());
        if (!late_first) std::this_thread::sleep_for(10us);
        co_await schedule();
        if (late_first) CHECK(outer.cancel());
        const bool told = co_await throws<cancelled_error>([](auto &handle) -> task<> { co_await handle; }(outer));
        CHECK(told);
    };
    run(body(true));
    run(body(false));
    CHECK(cancelled == 2);
}

TEST_CASE("the first of two requests is what a waiting task is told of") {
    event never;
    auto waits = [&]() -> task<std::string> {
        try {
            co_await never.wait();
        } catch (const cancelled_error &told) {
            co_return told.what();
        }
        co_return "";
    };
    auto body = [&]() -> task<std::string> {
        const auto waiting = create_task(waits());
        co_await schedule();
        waiting.cancel("first");
        waiting.cancel("second");
        co_return co_await waiting;
    };
    CHECK(run(body()) == "first");
}

TEST_CASE("failures of a group come before a cancellation that came too late") {
    auto body = []() -> task<> {
        auto grouped = []() -> task<> {
            co_await with_task_group([](task_group &group) -> task<> {
                (void)group.create_task([]() -> task<> { co_return; }());
                co_await schedule();
                throw std::out_of_range("body");
            });
        };
        std::string log;
        auto holds = [&]() -> task<> {
            try {
                co_await grouped();
            } catch (const exception_group &all) {
                log += std::to_string(all.exceptions().size());
            }
            try {
                co_await schedule();
            } catch (const cancelled_error &) {
                log += 'c';
            }
        };
        for (int turns = 0; turns < 6; ++turns) {
            log.clear();
            auto outer = create_task(holds());
            for (int i = 0; i <= turns; ++i) co_await schedule();
            outer.cancel();
            co_await throws<cancelled_error>([](auto &handle) -> task<> { co_await handle; }(outer));
            CHECK((log.empty() || log == "1c" || log == "1"));
        }
    };
    run(body());
}

TEST_CASE("a code that is none of the library's is a failure with its own exception") {
    auto odd = []() -> task<> {
        throw std::system_error(std::error_code(5, error_category()), "odd");
        co_return;
    };
    CHECK_THROWS_AS(run(odd()), std::system_error);
    CHECK(error_number(std::error_code(5, error_category())) == LOOP_EEXCEPTION);
    auto grouped = [&]() -> task<> {
        co_await with_task_group([&](task_group &) -> task<> { co_await odd(); });
    };
    CHECK_THROWS_AS(run(grouped()), exception_group);
}

TEST_CASE("what coroutines wait for may end before they are cancelled, or woken") {
    reports heard;
    int cancelled = 0;
    auto waits = [&](auto awaited) -> task<> {
        try {
            co_await awaited();
        } catch (const cancelled_error &) {
            ++cancelled;
            throw;
        }
    };
    auto body = [&]() -> task<> {
        heard.listen(co_await this_loop());
        lock mutex;
        semaphore permits(0);
        event flag;
        queue<int> empty, full(1);
        CHECK(mutex.try_acquire());
        full.put_nowait(1);
        (void)create_task(waits([&] { return mutex.acquire(); }));
        (void)create_task(waits([&] { return permits.acquire(); }));
        (void)create_task(waits([&] { return flag.wait(); }));
        (void)create_task(waits([&] { return empty.get(); }));
        (void)create_task(waits([&] { return full.put(2); }));
        (void)create_task(waits([&] { return full.join(); }));
        co_await schedule();
        co_await schedule();
    };
    run(body());
    CHECK(cancelled == 6);
    CHECK(heard.texts.empty());

    // Woken in the last turn: a failure of whoever waits.
    auto wakes = [&]() -> task<> {
        heard.listen(co_await this_loop());
        queue<int> items;
        (void)create_task(waits([&] { return items.get(); }));
        co_await schedule();
        items.put_nowait(1);
    };
    run(wakes());
    REQUIRE(heard.exceptions.size() == 1);
    CHECK(heard.exceptions[0] == "what was waited for has ended");
}
