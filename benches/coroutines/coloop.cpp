// coloop/task.hpp. One read buffer for all connections, as in asio.cpp.
#include "scenarios.hpp"

#include <coloop/task.hpp>

#include <vector>

namespace {

coloop::task<> hops(std::uint64_t count) {
    while (count-- > 0) co_await coloop::schedule();
}

coloop::task<std::uint64_t> same(std::uint64_t number) { co_return number; }

coloop::task<std::uint64_t> calls(std::uint64_t count) {
    std::uint64_t sum = 0;
    for (std::uint64_t i = 0; i < count; ++i) sum += co_await same(i);
    co_return sum;
}

coloop::task<> all_hops(std::uint64_t count, std::uint64_t width) {
    std::vector<coloop::task_handle<void>> started;
    for (std::uint64_t i = 0; i < width; ++i) started.push_back(coloop::create_task(hops(count / width)));
    for (auto &each : started) co_await each;
}

coloop::task<> echo(coloop::stream peer, char *inbox, int (*received)(std::size_t)) {
    const auto loop = co_await coloop::this_loop();
    while (const std::size_t length = co_await peer.read_some(inbox, chunk)) {
        peer.write({inbox, length});
        if (received(length)) loop.stop();
    }
}

} // namespace

void b_co_hop(std::uint64_t count, std::uint64_t width) { coloop::run(all_hops(count, width)); }

std::uint64_t b_co_call(std::uint64_t count) { return coloop::run(calls(count)); }

void b_co_serve(int listener, int (*received)(std::size_t)) {
    auto &loop = *new coloop::loop; // what is open in it is left to the end of the process
    std::vector<char> inbox(chunk);
    coloop::server_options options;
    options.backlog = 1024;
    options.fds = &listener;
    options.fd_count = 1;
    const auto server = coloop::start_server(
        loop, [&](coloop::stream peer) { return echo(std::move(peer), inbox.data(), received); }, options);
    loop.run_forever();
}
