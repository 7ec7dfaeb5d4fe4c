// Coroutines and threads, forks, loops that close, C code that runs them.
#include "task_test.hpp"

using namespace coloop;

namespace {

task<int> after_turns(int turns, int result) {
    while (turns-- > 0) co_await schedule();
    co_return result;
}

task<> sleeps(int &alive) {
    counted here(alive);
    co_await coloop::sleep(1h);
}

} // namespace

TEST_CASE("a future that another thread ends by a post is awaited; coroutines on many loops") {
    auto body = [](int n) -> task<int> {
        const loop_view here = co_await this_loop();
        int sum = 0;
        for (int i = 0; i < 50; ++i) {
            auto answer = here.create_future<int>();
            std::thread other([&, i] { here.post_threadsafe([&answer, i, n] { answer.set_result(i * n); }); });
            sum += co_await answer;
            other.join();
        }
        co_return sum;
    };
    std::vector<std::thread> threads;
    int sums[4] = {};
    for (int n = 0; n < 4; ++n) threads.emplace_back([&, n] { sums[n] = run(body(n)); });
    for (std::thread &thread : threads) thread.join();
    for (int n = 0; n < 4; ++n) CHECK(sums[n] == n * 49 * 25);
}

TEST_CASE("frames end on another thread than they began on") {
    int alive = 0;
    auto keeps = [](counted) -> task<> { co_return; };
    std::vector<task<>> made;
    for (int i = 0; i < 50; ++i) made.push_back(keeps(counted(alive)));
    std::thread([taken = std::move(made)]() mutable { taken.clear(); }).join();
    CHECK(alive == 0);
    std::thread([&] {
        run(keeps(counted(alive)));
        made.clear();
        for (int i = 0; i < 50; ++i) made.push_back(keeps(counted(alive)));
    }).join();
    made.clear();
    CHECK(alive == 0);
}

TEST_CASE("a thread that is not the loop's is refused, and nothing is lost") {
    loop own;
    int alive = 0;
    auto task = own.create_task(sleeps(alive));
    own.run_once(0ms);
    auto body = [&]() -> coloop::task<> {
        std::error_code code;
        const auto &victim = task;
        std::thread([&] { victim.cancel(code); }).join();
        CHECK(code == make_error_code(LOOP_EWRONG_THREAD));
        co_await schedule();
        CHECK_FALSE(victim.done());
    };
    own.run_until_complete(body());
    task.cancel();
    own.run_once(0ms);
    CHECK(task.cancelled());
    CHECK(alive == 0);
}

TEST_CASE("a child that is forked in a coroutine runs coroutines of its own") {
    auto body = []() -> task<int> {
        co_await schedule();
        const int pid = fork();
        REQUIRE(pid >= 0);
        if (pid == 0) {
            int status = 3;
            try {
                status = run(after_turns(5, 42)) == 42 ? 0 : 2;
            } catch (...) {
            }
            _exit(status);
        }
        co_await coloop::sleep(1ms);
        co_return exit_status_of(pid);
    };
    CHECK(run(body()) == 0);
}

TEST_CASE("a child that goes on in a coroutine of an inherited loop is refused") {
    auto body = []() -> task<int> {
        const loop_view here = co_await this_loop();
        const int pid = fork();
        REQUIRE(pid >= 0);
        if (pid == 0) {
            int status = 0;
            for (int kind = 0; kind < 3; ++kind) {
                try {
                    if (kind == 0) co_await coloop::sleep(1ms);
                    if (kind == 1) (void)create_task(here, after_turns(1, 1));
                    if (kind == 2) (void)here.create_future<int>();
                    status = 10 + kind;
                } catch (const error &refused) {
                    if (refused.number() != LOOP_EFORKED) status = 20 + kind;
                }
            }
            _exit(status);
        }
        co_return exit_status_of(pid);
    };
    CHECK(run(body()) == 0);
}

TEST_CASE("a child that takes the loop over goes on with its coroutines") {
    loop own;
    int turns = 0;
    auto body = [&]() -> task<int> {
        for (; turns < 3; ++turns) co_await schedule();
        co_return turns;
    };
    auto task = own.create_task(body());
    own.run_once(0ms);
    const auto finish = [&] {
        while (!task.done()) own.run_once(0ms);
        return task.result();
    };
    CHECK(in_child([&] {
              own.reinit_after_fork(LOOP_REINIT_KEEP_READY);
              return finish();
          }) == 3);
    CHECK(finish() == 3);
}

TEST_CASE("closing inside: destructors of a coroutine may use what is closing") {
    reports heard;
    int closed = 0;
    struct uses_loop {
        loop_view here;
        int &count;
        ~uses_loop() {
            std::error_code code;
            here.post([] {}, code);
            count += code == make_error_code(LOOP_ECLOSED);
        }
    };
    auto body = [&]() -> task<> {
        uses_loop here{co_await this_loop(), closed};
        co_await coloop::sleep(1h);
    };
    {
        loop own;
        heard.listen(own);
        (void)own.create_task(body());
        own.run_once(0ms);
    }
    CHECK(closed == 1);
    CHECK(heard.texts.size() == 1);
}

TEST_CASE("a closed loop starts nothing, and destroys what it was given") {
    int alive = 0;
    loop own;
    own.close();
    CHECK_THROWS_AS(own.create_task(sleeps(alive)), error);
    CHECK_THROWS_AS(own.run_until_complete(sleeps(alive)), error);
    CHECK_THROWS_AS((void)create_task(sleeps(alive)), error); // no loop runs here
    CHECK(alive == 0);
    auto keeps = [](counted) -> task<> { co_return; };
    CHECK_THROWS_AS(own.create_task(keeps(counted(alive))), error);
    CHECK(alive == 0);
}

TEST_CASE("a result that cannot be moved out is the task's failure") {
    struct moves_badly {
        moves_badly() = default;
        moves_badly(moves_badly &&other) : left(other.left - 1) {
            if (left == 0) throw std::out_of_range("moved too often");
        }
        int left = 2;
    };
    auto body = []() -> task<moves_badly> { co_return moves_badly(); };
    CHECK_THROWS_AS(run(body()), std::out_of_range);
    auto odd = []() -> task<> {
        throw std::system_error(std::error_code());
        co_return;
    };
    CHECK_THROWS_AS(run(odd()), std::system_error);
}

TEST_CASE("C code runs, awaits and cancels tasks of coroutines") {
    loop own;
    auto number = own.create_task(after_turns(2, 5));
    void *result = nullptr;
    CHECK(loop_run_until_complete(own.capi(), number.capi(), &result) == 0);
    CHECK(result == reinterpret_cast<void *>(5));
    int alive = 0;
    auto endless = own.create_task(sleeps(alive));
    CHECK(loop_run_once(own.capi(), 0) >= 0);
    CHECK(alive == 1);
    CHECK(loop_future_cancel(endless.capi(), "from C") == 1);
    CHECK(loop_run_until_complete(own.capi(), endless.capi(), nullptr) == LOOP_ECANCELLED);
    CHECK(std::string(loop_last_error()) == "from C");
    CHECK(alive == 0);
    // It ends by its own exception, which nothing of C ever sees pass.
    auto throws = own.create_task([]() -> task<> { throw 5; co_return; }());
    CHECK(loop_run_until_complete(own.capi(), throws.capi(), nullptr) == LOOP_EEXCEPTION);
    CHECK_THROWS_AS(throws.result(), int);
}
