// Tasks: handles, names, cancellation, reports, what C sees of them.
#include "task_test.hpp"

using namespace coloop;

namespace {

task<int> after_turns(int turns, int result) {
    while (turns-- > 0) co_await schedule();
    co_return result;
}

task<int> fails(const char *text) {
    co_await schedule();
    throw std::out_of_range(text);
}

// Notes how it ended; then it may go on.
task<> endless(std::string &log, int swallows = 0) {
    for (;;) {
        try {
            co_await coloop::sleep(1h);
        } catch (const cancelled_error &error) {
            log += error.what();
            if (swallows-- == 0) throw;
        }
    }
}

} // namespace

TEST_CASE("tasks run side by side, from the next turn on") {
    std::string log;
    auto worker = [&](char mark, int turns) -> task<int> {
        while (turns-- > 0) {
            log += mark;
            co_await schedule();
        }
        co_return mark;
    };
    auto body = [&]() -> task<> {
        auto first = create_task(worker('a', 3));
        auto second = create_task(worker('b', 2));
        CHECK(log.empty());
        const int b = co_await second;
        const int a = co_await std::move(first);
        CHECK((a == 'a' && b == 'b'));
        CHECK(second.done());
        CHECK(second.result() == 'b');
    };
    run(body());
    CHECK(log == "ababa");
}

TEST_CASE("a task has a name, and is listed while it runs") {
    auto body = []() -> task<> {
        const any_task self = co_await this_task();
        const loop_view here = co_await this_loop();
        CHECK(here == get_running_loop());
        CHECK(self == current_task(here));
        self.set_name("main");
        auto named = create_task(after_turns(2, 1), "worker");
        CHECK(named.get_name() == "worker");
        CHECK(create_task(after_turns(0, 1)).get_name().rfind("Task-", 0) == 0);
        std::vector<std::string> names;
        for (const any_task &one : all_tasks(here)) names.push_back(one.get_name());
        CHECK(names.size() == 3);
        CHECK(names[0] == "main");
        CHECK(names[1] == "worker");
        const auto other = named.clone();
        const int result = co_await named;
        CHECK((result == 1 && other == named && other.done()));
        CHECK(all_tasks(here).size() == 1);
    };
    run(body());
    loop idle;
    CHECK_FALSE(current_task(idle));
}

TEST_CASE("a task's exception is what it was, however it is asked for") {
    reports heard;
    auto body = [&]() -> task<> {
        const loop_view here = co_await this_loop();
        heard.listen(here);
        auto task = create_task(fails("itself"));
        try {
            co_await task;
            FAIL("not reached");
        } catch (const std::out_of_range &error) {
            CHECK(std::string(error.what()) == "itself");
        }
        CHECK_THROWS_AS(task.result(), std::out_of_range);
        CHECK_THROWS_AS(std::rethrow_exception(task.exception()), std::out_of_range);
        // C code sees a code and the text.
        int code = 0;
        const char *text = nullptr;
        CHECK(loop_future_exception(task.capi(), &code, &text) == 1);
        CHECK(code == LOOP_EEXCEPTION);
        CHECK(std::string(text) == "itself");
        // A code of the library's stays that.
        auto coded = create_task([]() -> coloop::task<> { throw error(-ENOENT, "no such thing"); co_return; }());
        const bool thrown = co_await throws<std::system_error>([](auto &handle) -> coloop::task<> { co_await handle; }(coded));
        CHECK(thrown);
        CHECK(coded.error() == std::errc::no_such_file_or_directory);
    };
    run(body());
    CHECK(heard.texts.empty());
}

TEST_CASE("an exception that nobody asks for is reported, once") {
    reports heard;
    loop own;
    heard.listen(own);
    (void)own.create_task(fails("dropped"));
    auto kept = own.create_task(fails("kept"));
    for (int i = 0; i < 4; ++i) own.run_once(0ms);
    CHECK(heard.exceptions == std::vector<std::string>{"dropped"});
    kept = task_handle<int>();
    CHECK(heard.exceptions == std::vector<std::string>{"dropped", "kept"});
    CHECK(heard.texts[1] == "Task exception was never retrieved");
}

TEST_CASE("cancelling throws where the task waits, and awaiting it waits for that") {
    std::string log;
    auto body = [&]() -> task<> {
        auto victim = create_task(endless(log, 1));
        co_await schedule();
        CHECK(victim.cancel("first "));
        co_await schedule();
        co_await schedule();
        CHECK_FALSE(victim.done());
        CHECK(victim.cancelling() == 1);
        CHECK(victim.uncancel() == 0);
        CHECK(victim.cancel("second"));
        CHECK_FALSE(victim.done());
        const bool cancelled = co_await throws<cancelled_error>([](auto &handle) -> task<> { co_await handle; }(victim));
        CHECK(cancelled);
        CHECK(victim.cancelled());
        CHECK_FALSE(victim.cancel());
    };
    run(body());
    CHECK(log == "first second");
}

TEST_CASE("a task that is cancelled before it begins does not begin") {
    int alive = 0;
    std::string log;
    auto never = [&](counted) -> task<> {
        log += "began";
        co_return;
    };
    loop own;
    auto victim = own.create_task(never(counted(alive)));
    CHECK(alive == 1);
    victim.cancel();
    own.run_once(0ms);
    CHECK(victim.cancelled());
    CHECK(alive == 0);
    CHECK(log.empty());
}

TEST_CASE("cancelling goes through what is awaited: coroutines, tasks, futures") {
    std::string log;
    auto waits_for = [&](const auto &awaited, char mark) -> task<> {
        try {
            co_await awaited;
        } catch (const cancelled_error &) {
            log += mark;
            throw;
        }
    };
    auto body = [&]() -> task<> {
        const loop_view here = co_await this_loop();
        const auto future = here.create_future<int>();
        const auto inner = create_task(waits_for(future, 'i'));
        const auto outer = create_task(waits_for(inner, 'o'));
        co_await schedule();
        co_await schedule();
        CHECK(outer.cancel());
        CHECK(future.cancelled());
        const bool cancelled = co_await throws<cancelled_error>(waits_for(outer, 'm'));
        CHECK(cancelled);
        CHECK(inner.cancelled());
        // A future that somebody else cancels.
        const auto other = here.create_future<int>();
        const auto waits = create_task(waits_for(other, 'f'));
        co_await schedule();
        other.cancel();
        co_await schedule();
        CHECK(waits.cancelled());
    };
    run(body());
    CHECK(log == "iomf");
}

TEST_CASE("a task that cancels itself is told at its next wait") {
    auto body = []() -> task<std::string> {
        const any_task self = co_await this_task();
        self.cancel("by itself");
        std::string told;
        try {
            co_await coloop::sleep(1h);
        } catch (const cancelled_error &error) {
            told = error.what();
        }
        CHECK(self.uncancel() == 0);
        co_await schedule(); // and only once
        co_return told;
    };
    CHECK(run(body()) == "by itself");
}

TEST_CASE("run answers the result, throws the exception, and cancels what is left") {
    std::string log;
    CHECK(run(after_turns(3, 9)) == 9);
    CHECK_THROWS_AS(run(fails("main")), std::out_of_range);
    auto leaves_one = [&]() -> task<> {
        (void)create_task(endless(log));
        co_await schedule();
    };
    run(leaves_one());
    CHECK_FALSE(log.empty());
    auto cancels_itself = []() -> task<> {
        (co_await this_task()).cancel();
        co_await schedule();
    };
    CHECK_THROWS_AS(run(cancels_itself()), cancelled_error);
    auto nested = []() -> task<> {
        CHECK_THROWS_AS(run(after_turns(1, 1)), error);
        co_return;
    };
    run(nested());
    runner several;
    CHECK(several.run(after_turns(1, 1)) + several.run(after_turns(2, 2)) == 3);
    several.close();
}

TEST_CASE("run_until_complete runs one coroutine of an open loop") {
    loop own;
    CHECK(own.run_until_complete(after_turns(3, 4)) == 4);
    CHECK_THROWS_AS(own.run_until_complete(fails("again")), std::out_of_range);
    auto text = []() -> task<std::string> { co_return std::string(100, 'x'); };
    CHECK(own.run_until_complete(text()).size() == 100);
}

TEST_CASE("what a callback throws leaves run, after the coroutines were unwound") {
    int alive = 0;
    auto body = [&]() -> task<> {
        counted here(alive);
        (co_await this_loop()).post([] { throw std::out_of_range("callback"); });
        co_await coloop::sleep(1h);
    };
    CHECK_THROWS_AS(run(body()), std::out_of_range);
    CHECK(alive == 0);
}
