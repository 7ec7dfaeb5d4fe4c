// SPDX-License-Identifier: Apache-2.0 OR MIT
//
// Programs, and the end of children: asyncio's SubprocessTransport and SubprocessProtocol.
#pragma once

#include "transport.hpp"

#include <string>

namespace coloop {

// Where a standard stream of a program leads.
namespace stdio {
inline loop_stdio_t inherit() noexcept { return {LOOP_STDIO_INHERIT, 0}; }
inline loop_stdio_t pipe() noexcept { return {LOOP_STDIO_PIPE, 0}; }
inline loop_stdio_t devnull() noexcept { return {LOOP_STDIO_DEVNULL, 0}; }
inline loop_stdio_t to_stdout() noexcept { return {LOOP_STDIO_STDOUT, 0}; } // standard error only
inline loop_stdio_t to_fd(int fd) noexcept { return {LOOP_STDIO_FD, fd}; }
} // namespace stdio

// How to start a program: change what you want but argv, which comes from the call.
struct subprocess_options : loop_subprocess_options_t {
    subprocess_options() noexcept : loop_subprocess_options_t{} { size = sizeof(loop_subprocess_options_t); }
    subprocess_options(loop_stdio_t in, loop_stdio_t out, loop_stdio_t err) noexcept : subprocess_options() {
        this->stdio[0] = in;
        this->stdio[1] = out;
        this->stdio[2] = err;
    }
};

// A program that was started, with a reference; it goes on without. Move-only.
// asyncio: SubprocessTransport.
class process {
public:
    process() noexcept = default;
    process(process &&other) noexcept : process_(other.release()) {}
    process &operator=(process &&other) noexcept {
        process taken(std::move(other));
        std::swap(process_, taken.process_);
        return *this;
    }
    ~process() { loop_process_unref(process_); }

    // Takes over a reference.
    static process from_capi(loop_process_t *given) noexcept {
        process made;
        made.process_ = given;
        return made;
    }
    process clone() const noexcept { return from_capi(loop_process_ref(process_)); }
    loop_process_t *capi() const noexcept { return process_; }
    loop_process_t *release() noexcept { return std::exchange(process_, nullptr); }
    explicit operator bool() const noexcept { return process_ != nullptr; }
    loop_view get_loop() const noexcept { return process_ ? loop_process_get_loop(process_) : nullptr; }

    template <class... Sink> int pid(Sink &...sink) const noexcept(detail::quiet<Sink...>) {
        return detail::check(loop_process_pid(process_), sink...);
    }
    // Its exit status, or the negative number of the signal that ended it; none while it runs.
    template <class... Sink> std::optional<int> returncode(Sink &...sink) const noexcept(detail::quiet<Sink...>) {
        int status = 0;
        const int code = loop_process_returncode(process_, &status);
        if (detail::check(code == LOOP_EINVALID_STATE ? 1 : code, sink...) != 0) return std::nullopt;
        return status;
    }
    // The same once it has ended. Cancelling it does nothing to the process.
    template <class... Sink> future<int> wait(Sink &...sink) const noexcept(detail::quiet<Sink...>) {
        future<int> made;
        detail::check(loop_process_wait(process_, made.receive()), sink...);
        return made;
    }
    template <class... Sink> void send_signal(int signum, Sink &...sink) const noexcept(detail::quiet<Sink...>) {
        detail::check(loop_process_send_signal(process_, signum), sink...);
    }
    template <class... Sink> void terminate(Sink &...sink) const noexcept(detail::quiet<Sink...>) {
        detail::check(loop_process_terminate(process_), sink...);
    }
    template <class... Sink> void kill(Sink &...sink) const noexcept(detail::quiet<Sink...>) {
        detail::check(loop_process_kill(process_), sink...);
    }
    // Closes the pipes that nobody took, and kills it if it still runs.
    template <class... Sink> void close(Sink &...sink) const noexcept(detail::quiet<Sink...>) {
        detail::check(loop_process_close(process_), sink...);
    }
    // Our end of the pipe to standard stream 0, 1 or 2, which stays the process's.
    template <class... Sink> int get_pipe_fd(int stream, Sink &...sink) const noexcept(detail::quiet<Sink...>) {
        return detail::check(loop_process_get_pipe_fd(process_, stream), sink...);
    }
    // The same, and the caller closes it.
    template <class... Sink> int take_pipe_fd(int stream, Sink &...sink) const noexcept(detail::quiet<Sink...>) {
        return detail::check(loop_process_take_pipe_fd(process_, stream), sink...);
    }
    // The transport to a standard stream of a process with a protocol; empty if there is none.
    transport_view get_pipe_transport(int stream) const noexcept {
        return loop_process_get_pipe_transport(process_, stream);
    }

private:
    loop_process_t *process_ = nullptr;
};

// What a process tells. `process` is a reference for the call; clone it to keep it.
// asyncio: SubprocessProtocol.
class process_protocol {
public:
    virtual ~process_protocol() = default;
    virtual void connection_made(const process &) {}
    // Bytes of standard stream 1 or 2; borrowed for the call.
    virtual void pipe_data_received(const process &, int fd, std::string_view data) { (void)fd, (void)data; }
    // The pipe to standard stream `fd` ended.
    virtual void pipe_connection_lost(const process &, int fd, std::error_code reason) { (void)fd, (void)reason; }
    virtual void process_exited(const process &) {}
    // The process and all of its pipes ended.
    virtual void connection_lost(const process &) {}
    // More waits to be sent to standard input than the high-water mark: write no more.
    virtual void pause_writing(const process &) {}
    virtual void resume_writing(const process &) {}

protected:
    process_protocol() = default;
    process_protocol(const process_protocol &) = default;
    process_protocol &operator=(const process_protocol &) = default;
};

namespace detail {

template <class Held> struct process_calls {
    template <class Body> static void call(loop_process_t *given, Body &&body) noexcept {
        guarded(loop_process_get_loop(given), [&] { body(process::from_capi(loop_process_ref(given))); });
    }
    static loop_process_protocol_t table() noexcept {
        loop_process_protocol_t table{};
        table.size = sizeof table;
        table.connection_made = [](loop_process_t *given, void *data) noexcept {
            call(given, [data](const process &now) { Held::get(data).connection_made(now); });
        };
        table.pipe_data_received = [](loop_process_t *given, int fd, const void *bytes, std::size_t size,
                                      void *data) noexcept {
            call(given, [&](const process &now) {
                Held::get(data).pipe_data_received(now, fd, {static_cast<const char *>(bytes), size});
            });
        };
        table.pipe_connection_lost = [](loop_process_t *given, int fd, int code, const char *, void *data) noexcept {
            call(given, [&](const process &now) { Held::get(data).pipe_connection_lost(now, fd, make_error_code(code)); });
        };
        table.process_exited = [](loop_process_t *given, void *data) noexcept {
            call(given, [data](const process &now) { Held::get(data).process_exited(now); });
        };
        table.connection_lost = [](loop_process_t *given, int, const char *, void *data) noexcept {
            call(given, [data](const process &now) { Held::get(data).connection_lost(now); });
        };
        table.pause_writing = [](loop_process_t *given, void *data) noexcept {
            call(given, [data](const process &now) { Held::get(data).pause_writing(now); });
        };
        table.resume_writing = [](loop_process_t *given, void *data) noexcept {
            call(given, [data](const process &now) { Held::get(data).resume_writing(now); });
        };
        return table;
    }
};

// Starts a program: start(functions, user data, destructor, process) with a protocol.
template <class Pointer, class Start, class... Sink> process start_process(Pointer &&given, Start &&start, Sink &...sink) {
    using pointer = std::decay_t<Pointer>;
    using held = detail::held<process_protocol, pointer>;
    loop_process_t *made = nullptr;
    const loop_process_protocol_t table = process_calls<held>::table();
    void *const data = given ? held::store(pointer(std::forward<Pointer>(given))) : nullptr;
    check(start(data ? &table : nullptr, data, data ? loop_destroy_t(held::destroy) : nullptr, &made), sink...);
    return process::from_capi(made);
}

// A list of texts as the library takes it, ended by NULL.
inline std::vector<const char *> argument_list(const std::vector<std::string> &arguments) {
    std::vector<const char *> list;
    list.reserve(arguments.size() + 1);
    for (const std::string &argument : arguments) list.push_back(argument.c_str());
    list.push_back(nullptr);
    return list;
}

} // namespace detail

// Starts a program: its name and its arguments. asyncio: create_subprocess_exec().
template <class... Sink, class>
process loop_view::subprocess_exec(const std::vector<std::string> &arguments, const subprocess_options &options,
                                   Sink &...sink) const {
    const auto list = detail::argument_list(arguments);
    subprocess_options whole = options;
    whole.argv = list.data();
    loop_process_t *made = nullptr;
    detail::check(loop_subprocess_exec(loop_, &whole, &made), sink...);
    return process::from_capi(made);
}
// The same with a protocol, as a std::unique_ptr or std::shared_ptr. Its pipes are transports.
// asyncio: loop.subprocess_exec().
template <class Pointer, class... Sink, class>
process loop_view::subprocess_exec(const std::vector<std::string> &arguments, const subprocess_options &options,
                                   Pointer &&given, Sink &...sink) const {
    const auto list = detail::argument_list(arguments);
    subprocess_options whole = options;
    whole.argv = list.data();
    return detail::start_process(
        std::forward<Pointer>(given),
        [&](auto... protocol) { return loop_subprocess_exec_protocol(loop_, &whole, protocol...); }, sink...);
}
// Both for "/bin/sh -c command". asyncio: loop.subprocess_shell().
template <class... Sink, class>
process loop_view::subprocess_shell(const char *command, const subprocess_options &options, Sink &...sink) const {
    loop_process_t *made = nullptr;
    detail::check(loop_subprocess_shell(loop_, command, &options, &made), sink...);
    return process::from_capi(made);
}
template <class Pointer, class... Sink, class>
process loop_view::subprocess_shell(const char *command, const subprocess_options &options, Pointer &&given,
                                    Sink &...sink) const {
    return detail::start_process(
        std::forward<Pointer>(given),
        [&](auto... protocol) { return loop_subprocess_shell_protocol(loop_, command, &options, protocol...); }, sink...);
}

// Calls `callback(pid, returncode)` once, in the loop, when the process has ended, and takes
// its status from the system.
template <class Callback, class... Sink>
void loop_view::watch_child(int pid, Callback &&callback, Sink &...sink) const {
    using data = detail::user_data<Callback, int, int>;
    const loop_child_callback_t function = [](int ended, int returncode, void *given) noexcept {
        detail::guarded(nullptr, [&] { (void)data::call(given, ended, returncode); });
    };
    detail::give<data>(std::forward<Callback>(callback), function,
                       [&](auto... given) { return loop_watch_child(loop_, pid, given...); }, sink...);
}
// True if there was a watch.
template <class... Sink> bool loop_view::unwatch_child(int pid, Sink &...sink) const noexcept(detail::quiet<Sink...>) {
    return detail::check(loop_unwatch_child(loop_, pid), sink...) == 1;
}

} // namespace coloop
