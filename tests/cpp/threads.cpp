// Executors, futures for threads, and the way from other threads into a loop.
#include "test.hpp"

#include <atomic>

namespace {

struct oops : std::runtime_error {
    oops() : std::runtime_error("oops") {}
};

// A loop that a thread runs until this ends.
struct running_loop {
    coloop::loop loop;
    std::thread thread{[this] { loop.run_forever(); }};
    ~running_loop() {
        loop.stop_threadsafe();
        thread.join();
    }
};

} // namespace

TEST_CASE("a job's result and its exception come back to the loop") {
    coloop::loop loop;
    const auto here = std::this_thread::get_id();
    auto where = loop.run_in_executor([] { return std::this_thread::get_id(); });
    CHECK(loop.run_until_complete(where) != here);
    CHECK(loop.run_until_complete(loop.run_in_executor([] { return std::make_unique<int>(5); })) != nullptr);
    loop.run_until_complete(loop.run_in_executor([] {}));
    auto failed = loop.run_in_executor([]() -> int { throw oops(); });
    CHECK_THROWS_AS(loop.run_until_complete(failed), oops);
    CHECK_THROWS_AS(failed.result(), oops);
    auto cancelled = loop.run_in_executor([]() -> int { throw coloop::cancelled_error("by itself"); });
    CHECK_THROWS_AS(loop.run_until_complete(cancelled), coloop::cancelled_error);
    CHECK(cancelled.cancelled());
    auto code = loop.run_in_executor([] { throw std::system_error(ENOSPC, std::system_category()); });
    std::error_code seen;
    loop.run_until_complete(code, seen);
    CHECK(seen == std::errc::no_space_on_device);
    loop.run_until_complete(loop.shutdown_default_executor());
    CHECK_THROWS_AS(loop.run_in_executor([] {}), coloop::error);
}

TEST_CASE("a pool: jobs, cancelling what is queued, results that nobody takes") {
    coloop::executor pool(1);
    coloop::loop loop;
    int alive = 0;
    std::atomic<bool> go = false, began = false;
    auto busy = loop.run_in_executor(pool, [&] {
        began = true;
        while (!go) std::this_thread::yield();
    });
    while (!began) std::this_thread::yield();
    auto queued = loop.run_in_executor(pool, [held = counted(alive)] { return 1; });
    CHECK(pool.queued() == 1);
    CHECK(pool.threads() == 1);
    CHECK(queued.cancel());
    CHECK(alive == 0);
    // Its result is destroyed on the pool's thread, later.
    static std::atomic<int> results = 0;
    struct result {
        result() { ++results; }
        result(result &&) noexcept { ++results; }
        ~result() { --results; }
    };
    auto unseen = loop.run_in_executor(pool, [] { return result(); });
    go = true;
    loop.run_until_complete(busy);
    loop.close();
    pool.shutdown();
    unseen = coloop::future<result>();
    CHECK(results == 0);
    std::error_code code;
    coloop::loop other;
    other.run_in_executor(pool, [held = counted(alive)] {}, code);
    CHECK(code == coloop::make_error_code(LOOP_ESHUTDOWN));
    CHECK(alive == 0);
}

TEST_CASE("a loop's default executor may be one that was given") {
    coloop::executor pool(2);
    coloop::loop loop;
    loop.set_default_executor(pool);
    loop.run_until_complete(loop.run_in_executor([] {}));
    CHECK(pool.threads() >= 1);
    auto job = [] { return 3; };
    std::error_code code;
    auto named = loop.run_in_executor(pool, job, code);
    CHECK(loop.run_until_complete(named) == 3);
    auto unnamed = loop.run_in_executor(job, code);
    CHECK(loop.run_until_complete(unnamed) == 3);
}

TEST_CASE("submit without a loop") {
    coloop::executor pool(2);
    auto number = pool.submit([] { return 7; });
    auto text = pool.submit([owned = std::make_unique<std::string>("text")] { return *owned; });
    auto nothing = pool.submit([] {});
    auto failed = pool.submit([]() -> int { throw oops(); });
    CHECK(number.result() == 7);
    CHECK(text.take() == "text");
    nothing.result(60s);
    CHECK_THROWS_AS(failed.result(), oops);
    std::error_code code;
    CHECK(failed.result(coloop::no_timeout, code) == 0);
    CHECK(code);
    // What never runs is cancelled.
    coloop::executor one(1);
    std::atomic<bool> begun = false, go = false;
    auto busy = one.submit([&] {
        begun = true;
        while (!go) std::this_thread::yield();
    });
    auto dropped = one.submit([] { return 1; });
    while (!begun) std::this_thread::yield();
    CHECK_THROWS_AS(dropped.result(1ms), coloop::error);
    one.shutdown(LOOP_EXECUTOR_CANCEL_QUEUED, 0s);
    CHECK_THROWS_AS(dropped.result(), coloop::cancelled_error);
    go = true;
    busy.result();
    CHECK_THROWS_AS(one.submit([] {}), coloop::error);
    auto refused = one.submit([] { return 1; }, code);
    CHECK(code == coloop::make_error_code(LOOP_ESHUTDOWN));
    CHECK_FALSE(refused);
}

TEST_CASE("submit_threadsafe: results, futures, exceptions") {
    running_loop other;
    const auto thread = other.thread.get_id();
    CHECK(other.loop.submit_threadsafe([] { return std::this_thread::get_id(); }).result() == thread);
    auto text = other.loop.submit_threadsafe([](coloop::loop_view) { return std::string("text"); });
    CHECK(text.take() == "text");
    other.loop.submit_threadsafe([] {}).result();
    CHECK_THROWS_AS(other.loop.submit_threadsafe([] { throw oops(); }).result(), oops);
    CHECK_THROWS_AS(other.loop.submit_threadsafe([]() -> int { throw coloop::cancelled_error("no"); }).result(),
                    coloop::cancelled_error);
    auto slept = other.loop.submit_threadsafe([](coloop::loop_view loop) { return coloop::sleep(loop, 1ms); });
    slept.result();
    auto later = other.loop.submit_threadsafe([](coloop::loop_view loop) {
        auto future = loop.create_future<std::unique_ptr<int>>();
        loop.call_later(1ms, [made = future.clone()] { made.set_exception(std::make_exception_ptr(oops())); });
        return future;
    });
    CHECK_THROWS_AS(later.result(60s), oops);
    auto forever = other.loop.submit_threadsafe([](coloop::loop_view loop) { return coloop::sleep(loop, 1h); });
    std::error_code code;
    forever.result(1ms, code);
    CHECK(code == std::errc::timed_out);
    CHECK(forever.cancel());
    CHECK_THROWS_AS(forever.result(), coloop::cancelled_error);
}

TEST_CASE("futures for threads that the caller ends, and their way into a loop") {
    coloop::loop loop;
    int alive = 0, told = 0;
    auto promise = coloop::concurrent_future<std::string>::make();
    promise.add_done_callback([&told, held = counted(alive)] { ++told; });
    auto wrapped = loop.wrap_future(promise);
    std::thread([other = promise.clone()] { other.set_result("from a thread"); }).join();
    CHECK(told == 1);
    CHECK(alive == 0);
    CHECK(promise.done());
    CHECK(loop.run_until_complete(wrapped) == "from a thread");
    CHECK_THROWS_AS(promise.set_result("again"), coloop::error);

    auto failing = coloop::concurrent_future<int>::make();
    auto seen = loop.wrap_future(failing);
    failing.set_exception(std::make_exception_ptr(oops()));
    CHECK_THROWS_AS(failing.result(), oops);
    CHECK_THROWS_AS(loop.run_until_complete(seen), oops);
    auto foreign = coloop::concurrent_future<int>::make();
    REQUIRE(loop_cfuture_set_exception_data(foreign.capi(), -EIO, "foreign", reinterpret_cast<void *>(1), nullptr) == 0);
    CHECK_THROWS_WITH(foreign.result(), "foreign");
    auto cancels = coloop::concurrent_future<int>::make();
    auto from_loop = loop.wrap_future(cancels);
    from_loop.cancel();
    CHECK(cancels.done());
    coloop::concurrent_future<int> none;
    CHECK_THROWS_AS(none.done(), coloop::error);
    // A throw in a callback on a thread without a run is printed, and goes no further.
    auto throwing = coloop::concurrent_future<int>::make();
    throwing.add_done_callback([] { throw oops(); });
    throwing.set_result(1);
}

TEST_CASE("closing a loop ends what threads wait for") {
    coloop::loop loop;
    int alive = 0;
    auto waiting = loop.submit_threadsafe([held = counted(alive)](coloop::loop_view) { return 1; });
    loop.close();
    CHECK(alive == 0);
    CHECK_THROWS_WITH(waiting.result(), "Event loop is closed");
    CHECK_THROWS_AS(loop.submit_threadsafe([] {}), coloop::error);
}
