// Runs programs that feed a stream and read it, one for each line of standard input, and
// prints what every reading gave and after how much was fed; stream_oracle.py does the same
// with asyncio's StreamReader.
//
//     10 l;x3 ab+/c.        limit, readings, what is fed piece by piece
//
// Readings: l readline, u... readuntil, x3 readexactly, r3 read, s3 read_some, a read_all.
// '/' stands for a line's end, '.' behind the pieces for the stream's.
#include <coloop/task.hpp>

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <sstream>
#include <vector>

#include <sys/socket.h>

using namespace coloop;

namespace {

std::string with(char from, char to, std::string text) {
    std::replace(text.begin(), text.end(), from, to);
    return text;
}

std::vector<std::string> split(const std::string &text, char at) {
    std::vector<std::string> parts;
    std::istringstream rest(text);
    for (std::string part; std::getline(rest, part, at);) parts.push_back(part);
    return parts;
}

task<std::string> read_once(const stream &from, const std::string &reading) {
    const std::string rest = reading.substr(1);
    const auto size = [&] { return std::stoul(rest); };
    switch (reading[0]) {
    case 'l': co_return co_await from.readline();
    case 'u': co_return co_await from.readuntil(with('/', '\n', rest));
    case 'x': co_return co_await from.readexactly(size());
    case 'r': co_return co_await from.read(size());
    case 'a': co_return co_await from.read_all();
    case 's': {
        std::string data(size(), '\0');
        data.resize(co_await from.read_some(data.data(), data.size()));
        co_return data;
    }
    }
    throw std::invalid_argument(reading);
}

task<> read_all_ways(const stream &from, const std::vector<std::string> &readings, const int &fed) {
    for (const std::string &reading : readings) {
        std::string result;
        try {
            result = co_await read_once(from, reading);
        } catch (const incomplete_read_error &end) {
            result = "incomplete " + end.partial();
        } catch (const limit_overrun_error &overrun) {
            result = "overrun";
            if (reading[0] != 'l') result += " " + std::to_string(overrun.consumed());
        }
        std::cout << fed << ' ' << reading << ' ' << with('\n', '/', result) << '\n';
    }
}

task<> run_program(std::size_t limit, const std::vector<std::string> &readings, std::string pieces) {
    int fds[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) != 0) std::abort();
    const loop_view loop = co_await this_loop();
    const stream other = connect_accepted_socket(loop, fds[1]); // says nothing: the bytes come from here
    const auto protocol = std::make_shared<detail::stream_protocol>(limit);
    protocol->attach(loop.connect_accepted_socket(fds[0], protocol));
    const stream own(protocol);
    int fed = 0;
    const auto turns = []() -> task<> {
        for (int i = 0; i < 5; ++i) co_await schedule();
    };
    auto reading = create_task(read_all_ways(own, readings, fed));
    co_await turns();
    const bool ends = !pieces.empty() && pieces.back() == '.';
    if (ends) pieces.pop_back();
    for (const std::string &piece : split(pieces, '+')) {
        const std::string data = with('/', '\n', piece);
        ++fed;
        for (std::size_t at = 0; at < data.size();) {
            const buffer place = protocol->get_buffer(1024);
            const std::size_t size = std::min(place.size, data.size() - at);
            std::copy_n(data.data() + at, size, static_cast<char *>(place.data));
            protocol->buffer_updated(size);
            at += size;
        }
        co_await turns();
    }
    if (ends) protocol->eof_received();
    co_await turns();
    reading.cancel();
    co_await gather(return_exceptions, [](auto given) -> task<> { co_await given; }(std::move(reading)));
    std::cout << (own.at_eof() ? "at end\n" : "not at end\n");
}

} // namespace

int main() {
    std::string limit, readings, pieces;
    while (std::cin >> limit >> readings >> pieces) run(run_program(std::stoul(limit), split(readings, ';'), pieces));
}
