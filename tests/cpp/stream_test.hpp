// What the tests of streams share.
#pragma once

#include "task_test.hpp"

#include <netinet/in.h>

#include <cstring>
#include <memory>

// Two ends of a connection: a stream, and a socket that does not block.
struct stream_and_socket : socket_pair {
    coloop::stream stream;
    explicit stream_and_socket(coloop::loop_view loop, std::size_t limit = coloop::stream::default_limit)
        : stream(coloop::connect_accepted_socket(loop, take(0), limit)) {}

    void send(std::string_view data) const {
        REQUIRE(::send(fds[1], data.data(), data.size(), 0) == static_cast<ssize_t>(data.size()));
    }
    // Everything that can be received now.
    std::string receive() const {
        std::string all;
        char some[4096];
        for (ssize_t size; (size = recv(fds[1], some, sizeof some, 0)) > 0;) all.append(some, static_cast<std::size_t>(size));
        return all;
    }
    // Fills the connection until the stream takes no more; how much it was.
    std::size_t fill() const {
        const std::string block(4096, 'f');
        std::size_t sent = 0;
        for (ssize_t size; (size = ::send(fds[1], block.data(), block.size(), 0)) > 0;) sent += static_cast<std::size_t>(size);
        return sent;
    }
    void end() { ::close(take(1)); }
};

inline std::uint16_t port_of(const coloop::server &given) { return ntohs(given.get_address(0).as<sockaddr_in>().sin_port); }

inline coloop::task<> turns(int count) {
    while (count--) co_await coloop::schedule();
}

// The library's number of the error that a coroutine ends with; 0: none.
template <class T> coloop::task<int> number_of(coloop::task<T> given) {
    try {
        co_await std::move(given);
    } catch (const coloop::error &thrown) {
        co_return thrown.number();
    }
    co_return 0;
}

// A stream whose transport's part the test plays: what the library calls, it calls.
struct played_stream : socket_pair {
    std::shared_ptr<coloop::detail::stream_protocol> protocol;
    coloop::stream stream;
    explicit played_stream(coloop::loop_view loop)
        : protocol(std::make_shared<coloop::detail::stream_protocol>(100)), stream(protocol) {
        protocol->attach(loop.connect_accepted_socket(take(0), protocol));
    }
    void receive(std::string_view data) const {
        const coloop::buffer place = protocol->get_buffer(100);
        REQUIRE(place.size >= data.size());
        std::memcpy(place.data, data.data(), data.size());
        protocol->buffer_updated(data.size());
    }
};

// As a coroutine, what else is only awaitable.
inline coloop::task<std::string> read_some(const coloop::stream &from, std::size_t size) {
    std::string data(size, '\0');
    data.resize(co_await from.read_some(data.data(), size));
    co_return data;
}
inline coloop::task<> drain(const coloop::stream &to) { co_await to.drain(); }
inline coloop::task<> wait_closed(const coloop::stream &closes) { co_await closes.wait_closed(); }
