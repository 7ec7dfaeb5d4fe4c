// Coroutines: lazy, awaited by each other, destroyed where they wait.
#include "task_test.hpp"

using namespace coloop;

namespace {

task<int> number(int n) { co_return n; }

task<int> noted(std::string &log, char mark, int n) {
    log += mark;
    co_await schedule();
    log += mark;
    co_return n;
}

task<> nothing() { co_return; }

} // namespace

TEST_CASE("a coroutine begins when it is awaited, without a turn in between") {
    std::string log;
    auto outer = [&]() -> task<int> {
        auto inner = noted(log, 'i', 20);
        log += 'o';
        const int first = co_await std::move(inner);
        CHECK_FALSE(inner);
        co_return first + co_await number(1);
    };
    auto never_awaited = noted(log, 'n', 0);
    CHECK(run(outer()) == 21);
    CHECK(log == "oii");
}

TEST_CASE("results of all kinds are moved") {
    auto body = []() -> task<> {
        auto pointer = co_await [](int n) -> task<std::unique_ptr<int>> { co_return std::make_unique<int>(n); }(5);
        CHECK(*pointer == 5);
        int target = 1;
        int &reference = co_await [](int &given) -> task<int &> { co_return given; }(target);
        CHECK(&reference == &target);
        co_await nothing();
        struct no_default {
            explicit no_default(int given) : n(given) {}
            int n;
        };
        const auto made = co_await []() -> task<no_default> { co_return no_default(7); }();
        CHECK(made.n == 7);
        const auto text = co_await []() -> task<std::string> { co_return "from a literal"; }();
        CHECK(text == "from a literal");
    };
    run(body());
}

TEST_CASE("an exception goes through coroutines as through calls") {
    int alive = 0;
    std::string log;
    auto thrower = [&]() -> task<int> {
        counted here(alive);
        co_await schedule();
        throw std::out_of_range("deep");
    };
    auto middle = [&]() -> task<int> {
        counted here(alive);
        co_return co_await thrower() + 1;
    };
    auto outer = [&]() -> task<> {
        try {
            co_await middle();
            FAIL("not reached");
        } catch (const std::out_of_range &error) {
            log = error.what();
            CHECK(alive == 0);
        }
        // Before the first wait as well.
        const bool at_once = co_await throws<int>([]() -> task<> { throw 5; co_return; }());
        CHECK(at_once);
    };
    run(outer());
    CHECK(log == "deep");
    CHECK_THROWS_AS(run(middle()), std::out_of_range);
}

TEST_CASE("a coroutine is awaited once") {
    auto body = []() -> task<> {
        auto once = number(1);
        const int first = co_await std::move(once);
        const bool again = co_await throws<error>(std::move(once));
        const bool none = co_await throws<error>(task<int>());
        CHECK((first == 1 && again && none));
    };
    run(body());
    CHECK_THROWS_AS(run(task<int>()), error);
}

TEST_CASE("a coroutine that is never awaited destroys its arguments") {
    int alive = 0;
    auto keeps = [](counted) -> task<> { co_return; };
    {
        auto lazy = keeps(counted(alive));
        CHECK(alive == 1);
        auto other = std::move(lazy);
        other = task<>();
        CHECK(alive == 0);
    }
    CHECK(alive == 0);
}

TEST_CASE("closing a loop destroys coroutines where they wait") {
    int alive = 0;
    reports heard;
    auto inner = [&]() -> task<> {
        counted here(alive);
        co_await coloop::sleep(1h);
    };
    auto outer = [&]() -> task<> {
        counted here(alive);
        co_await inner();
    };
    {
        loop own;
        heard.listen(own);
        (void)own.create_task(outer());
        (void)own.create_task(outer(), "named");
        own.run_once(0ms);
        CHECK(alive == 4);
    }
    CHECK(alive == 0);
    CHECK(heard.texts == std::vector<std::string>{"Task was destroyed but it is pending!",
                                                  "Task was destroyed but it is pending!"});
}

TEST_CASE("calls that end at once, and deep ones, need no stack") {
    const int many = 1000000;
    auto body = [=]() -> task<long> {
        long sum = 0;
        for (int i = 0; i < many; ++i) sum += co_await number(1);
        co_return sum;
    };
    CHECK(run(body()) == many);
    struct tree {
        static task<int> depth(int n) {
            if (n == 0) {
                co_await schedule();
                co_return 0;
            }
            co_return 1 + co_await depth(n - 1);
        }
    };
    CHECK(run(tree::depth(50000)) == 50000);
}
