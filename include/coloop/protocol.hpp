// SPDX-License-Identifier: Apache-2.0 OR MIT
//
// Protocols: what a transport calls. asyncio's Protocol, BufferedProtocol, DatagramProtocol.
//
// All methods run on the loop's thread. What one of them throws leaves the run (see
// exception.hpp); where bytes were lost by it the connection ends with that failure, too.
#pragma once

#include "address.hpp"
#include "callback.hpp"

#include <memory>
#include <string_view>

namespace coloop {

class transport_view;
class buffered_protocol;

// What both kinds of transports tell.
class base_protocol {
public:
    virtual ~base_protocol() = default;
    // Ready; the pointer is good until connection_lost returned. First call, and only once.
    virtual void connection_made(transport_view transport);
    // More than the high-water mark waits to be sent: write no more.
    virtual void pause_writing() {}
    virtual void resume_writing() {}
    // The end; last call, and only once. Without an error: closed by this side or the peer.
    // `message` tells more than the code, or is NULL.
    virtual void connection_lost(std::error_code reason, const char *message) { (void)reason, (void)message; }

protected:
    base_protocol() = default;
    base_protocol(const base_protocol &) = default;
    base_protocol &operator=(const base_protocol &) = default;
};

// Of streams.
class protocol : public base_protocol {
public:
    // Bytes came; borrowed for the call.
    virtual void data_received(std::string_view data) { (void)data; }
    // The peer sends no more. True: the transport stays open for writing.
    virtual bool eof_received() { return false; }

    // Itself, if it is one that receives in memory of its own.
    virtual buffered_protocol *buffered() noexcept { return nullptr; }
};

// Memory that bytes are to be received in.
struct buffer {
    void *data = nullptr;
    std::size_t size = 0;
};

// Of streams, receiving in memory of its own: data_received is not called.
class buffered_protocol : public protocol {
public:
    // Where the next bytes go: at least one, in place until buffer_updated. `hint` is how many
    // are of use.
    virtual buffer get_buffer(std::size_t hint) = 0;
    // So many came.
    virtual void buffer_updated(std::size_t size) = 0;

    buffered_protocol *buffered() noexcept final { return this; }
};

// Of datagrams.
class datagram_protocol : public base_protocol {
public:
    // A datagram, and from whom, if it says.
    virtual void datagram_received(std::string_view data, const socket_address &sender) { (void)data, (void)sender; }
    // Sending or receiving failed; the transport goes on.
    virtual void error_received(std::error_code reason) { (void)reason; }
};

namespace detail {

// How a protocol stands behind user data: owned, or shared.
template <class Base, class Pointer> struct held;

template <class Base, class Protocol> struct held<Base, std::unique_ptr<Protocol>> {
    static void *store(std::unique_ptr<Protocol> &&given) noexcept { return static_cast<Base *>(given.release()); }
    static Base &get(void *data) noexcept { return *static_cast<Base *>(data); }
    static void destroy(void *data) noexcept { delete static_cast<Base *>(data); }
};

template <class Base, class Protocol> struct held<Base, std::shared_ptr<Protocol>> {
    static void *store(std::shared_ptr<Base> given) { return new std::shared_ptr<Base>(std::move(given)); }
    static Base &get(void *data) noexcept { return **static_cast<std::shared_ptr<Base> *>(data); }
    static void destroy(void *data) noexcept { delete static_cast<std::shared_ptr<Base> *>(data); }
};

// What a protocol's method throws while it receives ends the connection.
template <class Body> void receiving(loop_transport_t *transport, Body &&body) noexcept {
#if COLOOP_EXCEPTIONS
    try {
        body();
    } catch (...) {
        describe(std::current_exception(),
                 [transport](described failure) { loop_transport_fail(transport, failure.code, failure.text); });
        callback_threw(loop_transport_get_loop(transport));
    }
#else
    (void)transport;
    body();
#endif
}

// The functions that all protocols have.
template <class Held> struct base_calls {
    template <class Body> static void call(loop_transport_t *transport, Body &&body) noexcept {
        guarded(loop_transport_get_loop(transport), std::forward<Body>(body));
    }
    static void connection_made(loop_transport_t *transport, void *data) noexcept {
        call(transport, [&] { Held::get(data).connection_made(transport); });
    }
    static void pause_writing(loop_transport_t *transport, void *data) noexcept {
        call(transport, [data] { Held::get(data).pause_writing(); });
    }
    static void resume_writing(loop_transport_t *transport, void *data) noexcept {
        call(transport, [data] { Held::get(data).resume_writing(); });
    }
    static void connection_lost(loop_transport_t *transport, int code, const char *message, void *data) noexcept {
        call(transport, [&] { Held::get(data).connection_lost(make_error_code(code), message); });
    }
    template <class Table> static void fill(Table &table) noexcept {
        table.size = sizeof table;
        table.connection_made = connection_made;
        table.pause_writing = pause_writing;
        table.resume_writing = resume_writing;
        table.connection_lost = connection_lost;
    }
};

template <class Held> struct stream_calls : base_calls<Held> {
    static void data_received(loop_transport_t *transport, const void *bytes, std::size_t size, void *data) noexcept {
        receiving(transport, [&] { Held::get(data).data_received({static_cast<const char *>(bytes), size}); });
    }
    static int get_buffer(loop_transport_t *transport, std::size_t hint, void **ret_buffer, std::size_t *ret_size,
                          void *data) noexcept {
        int code = LOOP_EEXCEPTION;
        receiving(transport, [&] {
            const buffer given = Held::get(data).buffered()->get_buffer(hint);
            *ret_buffer = given.data;
            *ret_size = given.size;
            code = 0;
        });
        return code;
    }
    static void buffer_updated(loop_transport_t *transport, std::size_t size, void *data) noexcept {
        receiving(transport, [&] { Held::get(data).buffered()->buffer_updated(size); });
    }
    static int eof_received(loop_transport_t *transport, void *data) noexcept {
        bool stays = false;
        receiving(transport, [&] { stays = Held::get(data).eof_received(); });
        return stays;
    }
    static loop_protocol_t table(bool buffered) noexcept {
        loop_protocol_t table{};
        base_calls<Held>::fill(table);
        table.eof_received = eof_received;
        if (buffered) {
            table.get_buffer = get_buffer;
            table.buffer_updated = buffer_updated;
        } else {
            table.data_received = data_received;
        }
        return table;
    }
};

template <class Held> struct datagram_calls : base_calls<Held> {
    static void datagram_received(loop_transport_t *transport, const void *bytes, std::size_t size, const void *address,
                                  std::size_t address_size, void *data) noexcept {
        base_calls<Held>::call(transport, [&] {
            Held::get(data).datagram_received({static_cast<const char *>(bytes), size}, {address, address_size});
        });
    }
    static void error_received(loop_transport_t *transport, int code, void *data) noexcept {
        base_calls<Held>::call(transport, [&] { Held::get(data).error_received(make_error_code(code)); });
    }
    static loop_datagram_protocol_t table() noexcept {
        loop_datagram_protocol_t table{};
        base_calls<Held>::fill(table);
        table.datagram_received = datagram_received;
        table.error_received = error_received;
        return table;
    }
};

// Gives a protocol to a call of the library: call(functions, user data, destructor). A null
// pointer is refused.
template <class Pointer, class Call, class... Sink> int give_protocol(Pointer &&given, Call &&call, Sink &...sink) {
    static_assert(!std::is_lvalue_reference_v<Pointer> || std::is_copy_constructible_v<std::decay_t<Pointer>>,
                  "a std::unique_ptr to a protocol must be moved");
    using pointer = std::decay_t<Pointer>;
    using held = detail::held<protocol, pointer>;
    if (!given) return check(call(nullptr, nullptr, nullptr), sink...);
    const loop_protocol_t table = stream_calls<held>::table(given->buffered() != nullptr);
    return check(call(&table, held::store(pointer(std::forward<Pointer>(given))), loop_destroy_t(held::destroy)), sink...);
}
template <class Pointer, class Call, class... Sink> int give_datagram_protocol(Pointer &&given, Call &&call, Sink &...sink) {
    using pointer = std::decay_t<Pointer>;
    using held = detail::held<datagram_protocol, pointer>;
    if (!given) return check(call(nullptr, nullptr, nullptr), sink...);
    const loop_datagram_protocol_t table = datagram_calls<held>::table();
    return check(call(&table, held::store(pointer(std::forward<Pointer>(given))), loop_destroy_t(held::destroy)), sink...);
}

// A protocol, or what a factory makes of it.
template <class Given> auto made_protocol(Given &&given) {
    if constexpr (std::is_invocable_v<Given &>)
        return given();
    else
        return std::decay_t<Given>(std::forward<Given>(given));
}

} // namespace detail
} // namespace coloop

#include "transport.hpp" // what connection_made is given
