// SPDX-License-Identifier: Apache-2.0 OR MIT
//
// Operations on a socket of the caller's: asyncio's loop.sock_...
//
// The socket is non-blocking and stays open until the future is done; cancelling the future
// unregisters it at once. One operation at a time may wait for each direction. See
// loop_sock_recv in coloop.h.
#pragma once

#include "address.hpp"
#include "combine.hpp"

#include <string>
#include <string_view>

namespace coloop {

// What was received; keeps the bytes alive if they are the future's own.
class received {
public:
    received() noexcept = default;
    received(loop_future_t *future, void *result) noexcept
        : owner_(owner::from_capi(loop_future_ref(future))), all_(static_cast<const loop_received_t *>(result)) {}

    // 0 at the end of a stream.
    std::size_t size() const noexcept { return all_ ? all_->length : 0; }
    std::string_view data() const noexcept { return {static_cast<const char *>(all_ ? all_->data : nullptr), size()}; }
    // From whom, where that was asked for.
    socket_address address() const noexcept {
        return all_ ? socket_address(all_->address, all_->address_length) : socket_address();
    }

private:
    using owner = future<void *>;
    owner owner_;
    const loop_received_t *all_ = nullptr;
};

// A connection that was accepted; closed with the last future that has it, unless take() took
// it.
class accepted {
public:
    accepted() noexcept = default;
    accepted(loop_future_t *future, void *result) noexcept
        : owner_(owner::from_capi(loop_future_ref(future))), all_(static_cast<loop_accepted_t *>(result)) {}

    int fd() const noexcept { return all_ ? all_->fd : -1; }
    // The descriptor, now the caller's to close.
    template <class... Sink> int take(Sink &...sink) noexcept(detail::quiet<Sink...>) {
        return detail::check(loop_accepted_take(all_), sink...);
    }
    socket_address address() const noexcept {
        return all_ ? socket_address(all_->address, all_->address_length) : socket_address();
    }

private:
    using owner = future<void *>;
    owner owner_;
    loop_accepted_t *all_ = nullptr;
};

namespace detail {
inline void delete_string(void *data) noexcept { delete static_cast<std::string *>(data); }
} // namespace detail

template <> struct result_traits<received> : detail::owning_result<received> {};
template <> struct result_traits<accepted> : detail::owning_result<accepted> {};

template <class... Sink>
future<received> loop_view::sock_recv(int fd, std::size_t size, Sink &...sink) const noexcept(detail::quiet<Sink...>) {
    future<received> made;
    detail::check(loop_sock_recv(loop_, fd, size, made.receive()), sink...);
    return made;
}
// Into the caller's memory, which must live until the future is done: how many bytes.
template <class... Sink>
future<std::size_t> loop_view::sock_recv_into(int fd, void *data, std::size_t size, Sink &...sink) const
    noexcept(detail::quiet<Sink...>) {
    future<std::size_t> made;
    detail::check(loop_sock_recv_into(loop_, fd, data, size, made.receive()), sink...);
    return made;
}
// A datagram with its sender's address.
template <class... Sink>
future<received> loop_view::sock_recvfrom(int fd, std::size_t size, Sink &...sink) const noexcept(detail::quiet<Sink...>) {
    future<received> made;
    detail::check(loop_sock_recvfrom(loop_, fd, size, made.receive()), sink...);
    return made;
}
template <class... Sink>
future<received> loop_view::sock_recvfrom_into(int fd, void *data, std::size_t size, Sink &...sink) const
    noexcept(detail::quiet<Sink...>) {
    future<received> made;
    detail::check(loop_sock_recvfrom_into(loop_, fd, data, size, made.receive()), sink...);
    return made;
}

// Sends all bytes, which move into the operation.
template <class... Sink> future<void> loop_view::sock_sendall(int fd, std::string data, Sink &...sink) const {
    future<void> made;
    auto *kept = new std::string(std::move(data));
    detail::check(loop_sock_sendall(loop_, fd, kept->data(), kept->size(), kept, detail::delete_string, made.receive()),
                  sink...);
    return made;
}
// The same with the caller's bytes, which must live until the future is done.
template <class... Sink>
future<void> loop_view::sock_sendall(int fd, const void *data, std::size_t size, Sink &...sink) const
    noexcept(detail::quiet<Sink...>) {
    future<void> made;
    detail::check(loop_sock_sendall(loop_, fd, data, size, nullptr, nullptr, made.receive()), sink...);
    return made;
}
// Sends one datagram: how many bytes.
template <class... Sink>
future<std::size_t> loop_view::sock_sendto(int fd, std::string data, const socket_address &address, Sink &...sink) const {
    future<std::size_t> made;
    auto *kept = new std::string(std::move(data));
    detail::check(loop_sock_sendto(loop_, fd, kept->data(), kept->size(), kept, detail::delete_string, address.data(),
                                   address.size(), made.receive()),
                  sink...);
    return made;
}
template <class... Sink>
future<accepted> loop_view::sock_accept(int fd, Sink &...sink) const noexcept(detail::quiet<Sink...>) {
    future<accepted> made;
    detail::check(loop_sock_accept(loop_, fd, made.receive()), sink...);
    return made;
}
template <class... Sink>
future<void> loop_view::sock_connect(int fd, const socket_address &address, Sink &...sink) const
    noexcept(detail::quiet<Sink...>) {
    future<void> made;
    detail::check(loop_sock_connect(loop_, fd, address.data(), address.size(), made.receive()), sink...);
    return made;
}
// Sends `count` bytes of a file from `offset` on, -1: all: how many.
template <class... Sink>
future<std::size_t> loop_view::sock_sendfile(int fd, int file_fd, std::int64_t offset, std::int64_t count, Sink &...sink) const
    noexcept(detail::quiet<Sink...>) {
    future<std::size_t> made;
    detail::check(loop_sock_sendfile(loop_, fd, file_fd, offset, count, made.receive()), sink...);
    return made;
}

} // namespace coloop
