// Waiting: for time, turns, futures, jobs; that it takes no memory; awaitables of one's own.
#include "task_test.hpp"

#include <sys/wait.h>

using namespace coloop;

namespace {

// A flag: the awaitable that coloop/task/driver.hpp shows.
class flag {
public:
    class wait : public detail::waiter<wait> {
    public:
        explicit wait(flag &given) : flag_(given) {}
        ~wait() { let_go(); }
        bool await_ready() const noexcept { return flag_.is_set_; }
        template <class Promise> bool await_suspend(std::coroutine_handle<Promise> waiting) noexcept {
            if (flag_.refuses_) return park(waiting, -EAGAIN);
            next_ = std::exchange(flag_.first_, this);
            return park(waiting, 0);
        }
        void await_resume() { check(); }
        void let_go() noexcept {
            ++flag_.let_go_;
            for (wait **place = &flag_.first_; *place; place = &(*place)->next_) {
                if (*place != this) continue;
                *place = next_;
                return;
            }
        }

    private:
        friend flag;
        flag &flag_;
        wait *next_ = nullptr;
    };

    wait until_set() noexcept { return wait(*this); }
    void set() {
        is_set_ = true;
        while (wait *const first = first_) {
            first_ = first->next_;
            first->wake();
            first->wake(); // again is nothing
        }
    }
    bool is_awaited() const { return first_; }

    bool is_set_ = false, refuses_ = false;
    int let_go_ = 0;

private:
    wait *first_ = nullptr;
};

} // namespace

TEST_CASE("sleep is never early, and ends in the order of deadlines") {
    std::string log;
    auto sleeper = [&](char mark, auto delay) -> task<> {
        const loop_view here = co_await this_loop();
        const time_point began = here.time();
        co_await coloop::sleep(delay);
        CHECK(here.time() - began >= delay);
        log += mark;
    };
    auto body = [&]() -> task<> {
        co_await gather(sleeper('c', 60ms), sleeper('b', 30ms), sleeper('a', std::chrono::duration<double>(1e-4)),
                        sleeper('0', 0ms), sleeper('-', -5s));
    };
    run(body());
    CHECK(log == "0-abc");
}

TEST_CASE("a cancelled sleep gives its timer back before cancel returns") {
    auto body = []() -> task<> {
        const loop_view here = co_await this_loop();
        auto sleeper = create_task([]() -> task<> { co_await coloop::sleep(1h); }());
        co_await schedule();
        CHECK(here.next_deadline());
        sleeper.cancel();
        CHECK_FALSE(here.next_deadline());
        co_await schedule();
        CHECK(sleeper.cancelled());
    };
    run(body());
}

TEST_CASE("futures are awaited: results borrowed and moved, failures, raw ones") {
    auto body = []() -> task<> {
        const loop_view here = co_await this_loop();
        auto later = [&](const auto &future, auto... result) { here.post([&future, result...] { future.set_result(result...); }); };
        auto text = here.create_future<std::string>();
        later(text, "a text that is long enough for the heap");
        std::string &borrowed = co_await text;
        CHECK(&borrowed == &text.result());
        const std::string moved = co_await std::move(text);
        CHECK(moved == "a text that is long enough for the heap");

        auto nothing = here.create_future<void>();
        later(nothing);
        co_await nothing;
        co_await nothing; // done already

        auto raw = here.create_future<int>();
        later(raw, 7);
        void *const number = co_await awaitable(raw.capi());
        CHECK(number == reinterpret_cast<void *>(7));

        auto failed = here.create_future<int>();
        failed.set_exception(std::make_exception_ptr(std::out_of_range("as it was")));
        const bool thrown = co_await throws<std::out_of_range>([](auto &future) -> task<> { co_await future; }(failed));
        CHECK(thrown);
        const bool null = co_await throws<error>([]() -> task<> { co_await awaitable(nullptr); }());
        CHECK(null);
        const bool empty = co_await throws<error>([]() -> task<> { co_await future<int>(); }());
        CHECK(empty);
        loop other;
        auto foreign = other.create_future<int>();
        const bool wrong = co_await throws<error>([](auto &future) -> task<> { co_await future; }(foreign));
        CHECK(wrong);
    };
    run(body());
}

TEST_CASE("jobs are awaited, with what they return or throw") {
    auto body = []() -> task<> {
        const auto here = std::this_thread::get_id();
        const auto there = co_await in_executor([] { return std::this_thread::get_id(); });
        CHECK(there != here);
        auto owns = [n = std::make_unique<int>(3)] { return std::make_unique<int>(*n + 1); }; // see task/coroutine.hpp
        const auto made = co_await in_executor(std::move(owns));
        CHECK(*made == 4);
        const bool thrown = co_await throws<std::out_of_range>(in_executor([] { throw std::out_of_range("job"); }));
        CHECK(thrown);
    };
    run(body());
}

TEST_CASE("an awaitable of one's own: woken, cancelled, refused, destroyed") {
    flag given;
    std::string log;
    auto waits = [&](char mark) -> task<> {
        co_await given.until_set();
        log += mark;
    };
    auto body = [&]() -> task<> {
        auto first = create_task(waits('1')), second = create_task(waits('2'));
        co_await schedule();
        first.cancel();
        CHECK(given.let_go_ == 1);
        co_await schedule();
        CHECK(first.cancelled());
        CHECK(given.is_awaited());
        given.set();
        CHECK_FALSE(given.is_awaited());
        co_await second;
        co_await waits('3'); // set already
        given.is_set_ = false;
        given.refuses_ = true;
        const bool refused = co_await throws<std::system_error>(waits('4'));
        CHECK(refused);
        // Woken and then cancelled, before it could go on.
        given.refuses_ = false;
        auto third = create_task(waits('5'));
        co_await schedule();
        given.set();
        const int before = given.let_go_;
        third.cancel();
        CHECK(given.let_go_ == before);
        co_await schedule();
        CHECK(third.cancelled());
        given.is_set_ = false;
    };
    run(body());
    CHECK(log == "23");
    {
        reports heard;
        loop own;
        heard.listen(own);
        (void)own.create_task(waits('6'));
        own.run_once(0ms);
        CHECK(given.is_awaited());
    }
    CHECK_FALSE(given.is_awaited());
}

TEST_CASE("resuming costs no allocation") {
    const int many = 100000;
    [[maybe_unused]] auto nothing = []() -> task<int> { co_return 1; };
    flag always;
    auto body = [&]() -> task<> {
        const loop_view here = co_await this_loop();
        int fds[2];
        REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
        // What is needed once: room in the loop's queue and tables, a frame to keep.
        for (int round = 0; round < 2; ++round) {
            const long before = allocations;
            const int times = round == 0 ? 3 : many;
            for (int i = 0; i < times; ++i) co_await schedule();
            for (int i = 0; i < times / 100; ++i) co_await coloop::sleep(1us);
            for (int i = 0; i < times; ++i) {
                always.is_set_ = false;
                here.post([&] { always.set(); });
                co_await always.until_set();
            }
#if COLOOP_KEEPS_FRAMES
            for (int i = 0; i < times; ++i) co_await nothing();
#endif
            if (round == 1) CHECK(allocations == before);
        }
        close(fds[0]);
        close(fds[1]);
    };
    run(body());
}
