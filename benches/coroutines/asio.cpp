// Boost.Asio: co_spawn and awaitable.
//
// In its fastest idiom: the executor is the context's own type, not any_io_executor; what is
// awaited is `deferred`, which needs no frame of its own as use_awaitable does; post is not
// given the executor, which the coroutine has anyway. One read buffer for all connections,
// since nothing is kept in it across an await. What was read is sent by a plain write_some on
// the non-blocking socket; only the rest is awaited.
#include "scenarios.hpp"

#define BOOST_ASIO_NO_DEPRECATED
#include <boost/asio.hpp>

#include <cstdlib>
#include <vector>

namespace asio = boost::asio;
using executor = asio::io_context::executor_type;
template <class T> using awaitable = asio::awaitable<T, executor>;
using tcp_socket = asio::basic_stream_socket<asio::ip::tcp, executor>;
using acceptor = asio::basic_socket_acceptor<asio::ip::tcp, executor>;
using asio::deferred;

namespace {

void spawned(std::exception_ptr failure) {
    if (failure) std::abort();
}

awaitable<void> hops(std::uint64_t count) {
    while (count-- > 0) co_await asio::post(deferred);
}

awaitable<std::uint64_t> same(std::uint64_t number) { co_return number; }

awaitable<void> calls(std::uint64_t count, std::uint64_t &sum) {
    for (std::uint64_t i = 0; i < count; ++i) sum += co_await same(i);
}

awaitable<void> echo(tcp_socket socket, char *inbox, int (*received)(std::size_t)) {
    socket.non_blocking(true);
    std::vector<char> unsent;
    for (;;) {
        const auto [failed, length] =
            co_await socket.async_read_some(asio::buffer(inbox, chunk), asio::as_tuple(deferred));
        if (failed) co_return;
        boost::system::error_code refused;
        const std::size_t sent = socket.write_some(asio::buffer(inbox, length), refused);
        if (sent < length) {
            if (refused && refused != asio::error::would_block) co_return;
            unsent.assign(inbox + sent, inbox + length);
            const auto [broken, rest] = co_await asio::async_write(socket, asio::buffer(unsent), asio::as_tuple(deferred));
            if (broken) co_return;
        }
        if (received(length)) socket.get_executor().context().stop();
    }
}

awaitable<void> accept_all(acceptor listener, char *inbox, int (*received)(std::size_t)) {
    // All that are there at a time: one for each wake-up, and the rest of a thousand would not
    // be served before the end.
    listener.non_blocking(true);
    for (;;) {
        co_await listener.async_wait(acceptor::wait_read, deferred);
        for (;;) {
            boost::system::error_code none;
            tcp_socket accepted = listener.accept(none);
            if (none) break;
            accepted.set_option(asio::ip::tcp::no_delay(true));
            asio::co_spawn(listener.get_executor(), echo(std::move(accepted), inbox, received), spawned);
        }
    }
}

} // namespace

void b_co_hop(std::uint64_t count, std::uint64_t width) {
    asio::io_context context(1);
    for (std::uint64_t i = 0; i < width; ++i)
        asio::co_spawn(context.get_executor(), hops(count / width), spawned);
    context.run();
}

std::uint64_t b_co_call(std::uint64_t count) {
    asio::io_context context(1);
    std::uint64_t sum = 0;
    asio::co_spawn(context.get_executor(), calls(count, sum), spawned);
    context.run();
    return sum;
}

void b_co_serve(int listener, int (*received)(std::size_t)) {
    asio::io_context context(1);
    std::vector<char> inbox(chunk);
    asio::co_spawn(context.get_executor(),
                   accept_all(acceptor(context, asio::ip::tcp::v4(), listener), inbox.data(), received), spawned);
    context.run();
}
