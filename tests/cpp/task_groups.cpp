// Several at a time: gather, shield, timeouts, task groups.
#include "task_test.hpp"

using namespace coloop;

namespace {

task<int> after_turns(int turns, int result) {
    while (turns-- > 0) co_await schedule();
    co_return result;
}

task<> fails_after(int turns, const char *text) {
    while (turns-- > 0) co_await schedule();
    throw std::out_of_range(text);
}

std::string text_of(const std::exception_ptr &exception) {
    try {
        std::rethrow_exception(exception);
    } catch (const std::exception &error) {
        return error.what();
    }
}

} // namespace

TEST_CASE("gather: results in order, whatever order they end in") {
    auto body = []() -> task<> {
        auto text = []() -> task<std::string> {
            co_await schedule();
            co_return "text";
        };
        auto nothing = []() -> task<> { co_return; };
        const auto [three, words, none, one] = co_await gather(after_turns(3, 3), text(), nothing(), after_turns(1, 1));
        CHECK((three == 3 && one == 1 && words == "text" && none == std::monostate()));
        std::vector<task<int>> many;
        for (int i = 0; i < 10; ++i) many.push_back(after_turns((i * 7) % 10, i));
        const auto results = co_await gather(std::move(many));
        for (int i = 0; i < 10; ++i) CHECK(results[static_cast<std::size_t>(i)] == i);
        std::vector<task<>> voids;
        voids.push_back(nothing());
        co_await gather(std::move(voids));
        const auto empty = co_await gather(std::vector<task<int>>());
        CHECK(empty.empty());
        const auto tuple = co_await gather();
        CHECK(std::tuple_size_v<decltype(tuple)> == 0);
    };
    run(body());
}

TEST_CASE("gather: the first exception is thrown, the others go on; cancelling cancels all") {
    std::string log;
    auto notes = [&](int turns) -> task<> {
        co_await after_turns(turns, 0);
        log += 'n';
    };
    int cancelled = 0;
    reports heard;
    auto body = [&]() -> task<> {
        heard.listen(co_await this_loop());
        try {
            co_await gather(notes(5), fails_after(2, "first"), fails_after(3, "second"));
            FAIL("not reached");
        } catch (const std::out_of_range &error) {
            log += error.what();
        }
        co_await after_turns(5, 0);
        auto all = create_task([](int &count) -> task<> { co_await gather(endless(count), endless(count)); }(cancelled));
        co_await after_turns(3, 0);
        all.cancel();
        const bool told = co_await throws<cancelled_error>([](auto &handle) -> task<> { co_await handle; }(all));
        CHECK(told);
        CHECK(cancelled == 2);
    };
    run(body());
    CHECK(log == "firstn");
    CHECK(heard.texts.empty());
}

TEST_CASE("gather(return_exceptions): all futures, each done") {
    auto body = []() -> task<> {
        auto [good, bad] = co_await gather(return_exceptions, after_turns(3, 3), fails_after(1, "bad"));
        CHECK(good.result() == 3);
        CHECK(text_of(bad.exception()) == "bad");
        std::vector<task<>> many;
        for (int i = 0; i < 3; ++i) many.push_back(fails_after(i, "one of them"));
        for (const auto &one : co_await gather(return_exceptions, std::move(many))) CHECK(one.exception());
    };
    run(body());
}

TEST_CASE("shield: the inner task goes on") {
    auto body = []() -> task<> {
        std::string log;
        auto inner = [&]() -> task<int> {
            co_await after_turns(6, 0);
            log += 'i';
            co_return 8;
        };
        auto outer = create_task([](auto &makes) -> task<int> { co_return co_await shield(makes()); }(inner));
        co_await after_turns(3, 0);
        outer.cancel();
        co_await after_turns(2, 0);
        CHECK(outer.cancelled());
        CHECK(log.empty());
        co_await after_turns(6, 0);
        CHECK(log == "i");
        const int result = co_await shield(inner());
        CHECK(result == 8);
    };
    run(body());
}

TEST_CASE("a time limit cancels, awaits the end of that, and is an error of its own") {
    int cancelled = 0;
    auto body = [&]() -> task<> {
        try {
            co_await wait_for(endless(cancelled), 1ms);
            FAIL("not reached");
        } catch (const error &late) {
            CHECK(late.code() == std::errc::timed_out);
            CHECK(cancelled == 1);
        }
        CHECK((co_await this_task()).cancelling() == 0);
        co_await schedule(); // nothing of it is left
        const int in_time = co_await wait_for(after_turns(2, 5), 1h);
        const int unlimited = co_await wait_for(after_turns(2, 6), no_timeout);
        CHECK((in_time == 5 && unlimited == 6));
        const bool thrown = co_await throws<std::out_of_range>(wait_for(fails_after(1, "own"), 1h));
        CHECK(thrown);
        const bool at_once = co_await throws<error>(wait_for(endless(cancelled), 0ms));
        CHECK(at_once);
        // Handles and futures have the library's own.
        auto handle = create_task(endless(cancelled));
        const bool late = co_await throws<error>([](auto &given) -> task<> { co_await wait_for(given, 1ms); }(handle));
        CHECK(late);
        CHECK(handle.cancelled());
    };
    run(body());
}

TEST_CASE("a limit is moved, nested, and does not hide somebody else's cancellation") {
    auto body = []() -> task<> {
        const int result = co_await timeout(1h, [](timeout_scope &scope) -> task<int> {
            scope.reschedule(1ms);
            const bool late = co_await throws<cancelled_error>([]() -> task<> { co_await coloop::sleep(1h); }());
            CHECK(late);
            CHECK_THROWS_AS(scope.reschedule(1h), error); // it has passed
            co_return 3;                                  // the deadline is swallowed
        });
        CHECK(result == 3);
        std::string log;
        auto inner = [&]() -> task<> {
            try {
                co_await wait_for([]() -> task<> { co_await coloop::sleep(1h); }(), 1h);
            } catch (const cancelled_error &) {
                log += 'c';
                throw;
            }
        };
        const bool outer = co_await throws<error>(wait_for(inner(), 1ms));
        CHECK((outer && log == "c"));
    };
    run(body());
}

TEST_CASE("a group ends when all of its tasks have") {
    auto body = []() -> task<> {
        int ended = 0;
        auto counts = [&](int turns) -> task<> {
            co_await after_turns(turns, 0);
            ++ended;
        };
        task_handle<int> kept;
        co_await with_task_group([&](task_group &group) -> task<> {
            for (int i = 0; i < 5; ++i) (void)group.create_task(counts(i));
            kept = group.create_task(after_turns(7, 9), "kept");
            CHECK(kept.get_name() == "kept");
            co_return;
        });
        CHECK((ended == 5 && kept.result() == 9));
        co_await with_task_group([](task_group &) -> task<> { co_return; });
    };
    run(body());
}

TEST_CASE("a failure in a group cancels its siblings and its body, and they are awaited") {
    int cancelled = 0;
    auto body = [&]() -> task<> {
        try {
            co_await with_task_group([&](task_group &group) -> task<> {
                (void)group.create_task(endless(cancelled));
                (void)group.create_task(fails_after(2, "first"));
                (void)group.create_task(fails_after(2, "second"));
                co_await endless(cancelled);
            });
            FAIL("not reached");
        } catch (const exception_group &group) {
            CHECK(std::string(group.what()) == "unhandled errors in a TaskGroup (2 sub-exceptions)");
            REQUIRE(group.exceptions().size() == 2);
            CHECK(text_of(group.exceptions()[0]) == "first");
            CHECK(text_of(group.exceptions()[1]) == "second");
        }
        CHECK(cancelled == 2);
        try {
            co_await with_task_group([&](task_group &group) -> task<> {
                (void)group.create_task(endless(cancelled));
                co_await schedule();
                throw std::out_of_range("body");
            });
        } catch (const exception_group &group) {
            CHECK(text_of(group.exceptions().at(0)) == "body");
        }
        CHECK(cancelled == 3);
        co_await schedule(); // nobody cancels this task any more
    };
    run(body());
}

TEST_CASE("a group is cancelled from outside and from inside") {
    int cancelled = 0;
    auto body = [&]() -> task<> {
        auto grouped = [&]() -> task<> {
            co_await with_task_group([&](task_group &group) -> task<> {
                (void)group.create_task(endless(cancelled));
                co_return;
            });
        };
        auto outer = create_task(grouped());
        co_await after_turns(4, 0);
        outer.cancel();
        const bool told = co_await throws<cancelled_error>([](auto &handle) -> task<> { co_await handle; }(outer));
        CHECK((told && cancelled == 1));
        co_await with_task_group([&](task_group &group) -> task<> {
            (void)group.create_task(endless(cancelled));
            co_await schedule();
            group.cancel();
            CHECK_THROWS_AS(group.create_task(after_turns(0, 0)), error); // it shuts down
            co_await coloop::sleep(1h);
        });
        CHECK(cancelled == 2);
        co_await schedule();
    };
    run(body());
}
