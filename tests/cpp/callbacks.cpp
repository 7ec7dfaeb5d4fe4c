// Any callable as a callback; where it stands, and when it ends.
#include "test.hpp"

#include <functional>

namespace {

int plain_calls;
void plain() { ++plain_calls; }

struct object {
    int calls = 0;
    void method() { ++calls; }
};

struct empty_callable {
    void operator()() const { ++plain_calls; }
};

// Four bytes, but with a state that has to stay.
struct counting {
    int calls = 0;
    int *seen;
    void operator()() { *seen = ++calls; }
};

struct throws_when_copied {
    bool thrown = false;
    throws_when_copied() = default;
    throws_when_copied(const throws_when_copied &) { throw std::domain_error("copied"); }
    void operator()() const {}
};

} // namespace

TEST_CASE("functions, lambdas, methods, move-only callables and std::function") {
    coloop::loop loop;
    object object;
    plain_calls = 0;
    int sum = 0;
    loop.call_soon(plain);
    loop.call_soon(&plain);
    loop.call_soon([] { ++plain_calls; });
    loop.call_soon(empty_callable());
    loop.call_soon(coloop::member<&object::method>(&object));
    loop.call_soon([owned = std::make_unique<int>(7), &sum] { sum += *owned; });
    const std::function<void()> function = [&sum] { sum += 100; };
    loop.call_soon(function);
    loop.call_soon(std::bind(&object::method, &object));
    loop.stop();
    loop.run_forever();
    CHECK(plain_calls == 4);
    CHECK(object.calls == 2);
    CHECK(sum == 107);
}

TEST_CASE("a callable as small as a pointer needs no heap and no destructor") {
    coloop::loop loop;
    object object;
    int calls = 0;
    // What the loop itself needs for its first callbacks is made here.
    loop.call_soon([&calls] { ++calls; });
    loop.stop();
    loop.run_forever();

    const long before = allocations;
    loop.post([&calls] { ++calls; });
    loop.post(plain);
    loop.post(coloop::member<&object::method>(&object));
    loop.call_later(0s, [&calls] { ++calls; });
    loop.call_soon_threadsafe([] { ++plain_calls; });
    CHECK(allocations == before);
    loop.stop_threadsafe();
    loop.run_forever();
    CHECK(allocations == before);
    CHECK(calls == 3);
    CHECK(object.calls == 1);

    int a = 0, b = 0;
    loop.post([&a, &b] { a = b = 1; });
    CHECK(allocations == before + 1);
}

TEST_CASE("what a callable changes in itself stays, also in a small one") {
    coloop::loop loop;
    socket_pair pair;
    REQUIRE(write(pair.fds[0], "x", 1) == 1);
    int seen = 0;
    loop.add_reader(pair.fds[1], [&loop, calls = 0, &seen]() mutable {
        seen = ++calls;
        if (calls == 3) loop.stop();
    });
    loop.run_forever();
    CHECK(seen == 3);
    loop.remove_reader(pair.fds[1]);
    short little = 0;
    loop.add_reader(pair.fds[1], [little]() mutable {
        if (++little == 2) coloop::get_running_loop().stop();
    });
    loop.run_forever();
    CHECK(loop.remove_reader(pair.fds[1]));
    int counted = 0;
    loop.post(counting{0, &counted});
    loop.stop();
    loop.run_forever();
    CHECK(counted == 1);
}

TEST_CASE("a callable is destroyed once, whatever becomes of it") {
    int alive = 0;
    const auto thing = [&alive] { return [held = counted(alive)] {}; };
    SUBCASE("it ran") {
        coloop::loop loop;
        loop.call_soon(thing());
        loop.call_later(0s, thing());
        loop.call_soon_threadsafe(thing());
        loop.call_at(loop.time(), thing());
        CHECK(alive == 4);
        while (alive) loop.run_once(1s);
    }
    SUBCASE("it was cancelled") {
        coloop::loop loop;
        auto soon = loop.call_soon(thing());
        auto later = loop.call_later(1h, thing());
        CHECK(soon.cancel());
        CHECK(later.cancel());
        CHECK(alive == 0);
    }
    SUBCASE("the loop was closed") {
        coloop::loop loop;
        loop.call_soon(thing());
        loop.call_later(1h, thing());
        loop.close();
        CHECK(alive == 0);
    }
    SUBCASE("the call failed") {
        coloop::loop loop;
        loop.close();
        CHECK_THROWS_AS(loop.call_soon(thing()), coloop::error);
        CHECK_THROWS_AS(loop.add_reader(0, thing()), coloop::error);
        CHECK_THROWS_AS(loop.add_signal_handler(10, thing()), coloop::error);
        std::error_code code;
        loop.post_threadsafe(thing(), code);
        CHECK(code);
        CHECK(alive == 0);
    }
    SUBCASE("it was replaced, and removed") {
        coloop::loop loop;
        socket_pair pair;
        loop.add_reader(pair.fds[0], thing());
        loop.add_writer(pair.fds[0], thing());
        loop.add_reader(pair.fds[0], thing());
        CHECK(alive == 2);
        CHECK(loop.remove_reader(pair.fds[0]));
        CHECK_FALSE(loop.remove_reader(pair.fds[0]));
        CHECK(loop.remove_writer(pair.fds[0]));
        CHECK(alive == 0);
    }
    SUBCASE("it threw") {
        coloop::loop loop;
        loop.call_soon([held = counted(alive)] { throw std::runtime_error("no"); });
        CHECK_THROWS_AS(loop.run_forever(), std::runtime_error);
        CHECK(alive == 0);
    }
    SUBCASE("it removes itself while it runs") {
        coloop::loop loop;
        socket_pair pair;
        REQUIRE(write(pair.fds[0], "x", 1) == 1);
        int inside = -1;
        loop.add_reader(pair.fds[1], [&, held = counted(alive)] {
            loop.remove_reader(pair.fds[1]);
            inside = alive;
            loop.stop();
        });
        loop.run_forever();
        CHECK(inside == 1);
        CHECK(alive == 0);
    }
    CHECK(alive == 0);
}

TEST_CASE("a null function is refused") {
    coloop::loop loop;
    void (*none)() = nullptr;
    std::error_code code;
    loop.call_soon(none, code);
    CHECK(code == std::errc::invalid_argument);
    CHECK_THROWS_AS(loop.add_reader(0, none), coloop::error);
}

TEST_CASE("without memory: a code, or std::bad_alloc, and nothing lost") {
    coloop::loop loop;
    int alive = 0;
    auto future = loop.create_future<std::string>();
    auto thing = [held = counted(alive)] {};
    std::error_code code, result;
    out_of_memory = true;
    loop.post(thing, code);
    bool thrown = false;
    try {
        loop.post(thing);
    } catch (const std::bad_alloc &) {
        thrown = true;
    }
    future.set_result("text", result);
    out_of_memory = false;
    CHECK(code == std::errc::not_enough_memory);
    CHECK(result == std::errc::not_enough_memory);
    CHECK(thrown);
    CHECK_FALSE(future.done());
    CHECK(alive == 1);
    loop.post([&] { loop.stop(); });
    CHECK(loop.run_forever() == 0);
}

TEST_CASE("a callable that cannot be copied leaves its exception to the caller") {
    coloop::loop loop;
    const throws_when_copied callable;
    std::error_code code;
    CHECK_THROWS_AS(loop.post(callable), std::domain_error);
    CHECK_THROWS_AS(loop.post(callable, code), std::domain_error);
    static_assert(!noexcept(loop.post(callable, code)));
}
