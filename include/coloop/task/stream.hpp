// SPDX-License-Identifier: Apache-2.0 OR MIT
//
// Connections for coroutines: asyncio's StreamReader and StreamWriter in one.
//
//     coloop::stream peer = co_await coloop::open_connection("example.org", 80);
//     peer.write("GET / HTTP/1.0\r\n\r\n");
//     std::string answer = co_await peer.read_all();
#pragma once

#include "stream_reads.hpp"

namespace coloop {

// A connection, pipe or terminal. One coroutine at a time may read, until it has gone on, and
// any number write; reading and writing go on at the same time. Its end closes it, after what
// was written is sent; whoever still waits for it then hears of the end. Move-only; of its
// loop's thread.
class stream {
public:
    static constexpr std::size_t default_limit = 64 * 1024;

    stream() noexcept = default; // none
    explicit stream(detail::shared_stream given) noexcept : protocol_(std::move(given)) {}
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
    // What is below: addresses, limits for writing, sendfile, abort. Empty without a stream.
    transport_view get_transport() const noexcept { return protocol_ ? protocol_->get_transport() : transport_view(); }

    // Reading. Everything throws, once what came before is read, what broke the connection.
    // Throws cancelled_error: no byte is lost then. Throws LOOP_EINVALID_STATE while another
    // coroutine reads.

    // co_await read_some(data, size): at least one byte, as many as are there; 0: the end.
    // Received into `data` directly, without memory of its own.
    [[nodiscard]] detail::stream_read read_some(void *data, std::size_t size) const { return {whole(), data, size}; }

    // Up to `size` bytes, at least one unless the stream ends.
    task<std::string> read(std::size_t size) const { return detail::read(whole(), size); }

    // Everything until the end, however much that is. If the connection breaks it throws, and
    // what came stays in the stream.
    task<std::string> read_all() const { return detail::read_all(whole()); }

    // Exactly `size` bytes. Throws incomplete_read_error.
    task<std::string> readexactly(std::size_t size) const { return detail::readexactly(whole(), size); }

    // Up to the separator, and with it. Throws incomplete_read_error; limit_overrun_error when
    // more than the stream's limit is before it: then everything stays in the stream.
    task<std::string> readuntil(std::string separator) const { return detail::readuntil(whole(), std::move(separator)); }

    // A line with its '\n'; what there is, if the stream ends without. Throws
    // limit_overrun_error for a line that is longer than the limit: it is dropped, as far as
    // it came.
    task<std::string> readline() const { return detail::readline(whole()); }

    // Did the peer end, and is everything read?
    bool at_eof() const { return whole()->ended() && whole()->received().empty(); }

    // Writing. Never waits: what the system does not take at once is kept; drain() waits
    // until there is room again. Throws what broke the connection.

    void write(std::string_view data) const { writable().write(data); }
    // The same for a std::string, a std::vector or another container of bytes, moved in.
    template <class Bytes> void write_owned(Bytes &&data) const { writable().write_owned(std::forward<Bytes>(data)); }
    // Tells the peer, after everything is sent, that no more comes; reading goes on.
    void write_eof() const { writable().write_eof(); }

    // co_await drain(): until no more than the transport's low-water mark waits to be sent, if
    // more than its high-water mark did. Throws -ECONNRESET when the connection is closed.
    [[nodiscard]] detail::stream_drain drain() const { return detail::stream_drain(whole()); }

    // Ends the connection, after what was written is sent. Nothing is received any more.
    void close() const noexcept {
        if (protocol_) protocol_->close();
    }
    bool is_closing() const noexcept { return !protocol_ || protocol_->is_closing(); }
    // co_await wait_closed(): until it is closed. Throws what broke it.
    [[nodiscard]] detail::stream_closing wait_closed() const { return detail::stream_closing(whole()); }

private:
    friend class subprocess;

    const detail::shared_stream &whole() const {
        if (!protocol_) throw error(LOOP_EINVAL, "there is no stream");
        return protocol_;
    }
    transport_view writable() const {
        whole()->throw_if_broken();
        return protocol_->get_transport();
    }

    detail::shared_stream protocol_;
};

} // namespace coloop
