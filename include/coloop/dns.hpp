// SPDX-License-Identifier: Apache-2.0 OR MIT
//
// Names: asyncio's getaddrinfo and getnameinfo.
#pragma once

#include "address.hpp"
#include "combine.hpp"

namespace coloop {

struct addrinfo_hints : loop_addrinfo_hints_t {
    addrinfo_hints() noexcept : loop_addrinfo_hints_t{} { size = sizeof(loop_addrinfo_hints_t); }
};

// The addresses that were found: a range of loop_addrinfo_t.
class addresses {
public:
    addresses() noexcept = default;
    addresses(loop_future_t *future, void *) noexcept : owner_(owner::from_capi(loop_future_ref(future))) {
        if (loop_getaddrinfo_result(future, &entries_, &count_) < 0) count_ = 0;
    }
    std::size_t size() const noexcept { return count_; }
    const loop_addrinfo_t *begin() const noexcept { return entries_; }
    const loop_addrinfo_t *end() const noexcept { return entries_ + count_; }
    const loop_addrinfo_t &operator[](std::size_t index) const noexcept { return entries_[index]; }

private:
    using owner = future<void *>;
    owner owner_;
    const loop_addrinfo_t *entries_ = nullptr;
    std::size_t count_ = 0;
};

// A name and a service, as texts.
class name_info {
public:
    name_info() noexcept = default;
    name_info(loop_future_t *future, void *) noexcept : owner_(owner::from_capi(loop_future_ref(future))) {
        if (loop_getnameinfo_result(future, &host_, &service_) < 0) host_ = service_ = "";
    }
    const char *host() const noexcept { return host_; }
    const char *service() const noexcept { return service_; }

private:
    using owner = future<void *>;
    owner owner_;
    const char *host_ = "";
    const char *service_ = "";
};

template <> struct result_traits<addresses> : detail::owning_result<addresses> {};
template <> struct result_traits<name_info> : detail::owning_result<name_info> {};

// Looks up a host (NULL: this one) and a service (a name, a number as text, or NULL).
// asyncio: loop.getaddrinfo().
template <class... Sink>
future<addresses> loop_view::getaddrinfo(const char *host, const char *service, const addrinfo_hints &hints,
                                         nanoseconds timeout, Sink &...sink) const noexcept(detail::quiet<Sink...>) {
    future<addresses> made;
    detail::check(loop_getaddrinfo(loop_, host, service, &hints, detail::to_timeout(timeout), made.receive()), sink...);
    return made;
}
#if COLOOP_EXCEPTIONS
inline future<addresses> loop_view::getaddrinfo(const char *host, const char *service) const {
    return getaddrinfo(host, service, addrinfo_hints(), no_timeout);
}
#endif

// Looks up the name and the service of an address, with flags NI_... .
// asyncio: loop.getnameinfo().
template <class... Sink>
future<name_info> loop_view::getnameinfo(const socket_address &address, int flags, nanoseconds timeout,
                                         Sink &...sink) const noexcept(detail::quiet<Sink...>) {
    future<name_info> made;
    detail::check(loop_getnameinfo(loop_, address.data(), address.size(), flags, detail::to_timeout(timeout), made.receive()),
                  sink...);
    return made;
}

} // namespace coloop
