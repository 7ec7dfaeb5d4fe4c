// Futures with results and exceptions of C++.
#include "test.hpp"

#include <map>

namespace {

struct oops : std::runtime_error {
    using std::runtime_error::runtime_error;
};
std::exception_ptr an_oops(const char *text = "oops") { return std::make_exception_ptr(oops(text)); }

enum class colour : short { red = 1, blue = -2 };

} // namespace

TEST_CASE("results of any type: in the pointer, or in one new that ends with the future") {
    coloop::loop loop;
    const auto round_trip = [&loop](auto value) {
        auto future = loop.create_future<decltype(value)>();
        loop.post([other = future.clone(), value]() mutable { other.set_result(std::move(value)); });
        return loop.run_until_complete(std::move(future));
    };
    CHECK(round_trip(-7) == -7);
    CHECK(round_trip(true));
    CHECK(round_trip(INT64_MIN) == INT64_MIN);
    CHECK(round_trip(SIZE_MAX) == SIZE_MAX);
    CHECK(round_trip(colour::blue) == colour::blue);
    CHECK(round_trip(1.5) == 1.5);
    int number;
    CHECK(round_trip(&number) == &number);
    CHECK(round_trip(static_cast<void *>(&number)) == &number);
    CHECK(round_trip(std::string(100, 'x')) == std::string(100, 'x'));
    CHECK(round_trip(std::map<int, int>{{1, 2}}) == std::map<int, int>{{1, 2}});

    auto owner = loop.create_future<std::unique_ptr<int>>();
    owner.set_result(std::make_unique<int>(5));
    CHECK(*owner.result() == 5);
    const auto taken = loop.run_until_complete(std::move(owner));
    CHECK(*taken == 5);

    auto nothing = loop.create_future<void>();
    nothing.set_result();
    loop.run_until_complete(nothing);
    nothing.result();
    nothing.take();

    auto made = loop.create_future<std::vector<int>>();
    made.emplace_result(3u, 9);
    CHECK(made.result() == std::vector<int>{9, 9, 9});
    made.result().push_back(1);
    CHECK(loop.run_until_complete(made).size() == 4);
}

TEST_CASE("a result ends with the last reference") {
    int alive = 0;
    coloop::loop loop;
    auto future = loop.create_future<counted>();
    future.set_result(counted(alive));
    auto other = future.clone();
    CHECK(other == future);
    future = coloop::future<counted>();
    CHECK(alive == 1);
    auto shield = coloop::shield(other);
    other = coloop::future<counted>();
    CHECK(alive == 1);
    shield = coloop::future<counted>();
    CHECK(alive == 0);
    // Refused: the future is done.
    auto done = loop.create_future<counted>();
    done.cancel();
    CHECK_THROWS_AS(done.set_result(counted(alive)), coloop::error);
    std::error_code code;
    done.set_result(counted(alive), code);
    CHECK(code == coloop::make_error_code(LOOP_EINVALID_STATE));
    CHECK(alive == 0);
}

TEST_CASE("results with codes") {
    coloop::loop loop;
    std::error_code code;
    auto pending = loop.create_future<std::string>();
    CHECK(pending.result(code) == nullptr);
    CHECK(code == coloop::make_error_code(LOOP_EINVALID_STATE));
    CHECK_THROWS_WITH(pending.result(), "Result is not set.");
    CHECK(pending.error() == code);
    pending.set_result("text", code);
    CHECK_FALSE(code);
    CHECK(*pending.result(code) == "text");
    CHECK_FALSE(pending.error());
    auto number = loop.create_future<int>();
    loop.post([&] { number.set_result(3); });
    CHECK(loop.run_until_complete(number, code) == 3);
    auto failed = loop.create_future<int>();
    failed.set_exception(-EPIPE, "broken");
    CHECK(loop.run_until_complete(failed, code) == 0);
    CHECK(code == std::errc::broken_pipe);
    CHECK_THROWS_WITH(failed.result(), "broken");
    CHECK(failed.error() == std::errc::broken_pipe);
}

TEST_CASE("an exception comes out as what went in, through combinators, too") {
    coloop::loop loop;
    auto future = loop.create_future<int>();
    auto shielded = coloop::shield(future);
    auto limited = coloop::wait_for(future, 60s);
    auto all = coloop::gather(loop, future);
    loop.post([&] { future.set_exception(an_oops()); });
    CHECK_THROWS_AS(loop.run_until_complete(future), oops);
    CHECK_THROWS_AS(loop.run_until_complete(shielded), oops);
    CHECK_THROWS_AS(loop.run_until_complete(limited), oops);
    CHECK_THROWS_AS(loop.run_until_complete(all), oops);
    CHECK_THROWS_AS(future.result(), oops);
    CHECK_THROWS_AS(std::rethrow_exception(future.exception()), oops);
    // Others see a code and a text.
    int code = 0;
    const char *text = nullptr;
    CHECK(loop_future_exception(future.capi(), &code, &text) == 1);
    CHECK(code == LOOP_EEXCEPTION);
    CHECK(std::string(text) == "oops");
    std::error_code seen;
    future.result(seen);
    CHECK(coloop::error_number(seen) == code);
    CHECK_THROWS_AS(future.set_exception(an_oops()), coloop::error);
}

TEST_CASE("an exception lives as long as somebody may ask for it") {
    int alive = 0;
    struct held {
        counted thing;
    };
    coloop::loop loop;
    auto future = loop.create_future<void>();
    future.set_exception(std::make_exception_ptr(held{counted(alive)}));
    auto shield = coloop::shield(future);
    std::exception_ptr kept = future.exception();
    future = coloop::future<void>();
    shield = coloop::future<void>();
    CHECK(alive == 1);
    kept = nullptr;
    CHECK(alive == 0);
    auto refused = loop.create_future<void>();
    refused.cancel();
    std::error_code code;
    refused.set_exception(std::make_exception_ptr(held{counted(alive)}), code);
    CHECK(code);
    CHECK(alive == 0);
}

TEST_CASE("what another language attached to a failure is not looked into") {
    coloop::loop loop;
    auto future = loop.create_future<int>();
    int destroyed = 0;
    const auto destroy = [](void *count) { ++*static_cast<int *>(count); };
    REQUIRE(loop_future_set_exception_data(future.capi(), -EIO, "foreign", &destroyed, destroy) == 0);
    CHECK_THROWS_AS(future.result(), coloop::error);
    CHECK_THROWS_WITH(future.result(), "foreign");
    CHECK_THROWS_AS(std::rethrow_exception(future.exception()), coloop::error);
    future = coloop::future<int>();
    CHECK(destroyed == 1);
    auto number = loop.create_future<int>();
    REQUIRE(loop_future_set_exception_data(number.capi(), -EIO, "a number", reinterpret_cast<void *>(1), nullptr) == 0);
    CHECK_THROWS_WITH(number.result(), "a number");
}

TEST_CASE("cancelling") {
    coloop::loop loop;
    auto future = loop.create_future<int>();
    CHECK(future.cancel("enough"));
    CHECK_FALSE(future.cancel());
    CHECK(future.cancelled());
    CHECK(future.done());
    CHECK_THROWS_AS(future.result(), coloop::cancelled_error);
    CHECK_THROWS_WITH(future.result(), "enough");
    CHECK_THROWS_AS(future.exception(), coloop::cancelled_error);
    CHECK(future.error() == std::errc::operation_canceled);
    CHECK_THROWS_AS(loop.run_until_complete(future), coloop::cancelled_error);
    auto by_exception = loop.create_future<int>();
    by_exception.set_exception(std::make_exception_ptr(coloop::cancelled_error("so")));
    CHECK(by_exception.cancelled());
    CHECK_THROWS_WITH(by_exception.result(), "so");
    auto by_code = loop.create_future<int>();
    by_code.set_exception(LOOP_ECANCELLED, nullptr);
    CHECK(by_code.cancelled());
    CHECK_THROWS_AS(by_code.set_exception(LOOP_ECANCELLED, nullptr), coloop::error);
    CHECK_THROWS_AS(by_code.set_exception(7, nullptr), coloop::error);
}

TEST_CASE("done callbacks: with and without the future, in their order, destroyed once") {
    coloop::loop loop;
    int alive = 0;
    std::string log;
    auto future = loop.create_future<std::string>();
    future.add_done_callback([&log](coloop::future<std::string> done) { log += done.result(); });
    future.add_done_callback([&log, held = counted(alive)] { log += 'b'; });
    future.add_done_callback([&log](const coloop::any_future &done) { log += done.done() ? 'c' : '-'; });
    future.set_result("a");
    CHECK(log.empty());
    loop.run_once(0s);
    CHECK(log == "abc");
    CHECK(alive == 0);
    future.add_done_callback([&log, held = counted(alive)] { log += 'd'; });
    loop.close();
    CHECK(alive == 0);
    std::error_code code;
    future.add_done_callback([held = counted(alive)] {}, code);
    CHECK(code == coloop::make_error_code(LOOP_ECLOSED));
    CHECK(alive == 0);
}

TEST_CASE("run_until_complete: stopped, nested, of another loop") {
    coloop::loop loop, other;
    auto future = loop.create_future<int>();
    loop.post([&] { loop.stop(); });
    CHECK_THROWS_WITH(loop.run_until_complete(future), "Event loop stopped before Future completed.");
    CHECK_THROWS_AS(other.run_until_complete(future), coloop::error);
    std::error_code code;
    other.run_until_complete(future, code);
    CHECK(code == coloop::make_error_code(LOOP_EWRONG_LOOP));
    loop.post([&] {
        std::error_code inner;
        loop.run_until_complete(future, inner);
        CHECK(inner == coloop::make_error_code(LOOP_ERUNNING));
        future.set_result(4);
    });
    CHECK(loop.run_until_complete(future) == 4);
}

TEST_CASE("sleep, gather, wait, wait_for, shield") {
    coloop::loop loop;
    const auto before = loop.time();
    loop.run_until_complete(coloop::sleep(loop, 2ms));
    CHECK(loop.time() >= before + 2ms);

    auto number = loop.create_future<int>();
    auto text = loop.create_future<std::string>();
    auto both = coloop::gather(loop, number, text);
    loop.post([&] {
        text.set_result("two");
        number.set_result(1);
    });
    const coloop::gathered results = loop.run_until_complete(both);
    REQUIRE(results.size() == 2);
    CHECK(results.result<int>(0) == 1);
    CHECK(results.result<std::string>(1) == "two");
    CHECK_FALSE(results.error(0));
    CHECK(results.error(2) == std::errc::invalid_argument);

    std::vector<coloop::future<int>> many;
    for (int i = 0; i < 3; ++i) many.push_back(loop.create_future<int>());
    auto all = coloop::gather(loop, many, LOOP_RETURN_EXCEPTIONS);
    many[0].set_result(10);
    many[1].set_exception(an_oops());
    auto first = coloop::wait(loop, many, coloop::return_when::first_completed);
    auto in_time = coloop::wait(loop, many, coloop::return_when::all_completed, 1ms);
    const coloop::waited waited = loop.run_until_complete(first);
    CHECK(waited.done_count() == 2);
    CHECK(waited.is_done(many[1]));
    CHECK_FALSE(waited.is_done(many[2]));
    REQUIRE(waited.pending().size() == 1);
    CHECK(waited.pending()[0] == many[2]);
    CHECK(waited.done()[0] == many[0]);
    CHECK(loop.run_until_complete(in_time).pending_count() == 1);
    many[2].cancel();
    const coloop::gathered mixed = loop.run_until_complete(all);
    CHECK(mixed.result<int>(0) == 10);
    CHECK_THROWS_AS(mixed.result<int>(1), oops);
    CHECK(mixed.error(2) == std::errc::operation_canceled);

    auto slow = loop.create_future<int>();
    auto limited = coloop::wait_for(slow, 1ms);
    std::error_code code;
    loop.run_until_complete(limited, code);
    CHECK(code == std::errc::timed_out);
    CHECK(slow.cancelled());
    try {
        limited.result();
        FAIL("no timeout");
    } catch (const coloop::error &error) {
        CHECK(error.code() == std::errc::timed_out);
    }

    auto inner = loop.create_future<int>();
    auto outer = coloop::shield(inner);
    outer.cancel();
    CHECK_FALSE(inner.done());
    inner.cancel();
    const std::vector<coloop::future<int>> none;
    CHECK(loop.run_until_complete(coloop::gather(loop, none)).size() == 0);
    coloop::wait(loop, none, coloop::return_when::all_completed, coloop::no_timeout, code);
    CHECK(code == std::errc::invalid_argument);
}

TEST_CASE("a failure that nobody asked for is told") {
    coloop::loop loop;
    std::string told;
    loop.set_exception_handler([&](coloop::loop_view, const loop_exception_context_t &context) {
        told = std::string(context.message) + ": " + context.exception;
    });
    loop.create_future<int>().set_exception(an_oops("unseen"));
    CHECK(told == "Future exception was never retrieved: unseen");
}

TEST_CASE("empty futures answer with an error") {
    coloop::future<int> none;
    std::error_code code;
    CHECK_FALSE(none);
    CHECK(none.done(code) == false);
    CHECK(code == std::errc::invalid_argument);
    CHECK_THROWS_AS(none.result(), coloop::error);
    CHECK_THROWS_AS(none.set_result(1), coloop::error);
    CHECK_THROWS_AS(none.add_done_callback([] {}), coloop::error);
    CHECK_THROWS_AS(none.exception(), coloop::error);
    CHECK_FALSE(none.get_loop());
    CHECK_FALSE(none.clone());
}
