// SPDX-License-Identifier: Apache-2.0 OR MIT
//
// Servers, connections and datagram endpoints.
//
// A protocol is given as a std::unique_ptr or a std::shared_ptr to it. With the first the
// transport owns it and it ends after connection_lost; with the second it may be looked at
// longer. Servers take a factory that makes one for each connection.
#pragma once

#include "transport.hpp"

namespace coloop {

// Options with their size: change what you want. coloop.h says what there is.
struct server_options : loop_server_options_t {
    server_options() noexcept : loop_server_options_t{} { size = sizeof(loop_server_options_t); }
    explicit server_options(const char *given_host, std::uint16_t given_port = 0) noexcept : server_options() {
        host = given_host;
        port = given_port;
    }
};
struct connection_options : loop_connection_options_t {
    connection_options() noexcept : loop_connection_options_t{} { size = sizeof(loop_connection_options_t); }
    connection_options(const char *given_host, std::uint16_t given_port) noexcept : connection_options() {
        host = given_host;
        port = given_port;
    }
};
struct datagram_options : loop_datagram_options_t {
    datagram_options() noexcept : loop_datagram_options_t{} { size = sizeof(loop_datagram_options_t); }
};

// A server, with a reference. It goes on without; closing the loop closes it. Move-only.
// asyncio: Server.
class server {
public:
    server() noexcept = default;
    // As the result of a future.
    server(loop_future_t *, void *result) noexcept : server_(loop_server_ref(static_cast<loop_server_t *>(result))) {}
    server(server &&other) noexcept : server_(other.release()) {}
    server &operator=(server &&other) noexcept {
        server taken(std::move(other));
        std::swap(server_, taken.server_);
        return *this;
    }
    ~server() { loop_server_unref(server_); }

    // Takes over a reference.
    static server from_capi(loop_server_t *given) noexcept {
        server made;
        made.server_ = given;
        return made;
    }
    server clone() const noexcept { return from_capi(loop_server_ref(server_)); }
    loop_server_t *capi() const noexcept { return server_; }
    loop_server_t *release() noexcept { return std::exchange(server_, nullptr); }
    explicit operator bool() const noexcept { return server_ != nullptr; }
    loop_view get_loop() const noexcept { return server_ ? loop_server_get_loop(server_) : nullptr; }

    template <class... Sink> void start_serving(Sink &...sink) const noexcept(detail::quiet<Sink...>) {
        detail::check(loop_server_start_serving(server_), sink...);
    }
    template <class... Sink> bool is_serving(Sink &...sink) const noexcept(detail::quiet<Sink...>) {
        return detail::check(loop_server_is_serving(server_), sink...) == 1;
    }
    // Closes the listening sockets, at once; connections go on.
    template <class... Sink> void close(Sink &...sink) const noexcept(detail::quiet<Sink...>) {
        detail::check(loop_server_close(server_), sink...);
    }
    template <class... Sink> void close_clients(Sink &...sink) const noexcept(detail::quiet<Sink...>) {
        detail::check(loop_server_close_clients(server_), sink...);
    }
    template <class... Sink> void abort_clients(Sink &...sink) const noexcept(detail::quiet<Sink...>) {
        detail::check(loop_server_abort_clients(server_), sink...);
    }
    // Done once the server is closed and all of its connections are gone.
    template <class... Sink> future<void> wait_closed(Sink &...sink) const noexcept(detail::quiet<Sink...>) {
        future<void> made;
        detail::check(loop_server_wait_closed(server_, made.receive()), sink...);
        return made;
    }
    // Serves until the future is cancelled or the server is closed.
    template <class... Sink> future<void> serve_forever(Sink &...sink) const noexcept(detail::quiet<Sink...>) {
        future<void> made;
        detail::check(loop_server_serve_forever(server_, made.receive()), sink...);
        return made;
    }
    // The descriptors it listens with, which stay the server's.
    template <class... Sink> std::vector<int> get_sockets(Sink &...sink) const {
        const int count = detail::check(loop_server_get_sockets(server_, nullptr, 0), sink...);
        std::vector<int> fds(static_cast<std::size_t>(count < 0 ? 0 : count));
        if (!fds.empty()) detail::check(loop_server_get_sockets(server_, fds.data(), fds.size()), sink...);
        return fds;
    }
    // The address of one of them.
    template <class... Sink>
    socket_address get_address(std::size_t index, Sink &...sink) const noexcept(detail::quiet<Sink...>) {
        socket_address made;
        const int length = loop_server_get_address(server_, index, made.data(), socket_address::capacity);
        made.set_size(length < 0 ? 0 : static_cast<std::size_t>(length));
        detail::check(length, sink...);
        return made;
    }

private:
    loop_server_t *server_ = nullptr;
};

template <> struct result_traits<server> : detail::owning_result<server> {};

namespace detail {

// loop_protocol_factory_t for a callable. What it throws leaves the run, and the connection
// is closed.
template <class Factory>
int make_protocol(loop_t *loop, void *factory_data, const loop_protocol_t **ret_protocol, void **ret_user_data,
                  loop_destroy_t *ret_destroy) noexcept {
    using call = user_data<Factory>;
    using held = detail::held<protocol, std::decay_t<decltype(call::call(factory_data))>>;
    static const loop_protocol_t tables[] = {stream_calls<held>::table(false), stream_calls<held>::table(true)};
    int code = LOOP_EEXCEPTION;
    guarded(loop, [&] {
        auto made = call::call(factory_data);
        code = LOOP_EINVAL;
        if (!made) return;
        *ret_protocol = &tables[made->buffered() != nullptr];
        *ret_user_data = held::store(std::move(made));
        *ret_destroy = held::destroy;
        code = 0;
    });
    return code;
}

} // namespace detail

// Begins to serve TCP connections; `factory()` makes a protocol for each.
// asyncio: loop.create_server().
template <class Factory, class... Sink>
future<server> loop_view::create_server(const server_options &options, Factory &&factory, Sink &...sink) const {
    future<server> made;
    detail::give<detail::user_data<Factory>>(
        std::forward<Factory>(factory), loop_protocol_factory_t(detail::make_protocol<Factory>),
        [&](auto... data) { return loop_create_server(loop_, &options, data..., made.receive()); }, sink...);
    return made;
}

// The same with a UNIX socket; '@' begins an abstract name. asyncio: loop.create_unix_server().
template <class Factory, class... Sink, class>
future<server> loop_view::create_unix_server(const char *path, Factory &&factory, Sink &...sink) const {
    return create_unix_server(path, 0, 0, std::forward<Factory>(factory), sink...);
}
template <class Factory, class... Sink>
future<server> loop_view::create_unix_server(const char *path, int backlog, std::uint32_t flags, Factory &&factory,
                                             Sink &...sink) const {
    future<server> made;
    detail::give<detail::user_data<Factory>>(
        std::forward<Factory>(factory), loop_protocol_factory_t(detail::make_protocol<Factory>),
        [&](auto... data) { return loop_create_unix_server(loop_, path, backlog, flags, data..., made.receive()); },
        sink...);
    return made;
}

// Connects by TCP; `given` is a protocol or a factory of one. The transport is there once
// connection_made was called. asyncio: loop.create_connection().
template <class Given, class... Sink>
future<transport> loop_view::create_connection(const connection_options &options, Given &&given, Sink &...sink) const {
    future<transport> made;
    detail::give_protocol(
        detail::made_protocol(std::forward<Given>(given)),
        [&](auto... protocol) { return loop_create_connection(loop_, &options, protocol..., made.receive()); }, sink...);
    return made;
}
template <class Given, class... Sink>
future<transport> loop_view::create_unix_connection(const char *path, Given &&given, Sink &...sink) const {
    future<transport> made;
    detail::give_protocol(
        detail::made_protocol(std::forward<Given>(given)),
        [&](auto... protocol) { return loop_create_unix_connection(loop_, path, protocol..., made.receive()); }, sink...);
    return made;
}

// Opens a UDP or UNIX datagram endpoint for a datagram_protocol.
// asyncio: loop.create_datagram_endpoint().
template <class Given, class... Sink>
future<transport> loop_view::create_datagram_endpoint(const datagram_options &options, Given &&given, Sink &...sink) const {
    future<transport> made;
    detail::give_datagram_protocol(
        detail::made_protocol(std::forward<Given>(given)),
        [&](auto... protocol) { return loop_create_datagram_endpoint(loop_, &options, protocol..., made.receive()); },
        sink...);
    return made;
}

} // namespace coloop
