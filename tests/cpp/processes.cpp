// Programs, their pipes and ends; signals; forks.
#include "test.hpp"

#include <csignal>

#include <sys/wait.h>

namespace {

struct watcher : coloop::process_protocol {
    std::string out, events;
    coloop::future<void> lost;
    explicit watcher(coloop::loop_view loop) : lost(loop.create_future<void>()) {}
    void connection_made(const coloop::process &process) override {
        events += 'm';
        if (coloop::transport_view in = process.get_pipe_transport(0)) {
            in.write("from the parent");
            in.write_eof();
        }
    }
    void pipe_data_received(const coloop::process &, int fd, std::string_view data) override {
        out += std::to_string(fd) + ":" + std::string(data);
    }
    void process_exited(const coloop::process &) override { events += 'x'; }
    void connection_lost(const coloop::process &) override {
        events += 'l';
        lost.set_result();
    }
};

} // namespace

TEST_CASE("a program and how it ends") {
    coloop::loop loop;
    const coloop::subprocess_options options;
    const auto process = loop.subprocess_exec({"sh", "-c", "exit 3"}, options);
    CHECK(process.pid() > 0);
    CHECK(loop.run_until_complete(process.wait()) == 3);
    CHECK(process.returncode() == 3);
    const auto killed = loop.subprocess_shell("sleep 100", options);
    CHECK_FALSE(killed.returncode());
    killed.kill();
    CHECK(loop.run_until_complete(killed.wait()) == -SIGKILL);
    std::error_code code;
    killed.terminate(code);
    CHECK(code == std::errc::no_such_process);
    const auto none = loop.subprocess_exec({"/nowhere/to/be/found"}, options, code);
    CHECK(code == std::errc::no_such_file_or_directory);
    CHECK_FALSE(none);
    CHECK_THROWS_AS(loop.subprocess_exec({}, options), coloop::error);
}

TEST_CASE("pipes as descriptors, and as transports of a protocol") {
    coloop::loop loop;
    using namespace coloop::stdio;
    const coloop::subprocess_options piped(pipe(), pipe(), to_stdout());
    auto process = loop.subprocess_exec({"echo", "hello"}, coloop::subprocess_options(devnull(), pipe(), inherit()));
    const int fd = process.take_pipe_fd(1);
    CHECK(loop.run_until_complete(process.wait()) == 0);
    char text[10];
    CHECK(read(fd, text, sizeof text) == 6);
    ::close(fd);

    auto protocol = std::make_shared<watcher>(loop);
    process = loop.subprocess_exec({"sh", "-c", "cat"}, piped, protocol);
    loop.run_until_complete(protocol->lost);
    CHECK(protocol->out == "1:from the parent");
    CHECK(protocol->events == "mxl");

    auto owned = std::make_unique<watcher>(loop);
    auto lost = owned->lost.clone();
    process = loop.subprocess_shell("exit 1", coloop::subprocess_options(), std::move(owned));
    loop.run_until_complete(lost);
    CHECK(process.returncode() == 1);
    int alive = 0;
    struct counting : coloop::process_protocol {
        counted thing;
        explicit counting(int &alive) : thing(alive) {}
    };
    std::error_code code;
    loop.subprocess_exec({"/nowhere"}, piped, std::make_unique<counting>(alive), code);
    CHECK(code);
    loop.subprocess_exec({"true"}, piped, std::unique_ptr<counting>(), code);
    CHECK(code == std::errc::invalid_argument);
    CHECK(alive == 0);
}

TEST_CASE("what a process protocol throws leaves the run") {
    struct thrower : coloop::process_protocol {
        void process_exited(const coloop::process &) override { throw std::out_of_range("exited"); }
    };
    coloop::loop loop;
    const auto process = loop.subprocess_exec({"true"}, coloop::subprocess_options(), std::make_unique<thrower>());
    CHECK_THROWS_AS(loop.run_forever(), std::out_of_range);
}

TEST_CASE("children that somebody else started") {
    coloop::loop loop;
    const int child = fork();
    if (child == 0) _exit(7);
    int code = 0;
    loop.watch_child(child, [&](int pid, int returncode) {
        CHECK(pid == child);
        code = returncode;
        loop.stop();
    });
    loop.run_forever();
    CHECK(code == 7);
    CHECK_FALSE(loop.unwatch_child(child));
    CHECK_THROWS_AS(loop.watch_child(-5, [](int, int) {}), coloop::error);
}

TEST_CASE("signals") {
    coloop::loop loop;
    int calls = 0;
    loop.add_signal_handler(SIGUSR2, [&] {
        ++calls;
        loop.stop();
    });
    raise(SIGUSR2);
    loop.run_forever();
    CHECK(calls == 1);
    CHECK(loop.remove_signal_handler(SIGUSR2));
    CHECK_FALSE(loop.remove_signal_handler(SIGUSR2));
    CHECK_THROWS_WITH(loop.add_signal_handler(SIGKILL, [] {}), "sig 9 cannot be caught");
}

TEST_CASE("a fork in a callback: the child leaves the run, the parent goes on") {
    coloop::loop loop;
    int status = -1;
    loop.post([&] {
        status = in_child([&] {
            std::error_code code;
            loop.call_soon([] {}, code);
            if (code != coloop::make_error_code(LOOP_EFORKED)) return 1;
            coloop::get_running_loop(code);
            if (code != coloop::make_error_code(LOOP_ENO_RUNNING)) return 2;
            coloop::loop own;
            own.post([] { throw 7; });
            try {
                own.run_forever();
            } catch (int thrown) {
                return thrown == 7 ? 0 : 3;
            }
            return 4;
        });
        loop.stop();
    });
    loop.run_forever();
    CHECK(status == 0);
}

TEST_CASE("a child that throws out of its parent's callback gets it from the run") {
    coloop::loop loop;
    int status = -1, child = -1;
    bool is_child = false;
    loop.post([&] {
        child = fork();
        is_child = child == 0;
        if (is_child) throw std::out_of_range("in the child");
        loop.stop();
    });
    try {
        loop.run_forever();
        if (is_child) _exit(1);
    } catch (const std::out_of_range &) {
        _exit(is_child ? 0 : 2);
    }
    status = exit_status_of(child);
    CHECK(status == 0);
}

TEST_CASE("an inherited loop may be closed, or made the child's own") {
    coloop::loop loop;
    auto handle = loop.call_later(1h, [] {});
    auto future = loop.create_future<std::string>();
    CHECK(in_child([&] {
              std::error_code code;
              if (handle.cancel(code) || code != coloop::make_error_code(LOOP_EFORKED)) return 1;
              handle = coloop::handle();
              if (future.done(code) || !code) return 2;
              loop = coloop::loop(); // closes the copy
              return 0;
          }) == 0);
    CHECK(in_child([&] {
              loop.reinit_after_fork(LOOP_REINIT_KEEP_READY);
              if (!handle.cancel()) return 1;
              loop.post([&] { loop.stop(); });
              return loop.run_forever();
          }) == 0);
    CHECK(handle.cancel());
    loop.post([&] { future.set_result("untouched"); });
    CHECK(loop.run_until_complete(future) == "untouched");
}
