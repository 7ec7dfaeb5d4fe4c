/* An echo server on TCP, and a client that talks to it, on one loop.
 *
 * Output:
 * client: hello
 * client: the connection has ended
 * 1 connection was served
 */
#include <coloop.hpp>

#include <iostream>
#include <memory>
#include <string>

#include <netinet/in.h>

// One connection of the server: asyncio's Protocol.
class echo : public coloop::protocol {
public:
    explicit echo(int &served) : served_(served) {}

    void connection_made(coloop::transport_view made) override { transport_ = made; }
    void data_received(std::string_view data) override { transport_.write(data); }
    void connection_lost(std::error_code, const char *) override { ++served_; }

private:
    coloop::transport_view transport_;
    int &served_;
};

class client : public coloop::protocol {
public:
    explicit client(coloop::future<void> ended) : ended_(std::move(ended)) {}

    void connection_made(coloop::transport_view made) override {
        transport_ = made;
        transport_.write("hello");
    }
    void data_received(std::string_view data) override {
        received_ += data; // it may come in parts
        if (received_ != "hello") return;
        std::cout << "client: " << received_ << '\n';
        transport_.close();
    }
    void connection_lost(std::error_code, const char *) override {
        std::cout << "client: the connection has ended\n";
        ended_.set_result();
    }

private:
    coloop::transport_view transport_;
    coloop::future<void> ended_;
    std::string received_;
};

int main() {
    coloop::loop loop;
    int served = 0;
    const coloop::server_options options("127.0.0.1"); // the system chooses a port
    const coloop::server server =
        loop.run_until_complete(loop.create_server(options, [&] { return std::make_unique<echo>(served); }));
    const auto port = ntohs(server.get_address(0).as<sockaddr_in>().sin_port);

    const auto ended = loop.create_future<void>();
    loop.run_until_complete(loop.create_connection({"127.0.0.1", port}, std::make_unique<client>(ended.clone())));
    loop.run_until_complete(ended);

    server.close();
    loop.run_until_complete(server.wait_closed());
    std::cout << served << " connection was served\n";
}
