// SPDX-License-Identifier: Apache-2.0 OR MIT
//
// Transports: connections that move bytes and call a protocol.
//
// A transport and its loop's thread, what happens at close and after fork: coloop.h.
#pragma once

#include "combine.hpp"
#include "protocol.hpp"

#include <initializer_list>
#include <string_view>
#include <vector>

namespace coloop {

// A transport that its loop keeps: a pointer that is valid until connection_lost returned, or
// as long as somebody has a reference. Every method may be given a std::error_code.
class transport_view {
public:
    transport_view() noexcept = default;
    transport_view(loop_transport_t *transport) noexcept : transport_(transport) {}

    loop_transport_t *capi() const noexcept { return transport_; }
    explicit operator bool() const noexcept { return transport_ != nullptr; }
    friend bool operator==(transport_view a, transport_view b) noexcept { return a.transport_ == b.transport_; }
    friend bool operator!=(transport_view a, transport_view b) noexcept { return a.transport_ != b.transport_; }
    loop_view get_loop() const noexcept { return transport_ ? loop_transport_get_loop(transport_) : nullptr; }

    // Sends bytes: at once what the kernel takes, the rest from a copy. Never waits.
    template <class... Sink> void write(std::string_view data, Sink &...sink) const noexcept(detail::quiet<Sink...>) {
        detail::check(loop_transport_write(transport_, data.data(), data.size()), sink...);
    }
    // Sends pieces in their order, in one call of the system where it can. asyncio: writelines().
    template <class... Sink>
    void writev(const loop_iovec_t *pieces, std::size_t count, Sink &...sink) const noexcept(detail::quiet<Sink...>) {
        detail::check(loop_transport_writev(transport_, pieces, count), sink...);
    }
    template <class... Sink> void writev(std::initializer_list<std::string_view> pieces, Sink &...sink) const {
        std::vector<loop_iovec_t> list;
        list.reserve(pieces.size());
        for (const std::string_view piece : pieces) list.push_back({piece.data(), piece.size()});
        writev(list.data(), list.size(), sink...);
    }
    // Sends a std::string, a std::vector or another container of bytes without copying them:
    // it is moved and lives until they are sent or not needed any more.
    template <class Bytes, class... Sink, class = std::enable_if_t<!std::is_lvalue_reference_v<Bytes>>>
    void write_owned(Bytes &&bytes, Sink &...sink) const {
        static_assert(sizeof(*bytes.data()) == 1, "write_owned takes a container of bytes");
        auto *kept = new Bytes(std::move(bytes));
        const loop_destroy_t destroy = [](void *data) noexcept { delete static_cast<Bytes *>(data); };
        detail::check(loop_transport_write_owned(transport_, kept->data(), kept->size(), kept, destroy), sink...);
    }
    // Tells the peer, after everything is sent, that no more comes.
    template <class... Sink> void write_eof(Sink &...sink) const noexcept(detail::quiet<Sink...>) {
        detail::check(loop_transport_write_eof(transport_), sink...);
    }
    template <class... Sink> bool can_write_eof(Sink &...sink) const noexcept(detail::quiet<Sink...>) {
        return detail::check(loop_transport_can_write_eof(transport_), sink...) == 1;
    }
    // Sends `count` bytes of a file from `offset` on; -1: all. The result: how many.
    // asyncio: loop.sendfile().
    template <class... Sink>
    future<std::size_t> sendfile(int file_fd, std::int64_t offset, std::int64_t count, Sink &...sink) const
        noexcept(detail::quiet<Sink...>) {
        future<std::size_t> made;
        detail::check(loop_transport_sendfile(transport_, file_fd, offset, count, made.receive()), sink...);
        return made;
    }

    // Sends what waits, then ends. Never calls connection_lost from inside.
    template <class... Sink> void close(Sink &...sink) const noexcept(detail::quiet<Sink...>) {
        detail::check(loop_transport_close(transport_), sink...);
    }
    // Ends at once.
    template <class... Sink> void abort(Sink &...sink) const noexcept(detail::quiet<Sink...>) {
        detail::check(loop_transport_abort(transport_), sink...);
    }
    // Ends at once for a reason, which connection_lost gets.
    template <class... Sink> void fail(std::error_code reason, Sink &...sink) const noexcept(detail::quiet<Sink...>) {
        detail::check(loop_transport_fail(transport_, error_number(reason), nullptr), sink...);
    }
    template <class... Sink> bool is_closing(Sink &...sink) const noexcept(detail::quiet<Sink...>) {
        return detail::check(loop_transport_is_closing(transport_), sink...) == 1;
    }

    // Flow control.

    template <class... Sink> void pause_reading(Sink &...sink) const noexcept(detail::quiet<Sink...>) {
        detail::check(loop_transport_pause_reading(transport_), sink...);
    }
    template <class... Sink> void resume_reading(Sink &...sink) const noexcept(detail::quiet<Sink...>) {
        detail::check(loop_transport_resume_reading(transport_), sink...);
    }
    template <class... Sink> bool is_reading(Sink &...sink) const noexcept(detail::quiet<Sink...>) {
        return detail::check(loop_transport_is_reading(transport_), sink...) == 1;
    }
    static constexpr std::size_t unset = static_cast<std::size_t>(-1);
    // pause_writing when more than `high` bytes wait, resume_writing when no more than `low`
    // do; `unset` leaves one to the other.
    template <class... Sink>
    void set_write_buffer_limits(std::size_t high, std::size_t low, Sink &...sink) const noexcept(detail::quiet<Sink...>) {
        detail::check(loop_transport_set_write_buffer_limits(transport_, high, low), sink...);
    }
    template <class... Sink> std::size_t get_write_buffer_size(Sink &...sink) const noexcept(detail::quiet<Sink...>) {
        std::size_t size = 0;
        detail::check(loop_transport_get_write_buffer_size(transport_, &size), sink...);
        return size;
    }
    // high and low
    template <class... Sink>
    std::pair<std::size_t, std::size_t> get_write_buffer_limits(Sink &...sink) const noexcept(detail::quiet<Sink...>) {
        std::size_t high = 0, low = 0;
        detail::check(loop_transport_get_write_buffer_limits(transport_, &high, &low), sink...);
        return {high, low};
    }

    // Another protocol takes over: a std::unique_ptr or std::shared_ptr to a protocol.
    template <class Pointer, class... Sink> void set_protocol(Pointer &&given, Sink &...sink) const {
        detail::give_protocol(
            std::forward<Pointer>(given),
            [this](auto... protocol) { return loop_transport_set_protocol(transport_, protocol...); }, sink...);
    }

    // What it is.

    // Its descriptor, to ask and to set options only.
    template <class... Sink> int get_fd(Sink &...sink) const noexcept(detail::quiet<Sink...>) {
        return detail::check(loop_transport_get_fd(transport_), sink...);
    }
    template <class... Sink> socket_address get_peername(Sink &...sink) const noexcept(detail::quiet<Sink...>) {
        return address([this](auto... place) { return loop_transport_get_peername(transport_, place...); }, sink...);
    }
    template <class... Sink> socket_address get_sockname(Sink &...sink) const noexcept(detail::quiet<Sink...>) {
        return address([this](auto... place) { return loop_transport_get_sockname(transport_, place...); }, sink...);
    }
    template <class... Sink>
    void *get_extra_info(const char *name, Sink &...sink) const noexcept(detail::quiet<Sink...>) {
        void *value = nullptr;
        detail::check(loop_transport_get_extra_info(transport_, name, &value), sink...);
        return value;
    }

    // Datagrams: to an address, or to the endpoint's remote one.
    template <class... Sink>
    void sendto(std::string_view data, const socket_address &address, Sink &...sink) const noexcept(detail::quiet<Sink...>) {
        detail::check(loop_transport_sendto(transport_, data.data(), data.size(), address.data(), address.size()), sink...);
    }
    template <class... Sink, class = std::enable_if_t<detail::are_sinks<Sink...>>>
    void sendto(std::string_view data, Sink &...sink) const noexcept(detail::quiet<Sink...>) {
        detail::check(loop_transport_sendto(transport_, data.data(), data.size(), nullptr, 0), sink...);
    }

private:
    template <class Call, class... Sink> static socket_address address(Call call, Sink &...sink) {
        socket_address made;
        std::size_t length = socket_address::capacity;
        const int code = call(made.data(), &length);
        made.set_size(code < 0 ? 0 : length);
        detail::check(code, sink...);
        return made;
    }

    loop_transport_t *transport_ = nullptr;
};

inline void base_protocol::connection_made(transport_view) {}

// A transport with a reference: the pointer stays valid. Giving it back closes nothing.
class transport : public transport_view {
public:
    transport() noexcept = default;
    // Takes a reference of its own.
    explicit transport(transport_view viewed) noexcept : transport_view(loop_transport_ref(viewed.capi())) {}
    // As the result of a future.
    transport(loop_future_t *, void *result) noexcept : transport(transport_view(static_cast<loop_transport_t *>(result))) {}
    transport(transport &&other) noexcept : transport_view(other.release()) {}
    transport &operator=(transport &&other) noexcept {
        transport taken(std::move(other));
        std::swap(static_cast<transport_view &>(*this), static_cast<transport_view &>(taken));
        return *this;
    }
    ~transport() { loop_transport_unref(capi()); }

    // Takes over a reference.
    static transport from_capi(loop_transport_t *given) noexcept {
        transport made;
        static_cast<transport_view &>(made) = given;
        return made;
    }
    loop_transport_t *release() noexcept {
        return std::exchange(static_cast<transport_view &>(*this), transport_view()).capi();
    }
};

template <> struct result_traits<transport> : detail::owning_result<transport> {};

// A transport on a descriptor of the caller's, which it owns on success: a connected socket,
// the reading and the writing end of a pipe. `given` is a std::unique_ptr or std::shared_ptr
// to a protocol. asyncio: loop.connect_accepted_socket(), connect_read_pipe(),
// connect_write_pipe().
template <class Pointer, class... Sink>
transport loop_view::connect_accepted_socket(int fd, Pointer &&given, Sink &...sink) const {
    loop_transport_t *made = nullptr;
    detail::give_protocol(std::forward<Pointer>(given),
                          [&](auto... protocol) { return loop_connect_accepted_socket(loop_, fd, protocol..., &made); },
                          sink...);
    return transport::from_capi(made);
}
template <class Pointer, class... Sink>
transport loop_view::connect_read_pipe(int fd, Pointer &&given, Sink &...sink) const {
    loop_transport_t *made = nullptr;
    detail::give_protocol(std::forward<Pointer>(given),
                          [&](auto... protocol) { return loop_connect_read_pipe(loop_, fd, protocol..., &made); }, sink...);
    return transport::from_capi(made);
}
template <class Pointer, class... Sink>
transport loop_view::connect_write_pipe(int fd, Pointer &&given, Sink &...sink) const {
    loop_transport_t *made = nullptr;
    detail::give_protocol(std::forward<Pointer>(given),
                          [&](auto... protocol) { return loop_connect_write_pipe(loop_, fd, protocol..., &made); }, sink...);
    return transport::from_capi(made);
}

} // namespace coloop
