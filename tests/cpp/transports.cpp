// Protocols, transports, servers, connections and datagrams, over real sockets.
#include "test.hpp"

#include <cstring>

#include <netinet/in.h>
#include <sys/un.h>

namespace {

std::uint16_t port_of(const coloop::server &server) {
    return ntohs(server.get_address(0).as<sockaddr_in>().sin_port);
}

struct echo : coloop::protocol {
    coloop::transport_view transport;
    void connection_made(coloop::transport_view made) override { transport = made; }
    void data_received(std::string_view data) override { transport.write(data); }
};

// Collects what comes; ends `lost` with the reason for the end.
struct collector : coloop::protocol {
    coloop::future<std::string> lost;
    coloop::transport_view transport;
    std::string data;
    std::error_code reason;
    bool paused = false;
    int pauses = 0;
    explicit collector(coloop::loop_view loop) : lost(loop.create_future<std::string>()) {}
    void connection_made(coloop::transport_view made) override { transport = made; }
    void data_received(std::string_view bytes) override { data += bytes; }
    void pause_writing() override { paused = true, ++pauses; }
    void resume_writing() override { paused = false; }
    void connection_lost(std::error_code why, const char *) override {
        reason = why;
        lost.set_result(data);
    }
};

} // namespace

TEST_CASE("an echo server: TCP, owned and shared protocols, all ways to write") {
    coloop::loop loop;
    int made = 0;
    const coloop::server server = loop.run_until_complete(
        loop.create_server(coloop::server_options("127.0.0.1"), [&made] { return ++made, std::make_unique<echo>(); }));
    CHECK(server.is_serving());
    CHECK(server.get_loop() == loop);
    REQUIRE(server.get_sockets().size() == 1);
    const auto client = std::make_shared<collector>(loop);
    const coloop::transport transport =
        loop.run_until_complete(loop.create_connection({"127.0.0.1", port_of(server)}, client));
    CHECK(transport == client->transport);
    CHECK(transport.get_loop() == loop);
    CHECK(ntohs(transport.get_peername().as<sockaddr_in>().sin_port) == port_of(server));
    CHECK(transport.get_sockname().size() == sizeof(sockaddr_in));
    CHECK(reinterpret_cast<std::intptr_t>(transport.get_extra_info("socket")) == transport.get_fd());
    CHECK(transport.can_write_eof());
    CHECK(transport.is_reading());

    transport.write("one ");
    transport.write(std::string("two "));
    transport.writev({"three ", "four "});
    transport.write_owned(std::string("five "));
    transport.write_owned(std::vector<char>{'s', 'i', 'x'});
    while (client->data.size() < std::strlen("one two three four five six")) loop.run_once(60s);
    CHECK(client->data == "one two three four five six");
    transport.close();
    CHECK(transport.is_closing());
    loop.run_until_complete(client->lost);
    CHECK_FALSE(client->reason);
    auto closed = server.wait_closed();
    server.close();
    loop.run_until_complete(closed);
    CHECK(made == 1);
    std::error_code code;
    transport.write("late", code); // as asyncio: the connection is lost, no error
    CHECK_FALSE(code);
}

TEST_CASE("a protocol ends once, whatever becomes of its connection") {
    struct counting : coloop::protocol {
        counted thing;
        explicit counting(int &alive) : thing(alive) {}
    };
    int alive = 0;
    coloop::loop loop;
    SUBCASE("closed") {
        socket_pair pair;
        auto transport = loop.connect_accepted_socket(pair.take(0), std::make_unique<counting>(alive));
        transport.close();
        while (alive) loop.run_once(60s);
    }
    SUBCASE("the loop was closed") {
        socket_pair pair;
        loop.connect_accepted_socket(pair.take(0), std::make_unique<counting>(alive));
        CHECK(alive == 1);
        loop.close();
    }
    SUBCASE("another one took its place") {
        socket_pair pair;
        auto transport = loop.connect_accepted_socket(pair.take(0), std::make_unique<counting>(alive));
        transport.set_protocol(std::make_shared<echo>());
        CHECK(alive == 0);
        transport.abort();
        loop.run_once(0s);
        CHECK_THROWS_AS(transport.set_protocol(std::make_unique<counting>(alive)), coloop::error);
    }
    SUBCASE("no transport came of it") {
        std::error_code code;
        loop.connect_accepted_socket(-1, std::make_unique<counting>(alive), code);
        CHECK(code);
        CHECK_THROWS_AS(loop.connect_accepted_socket(1 << 20, std::make_shared<counting>(alive)), coloop::error);
    }
    SUBCASE("nobody listens") {
        socket_pair pair;
        auto refused = loop.create_unix_connection("@coloop-nobody-listens", std::make_unique<counting>(alive));
        CHECK_THROWS_AS(loop.run_until_complete(refused), coloop::error);
    }
    SUBCASE("none") {
        std::error_code code;
        loop.connect_accepted_socket(0, std::unique_ptr<echo>(), code);
        CHECK(code == std::errc::invalid_argument);
    }
    CHECK(alive == 0);
}

TEST_CASE("flow control") {
    coloop::loop loop;
    socket_pair pair;
    auto writer = std::make_shared<collector>(loop);
    auto transport = loop.connect_accepted_socket(pair.take(0), writer);
    transport.set_write_buffer_limits(1000, 100);
    CHECK(transport.get_write_buffer_limits() == std::pair<std::size_t, std::size_t>(1000, 100));
    transport.write_owned(std::string(4 << 20, 'x'));
    CHECK(writer->paused);
    CHECK(transport.get_write_buffer_size() > 1000);
    auto reader = std::make_shared<collector>(loop);
    auto other = loop.connect_accepted_socket(pair.take(1), reader);
    while (writer->paused) loop.run_once(60s);
    CHECK(transport.get_write_buffer_size() <= 100);
    other.pause_reading();
    CHECK_FALSE(other.is_reading());
    other.resume_reading();
    transport.write_eof();
    loop.run_until_complete(reader->lost);
    CHECK(reader->data.size() == 4 << 20);
    CHECK(writer->pauses == 1);
    loop.run_until_complete(writer->lost);
}

TEST_CASE("a protocol may receive in memory of its own") {
    struct into : coloop::buffered_protocol {
        char memory[4];
        std::string data;
        coloop::future<void> lost;
        explicit into(coloop::loop_view loop) : lost(loop.create_future<void>()) {}
        coloop::buffer get_buffer(std::size_t) override { return {memory, sizeof memory}; }
        void buffer_updated(std::size_t size) override { data.append(memory, size); }
        void data_received(std::string_view) override { FAIL("called in spite of get_buffer"); }
        void connection_lost(std::error_code, const char *) override { lost.set_result(); }
    };
    coloop::loop loop;
    socket_pair pair;
    auto protocol = std::make_shared<into>(loop);
    loop.connect_accepted_socket(pair.take(0), protocol);
    REQUIRE(write(pair.fds[1], "hello world", 11) == 11);
    ::close(pair.take(1));
    loop.run_until_complete(protocol->lost);
    CHECK(protocol->data == "hello world");
}

TEST_CASE("what a protocol's methods throw leaves the run; where bytes came, the connection ends") {
    struct thrower : collector {
        int when;
        thrower(coloop::loop_view loop, int given) : collector(loop), when(given) {}
        void at(int place) const {
            if (place == when) throw std::out_of_range("here");
        }
        void connection_made(coloop::transport_view made) override {
            collector::connection_made(made);
            at(0);
        }
        void data_received(std::string_view) override { at(1); }
        bool eof_received() override {
            at(2);
            return false;
        }
        void connection_lost(std::error_code why, const char *text) override {
            collector::connection_lost(why, text);
            at(3);
        }
    };
    for (int when = 0; when < 4; ++when) {
        CAPTURE(when);
        coloop::loop loop;
        socket_pair pair;
        auto protocol = std::make_shared<thrower>(loop, when);
        auto transport = loop.connect_accepted_socket(pair.take(0), protocol);
        REQUIRE(write(pair.fds[1], "x", 1) == 1);
        ::close(pair.take(1));
        CHECK_THROWS_AS(loop.run_until_complete(protocol->lost), std::out_of_range);
        if (when == 3) continue;
        loop.run_until_complete(protocol->lost);
        CHECK(static_cast<bool>(protocol->reason) == (when == 1 || when == 2));
    }
}

TEST_CASE("a factory that throws, or makes nothing, costs that connection only") {
    coloop::loop loop;
    std::string told;
    loop.set_exception_handler([&](coloop::loop_view, const loop_exception_context_t &context) { told = context.message; });
    int calls = 0;
    const coloop::server server = loop.run_until_complete(
        loop.create_unix_server("@coloop-cpp-factory", [&calls]() -> std::unique_ptr<echo> {
            if (++calls == 1) throw std::out_of_range("no protocol");
            if (calls == 2) return nullptr;
            return std::make_unique<echo>();
        }));
    for (int i = 0; i < 3; ++i) {
        auto client = std::make_shared<collector>(loop);
        auto connected = loop.create_unix_connection("@coloop-cpp-factory", [client] { return client; });
        if (i == 0) CHECK_THROWS_AS(loop.run_until_complete(client->lost), std::out_of_range);
        if (i < 2) {
            loop.run_until_complete(client->lost);
            CHECK(told == "Error on transport creation for incoming connection");
            continue;
        }
        loop.run_until_complete(connected).write("echo");
        while (client->data != "echo") loop.run_once(60s);
    }
    server.abort_clients();
    auto serving = server.serve_forever();
    loop.post([&] { server.close(); });
    CHECK_THROWS_AS(loop.run_until_complete(serving), coloop::cancelled_error);
    CHECK_THROWS_AS(server.start_serving(), coloop::error);
}

TEST_CASE("closing inside callbacks") {
    coloop::loop loop;
    struct closes : collector {
        using collector::collector;
        void data_received(std::string_view bytes) override {
            collector::data_received(bytes);
            transport.abort();
            transport.close();
            transport.set_protocol(std::make_unique<echo>()); // this one ends after this call
            CHECK(data == bytes);
        }
    };
    socket_pair pair;
    int alive = 0;
    struct owner : closes {
        counted thing;
        owner(coloop::loop_view loop, int &alive) : closes(loop), thing(alive) {}
    };
    loop.connect_accepted_socket(pair.take(0), std::make_unique<owner>(loop, alive));
    REQUIRE(write(pair.fds[1], "x", 1) == 1);
    while (alive) loop.run_once(60s);
    CHECK(alive == 0);
}

TEST_CASE("datagrams") {
    struct endpoint : coloop::datagram_protocol {
        coloop::transport_view transport;
        std::vector<std::string> got;
        coloop::socket_address sender;
        std::error_code error;
        bool lost = false;
        void connection_made(coloop::transport_view made) override { transport = made; }
        void datagram_received(std::string_view data, const coloop::socket_address &from) override {
            got.emplace_back(data);
            sender = from;
        }
        void error_received(std::error_code reason) override { error = reason; }
        void connection_lost(std::error_code, const char *) override { lost = true; }
    };
    coloop::loop loop;
    coloop::datagram_options local;
    local.local_host = "127.0.0.1";
    auto server = std::make_shared<endpoint>(), client = std::make_shared<endpoint>();
    const coloop::transport bound = loop.run_until_complete(loop.create_datagram_endpoint(local, server));
    coloop::datagram_options remote;
    remote.remote_host = "127.0.0.1";
    remote.remote_port = ntohs(bound.get_sockname().as<sockaddr_in>().sin_port);
    const coloop::transport connected = loop.run_until_complete(loop.create_datagram_endpoint(remote, client));
    connected.sendto("ping");
    connected.sendto("");
    while (server->got.size() < 2) loop.run_once(60s);
    CHECK(server->got[0] == "ping");
    CHECK(server->got[1].empty());
    bound.sendto("pong", server->sender);
    while (client->got.empty()) loop.run_once(60s);
    CHECK(client->got[0] == "pong");
    bound.close();
    while (!server->lost) loop.run_once(60s);
    connected.sendto("nobody");
    while (!client->error) {
        loop.run_once(10ms);
        connected.sendto("nobody");
    }
    CHECK(client->error == std::errc::connection_refused);
}

TEST_CASE("pipes, and a file through a transport") {
    coloop::loop loop;
    int fds[2];
    REQUIRE(pipe(fds) == 0);
    auto reader = std::make_shared<collector>(loop);
    auto writer = std::make_shared<collector>(loop);
    loop.connect_read_pipe(fds[0], reader);
    auto transport = loop.connect_write_pipe(fds[1], writer);
    transport.write("through a pipe");
    transport.close();
    CHECK(loop.run_until_complete(reader->lost) == "through a pipe");

    FILE *file = tmpfile();
    REQUIRE(file);
    REQUIRE(fputs("0123456789", file) >= 0);
    fflush(file);
    socket_pair pair;
    auto receiver = std::make_shared<collector>(loop);
    loop.connect_accepted_socket(pair.take(0), receiver);
    auto sender = loop.connect_accepted_socket(pair.take(1), std::make_unique<collector>(loop));
    auto sent = sender.sendfile(fileno(file), 2, -1);
    CHECK(loop.run_until_complete(sent) == 8);
    fclose(file);
    sender.close();
    CHECK(loop.run_until_complete(receiver->lost) == "23456789");
}
