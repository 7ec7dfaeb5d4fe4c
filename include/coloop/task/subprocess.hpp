// SPDX-License-Identifier: Apache-2.0 OR MIT
//
// Programs for coroutines: asyncio's create_subprocess_exec, create_subprocess_shell, Process.
//
//     using namespace coloop::stdio;
//     auto sort = coloop::create_subprocess_exec({"sort"}, {pipe(), pipe(), inherit()});
//     auto sorted = co_await sort.communicate("b\na\n"); // sorted.out, sorted.returncode
#pragma once

#include "../policy.hpp"
#include "../process.hpp"
#include "gather.hpp"
#include "stream_open.hpp"

#include <unistd.h>

namespace coloop {

// What a program wrote, and how it ended: its exit status, or the negative number of the
// signal that ended it.
struct process_output {
    std::string out;
    std::string err;
    int returncode = 0;
};

namespace detail {

// A program that does not want all of it is no error.
inline task<> feed(shared_stream in, std::string input) {
    try {
        in->throw_if_broken();
        if (!input.empty()) in->get_transport().write_owned(std::move(input));
        co_await stream_drain(in);
    } catch (const error &broken) {
        if (broken.number() != -EPIPE && broken.number() != -ECONNRESET) throw;
    }
    in->close();
}

inline task<process_output> communicate(process own, shared_stream in, shared_stream out, shared_stream err, std::string input) {
    const auto fed = [](shared_stream to, std::string given) -> task<> {
        if (to) co_await feed(std::move(to), std::move(given));
    };
    const auto all_of = [](shared_stream from) -> task<std::string> {
        if (!from) co_return std::string();
        co_return co_await read_all(std::move(from));
    };
    auto [fed_all, printed, complained] =
        co_await gather(fed(std::move(in), std::move(input)), all_of(std::move(out)), all_of(std::move(err)));
    (void)fed_all;
    const int status = co_await own.wait();
    co_return process_output{std::move(printed), std::move(complained), status};
}

} // namespace detail

// A program that was started: its process, and a stream for each standard stream that is a
// pipe. Its end closes the streams; the program goes on. Move-only.
class subprocess : public process {
public:
    stream in;
    stream out;
    stream err;

    subprocess() noexcept = default; // none

    // Sends `input` to standard input and closes that, reads both outputs to their ends, all
    // at the same time, and waits for the end of the program. All output is kept in memory.
    // When it is cancelled the program goes on, and what it wrote can still be read, also by
    // another communicate().
    task<process_output> communicate(std::string input = {}) const {
        if (!input.empty() && !in) throw error(LOOP_EINVAL, "standard input is no pipe");
        return detail::communicate(clone(), in.protocol_, out.protocol_, err.protocol_, std::move(input));
    }

    // From a process that was started without a protocol, with these options.
    subprocess(process &&started, const subprocess_options &options, std::size_t limit = stream::default_limit)
        : process(std::move(started)) {
        const auto take = [&](int number, auto connect) {
            if (options.stdio[number].kind != LOOP_STDIO_PIPE) return stream();
            const int fd = take_pipe_fd(number);
            try {
                return connect(fd);
            } catch (...) {
                ::close(fd);
                throw;
            }
        };
        try {
            in = take(0, [&](int fd) { return connect_write_pipe(get_loop(), fd); });
            out = take(1, [&](int fd) { return connect_read_pipe(get_loop(), fd, limit); });
            err = take(2, [&](int fd) { return connect_read_pipe(get_loop(), fd, limit); });
        } catch (...) {
            std::error_code ignored;
            process::close(ignored); // nobody would know of the program
            throw;
        }
    }
};

// Starts a program, at once: its name and its arguments. `limit`: of the streams, see
// stream_open.hpp. asyncio: create_subprocess_exec().
inline subprocess create_subprocess_exec(loop_view loop, const std::vector<std::string> &arguments,
                                         const subprocess_options &options = {}, std::size_t limit = stream::default_limit) {
    return subprocess(loop.subprocess_exec(arguments, options), options, limit);
}
// The same for "/bin/sh -c command". asyncio: create_subprocess_shell().
inline subprocess create_subprocess_shell(loop_view loop, const char *command, const subprocess_options &options = {},
                                          std::size_t limit = stream::default_limit) {
    return subprocess(loop.subprocess_shell(command, options), options, limit);
}
// Both on the running loop.
inline subprocess create_subprocess_exec(const std::vector<std::string> &arguments, const subprocess_options &options = {},
                                         std::size_t limit = stream::default_limit) {
    return create_subprocess_exec(get_running_loop(), arguments, options, limit);
}
inline subprocess create_subprocess_shell(const char *command, const subprocess_options &options = {},
                                          std::size_t limit = stream::default_limit) {
    return create_subprocess_shell(get_running_loop(), command, options, limit);
}

} // namespace coloop
