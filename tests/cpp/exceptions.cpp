// Exceptions out of every kind of callback: kept, the run ended, thrown again; or told.
#include "test.hpp"

#include <csignal>

namespace {

struct oops : std::runtime_error {
    oops() : std::runtime_error("oops") {}
};
void throw_oops() { throw oops(); }

// What the exception handler was told, as texts.
struct reports {
    std::vector<std::string> texts;
    explicit reports(coloop::loop_view loop) {
        loop.set_exception_handler([this](coloop::loop_view, const loop_exception_context_t &context) {
            texts.push_back(context.exception ? context.exception : "");
        });
    }
};

} // namespace

TEST_CASE("a throw leaves the run right after its callback, and what is queued stays") {
    coloop::loop loop;
    reports told(loop);
    std::string log;
    loop.post([&log] { log += 'a'; });
    loop.post([&log] {
        log += 'b';
        throw oops();
    });
    loop.post([&log] { log += 'c'; });
    CHECK_THROWS_AS(loop.run_forever(), oops);
    CHECK(log == "ab");
    CHECK_FALSE(loop.is_running());
    loop.post([&] { loop.stop(); });
    CHECK(loop.run_forever() == 0);
    CHECK(log == "abc");
    CHECK(told.texts.empty());
}

TEST_CASE("out of every kind of callback") {
    coloop::loop loop;
    reports told(loop);
    socket_pair pair;
    SUBCASE("call_soon") { loop.call_soon(throw_oops); }
    SUBCASE("a timer") { loop.call_later(1ms, throw_oops); }
    SUBCASE("call_soon_threadsafe") { std::thread([&] { loop.call_soon_threadsafe(throw_oops); }).join(); }
    SUBCASE("a reader") {
        REQUIRE(write(pair.fds[0], "x", 1) == 1);
        loop.add_reader(pair.fds[1], throw_oops);
    }
    SUBCASE("a writer") { loop.add_writer(pair.fds[1], throw_oops); }
    SUBCASE("a done callback") {
        auto future = loop.create_future<int>();
        future.add_done_callback(throw_oops);
        future.set_result(1);
    }
    SUBCASE("a signal handler") {
        loop.add_signal_handler(SIGUSR1, throw_oops);
        raise(SIGUSR1);
    }
    SUBCASE("the end of a child") {
        auto child = fork();
        if (child == 0) _exit(3);
        loop.watch_child(child, [](int, int returncode) {
            CHECK(returncode == 3);
            throw oops();
        });
    }
    SUBCASE("the hook before a wait") {
        loop.set_wait_hooks([](coloop::loop_view) { throw oops(); }, [](coloop::loop_view) {});
    }
    SUBCASE("the hook after a wait") {
        loop.set_wait_hooks([](coloop::loop_view) {}, [](coloop::loop_view) { throw oops(); });
        loop.call_later(1ms, [] {});
    }
    SUBCASE("the exception handler") {
        loop.set_exception_handler([](coloop::loop_view, const loop_exception_context_t &) { throw oops(); });
        loop.post([&] { loop.call_exception_handler(coloop::exception_context()); });
    }
    SUBCASE("the slow callback hook") {
        loop.set_debug(true);
        loop.set_slow_callback_duration(1ns);
        CHECK(loop.get_slow_callback_duration() == 1ns);
        loop.set_slow_callback_hook([](coloop::loop_view, const loop_slow_callback_t &report) {
            CHECK(report.duration_ns >= 1);
            throw oops();
        });
        loop.post([] { std::this_thread::sleep_for(1ms); });
    }
    loop.call_later(60s, [&] { loop.stop(); });
    CHECK_THROWS_AS(loop.run_forever(), oops);
    CHECK_FALSE(loop.is_running());
    loop.set_wait_hooks(nullptr);
    loop.set_slow_callback_hook(nullptr);
    CHECK(told.texts.empty());
}

TEST_CASE("every kind of run throws what was thrown inside") {
    coloop::loop loop;
    loop.post(throw_oops);
    SUBCASE("run_forever") { CHECK_THROWS_AS(loop.run_forever(), oops); }
    SUBCASE("run_forever with a code") {
        std::error_code code;
        CHECK_THROWS_AS(loop.run_forever(code), oops);
    }
    SUBCASE("run_once") { CHECK_THROWS_AS(loop.run_once(0s), oops); }
    SUBCASE("run_until_complete") {
        auto pending = loop.create_future<int>();
        CHECK_THROWS_AS(loop.run_until_complete(pending), oops);
        CHECK_FALSE(pending.done());
    }
    SUBCASE("dispatch") {
        loop.prepare();
        loop.poll(0s);
        CHECK_THROWS_AS(loop.dispatch(), oops);
    }
    SUBCASE("poll, out of a hook") {
        CHECK_THROWS_AS(loop.run_once(0s), oops);
        loop.set_wait_hooks([](coloop::loop_view) { throw std::logic_error("hook"); }, [](coloop::loop_view) {});
        loop.call_later(1ms, [] {});
        loop.prepare();
        CHECK_THROWS_AS(loop.poll(60s), std::logic_error);
    }
}

TEST_CASE("of two exceptions the first is thrown, the second is told") {
    coloop::loop loop;
    reports told(loop);
    // A protocol method inside a write, inside a callback that then throws as well.
    struct pauses : coloop::protocol {
        void pause_writing() override { throw std::logic_error("first"); }
    };
    socket_pair pair;
    auto transport = loop.connect_accepted_socket(pair.take(0), std::make_unique<pauses>());
    transport.set_write_buffer_limits(0, 0);
    loop.post([&] {
        const std::string much(8 << 20, 'x');
        transport.write(much);
        throw oops();
    });
    CHECK_THROWS_AS(loop.run_forever(), std::logic_error);
    REQUIRE(told.texts.size() == 1);
    CHECK(told.texts[0] == "oops");
    transport.abort();
    loop.run_once(0s);
}

TEST_CASE("a loop that somebody else runs tells its exception handler") {
    coloop::loop loop;
    reports told(loop);
    loop.post(throw_oops);
    loop.post([] { throw 7; });
    loop.post([&] { loop.stop(); });
    CHECK(loop_run_forever(loop.capi()) == 0);
    REQUIRE(told.texts.size() == 2);
    CHECK(told.texts[0] == "oops");
    CHECK(told.texts[1] == "a C++ exception of unknown type");
}

TEST_CASE("the handler is told the code of a system_error, and which callback it was") {
    coloop::loop loop;
    int code = 0;
    bool has_callback = false;
    loop.set_exception_handler([&](coloop::loop_view told, const loop_exception_context_t &context) {
        code = context.code;
        has_callback = context.callback != nullptr;
        told.stop();
    });
    loop.post([] { throw std::system_error(EPIPE, std::generic_category()); });
    loop_run_forever(loop.capi());
    CHECK(code == -EPIPE);
    CHECK(has_callback);
}

TEST_CASE("an exception handler that throws is not called again") {
    coloop::loop loop;
    int calls = 0;
    loop.set_exception_handler([&](coloop::loop_view told, const loop_exception_context_t &) {
        ++calls;
        told.stop();
        throw oops();
    });
    loop.post(throw_oops);
    CHECK(loop_run_forever(loop.capi()) == 0);
    CHECK(calls == 1);
}

TEST_CASE("a run inside a run is refused, and the outer one goes on") {
    coloop::loop loop, other;
    std::vector<int> codes;
    loop.post([&] {
        std::error_code code;
        loop.run_forever(code);
        codes.push_back(coloop::error_number(code));
        other.run_forever(code);
        codes.push_back(coloop::error_number(code));
        CHECK_THROWS_AS(loop.run_once(0s), coloop::error);
        loop.close(code);
        codes.push_back(coloop::error_number(code));
        loop.stop();
    });
    CHECK(loop.run_forever() == 0);
    CHECK(codes == std::vector<int>{LOOP_ERUNNING, LOOP_EOTHER_RUNNING, LOOP_ERUNNING});
    // A refused run has kept nothing of this thread's frames.
    loop.post(throw_oops);
    CHECK_THROWS_AS(loop.run_forever(), oops);
}

TEST_CASE("two loops in two threads throw each its own") {
    const auto run = [](int number) {
        coloop::loop loop;
        loop.call_later(1ms, [number] { throw number; });
        try {
            loop.run_forever();
        } catch (int thrown) {
            return thrown;
        }
        return -1;
    };
    int first = 0, second = 0;
    std::thread one([&] { first = run(1); }), two([&] { second = run(2); });
    one.join();
    two.join();
    CHECK(first == 1);
    CHECK(second == 2);
}

TEST_CASE("interrupt ends a run with its code, and no exception") {
    coloop::loop loop;
    loop.post([&] { loop.interrupt(42); });
    CHECK(loop.run_forever() == 42);
    auto pending = loop.create_future<void>();
    loop.post([&] { loop.interrupt(42); });
    std::error_code code;
    loop.run_until_complete(pending, code);
    CHECK(code == coloop::make_error_code(LOOP_ESTOPPED));
    loop.post([&] { loop.interrupt(42); });
    CHECK_THROWS_WITH(loop.run_until_complete(pending), loop_strerror(LOOP_ESTOPPED));
}

TEST_CASE("what a wake hook throws on another thread does not cross") {
    coloop::loop loop;
    loop.set_wake_hook([](coloop::loop_view) { throw oops(); });
    loop.prepare();
    std::thread([&] { loop.post_threadsafe([] {}); }).join();
    CHECK(loop.poll(0s) >= 0);
    CHECK(loop.dispatch() >= 1);
    loop.set_wake_hook(nullptr);
}
