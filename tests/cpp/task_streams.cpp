// Streams: reading, writing, limits, and where they come from. What the ways to read make of
// any bytes is compared with asyncio's: stream_oracle.py. How they end: task_stream_ends.cpp.
#include "stream_test.hpp"

#include <random>

#include <sys/resource.h>

using namespace coloop;

namespace {

task<> echo(stream peer) {
    char data[1024];
    while (const std::size_t size = co_await peer.read_some(data, sizeof data)) {
        peer.write({data, size});
        co_await peer.drain();
    }
}

// Bytes that repeat late, so that none can be missed or swapped unseen.
std::string pattern(std::size_t size) {
    std::string bytes(size, '\0');
    std::minstd_rand random(1);
    for (char &byte : bytes) byte = static_cast<char>(random() >> 8);
    return bytes;
}

} // namespace

TEST_CASE("a hundred clients of an echo server") {
    auto client = [](std::uint16_t port, int number) -> task<> {
        stream peer = co_await open_connection("127.0.0.1", port);
        for (int i = 0; i < 20; ++i) {
            const std::string padding(static_cast<std::size_t>(number) * 20, '.');
            const std::string line = std::to_string(number) + "." + std::to_string(i) + padding + "\n";
            peer.write(line);
            const std::string heard = co_await peer.readline();
            CHECK(heard == line);
        }
        peer.write_eof();
        const std::string rest = co_await peer.read_all();
        CHECK((rest.empty() && peer.at_eof()));
    };
    auto body = [&]() -> task<> {
        const server serving = co_await start_server(echo, server_options("127.0.0.1"));
        co_await with_task_group([&](task_group &group) -> task<> {
            for (int i = 0; i < 100; ++i) group.create_task(client(port_of(serving), i));
            co_return;
        });
        serving.close();
        co_await serving.wait_closed(); // the handlers have ended, and closed their connections
    };
    run(body());
}

TEST_CASE("a lot of bytes, there and back") {
    const std::string sent = pattern(8 << 20);
    auto send = [&](const stream &to) -> task<> {
        for (std::size_t at = 0; at < sent.size(); at += 100'000) {
            to.write(std::string_view(sent).substr(at, 100'000));
            co_await to.drain();
        }
        to.write_eof();
    };
    auto body = [&]() -> task<> {
        const server serving = co_await start_server(echo, server_options("127.0.0.1"));
        const stream peer = co_await open_connection("127.0.0.1", port_of(serving));
        auto sending = create_task(send(peer));
        const std::string first = co_await peer.readexactly(3'000'000);
        const std::string rest = co_await peer.read_all();
        CHECK((first + rest == sent));
        co_await sending;
    };
    run(body());
}

TEST_CASE("UNIX sockets, pipes, a limit of one's own") {
    auto body = []() -> task<> {
        const std::string path = "@coloop-streams-" + std::to_string(getpid());
        const server serving = co_await start_unix_server(echo, path.c_str());
        const stream peer = co_await open_unix_connection(path, 10);
        peer.write_owned(std::string("over UNIX\nmore than ten bytes"));
        const std::string line = co_await peer.readline();
        CHECK(line == "over UNIX\n");
        CHECK(co_await throws<limit_overrun_error>(peer.readuntil("\n")));

        int fds[2];
        REQUIRE(pipe(fds) == 0);
        const loop_view loop = co_await this_loop();
        const stream out = connect_read_pipe(loop, fds[0]);
        {
            const stream in = connect_write_pipe(loop, fds[1]);
            in.write("through a pipe");
            CHECK_THROWS_AS(out.write("wrong way"), error);
        }
        const std::string all = co_await out.read_all();
        CHECK(all == "through a pipe");
    };
    run(body());
}

TEST_CASE("what cannot be had is refused, and nothing is lost by it") {
    auto body = []() -> task<> {
        CHECK(co_await throws<error>(open_unix_connection("@coloop-nobody-listens")));
        const loop_view loop = co_await this_loop();
        CHECK_THROWS_AS(connect_accepted_socket(loop, -1), error);
        CHECK_THROWS_AS(connect_read_pipe(loop, -1), error);
        CHECK_THROWS_AS(connect_write_pipe(loop, -1), error);
        const stream none;
        CHECK(!none);
        CHECK(none.is_closing());
        CHECK(!none.get_transport());
        CHECK_THROWS_AS(none.write("x"), error);
        CHECK_THROWS_AS((void)none.read(1), error);
        none.close();
    };
    run(body());
    CHECK(in_child([] {
              auto full = []() -> task<int> {
                  const server serving = co_await start_server(echo, server_options("127.0.0.1"));
                  const std::uint16_t port = port_of(serving);
                  rlimit before, none;
                  getrlimit(RLIMIT_NOFILE, &before);
                  none = {0, before.rlim_max};
                  setrlimit(RLIMIT_NOFILE, &none);
                  try {
                      co_await open_connection("127.0.0.1", port);
                  } catch (const error &thrown) {
                      setrlimit(RLIMIT_NOFILE, &before); // the sanitizers' checks open pipes
                      co_return thrown.number() == -EMFILE ? 0 : 1;
                  }
                  co_return 2;
              };
              return run(full());
          }) == 0);
}

TEST_CASE("across the borders of what comes at a time") {
    auto body = []() -> task<> {
        stream_and_socket ends(co_await this_loop());
        auto until = create_task(ends.stream.readuntil("--end--"));
        for (const char letter : std::string("a--end-b--end--rest")) {
            ends.send({&letter, 1});
            co_await turns(2);
        }
        CHECK(co_await until == "a--end-b--end--");
        auto exactly = create_task(ends.stream.readexactly(6));
        co_await turns(2);
        CHECK(!exactly.done());
        ends.send("!!!");
        CHECK(co_await exactly == "rest!!");
        char data[10];
        const std::size_t size = co_await ends.stream.read_some(data, sizeof data);
        CHECK(std::string(data, size) == "!");
        const std::size_t none = co_await ends.stream.read_some(data, 0);
        const std::string empty = co_await ends.stream.read(0), exact = co_await ends.stream.readexactly(0);
        CHECK((none == 0 && empty.empty() && exact.empty()));
        CHECK(co_await number_of(ends.stream.readuntil("")) == LOOP_EINVAL);
    };
    run(body());
}

TEST_CASE("one coroutine at a time reads") {
    auto body = []() -> task<> {
        stream_and_socket ends(co_await this_loop());
        auto first = create_task(ends.stream.readline());
        co_await schedule();
        CHECK(co_await number_of(ends.stream.read(1)) == LOOP_EINVALID_STATE);
        CHECK(co_await number_of(ends.stream.readline()) == LOOP_EINVALID_STATE);
        CHECK(co_await number_of(read_some(ends.stream, 1)) == LOOP_EINVALID_STATE);
        ends.send("one\ntwo\n");
        CHECK(co_await first == "one\n");
        const std::string next = co_await ends.stream.readline();
        CHECK(next == "two\n");
        // Also not before a cancelled one has ended: bytes may have come for it.
        auto cancelled = create_task(ends.stream.readline());
        co_await schedule();
        cancelled.cancel();
        CHECK(co_await number_of(ends.stream.read(1)) == LOOP_EINVALID_STATE);
    };
    run(body());
}

TEST_CASE("a stream belongs to its loop") {
    loop first, second;
    stream_and_socket ends(first);
    auto reading = read_some(ends.stream, 1);
    CHECK_THROWS_AS(second.run_until_complete(std::move(reading)), error);
    ends.send("x");
    CHECK(first.run_until_complete(read_some(ends.stream, 5)) == "x");
}

TEST_CASE("a peer that sends without end waits when nobody reads") {
    auto body = []() -> task<> {
        stream_and_socket ends(co_await this_loop(), 1000);
        std::size_t sent = 0, turns_without = 0;
        while (turns_without < 20) {
            const std::size_t now = ends.fill();
            sent += now;
            turns_without = now ? 0 : turns_without + 1;
            co_await schedule();
        }
        CHECK(!ends.stream.get_transport().is_reading());
        // What the stream keeps: as much as is there without waiting for the socket.
        std::size_t kept = 0;
        auto all_kept = [&]() -> task<> {
            char data[512];
            while (!ends.stream.get_transport().is_reading()) kept += co_await ends.stream.read_some(data, sizeof data);
        };
        co_await all_kept();
        CHECK((kept > 1000 && kept < 16 << 10));
        std::size_t received = kept;
        char data[4096];
        while (received < sent) received += co_await ends.stream.read_some(data, sizeof data);
        CHECK(received == sent);
    };
    run(body());
}

TEST_CASE("the peer may send again when no more than the limit is unread") {
    auto body = []() -> task<> {
        stream_and_socket ends(co_await this_loop(), 10);
        ends.send(std::string(25, 'x'));
        const transport_view transport = ends.stream.get_transport();
        while (transport.is_reading()) co_await schedule();
        co_await ends.stream.read(14);
        CHECK(!transport.is_reading());
        co_await ends.stream.read(1);
        CHECK(transport.is_reading());
    };
    run(body());
}

TEST_CASE("a separator longer than the limit, with more unread than makes the peer wait") {
    auto body = []() -> task<> {
        stream_and_socket ends(co_await this_loop(), 10);
        ends.send(std::string(25, 'x'));
        while (ends.stream.get_transport().is_reading()) co_await schedule();
        auto until = create_task(ends.stream.readuntil("xxxxx" + std::string(25, '-')));
        co_await turns(3);
        CHECK(!until.done());
        ends.send(std::string(25, '-'));
        bool overrun = false;
        try {
            co_await until;
        } catch (const limit_overrun_error &thrown) {
            overrun = thrown.consumed() == 20;
        }
        CHECK(overrun);
        const std::string exactly = co_await ends.stream.readexactly(50);
        CHECK(exactly == std::string(25, 'x') + std::string(25, '-'));
    };
    run(body());
}

TEST_CASE("a line that is too long is dropped; the next one comes") {
    auto body = []() -> task<> {
        stream_and_socket ends(co_await this_loop(), 10);
        ends.send("a line that is too long\nnext\n");
        CHECK(co_await throws<limit_overrun_error>(ends.stream.readline()));
        const std::string next = co_await ends.stream.readline();
        CHECK(next == "next\n");
        ends.send(std::string(100, 'x'));
        CHECK(co_await throws<limit_overrun_error>(ends.stream.readline()));
        ends.send("end\n");
        const std::string last = co_await ends.stream.readline();
        CHECK(last == "end\n");
    };
    run(body());
}

TEST_CASE("drain waits for a peer that does not read") {
    auto body = []() -> task<> {
        stream_and_socket ends(co_await this_loop());
        co_await ends.stream.drain(); // before the first turn of the connection as well
        std::size_t written = 0;
        while (ends.stream.get_transport().get_write_buffer_size() <= 64 << 10) {
            ends.stream.write(std::string(8192, 'w'));
            written += 8192;
        }
        auto first = create_task(drain(ends.stream)), second = create_task(drain(ends.stream));
        co_await turns(5);
        CHECK((!first.done() && !second.done()));
        first.cancel();
        CHECK(co_await throws<cancelled_error>([](auto given) -> task<> { co_await given; }(std::move(first))));
        CHECK(!second.done());
        std::size_t received = 0;
        while (!second.done()) {
            received += ends.receive().size();
            co_await schedule();
        }
        while (received < written) {
            received += ends.receive().size();
            co_await schedule();
        }
        co_await second;
        co_await ends.stream.drain();
        CHECK(received == written);
    };
    run(body());
}

TEST_CASE("cancelled with bytes received already: they are read next, in order") {
    auto body = []() -> task<> {
        const loop_view loop = co_await this_loop();
        const played_stream played(loop);
        auto reading = create_task(read_some(played.stream, 10));
        co_await schedule();
        played.receive("first "); // into the reader's memory
        played.receive("second"); // into the stream's
        reading.cancel("enough");
        std::string text;
        try {
            co_await reading;
        } catch (const cancelled_error &thrown) {
            text = thrown.what();
        }
        CHECK(text == "enough");
        const std::string all = co_await played.stream.readexactly(12);
        CHECK(all == "first second");
    };
    run(body());
}

TEST_CASE("cancelled again and again, at any time: no byte is lost") {
    const std::string sent = pattern(300'000);
    auto body = [&]() -> task<> {
        stream_and_socket ends(co_await this_loop(), 2000);
        std::minstd_rand random(7);
        std::string received;
        std::size_t at = 0;
        int cancelled = 0;
        auto receive = [&](unsigned way) -> task<> {
            const std::size_t size = 1 + random() % 3000;
            switch (way % 3) {
            case 0: received += co_await read_some(ends.stream, size); break;
            case 1: received += co_await ends.stream.read(size); break;
            case 2: received += co_await ends.stream.readexactly(std::min(size, sent.size() - received.size())); break;
            }
        };
        while (received.size() < sent.size()) {
            auto reading = create_task(receive(static_cast<unsigned>(random())));
            for (auto left = random() % 4; left && !reading.done(); --left) {
                const auto wanted = std::min<std::size_t>(random() % 1500, sent.size() - at);
                const ssize_t size = ::send(ends.fds[1], sent.data() + at, wanted, 0);
                if (size > 0) at += static_cast<std::size_t>(size);
                co_await schedule();
            }
            cancelled += reading.cancel();
            try {
                co_await reading;
            } catch (const cancelled_error &) {
            }
        }
        CHECK((received == sent));
        CHECK(cancelled > 20);
    };
    run(body());
}

TEST_CASE("reading some, writing and draining allocate nothing") {
    auto body = []() -> task<> {
        const server serving = co_await start_server(echo, server_options("127.0.0.1"));
        const stream peer = co_await open_connection("127.0.0.1", port_of(serving));
        char data[64];
        long before = 0;
        for (int i = 0; i < 20'000; ++i) {
            if (i == 1) before = allocations; // the other side has begun
            peer.write("there and back");
            co_await peer.drain();
            for (std::size_t size = 0; size < 14;) size += co_await peer.read_some(data, sizeof data);
        }
        CHECK(allocations == before);
    };
    run(body());
}
