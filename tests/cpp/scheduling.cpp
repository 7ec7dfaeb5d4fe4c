// Loops, handles, time, embedding, policy: as C++ sees them.
#include "test.hpp"

#include <atomic>
#include <limits>

#include <poll.h>

using coloop::detail::to_ns;
using coloop::detail::to_timeout;

TEST_CASE("durations are rounded up and saturate") {
    static_assert(to_ns(1ms) == 1'000'000);
    static_assert(to_ns(-5ns) == -5);
    using picoseconds = std::chrono::duration<long long, std::pico>;
    static_assert(to_ns(picoseconds(1)) == 1 && to_ns(picoseconds(1000)) == 1 && to_ns(picoseconds(1001)) == 2);
    static_assert(to_ns(std::chrono::hours::max()) == INT64_MAX && to_ns(std::chrono::hours::min()) == INT64_MIN);
    static_assert(to_ns(std::chrono::nanoseconds::max()) == INT64_MAX);
    using seconds = std::chrono::duration<double>;
    CHECK(to_ns(seconds(1.5)) == 1'500'000'000);
    CHECK(to_ns(seconds(1e-10)) == 1);
    CHECK(to_ns(seconds(1e300)) == INT64_MAX);
    CHECK(to_ns(seconds(-1e300)) == INT64_MIN);
    CHECK(to_ns(seconds(std::numeric_limits<double>::infinity())) == INT64_MAX);
    CHECK(to_ns(seconds(std::numeric_limits<double>::quiet_NaN())) == 0);
    using thirds = std::chrono::duration<long long, std::ratio<1, 3>>;
    CHECK(to_ns(thirds(1)) == 333'333'334);
    CHECK(to_ns(thirds(3)) == 1'000'000'000);
    // As limits: nothing negative is for ever.
    static_assert(to_timeout(-1s) == 0 && to_timeout(0s) == 0 && to_timeout(coloop::no_timeout) == -1);
    static_assert(to_timeout(std::chrono::hours::max()) == -1);
}

TEST_CASE("callbacks run in their order, timers by their deadlines") {
    coloop::loop loop;
    std::string log;
    const auto now = loop.time();
    loop.call_at(now + 2ms, [&] { log += '4'; loop.stop(); });
    loop.call_later(1ms, [&] { log += '3'; });
    loop.call_soon([&] { log += '1'; });
    loop.call_soon([&] { log += '2'; });
    loop.call_at(coloop::time_point(-1s), [&] { log += 'x'; });
    loop.run_forever();
    CHECK(log == "12x34");
    CHECK(loop.time() >= now + 2ms);
    CHECK(loop.time_cached() <= loop.time());
}

TEST_CASE("handles: cancel, when, reschedule, and what dropping does") {
    coloop::loop loop;
    int calls = 0;
    const auto count = [&calls] { ++calls; };
    auto timer = loop.call_later(1h, count);
    CHECK(timer);
    CHECK(timer.when() > loop.time());
    const auto when = loop.time() + 1ms;
    timer.reschedule(when);
    CHECK(timer.when() == when);
    while (calls == 0) loop.run_once(coloop::no_timeout);
    CHECK_FALSE(timer.cancel());
    CHECK_FALSE(timer.cancelled());
    CHECK_THROWS_AS(timer.when(), coloop::error);

    loop.call_soon(count); // dropped
    auto cancelled = loop.call_soon(count);
    CHECK_FALSE(cancelled.cancelled());
    CHECK(cancelled.cancel());
    CHECK(cancelled.cancelled());
    {
        coloop::scoped_handle scoped = loop.call_soon(count);
        coloop::scoped_handle moved = std::move(scoped);
        moved = loop.call_later(0s, count); // the first one is cancelled by this
    }
    loop.run_once(0s);
    loop.run_once(0s);
    CHECK(calls == 2);
    coloop::handle none;
    CHECK_FALSE(none);
    CHECK_FALSE(none.cancel());
    std::error_code code;
    none.when(code);
    CHECK(code);
}

TEST_CASE("handles may outlive their loop") {
    coloop::handle handle;
    coloop::scoped_handle scoped;
    int alive = 0;
    {
        coloop::loop loop;
        handle = loop.call_later(1h, [held = counted(alive)] {});
        scoped = loop.call_soon([] {});
        loop.close();
    }
    CHECK(alive == 0);
    CHECK_FALSE(handle.cancel());
    CHECK_FALSE(handle.cancelled());
    CHECK(loop_is_closed(handle.loop()) == 1);
}

TEST_CASE("other threads post, and cancel what they posted") {
    coloop::loop loop;
    std::string log;
    std::thread poster([&] {
        for (char mark = 'a'; mark <= 'e'; ++mark) loop.post_threadsafe([&log, mark] { log += mark; });
        auto unwanted = loop.call_soon_threadsafe([&log] { log += 'x'; });
        unwanted.cancel(); // may come late
        loop.stop_threadsafe();
    });
    loop.run_forever();
    poster.join();
    CHECK(log.substr(0, 5) == "abcde");
}

TEST_CASE("moving a loop moves what it owns, and the end closes it") {
    int alive = 0;
    coloop::loop_view seen;
    coloop::handle keeps;
    {
        coloop::loop first;
        keeps = first.call_later(1h, [held = counted(alive)] {});
        coloop::loop second = std::move(first);
        CHECK_FALSE(first);
        first = std::move(second);
        second = coloop::loop();
        seen = first;
        CHECK(seen == first);
        CHECK(first != second);
    }
    CHECK(alive == 0);
    CHECK(seen.is_closed());
    auto owner = coloop::loop::from_capi(loop_new());
    loop_t *released = owner.release();
    CHECK_FALSE(owner);
    CHECK_FALSE(coloop::loop_view(released).is_closed());
    loop_unref(released);
}

TEST_CASE("a loop may be destroyed inside its own callback") {
    int alive = 0;
    auto owner = std::make_unique<coloop::loop>();
    const coloop::loop_view loop = *owner;
    loop.post([&owner, held = counted(alive)] { owner.reset(); });
    loop.post([&] { loop.stop(); });
    CHECK(loop.run_forever() == 0);
    CHECK(alive == 0);
}

TEST_CASE("options, debug mode, names") {
    coloop::loop_options options;
    options.timer_slack_ns = 1000;
    coloop::loop loop(options);
    CHECK(std::string(loop.backend_name()) == "epoll");
    CHECK(loop.describe() == "<coloop.EventLoop running=False closed=False debug=False>");
    loop.set_debug(true);
    CHECK(loop.get_debug());
    options.flags = 12345;
    std::error_code code;
    coloop::loop none(options, code);
    CHECK(code == std::errc::invalid_argument);
    CHECK_FALSE(none);
    CHECK_THROWS_AS(coloop::loop{options}, coloop::error);
}

TEST_CASE("a host waits in the loop's stead") {
    coloop::loop loop;
    int calls = 0;
    CHECK(loop.prepare() == coloop::no_timeout);
    CHECK_FALSE(loop.next_deadline());
    loop.call_later(1ms, [&calls] { ++calls; });
    CHECK(loop.next_deadline().value() <= loop.time() + 1ms);
    socket_pair pair;
    REQUIRE(write(pair.fds[0], "x", 1) == 1);
    loop.add_reader(pair.fds[1], [&] {
        ++calls;
        loop.remove_reader(pair.fds[1]);
    });
    while (calls < 2) {
        const auto wait = loop.prepare();
        pollfd fd{loop.backend_fd(), POLLIN, 0};
        const auto ms = std::chrono::ceil<std::chrono::milliseconds>(wait);
        REQUIRE(poll(&fd, 1, wait == coloop::no_timeout ? -1 : static_cast<int>(ms.count())) >= 0);
        loop.poll(0s);
        loop.dispatch();
    }
}

TEST_CASE("running loop, current loop, policy") {
    CHECK_THROWS_WITH(coloop::get_running_loop(), "no running event loop");
    coloop::loop loop = coloop::new_event_loop();
    coloop::loop_view inside;
    loop.post([&] {
        inside = coloop::get_running_loop();
        loop.stop();
    });
    loop.run_forever();
    CHECK(inside == loop);
    std::thread([&] {
        std::error_code code;
        coloop::get_event_loop(code);
        CHECK(code == coloop::make_error_code(LOOP_ENO_CURRENT));
        coloop::set_event_loop(loop);
        CHECK(coloop::get_event_loop() == loop);
        coloop::set_event_loop({});
        CHECK_THROWS_AS(coloop::get_event_loop(), coloop::error);
    }).join();
    auto policy = coloop::get_event_loop_policy();
    CHECK(policy);
    auto other = policy.new_event_loop();
    CHECK(other);
    coloop::set_event_loop_policy(coloop::policy());
    CHECK(coloop::get_event_loop_policy());
}

TEST_CASE("statistics and a watchdog") {
    coloop::loop loop;
    loop.set_stats_level(LOOP_STATS_CALLBACKS);
    for (int i = 0; i < 3; ++i) loop.post([] {});
    loop.stop();
    loop.run_forever();
    CHECK(loop.get_stats().callbacks == 3);
    std::atomic<bool> told = false;
    loop.start_watchdog(1ms, [&told](coloop::loop_view, const loop_watchdog_report_t &report) {
        if (report.duration_ns >= 1'000'000) told = true;
        throw std::runtime_error("goes to stderr");
    });
    loop.post([&] {
        while (!told) std::this_thread::sleep_for(1ms);
        loop.stop();
    });
    loop.run_forever();
    CHECK(loop.stop_watchdog());
    CHECK_FALSE(loop.stop_watchdog());
}
