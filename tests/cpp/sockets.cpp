// Operations on sockets of the caller's, and names.
#include "test.hpp"

#include <cstring>

#include <netdb.h>
#include <netinet/in.h>

TEST_CASE("receiving and sending") {
    coloop::loop loop;
    socket_pair pair;
    auto received = loop.sock_recv(pair.fds[0], 100);
    CHECK_FALSE(received.done());
    loop.run_until_complete(loop.sock_sendall(pair.fds[1], std::string("hello")));
    // The bytes outlive the future.
    const coloop::received bytes = loop.run_until_complete(std::move(received));
    CHECK(bytes.data() == "hello");
    char memory[10];
    const char borrowed[] = "into";
    auto into = loop.sock_recv_into(pair.fds[0], memory, sizeof memory);
    loop.run_until_complete(loop.sock_sendall(pair.fds[1], borrowed, 4));
    CHECK(loop.run_until_complete(into) == 4);
    CHECK(std::string(memory, 4) == "into");
    ::close(pair.take(1));
    CHECK(loop.run_until_complete(loop.sock_recv(pair.fds[0], 1)).size() == 0);
}

TEST_CASE("cancelling lets go of the descriptor and of the data at once") {
    coloop::loop loop;
    socket_pair pair;
    auto waiting = loop.sock_recv(pair.fds[0], 1);
    CHECK_THROWS_AS(loop.sock_recv(pair.fds[0], 1), coloop::error);
    std::error_code code;
    loop.sock_recv(pair.fds[0], 1, code);
    CHECK(code == std::errc::device_or_resource_busy);
    CHECK(waiting.cancel());
    auto again = loop.sock_recv(pair.fds[0], 1);
    auto sending = loop.sock_sendall(pair.fds[0], std::string(64 << 20, 'x'));
    CHECK_FALSE(sending.done());
    CHECK(sending.cancel());
    CHECK(again.cancel());
    loop.sock_recv(-1, 1, code);
    CHECK(code == std::errc::invalid_argument);
}

TEST_CASE("accepting and connecting, with addresses") {
    coloop::loop loop;
    const int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const int client = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    sockaddr_in any{};
    any.sin_family = AF_INET;
    any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(bind(listener, reinterpret_cast<sockaddr *>(&any), sizeof any) == 0);
    REQUIRE(listen(listener, 1) == 0);
    socklen_t length = sizeof any;
    REQUIRE(getsockname(listener, reinterpret_cast<sockaddr *>(&any), &length) == 0);
    auto accepted = loop.sock_accept(listener);
    loop.run_until_complete(loop.sock_connect(client, coloop::socket_address::of(any)));
    coloop::accepted connection = loop.run_until_complete(std::move(accepted));
    CHECK(connection.fd() >= 0);
    CHECK(connection.address().as<sockaddr_in>().sin_addr.s_addr == any.sin_addr.s_addr);
    const int taken = connection.take();
    CHECK(connection.fd() == -1);
    CHECK_THROWS_AS(connection.take(), coloop::error);
    loop.run_until_complete(loop.sock_sendall(taken, std::string("hi")));
    CHECK(loop.run_until_complete(loop.sock_recv(client, 10)).data() == "hi");
    for (int fd : {listener, client, taken}) ::close(fd);
}

TEST_CASE("datagrams") {
    coloop::loop loop;
    int fds[2];
    sockaddr_in addresses[2] = {};
    for (int i = 0; i < 2; ++i) {
        fds[i] = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        addresses[i].sin_family = AF_INET;
        addresses[i].sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        REQUIRE(bind(fds[i], reinterpret_cast<sockaddr *>(&addresses[i]), sizeof addresses[i]) == 0);
        socklen_t length = sizeof addresses[i];
        REQUIRE(getsockname(fds[i], reinterpret_cast<sockaddr *>(&addresses[i]), &length) == 0);
    }
    CHECK(loop.run_until_complete(loop.sock_sendto(fds[0], "ping", coloop::socket_address::of(addresses[1]))) == 4);
    const coloop::received got = loop.run_until_complete(loop.sock_recvfrom(fds[1], 100));
    CHECK(got.data() == "ping");
    CHECK(got.address().as<sockaddr_in>().sin_port == addresses[0].sin_port);
    char memory[8];
    auto into = loop.sock_recvfrom_into(fds[0], memory, sizeof memory);
    loop.run_until_complete(loop.sock_sendto(fds[1], "pong", got.address()));
    CHECK(loop.run_until_complete(into).data() == "pong");
    for (int fd : fds) ::close(fd);
}

TEST_CASE("addresses hold what fits") {
    const coloop::socket_address none;
    CHECK_FALSE(none);
    CHECK(none.data() == nullptr);
    char much[300] = {1};
    CHECK(coloop::socket_address(much, sizeof much).size() == coloop::socket_address::capacity);
    CHECK_FALSE(coloop::socket_address(nullptr, 16));
}

TEST_CASE("names") {
    coloop::loop loop;
    coloop::addrinfo_hints hints;
    hints.family = AF_INET;
    hints.socktype = SOCK_STREAM;
    hints.flags = AI_NUMERICHOST;
    const coloop::addresses found =
        loop.run_until_complete(loop.getaddrinfo("127.0.0.1", "80", hints, coloop::no_timeout));
    REQUIRE(found.size() == 1);
    for (const loop_addrinfo_t &entry : found) CHECK(entry.family == AF_INET);
    const coloop::socket_address address(found[0].address, found[0].address_length);
    const coloop::name_info name =
        loop.run_until_complete(loop.getnameinfo(address, NI_NUMERICHOST | NI_NUMERICSERV, 60s));
    CHECK(std::string(name.host()) == "127.0.0.1");
    CHECK(std::string(name.service()) == "80");
    CHECK(loop.run_until_complete(loop.getaddrinfo("localhost", nullptr)).size() >= 1);
    auto unknown = loop.getaddrinfo("not a number", "80", hints, coloop::no_timeout);
    std::error_code code;
    loop.run_until_complete(unknown, code);
    CHECK(code == coloop::make_error_code(LOOP_EAI_NONAME));
}
