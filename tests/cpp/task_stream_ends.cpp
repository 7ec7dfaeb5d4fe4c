// Streams: how they end, from every side and at any time.
#include "stream_test.hpp"

#include <array>

using namespace coloop;

namespace {

// Ends a TCP connection so that the peer hears of a reset.
void reset(const stream &given) {
    const linger at_once{1, 0};
    REQUIRE(setsockopt(given.get_transport().get_fd(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) == 0);
    given.get_transport().abort();
}

// A connection of which both ends are streams.
task<std::array<stream, 2>> tcp_pair() {
    std::array<stream, 2> ends;
    event accepted;
    auto keep = [&](stream given) -> task<> {
        ends[1] = std::move(given);
        accepted.set();
        co_return;
    };
    const server serving = co_await start_server(keep, server_options("127.0.0.1"));
    ends[0] = co_await open_connection("127.0.0.1", port_of(serving));
    co_await accepted.wait();
    serving.close();
    co_return ends;
}

} // namespace

TEST_CASE("the peer ends: what it sent is read first; writing goes on") {
    auto body = []() -> task<> {
        auto ends = co_await tcp_pair();
        ends[1].write("the end");
        ends[1].write_eof();
        const std::string all = co_await ends[0].read_all();
        CHECK(all == "the end");
        CHECK(ends[0].at_eof());
        char data[4];
        const std::size_t none = co_await ends[0].read_some(data, sizeof data);
        const std::string nothing = co_await ends[0].read(9), no_line = co_await ends[0].readline();
        CHECK((none == 0 && nothing.empty() && no_line.empty()));
        ends[0].write("still open");
        const std::string heard = co_await ends[1].readexactly(10);
        CHECK(heard == "still open");
    };
    run(body());
}

TEST_CASE("an end before everything came") {
    auto body = []() -> task<> {
        auto partial_of = [](task<std::string> reading) -> task<std::string> {
            try {
                co_await std::move(reading);
            } catch (const incomplete_read_error &end) {
                co_return end.partial();
            }
            co_return "complete";
        };
        const loop_view loop = co_await this_loop();
        stream_and_socket exactly(loop), until(loop), line(loop);
        for (auto *ends : {&exactly, &until, &line}) {
            ends->send("too little");
            ends->end();
        }
        const std::string less = co_await partial_of(exactly.stream.readexactly(11));
        const std::string unended = co_await partial_of(until.stream.readuntil("\n"));
        const std::string rest = co_await line.stream.readline();
        CHECK((less == "too little" && unended == "too little" && rest == "too little"));
        const std::string empty = co_await partial_of(exactly.stream.readexactly(1));
        CHECK(empty.empty());
    };
    run(body());
}

TEST_CASE("a connection that breaks throws everywhere, after what came before") {
    auto body = []() -> task<> {
        auto ends = co_await tcp_pair();
        const stream &own = ends[0];
        ends[1].write("some");
        const std::string first = co_await own.read(1);
        CHECK(first == "s");
        auto all = create_task(own.read_all());
        co_await schedule();
        reset(ends[1]);
        int code = 0;
        try {
            co_await all;
        } catch (const error &broken) {
            code = broken.number();
        }
        CHECK(code == -ECONNRESET);
        const std::string rest = co_await own.readexactly(3);
        CHECK(rest == "ome");
        CHECK(co_await number_of(own.readline()) == -ECONNRESET);
        CHECK(co_await number_of(read_some(own, 5)) == -ECONNRESET);
        CHECK(co_await number_of(own.readexactly(1)) == -ECONNRESET);
        CHECK(co_await number_of(drain(own)) == -ECONNRESET);
        CHECK(co_await number_of(wait_closed(own)) == -ECONNRESET);
        CHECK_THROWS_AS(own.write("x"), error);
        CHECK(own.is_closing());
    };
    run(body());
}

TEST_CASE("whoever only writes hears of the end") {
    auto body = []() -> task<> {
        stream_and_socket ends(co_await this_loop());
        ends.end();
        auto writes = [&]() -> task<> {
            for (;;) {
                ends.stream.write("is anybody there?");
                co_await ends.stream.drain();
            }
        };
        const int code = co_await number_of(writes());
        CHECK((code == -EPIPE || code == -ECONNRESET));
    };
    run(body());
}

TEST_CASE("closing: what waits is sent first, whoever waits is woken") {
    auto body = []() -> task<> {
        stream_and_socket ends(co_await this_loop());
        const std::string sent(1 << 20, 'x');
        ends.stream.write(sent);
        auto reading = create_task(ends.stream.read(10));
        auto closed = create_task(wait_closed(ends.stream));
        co_await schedule();
        ends.stream.close();
        ends.stream.close();
        CHECK(ends.stream.is_closing());
        std::string received;
        while (received.size() < sent.size()) {
            received += ends.receive();
            co_await schedule();
        }
        co_await closed;
        CHECK((co_await reading).empty());
        CHECK(co_await number_of(drain(ends.stream)) == -ECONNRESET);
        ends.stream.write("as in asyncio this is no error");
        const std::string none = co_await ends.stream.read_all();
        CHECK(none.empty());
    };
    run(body());
}

TEST_CASE("drain on a closing stream takes a turn, and no more while there is room") {
    auto body = []() -> task<> {
        stream_and_socket ends(co_await this_loop());
        while (!ends.stream.get_transport().get_write_buffer_size()) ends.stream.write(std::string(4096, 'w'));
        ends.stream.close();
        auto draining = create_task(drain(ends.stream));
        co_await turns(3);
        CHECK(draining.done());
        co_await draining;
    };
    run(body());
}

TEST_CASE("a stream ends while others wait for it") {
    auto body = []() -> task<> {
        const loop_view loop = co_await this_loop();
        auto ends = std::make_unique<stream_and_socket>(loop);
        const stream &given = ends->stream;
        auto reading = create_task(read_some(given, 10));
        auto closing = create_task(wait_closed(given));
        co_await schedule();
        ends.reset();
        CHECK((co_await reading).empty());
        co_await closing;

        ends = std::make_unique<stream_and_socket>(loop);
        auto line = create_task(ends->stream.readline());
        auto never_began = ends->stream.readline();
        co_await schedule();
        ends->send("half a li");
        ends->stream = stream();
        CHECK(co_await line == "");
        const std::string none = co_await std::move(never_began);
        CHECK(none.empty());

        stream_and_socket full(loop);
        while (full.stream.get_transport().get_write_buffer_size() <= 64 << 10) full.stream.write(std::string(8192, 'w'));
        auto draining = create_task(drain(full.stream));
        co_await schedule();
        full.stream = stream();
        full.end();
        const int code = co_await number_of([](auto &awaited) -> task<> { co_await awaited; }(draining));
        CHECK((code == -EPIPE || code == -ECONNRESET));
    };
    run(body());
}

TEST_CASE("a stream that nobody keeps closes its connection, also before the first turn") {
    auto body = []() -> task<> {
        const loop_view loop = co_await this_loop();
        stream_and_socket ends(loop);
        ends.stream = stream();
        char byte;
        ssize_t size;
        while ((size = recv(ends.fds[1], &byte, 1, 0)) < 0) co_await schedule();
        CHECK(size == 0);
        stream_and_socket written(loop);
        written.stream.write("written before it began");
        written.stream = stream();
        std::string received;
        while ((received += written.receive()).empty()) co_await schedule();
        CHECK(received == "written before it began");
    };
    run(body());
}

TEST_CASE("connecting is cancelled: no connection is left") {
    auto body = []() -> task<> {
        int accepted = 0, ended = 0;
        auto count = [&](stream peer) -> task<> {
            ++accepted;
            co_await peer.read_all();
            ++ended;
        };
        const server serving = co_await start_server(count, server_options("127.0.0.1"));
        for (int at = 0; at < 10; ++at) {
            auto connecting = create_task(open_connection("127.0.0.1", port_of(serving)));
            co_await turns(at);
            connecting.cancel();
            try {
                co_await connecting;
            } catch (const cancelled_error &) {
            }
        }
        co_await sleep(1ms);
        while (ended < accepted) co_await schedule();
        serving.close();
        co_await serving.wait_closed();
        CHECK(all_tasks(co_await this_loop()).size() == 1);
    };
    run(wait_for(body(), 60s));
}

TEST_CASE("what a handler throws goes to the exception handler; its connection is closed") {
    reports heard;
    auto body = [&]() -> task<> {
        heard.listen(co_await this_loop());
        auto handler = [](stream peer) -> task<> {
            const std::string line = co_await peer.readline();
            throw std::runtime_error("the handler failed at " + line);
        };
        const server serving = co_await start_server(handler, server_options("127.0.0.1"));
        const stream peer = co_await open_connection("127.0.0.1", port_of(serving));
        peer.write("once");
        peer.write_eof();
        const std::string nothing = co_await peer.read_all();
        CHECK(nothing.empty());
        serving.close();
        co_await serving.wait_closed();
    };
    run(body());
    REQUIRE(heard.exceptions.size() == 1);
    CHECK(heard.exceptions[0] == "the handler failed at once");
}

TEST_CASE("a loop is closed while streams wait; some outlive it") {
    int alive = 0;
    auto reads = [&](const stream &from) -> task<> {
        counted here(alive);
        co_await from.readline();
    };
    auto owns = [&](stream peer) -> task<> {
        counted here(alive);
        char data[10];
        co_await peer.read_some(data, sizeof data);
        co_await peer.read_some(data, sizeof data);
    };
    auto fills = [&](const stream &to) -> task<> {
        counted here(alive);
        for (;;) {
            to.write(std::string(100'000, 'x'));
            co_await to.drain();
        }
    };
    auto waits = [&](const stream &closes) -> task<> {
        counted here(alive);
        co_await closes.wait_closed();
    };
    stream outlives;
    reports heard;
    {
        loop own;
        heard.listen(own);
        auto ends = std::make_unique<stream_and_socket>(own);
        stream_and_socket second(own);
        create_task(own, reads(ends->stream));
        create_task(own, fills(ends->stream));
        create_task(own, waits(ends->stream));
        create_task(own, owns(std::move(second.stream)));
        own.run_once(0s);
        own.run_once(0s);
        second.send("received, and not looked at");
        own.run_once(60s);
        CHECK(alive == 4);
        outlives = std::move(ends->stream);
    }
    CHECK(alive == 0);
    CHECK(heard.texts == std::vector<std::string>(4, "Task was destroyed but it is pending!"));
    CHECK_THROWS_AS(outlives.write("x"), error);
    outlives.close();
}

TEST_CASE("in a forked child an inherited stream is refused, and its end does no harm") {
    auto body = []() -> task<> {
        stream_and_socket ends(co_await this_loop());
        const int status = in_child([&] {
            try {
                ends.stream.write("from the child");
            } catch (const error &refused) {
                ends.stream = stream();
                return refused.number() == LOOP_EFORKED ? 0 : 1;
            }
            return 2;
        });
        CHECK(status == 0);
        ends.stream.write("from the parent");
        std::string received;
        while ((received += ends.receive()).empty()) co_await schedule();
        CHECK(received == "from the parent");
    };
    run(body());
}

TEST_CASE("without memory for bytes that come, or come back, the stream breaks and says so") {
    auto body = []() -> task<> {
        const loop_view loop = co_await this_loop();
        const played_stream played(loop);
        auto reading = create_task(read_some(played.stream, 10));
        co_await schedule();
        played.receive("lost");
        reading.cancel();
        out_of_memory = true;
        // The reader's coroutine alone goes on in this turn: putting its bytes back fails.
        co_await schedule();
        out_of_memory = false;
        CHECK(co_await number_of(played.stream.read(1)) == -ENOMEM);
        CHECK(co_await number_of(wait_closed(played.stream)) == -ENOMEM);
    };
    reports heard;
    loop own;
    heard.listen(own);
    own.run_until_complete(body());
}
