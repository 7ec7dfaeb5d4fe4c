// SPDX-License-Identifier: Apache-2.0 OR MIT
//
// Connections for coroutines: asyncio's StreamReader and StreamWriter in one.
//
//     coloop::stream peer = co_await coloop::open_connection("example.org", 80);
//     peer.write("GET / HTTP/1.0\r\n\r\n");
//     std::string answer = co_await peer.read_all();
#pragma once

#include "stream_protocol.hpp"

namespace coloop {

// The peer sent no more before everything had come that was asked for. asyncio:
// IncompleteReadError.
class COLOOP_VISIBLE incomplete_read_error : public error {
public:
    explicit incomplete_read_error(std::string partial)
        : error(LOOP_EINVALID_STATE, "the stream ended before everything was read"),
          partial_(std::make_shared<const std::string>(std::move(partial))) {}

    // What did come.
    const std::string &partial() const noexcept { return *partial_; }

private:
    std::shared_ptr<const std::string> partial_; // copies cannot fail
};

// readuntil() found no separator within the stream's limit; what came stays in the stream.
// asyncio: LimitOverrunError.
class COLOOP_VISIBLE limit_overrun_error : public error {
public:
    limit_overrun_error() : error(-EMSGSIZE, "no separator within the limit") {}
};

// A connection, pipe or terminal. One coroutine at a time may read, and any number write;
// reading and writing go on at the same time. Closed with the last byte sent when it ends.
// Move-only; of its loop's thread.
class stream {
public:
    static constexpr std::size_t default_limit = 64 * 1024;

    stream() noexcept = default; // none
    explicit stream(std::shared_ptr<detail::stream_protocol> given) noexcept : protocol_(std::move(given)) {}
    stream(stream &&) noexcept = default;
    stream &operator=(stream &&other) noexcept {
        stream taken(std::move(other));
        std::swap(protocol_, taken.protocol_);
        return *this;
    }
    ~stream() {
        if (protocol_) protocol_->close();
    }

    explicit operator bool() const noexcept { return protocol_ != nullptr; }
    // What is below: addresses, limits, descriptor.
    transport_view get_transport() const noexcept { return protocol_ ? protocol_->get_transport() : transport_view(); }

    // Reading. All of it throws what broke the connection, once what came before is read;
    // cancelled_error, and then no byte is lost; LOOP_EINVALID_STATE if another coroutine
    // reads already.

    // co_await read_some(data, size): at least one byte, as many as are there; 0: the end.
    // Received into `data` directly, without memory of its own.
    [[nodiscard]] detail::stream_read read_some(void *data, std::size_t size) const {
        return detail::stream_read(whole(), data, size);
    }

    // Up to `size` bytes, at least one unless the stream ends.
    task<std::string> read(std::size_t size) const {
        const auto own = shared();
        if (size) co_await detail::stream_arrival(*own);
        co_return own->take(std::min(size, own->buffered_size()));
    }

    // Everything until the end.
    task<std::string> read_all() const {
        const auto own = shared();
        std::string all;
        for (;;) {
            co_await detail::stream_arrival(*own);
            if (!own->buffered_size()) co_return all;
            all += own->take(own->buffered_size());
        }
    }

    // Exactly `size` bytes. Throws incomplete_read_error.
    task<std::string> readexactly(std::size_t size) const {
        const auto own = shared();
        const detail::stream_need need(*own, size);
        while (own->buffered_size() < size) {
            const std::size_t before = own->buffered_size();
            co_await detail::stream_arrival(*own, before);
            if (own->buffered_size() == before) throw incomplete_read_error(own->take(before));
        }
        co_return own->take(size);
    }

    // Up to the separator, and with it. Throws incomplete_read_error, limit_overrun_error.
    task<std::string> readuntil(std::string separator) const {
        const auto own = shared();
        if (separator.empty()) throw error(LOOP_EINVAL, "Separator should be at least one-byte string");
        for (std::size_t searched = 0;;) {
            const std::size_t found = own->find(separator, searched);
            if (found != std::string_view::npos) {
                if (found > own->limit()) throw limit_overrun_error();
                co_return own->take(found + separator.size());
            }
            const std::size_t before = own->buffered_size();
            searched = before < separator.size() ? 0 : before - separator.size() + 1;
            if (searched > own->limit()) throw limit_overrun_error();
            co_await detail::stream_arrival(*own, before);
            if (own->buffered_size() == before) throw incomplete_read_error(own->take(before));
        }
    }

    // A line with its '\n'; what there is, if the stream ends without.
    task<std::string> readline() const {
        try {
            co_return co_await readuntil("\n");
        } catch (const incomplete_read_error &end) {
            co_return end.partial();
        }
    }

    // Did the peer end, and is everything read?
    bool at_eof() const { return whole().at_eof(); }

    // Writing. Never waits: what the system does not take at once is kept; drain() waits
    // until there is room again. Throws what broke the connection.

    void write(std::string_view data) const { whole().open_transport().write(data); }
    // The same for a container of bytes, which moves in.
    template <class Bytes> void write_owned(Bytes &&data) const {
        whole().open_transport().write_owned(std::forward<Bytes>(data));
    }
    void write_eof() const { whole().open_transport().write_eof(); }

    // co_await drain(): until no more than the transport's low-water mark waits to be sent.
    [[nodiscard]] detail::stream_drain drain() const { return detail::stream_drain(whole()); }

    // Ends the connection, after what was written is sent.
    void close() const noexcept {
        if (protocol_) protocol_->close();
    }
    bool is_closing() const noexcept { return !protocol_ || protocol_->is_closing(); }
    // co_await wait_closed(): until it is closed. Throws what broke it.
    [[nodiscard]] detail::stream_closing wait_closed() const { return detail::stream_closing(whole()); }

private:
    detail::stream_protocol &whole() const {
        if (!protocol_) throw error(LOOP_EINVAL, "there is no stream");
        return *protocol_;
    }
    std::shared_ptr<detail::stream_protocol> shared() const { return whole(), protocol_; }

    std::shared_ptr<detail::stream_protocol> protocol_;
};

namespace detail {

inline std::shared_ptr<stream_protocol> make_stream(std::size_t limit) { return std::make_shared<stream_protocol>(limit); }

// Starts the coroutine of a connection that a server accepted.
template <class Handler> class accepted_stream final : public stream_protocol {
public:
    accepted_stream(std::size_t limit, std::shared_ptr<Handler> handler) : stream_protocol(limit), handler_(std::move(handler)) {}

    void connection_made(transport_view made) override {
        stream_protocol::connection_made(made);
        // Named by nobody: what it throws goes to the loop's exception handler.
        create_task(made.get_loop(), serve(handler_, stream(shared_from_this())));
    }

private:
    static task<void> serve(std::shared_ptr<Handler> handler, stream peer) { co_await (*handler)(std::move(peer)); }

    std::shared_ptr<Handler> handler_;
};

template <class Handler> auto stream_factory(Handler &&handler, std::size_t limit) {
    using kept = std::decay_t<Handler>;
    return [shared = std::make_shared<kept>(std::forward<Handler>(handler)), limit] {
        return std::make_shared<accepted_stream<kept>>(limit, shared);
    };
}

} // namespace detail

// Connects by TCP. `limit`: half of what is kept unread before the peer has to wait.
// asyncio: open_connection().
inline task<stream> open_connection(connection_options options, std::size_t limit = stream::default_limit) {
    const auto made = detail::make_stream(limit);
    co_await (co_await this_loop()).create_connection(options, made);
    co_return stream(made);
}
inline task<stream> open_connection(std::string host, std::uint16_t port, std::size_t limit = stream::default_limit) {
    co_return co_await open_connection(connection_options(host.c_str(), port), limit);
}
// Connects to a UNIX socket. asyncio: open_unix_connection().
inline task<stream> open_unix_connection(std::string path, std::size_t limit = stream::default_limit) {
    const auto made = detail::make_stream(limit);
    co_await (co_await this_loop()).create_unix_connection(path.c_str(), made);
    co_return stream(made);
}

// Serves TCP: a task of handler(stream), a task<void>, for each connection. The future gives
// the server. asyncio: start_server().
template <class Handler>
future<server> start_server(loop_view loop, Handler &&handler, const server_options &options,
                            std::size_t limit = stream::default_limit) {
    return loop.create_server(options, detail::stream_factory(std::forward<Handler>(handler), limit));
}
// The same with a UNIX socket. asyncio: start_unix_server().
template <class Handler>
future<server> start_unix_server(loop_view loop, Handler &&handler, const char *path,
                                 std::size_t limit = stream::default_limit) {
    return loop.create_unix_server(path, detail::stream_factory(std::forward<Handler>(handler), limit));
}

// A stream on a descriptor of the caller's, which it owns then: a connected socket, or an
// end of a pipe.
inline stream connect_accepted_socket(loop_view loop, int fd, std::size_t limit = stream::default_limit) {
    const auto made = detail::make_stream(limit);
    loop.connect_accepted_socket(fd, made);
    return stream(made);
}
inline stream connect_read_pipe(loop_view loop, int fd, std::size_t limit = stream::default_limit) {
    const auto made = detail::make_stream(limit);
    loop.connect_read_pipe(fd, made);
    return stream(made);
}
inline stream connect_write_pipe(loop_view loop, int fd) {
    const auto made = detail::make_stream(0);
    loop.connect_write_pipe(fd, made);
    return stream(made);
}

} // namespace coloop
