// SPDX-License-Identifier: Apache-2.0 OR MIT
//
// Where streams come from: connections, servers, descriptors.
//
// `limit` is for reading: how far a separator may be, and half of what is kept unread before
// the peer has to wait; in bytes.
#pragma once

#include "await_future.hpp"
#include "create_task.hpp"
#include "sleep.hpp"
#include "stream.hpp"

namespace coloop {

namespace detail {

inline shared_stream make_stream(std::size_t limit) { return std::make_shared<stream_protocol>(limit); }

// Starts the coroutine of a connection that a server accepted.
template <class Handler>
class accepted_stream final : public stream_protocol, public std::enable_shared_from_this<accepted_stream<Handler>> {
public:
    accepted_stream(std::size_t limit, std::shared_ptr<Handler> handler) : stream_protocol(limit), handler_(std::move(handler)) {}

    void connection_made(transport_view made) override {
        stream_protocol::connection_made(made);
        // Named by nobody: what it throws goes to the loop's exception handler.
        create_task(made.get_loop(), serve(handler_, stream(this->shared_from_this())));
    }

private:
    static task<> serve(std::shared_ptr<Handler> handler, stream peer) { co_await (*handler)(std::move(peer)); }

    std::shared_ptr<Handler> handler_;
};

template <class Handler> auto stream_factory(Handler &&handler, std::size_t limit) {
    using kept = std::decay_t<Handler>;
    static_assert(std::is_same_v<std::invoke_result_t<kept &, stream>, task<>>, "the handler is a coroutine: task<>(stream)");
    return [shared = std::make_shared<kept>(std::forward<Handler>(handler)), limit] {
        return std::make_shared<accepted_stream<kept>>(limit, shared);
    };
}

// connect(loop, protocol) gives the future of the connection. If the coroutine is cancelled
// when that is there already, it is closed.
template <class Connect> task<stream> open_stream(std::size_t limit, Connect connect) {
    const auto made = make_stream(limit);
    stream opened(made);
    co_await connect(co_await this_loop(), made);
    co_return opened;
}

// connect(protocol) makes the transport of a descriptor.
template <class Connect> stream adopt(std::size_t limit, Connect connect) {
    const auto made = make_stream(limit);
    made->attach(connect(made));
    return stream(made);
}

} // namespace detail

// Connects by TCP. What the options point to must live until it is connected. asyncio:
// open_connection().
inline task<stream> open_connection(connection_options options, std::size_t limit = stream::default_limit) {
    return detail::open_stream(limit, [options](loop_view loop, const detail::shared_stream &made) {
        return loop.create_connection(options, made);
    });
}
inline task<stream> open_connection(std::string host, std::uint16_t port, std::size_t limit = stream::default_limit) {
    return detail::open_stream(limit, [host = std::move(host), port](loop_view loop, const detail::shared_stream &made) {
        return loop.create_connection(connection_options(host.c_str(), port), made);
    });
}
// Connects to a UNIX socket; '@' begins an abstract name. asyncio: open_unix_connection().
inline task<stream> open_unix_connection(std::string path, std::size_t limit = stream::default_limit) {
    return detail::open_stream(limit, [path = std::move(path)](loop_view loop, const detail::shared_stream &made) {
        return loop.create_unix_connection(path.c_str(), made);
    });
}

// Serves TCP: a task of handler(stream), a coroutine, for each connection; what it throws goes
// to the loop's exception handler. The connection ends with its stream. The future gives the
// server. asyncio: start_server().
template <class Handler>
future<server> start_server(loop_view loop, Handler &&handler, const server_options &options,
                            std::size_t limit = stream::default_limit) {
    return loop.create_server(options, detail::stream_factory(std::forward<Handler>(handler), limit));
}
// The same on the running loop.
template <class Handler>
future<server> start_server(Handler &&handler, const server_options &options, std::size_t limit = stream::default_limit) {
    return start_server(get_running_loop(), std::forward<Handler>(handler), options, limit);
}
// Both with a UNIX socket. asyncio: start_unix_server().
template <class Handler>
future<server> start_unix_server(loop_view loop, Handler &&handler, const char *path,
                                 std::size_t limit = stream::default_limit) {
    return loop.create_unix_server(path, detail::stream_factory(std::forward<Handler>(handler), limit));
}
template <class Handler>
future<server> start_unix_server(Handler &&handler, const char *path, std::size_t limit = stream::default_limit) {
    return start_unix_server(get_running_loop(), std::forward<Handler>(handler), path, limit);
}

// A stream on a descriptor of the caller's, which it owns on success: a connected socket, the
// reading and the writing end of a pipe. asyncio: loop.connect_accepted_socket(),
// connect_read_pipe(), connect_write_pipe().
inline stream connect_accepted_socket(loop_view loop, int fd, std::size_t limit = stream::default_limit) {
    return detail::adopt(limit, [=](const auto &made) { return loop.connect_accepted_socket(fd, made); });
}
inline stream connect_read_pipe(loop_view loop, int fd, std::size_t limit = stream::default_limit) {
    return detail::adopt(limit, [=](const auto &made) { return loop.connect_read_pipe(fd, made); });
}
inline stream connect_write_pipe(loop_view loop, int fd) {
    return detail::adopt(0, [=](const auto &made) { return loop.connect_write_pipe(fd, made); });
}

} // namespace coloop
