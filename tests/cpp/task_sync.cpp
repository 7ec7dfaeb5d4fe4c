// Lock, Event, Condition, Semaphore, Barrier, Queue: errors, ends, memory. In which order
// coroutines get what they wait for is compared with asyncio's: sync_oracle.py.
#include "task_test.hpp"

using namespace coloop;

namespace {

// The library's number of the error that `body` throws; 0: none.
template <class Body> int number_of(Body body) {
    try {
        body();
    } catch (const error &thrown) {
        return thrown.number();
    }
    return 0;
}

task<> wait_for_event(event &awaited) { co_await awaited.wait(); }

} // namespace

TEST_CASE("what nobody holds cannot be released or waited on") {
    lock mutex;
    CHECK(number_of([&] { mutex.release(); }) == LOOP_EINVALID_STATE);
    bounded_semaphore bounded(2);
    CHECK(number_of([&] { bounded.release(); }) == LOOP_EINVALID_STATE);
    condition changed;
    CHECK(number_of([&] { changed.notify(); }) == LOOP_EINVALID_STATE);
    CHECK(number_of([&] { changed.release(); }) == LOOP_EINVALID_STATE);
    CHECK(run(throws<error>(changed.wait())));
    queue<int> items;
    CHECK(number_of([&] { items.task_done(); }) == LOOP_EINVALID_STATE);
    CHECK(number_of([] { barrier none(0); }) == LOOP_EINVAL);
}

TEST_CASE("a held lock is released at the end of its scope, also by an exception") {
    lock mutex;
    auto fails = [&]() -> task<> {
        const held_lock held = co_await mutex.hold();
        CHECK(mutex.locked());
        throw std::out_of_range("inside");
    };
    CHECK(run(throws<std::out_of_range>(fails())));
    CHECK(!mutex.locked());
    auto moves = [&]() -> task<held_lock> { co_return co_await mutex.hold(); };
    {
        const held_lock outside = run(moves());
        CHECK(mutex.locked());
        CHECK(!mutex.try_acquire());
    }
    CHECK(mutex.try_acquire());
    mutex.release();
}

TEST_CASE("a held lock that was released by hand leaves the next holder's alone") {
    lock mutex;
    auto body = [&]() -> task<> {
        {
            held_lock first = co_await mutex.hold();
            mutex.release();
            const held_lock second = co_await mutex.hold();
            first = held_lock();
            CHECK(mutex.locked());
        }
        CHECK(!mutex.locked());
        held_lock early = co_await mutex.hold();
        early.release();
        CHECK(!early);
        CHECK(!mutex.locked());
    };
    run(body());
}

TEST_CASE("a condition may share a lock; its predicate is asked with the lock held") {
    lock mutex;
    condition first(mutex), second(mutex);
    int value = 0;
    auto waits = [&](condition &own, int wanted) -> task<> {
        const held_lock held = co_await mutex.hold();
        co_await own.wait_until([&] {
            CHECK(mutex.locked());
            return value == wanted;
        });
        ++value;
    };
    auto body = [&]() -> task<> {
        auto one = create_task(waits(first, 1)), two = create_task(waits(second, 2));
        co_await schedule();
        {
            const held_lock held = co_await mutex.hold();
            value = 1;
            first.notify_all();
        }
        co_await one;
        {
            const held_lock held = co_await mutex.hold();
            second.notify();
        }
        co_await two;
    };
    run(body());
    CHECK(value == 3);
}

TEST_CASE("coroutines of two loops cannot wait for the same thing") {
    event awaited;
    loop first, second;
    auto waits = create_task(first, wait_for_event(awaited));
    first.run_once(0s);
    CHECK(number_of([&] { second.run_until_complete(wait_for_event(awaited)); }) == LOOP_EWRONG_LOOP);
    waits.cancel();
    CHECK(number_of([&] { first.run_until_complete(waits); }) == LOOP_ECANCELLED);
    // Nobody waits any more: it is free for the other loop.
    auto late = create_task(second, wait_for_event(awaited));
    second.run_once(0s);
    awaited.set();
    second.run_until_complete(late);
}

TEST_CASE("a loop is closed while coroutines wait; what they wait for may end first or last") {
    auto awaited = std::make_unique<event>();
    lock mutex;
    REQUIRE(mutex.try_acquire());
    int alive = 0;
    auto waits = [](event &first, lock &then, counted) -> task<> {
        co_await first.wait();
        co_await then.acquire();
    };
    {
        loop one;
        for (int i = 0; i < 3; ++i) create_task(one, waits(*awaited, mutex, counted(alive)));
        one.run_once(0s);
        awaited->set();
        one.run_once(0s);
        awaited->clear();
        for (int i = 0; i < 3; ++i) create_task(one, waits(*awaited, mutex, counted(alive)));
        one.run_once(0s);
        awaited.reset();
        CHECK(alive == 6);
    }
    CHECK(alive == 0);
    mutex.release();
    CHECK(mutex.try_acquire());
}

TEST_CASE("queues: order, limits, shutdown") {
    auto body = []() -> task<> {
        queue<std::unique_ptr<int>> moved(1);
        moved.put_nowait(std::make_unique<int>(1));
        CHECK(moved.full());
        CHECK(number_of([&] { moved.put_nowait(nullptr); }) == -EAGAIN);
        auto late = create_task(moved.put(std::make_unique<int>(2)));
        co_await schedule();
        CHECK(!late.done());
        CHECK(*co_await moved.get() == 1);
        CHECK(*co_await moved.get() == 2);
        CHECK(number_of([&] { moved.get_nowait(); }) == -EAGAIN);
        co_await late;

        lifo_queue<int> last_first;
        priority_queue<std::string> least_first;
        for (int i = 0; i < 5; ++i) {
            last_first.put_nowait(int(i));
            least_first.put_nowait(std::to_string((i * 3) % 5));
        }
        for (int i = 0; i < 5; ++i) {
            CHECK(co_await last_first.get() == 4 - i);
            CHECK(co_await least_first.get() == std::to_string(i));
        }

        queue<int> ends;
        ends.put_nowait(1);
        ends.put_nowait(2);
        auto joined = create_task([](queue<int> &awaited) -> task<> { co_await awaited.join(); }(ends));
        ends.shutdown();
        CHECK(co_await throws<queue_shut_down>(ends.put(3)));
        CHECK(co_await ends.get() == 1);
        ends.task_done();
        CHECK(!joined.done());
        ends.shutdown(true);
        CHECK(co_await throws<queue_shut_down>(ends.get()));
        co_await joined;

        queue<int> empty;
        auto getter = create_task(empty.get());
        co_await schedule();
        empty.shutdown();
        bool told = false;
        try {
            co_await getter;
        } catch (const queue_shut_down &) {
            told = true;
        }
        CHECK(told);
    };
    run(body());
}

TEST_CASE("a barrier that is aborted or reset tells who waits") {
    auto body = []() -> task<> {
        barrier both(2);
        auto alone = create_task(both.wait());
        co_await schedule();
        CHECK(both.n_waiting() == 1);
        co_await both.reset();
        bool told = false;
        try {
            co_await alone;
        } catch (const broken_barrier_error &) {
            told = true;
        }
        CHECK(told);
        const auto [first, second] = co_await gather(both.wait(), both.wait());
        CHECK(first + second == 1);
        co_await both.abort();
        CHECK(both.broken());
        CHECK(co_await throws<broken_barrier_error>(both.wait()));
        co_await both.reset();
        CHECK(!both.broken());
    };
    run(body());
}

TEST_CASE("waiting and waking allocate nothing") {
    auto body = []() -> task<> {
        lock mutex;
        event flag;
        semaphore permits(0);
        auto other = [&]() -> task<> {
            for (int i = 0; i < 1000; ++i) {
                co_await mutex.acquire();
                co_await schedule();
                mutex.release();
                co_await permits.acquire();
                co_await flag.wait();
                flag.clear();
            }
        };
        auto ends = create_task(other());
        co_await schedule();
        const long before = allocations;
        for (int i = 0; i < 1000; ++i) {
            co_await mutex.acquire();
            mutex.release();
            permits.release();
            co_await schedule();
            flag.set();
            co_await schedule();
        }
        CHECK(allocations == before);
        co_await ends;
    };
    run(body());
}
