// Programs and signals for coroutines.
#include "stream_test.hpp"

#include <csignal>

#include <dirent.h>

using namespace coloop;
using namespace coloop::stdio;

namespace {

const subprocess_options all_pipes(pipe(), pipe(), pipe());

std::size_t open_fds() {
    std::size_t count = 0;
    DIR *const list = opendir("/proc/self/fd");
    while (readdir(list)) ++count;
    closedir(list);
    return count;
}

// Does a signal do in this process what it does by default?
bool is_default(int signum) {
    struct sigaction now;
    REQUIRE(sigaction(signum, nullptr, &now) == 0);
    return now.sa_handler == SIG_DFL;
}

} // namespace

TEST_CASE("a program is fed and heard at the same time, however much that is") {
    const std::string sent(3 << 20, 'x');
    auto body = [&]() -> task<> {
        const auto cat = create_subprocess_shell("cat; echo complaint >&2; exit 3", all_pipes);
        const auto output = co_await cat.communicate(sent);
        CHECK((output.out == sent));
        CHECK(output.err == "complaint\n");
        CHECK(output.returncode == 3);
        CHECK(cat.returncode() == 3);
        const auto again = co_await cat.communicate();
        CHECK((again.out.empty() && again.returncode == 3));
    };
    const std::size_t before = open_fds();
    run(body());
    CHECK(open_fds() == before);
}

TEST_CASE("the streams of a program one by one") {
    auto body = []() -> task<> {
        const auto own = create_subprocess_exec({"sh", "-c", "while read line; do echo \"[$line]\"; done"},
                                                {pipe(), pipe(), to_stdout()});
        CHECK(!own.err);
        for (int i = 0; i < 5; ++i) {
            own.in.write(std::to_string(i) + "\n");
            co_await own.in.drain();
            const std::string line = co_await own.out.readline();
            CHECK(line == "[" + std::to_string(i) + "]\n");
        }
        own.in.close();
        const int status = co_await own.wait();
        const std::string rest = co_await own.out.read_all();
        CHECK((status == 0 && rest.empty()));
    };
    run(body());
}

TEST_CASE("a program that does not want its input, and one that is killed") {
    auto body = []() -> task<> {
        const auto deaf = create_subprocess_exec({"true"}, all_pipes);
        const auto output = co_await deaf.communicate(std::string(1 << 20, 'x'));
        CHECK(output.returncode == 0);
        const auto sleeps = create_subprocess_exec({"sleep", "100"});
        CHECK_THROWS_AS((void)sleeps.communicate("there is no pipe"), error);
        sleeps.kill();
        const auto killed = co_await sleeps.communicate();
        CHECK(killed.returncode == -SIGKILL);
    };
    run(body());
}

TEST_CASE("communicate is cancelled: the program goes on, and nothing of it is lost") {
    auto body = []() -> task<> {
        const auto own = create_subprocess_shell(
            "trap 'echo after; exit 5' TERM; echo before; echo ready >&2; while :; do sleep 0.02; done", all_pipes);
        const std::string ready = co_await own.err.readline();
        CHECK(ready == "ready\n");
        auto listens = [&]() -> task<> { co_await own.communicate(); };
        auto first = create_task(listens());
        co_await turns(5);
        first.cancel();
        CHECK(co_await throws<cancelled_error>([](auto given) -> task<> { co_await given; }(std::move(first))));
        own.terminate();
        const auto output = co_await own.communicate();
        CHECK(output.out == "before\nafter\n");
        CHECK(output.returncode == 5);
        bool late = false;
        const auto sleeps = create_subprocess_exec({"sleep", "100"}, all_pipes);
        try {
            co_await wait_for(sleeps.communicate(), 1ms);
        } catch (const error &thrown) {
            late = thrown.code() == std::errc::timed_out;
        }
        CHECK((late && !sleeps.returncode()));
        sleeps.terminate();
        const int status = co_await sleeps.wait();
        CHECK(status == -SIGTERM);
    };
    run(body());
}

TEST_CASE("a program that cannot be started; one that outlives its streams") {
    auto body = []() -> task<> {
        const std::size_t before = open_fds();
        CHECK_THROWS_AS(create_subprocess_exec({"/nowhere"}, all_pipes), error);
        CHECK(open_fds() == before);
        auto own = create_subprocess_shell("read line; exit 7", all_pipes);
        const process kept = own.clone();
        own = subprocess();
        const int status = co_await kept.wait();
        CHECK(status == 7);
    };
    run(body());
}

TEST_CASE("a set of signals: each once, none lost, the old disposition back in the end") {
    auto body = [&]() -> task<> {
        signal_set caught{SIGUSR1, SIGUSR2};
        raise(SIGUSR2);
        raise(SIGUSR1);
        raise(SIGUSR1);
        const int first = co_await caught.next();
        const int second = co_await caught.next();
        CHECK((first + second == SIGUSR1 + SIGUSR2 && first != second));
        auto waits = create_task(caught.next()), also = create_task(caught.next());
        co_await turns(3);
        CHECK((!waits.done() && !also.done()));
        raise(SIGUSR1);
        CHECK(co_await waits == SIGUSR1);
        co_await turns(3);
        CHECK(!also.done());
        also.cancel();
        raise(SIGUSR2);
        const int late = co_await caught.next();
        CHECK(late == SIGUSR2);
    };
    run(body());
    CHECK(is_default(SIGUSR1));
    CHECK(is_default(SIGUSR2));
}

TEST_CASE("sets of signals: refused ones, later ones, closed loops, forks") {
    auto body = []() -> task<> {
        CHECK_THROWS_AS((signal_set{SIGUSR1, SIGKILL}), error);
        CHECK(is_default(SIGUSR1));
        auto first = std::make_unique<signal_set>(std::initializer_list<int>{SIGUSR1});
        signal_set second{SIGUSR1};
        first.reset(); // leaves the second one's handler alone
        raise(SIGUSR1);
        const int caught = co_await second.next();
        CHECK(caught == SIGUSR1);
        CHECK(in_child([&] {
                  second.~signal_set();
                  new (&second) signal_set(loop(), {SIGUSR2});
                  return 0;
              }) == 0);
    };
    run(body());
    CHECK(is_default(SIGUSR1));

    auto own = std::make_unique<loop>();
    loop other;
    signal_set outlives(*own, {SIGUSR1});
    int alive = 0;
    auto waits = [&](loop_view on) -> task<> {
        counted here(alive);
        signal_set inside(on, {SIGUSR2});
        co_await inside.next();
    };
    reports heard;
    heard.listen(*own);
    create_task(*own, waits(*own));
    own->run_once(0s);
    CHECK(alive == 1);
    CHECK(!is_default(SIGUSR2));
    CHECK_THROWS_AS(other.run_until_complete(outlives.next()), error);
    own.reset();
    CHECK(alive == 0);
    CHECK(is_default(SIGUSR1));
    CHECK(is_default(SIGUSR2));
}
