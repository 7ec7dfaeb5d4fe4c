/* An echo server of coroutines: each connection is one, and so is each client. A client that
 * says nothing for too long is left; Ctrl-C or a SIGTERM, here its own, ends the server.
 *
 * Output:
 * the silent client was left
 * client 1 heard: one
 * client 2 heard: two
 * stopped by SIGTERM
 */
#include <coloop/task.hpp>

#include <chrono>
#include <csignal>
#include <iostream>
#include <string>

#include <netinet/in.h>

using namespace std::chrono_literals;

coloop::task<> echo(coloop::stream peer) {
    for (;;) {
        std::string line;
        try {
            line = co_await coloop::wait_for(peer.readline(), 200ms);
        } catch (const coloop::error &error) {
            if (error.code() != std::errc::timed_out) throw;
        }
        if (line.empty()) co_return; // the peer ended, or is too slow; the stream closes itself
        peer.write(line);
        co_await peer.drain(); // a peer that reads slowly slows only itself down
    }
}

coloop::task<std::string> ask(std::uint16_t port, std::string line) {
    coloop::stream peer = co_await coloop::open_connection("127.0.0.1", port);
    peer.write(line + "\n");
    co_return co_await peer.readline();
}

coloop::task<> wait_to_be_left(std::uint16_t port) {
    coloop::stream peer = co_await coloop::open_connection("127.0.0.1", port);
    co_await peer.read_all();
    std::cout << "the silent client was left\n";
}

coloop::task<> serve() {
    coloop::signal_set stop{SIGINT, SIGTERM};
    coloop::server server = co_await coloop::start_server(echo, coloop::server_options("127.0.0.1"));
    const auto port = ntohs(server.get_address(0).as<sockaddr_in>().sin_port);

    const auto [one, two, left] = co_await coloop::gather(ask(port, "one"), ask(port, "two"), wait_to_be_left(port));
    (void)left;
    std::cout << "client 1 heard: " << one << "client 2 heard: " << two;

    std::raise(SIGTERM);
    if (co_await stop.next() == SIGTERM) std::cout << "stopped by SIGTERM\n";
    server.close();
    co_await server.wait_closed();
}

int main() { coloop::run(serve()); }
