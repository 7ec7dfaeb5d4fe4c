// SPDX-License-Identifier: Apache-2.0 OR MIT
//
// Event loops: loop_view has the methods, loop owns one.
//
// Threads, close and fork are those of the C functions with the same names (coloop.h).
// Unless something else is said a call belongs to the loop's thread, or, while the loop
// does not run, to one thread at a time.
#pragma once

#include "callback.hpp"
#include "handle.hpp"
#include "result.hpp"
#include "time.hpp"

#include <optional>
#include <string>
#include <vector>

namespace coloop {

template <class T> class future;
template <class T> class concurrent_future;
class accepted;
class addresses;
class executor;
class name_info;
class process;
class received;
class server;
class socket_address;
class transport;
struct addrinfo_hints;
struct connection_options;
struct datagram_options;
struct server_options;
struct subprocess_options;
template <class T> class task;
template <class T> class task_handle;

// A loop that somebody else owns: as cheap to copy as a pointer, and as short-lived.
// Every method may be given a std::error_code as its last argument: see error.hpp.
class loop_view {
public:
    loop_view() noexcept = default;
    loop_view(loop_t *loop) noexcept : loop_(loop) {}

    loop_t *capi() const noexcept { return loop_; }
    explicit operator bool() const noexcept { return loop_ != nullptr; }
    friend bool operator==(loop_view a, loop_view b) noexcept { return a.loop_ == b.loop_; }
    friend bool operator!=(loop_view a, loop_view b) noexcept { return a.loop_ != b.loop_; }

    // Scheduling. The handle may be dropped: that cancels nothing.

    // Calls `callback` in the next turn, after all that was scheduled before.
    template <class Callback, class... Sink>
    handle call_soon(Callback &&callback, Sink &...sink) const noexcept(detail::quiet_give<Callback, Sink...>) {
        return schedule(std::forward<Callback>(callback), [this](auto... data) { return loop_call_soon(loop_, data...); },
                        sink...);
    }

    // The same from any thread; wakes the loop. Not in signal handlers: see wakeup().
    template <class Callback, class... Sink>
    handle call_soon_threadsafe(Callback &&callback, Sink &...sink) const
        noexcept(detail::quiet_give<Callback, Sink...>) {
        return schedule(std::forward<Callback>(callback),
                        [this](auto... data) { return loop_call_soon_threadsafe(loop_, data...); }, sink...);
    }

    // call_soon without a handle: the cheapest way to schedule.
    template <class Callback, class... Sink>
    void post(Callback &&callback, Sink &...sink) const noexcept(detail::quiet_give<Callback, Sink...>) {
        detail::give_callback(std::forward<Callback>(callback),
                              [this](auto... data) { return loop_call_soon(loop_, data..., nullptr); }, sink...);
    }

    // call_soon_threadsafe without a handle. Any thread.
    template <class Callback, class... Sink>
    void post_threadsafe(Callback &&callback, Sink &...sink) const noexcept(detail::quiet_give<Callback, Sink...>) {
        detail::give_callback(std::forward<Callback>(callback),
                              [this](auto... data) { return loop_call_soon_threadsafe(loop_, data..., nullptr); }, sink...);
    }

    // Calls `callback` once `delay` has passed, never earlier; 0 or less: in the next turn.
    template <class Rep, class Period, class Callback, class... Sink>
    handle call_later(std::chrono::duration<Rep, Period> delay, Callback &&callback, Sink &...sink) const
        noexcept(detail::quiet_give<Callback, Sink...>) {
        return schedule(std::forward<Callback>(callback),
                        [this, ns = detail::to_ns(delay)](auto... data) { return loop_call_later(loop_, ns, data...); },
                        sink...);
    }

    // Calls `callback` at `when` on the clock of time().
    template <class Callback, class... Sink>
    handle call_at(time_point when, Callback &&callback, Sink &...sink) const
        noexcept(detail::quiet_give<Callback, Sink...>) {
        return schedule(std::forward<Callback>(callback),
                        [this, ns = detail::to_when(when)](auto... data) { return loop_call_at(loop_, ns, data...); },
                        sink...);
    }

    // Wakes a loop that sleeps. Any thread, and signal handlers, with a std::error_code.
    template <class... Sink> void wakeup(Sink &...sink) const noexcept(detail::quiet<Sink...>) {
        detail::check(loop_wakeup(loop_), sink...);
    }

    // Descriptors.

    // Calls `callback` in every turn in which `fd` is readable, until it is removed. A reader
    // from before is replaced.
    template <class Callback, class... Sink>
    void add_reader(int fd, Callback &&callback, Sink &...sink) const noexcept(detail::quiet_give<Callback, Sink...>) {
        detail::give_callback(std::forward<Callback>(callback),
                              [this, fd](auto... data) { return loop_add_reader(loop_, fd, data...); }, sink...);
    }
    // True if there was one.
    template <class... Sink> bool remove_reader(int fd, Sink &...sink) const noexcept(detail::quiet<Sink...>) {
        return detail::check(loop_remove_reader(loop_, fd), sink...) == 1;
    }
    template <class Callback, class... Sink>
    void add_writer(int fd, Callback &&callback, Sink &...sink) const noexcept(detail::quiet_give<Callback, Sink...>) {
        detail::give_callback(std::forward<Callback>(callback),
                              [this, fd](auto... data) { return loop_add_writer(loop_, fd, data...); }, sink...);
    }
    template <class... Sink> bool remove_writer(int fd, Sink &...sink) const noexcept(detail::quiet<Sink...>) {
        return detail::check(loop_remove_writer(loop_, fd), sink...) == 1;
    }

    // Runs. Each throws what a callback of these headers threw inside, also with a
    // std::error_code.

    // Runs the loop in this thread until it is stopped: 0, or the code of interrupt().
    template <class... Sink> int run_forever(Sink &...sink) const {
        return detail::run(loop_, [this] { return loop_run_forever(loop_); }, sink...);
    }
    // One turn, waiting at most `timeout`: how many callbacks were taken.
    template <class Rep, class Period, class... Sink>
    int run_once(std::chrono::duration<Rep, Period> timeout, Sink &...sink) const {
        return detail::run(loop_, [&] { return loop_run_once(loop_, detail::to_timeout(timeout)); }, sink...);
    }
    // Ends the run after the present turn.
    template <class... Sink> void stop(Sink &...sink) const noexcept(detail::quiet<Sink...>) {
        detail::check(loop_stop(loop_), sink...);
    }
    // Ends it once everything posted before has run. Any thread.
    template <class... Sink> void stop_threadsafe(Sink &...sink) const noexcept(detail::quiet<Sink...>) {
        detail::check(loop_stop_threadsafe(loop_), sink...);
    }
    // Inside a callback: ends the run right after it with `code`, which must be positive.
    template <class... Sink> void interrupt(int code, Sink &...sink) const noexcept(detail::quiet<Sink...>) {
        detail::check(loop_interrupt(loop_, code), sink...);
    }
    template <class... Sink> void close(Sink &...sink) const noexcept(detail::quiet<Sink...>) {
        detail::check(loop_close(loop_), sink...);
    }
    bool is_running() const noexcept { return loop_is_running(loop_) == 1; }
    bool is_closed() const noexcept { return loop_is_closed(loop_) == 1; }

    // Inside another loop: prepare, wait on backend_fd, poll, dispatch. See coloop.h.

    // A descriptor that becomes readable when the loop has something to do.
    template <class... Sink> int backend_fd(Sink &...sink) const noexcept(detail::quiet<Sink...>) {
        return detail::check(loop_backend_fd(loop_), sink...);
    }
    template <class... Sink>
    std::optional<time_point> next_deadline(Sink &...sink) const noexcept(detail::quiet<Sink...>) {
        std::uint64_t ns = 0;
        if (detail::check(loop_next_deadline(loop_, &ns), sink...) != 1) return std::nullopt;
        return detail::to_time_point(ns);
    }
    // How long the host may wait; no_timeout: for ever.
    template <class... Sink> nanoseconds prepare(Sink &...sink) const {
        std::int64_t ns = 0;
        detail::run(loop_, [&] { return loop_prepare(loop_, &ns); }, sink...);
        return detail::from_timeout(ns);
    }
    // Collects what is ready: how many callbacks were queued.
    template <class Rep, class Period, class... Sink>
    int poll(std::chrono::duration<Rep, Period> timeout, Sink &...sink) const {
        return detail::run(loop_, [&] { return loop_poll(loop_, detail::to_timeout(timeout)); }, sink...);
    }
    // Runs what was collected: how many callbacks were taken.
    template <class... Sink> int dispatch(Sink &...sink) const {
        return detail::run(loop_, [this] { return loop_dispatch(loop_); }, sink...);
    }

    // Time, debug mode, texts. Any thread.

    time_point time() const noexcept { return detail::to_time_point(loop_time(loop_)); }
    // As the loop read it last in this turn. Of the loop's thread.
    time_point time_cached() const noexcept { return detail::to_time_point(loop_time_cached(loop_)); }
    template <class... Sink> void set_debug(bool enabled, Sink &...sink) const noexcept(detail::quiet<Sink...>) {
        detail::check(loop_set_debug(loop_, enabled), sink...);
    }
    bool get_debug() const noexcept { return loop_get_debug(loop_) == 1; }
    const char *backend_name() const noexcept { return loop_backend_name(loop_); }
    // repr(loop) of asyncio.
    std::string describe() const {
        char text[128] = "";
        const int length = loop_describe(loop_, text, sizeof text);
        if (length < static_cast<int>(sizeof text)) return text;
        std::string longer(static_cast<std::size_t>(length) + 1, '\0');
        loop_describe(loop_, longer.data(), longer.size());
        longer.pop_back();
        return longer;
    }

    // In a forked child: makes an inherited loop this process's own, with LOOP_REINIT_...
    template <class... Sink>
    void reinit_after_fork(std::uint32_t flags, Sink &...sink) const noexcept(detail::quiet<Sink...>) {
        detail::check(loop_reinit_after_fork(loop_, flags), sink...);
    }

    // Futures: future.hpp. Include the header, or coloop.hpp, for what stands there.
    template <class T, class... Sink> future<T> create_future(Sink &...sink) const noexcept(detail::quiet<Sink...>);
    template <class T> typename result_traits<T, void>::reference run_until_complete(const future<T> &awaited) const;
    template <class T>
    typename result_traits<T, void>::pointer run_until_complete(const future<T> &awaited, std::error_code &sink) const;
    template <class T> T run_until_complete(future<T> &&awaited) const;

    // From other threads: concurrent.hpp.
    template <class Callback, class... Sink> auto submit_threadsafe(Callback &&callback, Sink &...sink) const;
    template <class T, class... Sink>
    future<T> wrap_future(const concurrent_future<T> &wrapped, Sink &...sink) const noexcept(detail::quiet<Sink...>);

    // Jobs: executor.hpp.
    template <class Job, class... Sink> auto run_in_executor(const executor &given, Job &&job, Sink &...sink) const;
    template <class Job, class... Sink, class = std::enable_if_t<std::is_invocable_v<std::decay_t<Job> &>>>
    auto run_in_executor(Job &&job, Sink &...sink) const;
    template <class... Sink>
    void set_default_executor(const executor &given, Sink &...sink) const noexcept(detail::quiet<Sink...>);
    template <class... Sink>
    future<void> shutdown_default_executor(nanoseconds timeout = no_timeout, Sink &...sink) const
        noexcept(detail::quiet<Sink...>);

    // What a host watches and hears of: observe.hpp.
    template <class Handler, class... Sink> void set_exception_handler(Handler &&handler, Sink &...sink) const;
    template <class... Sink> void set_exception_handler(std::nullptr_t, Sink &...sink) const noexcept(detail::quiet<Sink...>);
    template <class... Sink>
    void call_exception_handler(const loop_exception_context_t &context, Sink &...sink) const;
    template <class Hook, class... Sink> void set_slow_callback_hook(Hook &&hook, Sink &...sink) const;
    template <class... Sink>
    void set_slow_callback_hook(std::nullptr_t, Sink &...sink) const noexcept(detail::quiet<Sink...>);
    template <class... Sink>
    void set_slow_callback_duration(nanoseconds duration, Sink &...sink) const noexcept(detail::quiet<Sink...>);
    nanoseconds get_slow_callback_duration() const noexcept;
    template <class Before, class After, class... Sink>
    void set_wait_hooks(Before &&before, After &&after, Sink &...sink) const;
    template <class... Sink> void set_wait_hooks(std::nullptr_t, Sink &...sink) const noexcept(detail::quiet<Sink...>);
    template <class Hook, class... Sink> void set_wake_hook(Hook &&hook, Sink &...sink) const;
    template <class... Sink> void set_wake_hook(std::nullptr_t, Sink &...sink) const noexcept(detail::quiet<Sink...>);
    template <class... Sink> loop_stats_t get_stats(Sink &...sink) const noexcept(detail::quiet<Sink...>);
    template <class... Sink>
    void set_stats_level(std::uint32_t level, Sink &...sink) const noexcept(detail::quiet<Sink...>);
    template <class Callback, class... Sink>
    void start_watchdog(nanoseconds threshold, Callback &&callback, Sink &...sink) const;
    template <class... Sink> bool stop_watchdog(Sink &...sink) const noexcept(detail::quiet<Sink...>);

    // Signals and children: signal.hpp, process.hpp.
    template <class Callback, class... Sink>
    void add_signal_handler(int signum, Callback &&callback, Sink &...sink) const
        noexcept(detail::quiet_give<Callback, Sink...>);
    template <class... Sink> bool remove_signal_handler(int signum, Sink &...sink) const noexcept(detail::quiet<Sink...>);

    // Programs: process.hpp.
    template <class... Sink, class = std::enable_if_t<detail::are_sinks<Sink...>>>
    process subprocess_exec(const std::vector<std::string> &arguments, const subprocess_options &options, Sink &...sink) const;
    template <class Pointer, class... Sink, class = typename std::decay_t<Pointer>::element_type>
    process subprocess_exec(const std::vector<std::string> &arguments, const subprocess_options &options,
                            Pointer &&given, Sink &...sink) const;
    template <class... Sink, class = std::enable_if_t<detail::are_sinks<Sink...>>>
    process subprocess_shell(const char *command, const subprocess_options &options, Sink &...sink) const;
    template <class Pointer, class... Sink, class = typename std::decay_t<Pointer>::element_type>
    process subprocess_shell(const char *command, const subprocess_options &options, Pointer &&given, Sink &...sink) const;
    template <class Callback, class... Sink> void watch_child(int pid, Callback &&callback, Sink &...sink) const;
    template <class... Sink> bool unwatch_child(int pid, Sink &...sink) const noexcept(detail::quiet<Sink...>);

    // Connections: server.hpp, transport.hpp.
    template <class Factory, class... Sink>
    future<server> create_server(const server_options &options, Factory &&factory, Sink &...sink) const;
    template <class Factory, class... Sink, class = std::enable_if_t<detail::are_sinks<Sink...>>>
    future<server> create_unix_server(const char *path, Factory &&factory, Sink &...sink) const;
    template <class Factory, class... Sink>
    future<server> create_unix_server(const char *path, int backlog, std::uint32_t flags, Factory &&factory,
                                      Sink &...sink) const;
    template <class Given, class... Sink>
    future<transport> create_connection(const connection_options &options, Given &&given, Sink &...sink) const;
    template <class Given, class... Sink>
    future<transport> create_unix_connection(const char *path, Given &&given, Sink &...sink) const;
    template <class Given, class... Sink>
    future<transport> create_datagram_endpoint(const datagram_options &options, Given &&given, Sink &...sink) const;
    template <class Pointer, class... Sink>
    transport connect_accepted_socket(int fd, Pointer &&given, Sink &...sink) const;
    template <class Pointer, class... Sink> transport connect_read_pipe(int fd, Pointer &&given, Sink &...sink) const;
    template <class Pointer, class... Sink> transport connect_write_pipe(int fd, Pointer &&given, Sink &...sink) const;

    // Sockets of the caller's: socket.hpp.
    template <class... Sink>
    future<received> sock_recv(int fd, std::size_t size, Sink &...sink) const noexcept(detail::quiet<Sink...>);
    template <class... Sink>
    future<std::size_t> sock_recv_into(int fd, void *data, std::size_t size, Sink &...sink) const
        noexcept(detail::quiet<Sink...>);
    template <class... Sink>
    future<received> sock_recvfrom(int fd, std::size_t size, Sink &...sink) const noexcept(detail::quiet<Sink...>);
    template <class... Sink>
    future<received> sock_recvfrom_into(int fd, void *data, std::size_t size, Sink &...sink) const
        noexcept(detail::quiet<Sink...>);
    template <class... Sink> future<void> sock_sendall(int fd, std::string data, Sink &...sink) const;
    template <class... Sink>
    future<void> sock_sendall(int fd, const void *data, std::size_t size, Sink &...sink) const
        noexcept(detail::quiet<Sink...>);
    template <class... Sink>
    future<std::size_t> sock_sendto(int fd, std::string data, const socket_address &address, Sink &...sink) const;
    template <class... Sink> future<accepted> sock_accept(int fd, Sink &...sink) const noexcept(detail::quiet<Sink...>);
    template <class... Sink>
    future<void> sock_connect(int fd, const socket_address &address, Sink &...sink) const noexcept(detail::quiet<Sink...>);
    template <class... Sink>
    future<std::size_t> sock_sendfile(int fd, int file_fd, std::int64_t offset, std::int64_t count, Sink &...sink) const
        noexcept(detail::quiet<Sink...>);

    // Names: dns.hpp.
    template <class... Sink>
    future<addresses> getaddrinfo(const char *host, const char *service, const addrinfo_hints &hints, nanoseconds timeout,
                                  Sink &...sink) const noexcept(detail::quiet<Sink...>);
#if COLOOP_EXCEPTIONS
    future<addresses> getaddrinfo(const char *host, const char *service) const;
#endif
    template <class... Sink>
    future<name_info> getnameinfo(const socket_address &address, int flags, nanoseconds timeout, Sink &...sink) const
        noexcept(detail::quiet<Sink...>);

    // Coroutines, see task/run.hpp.

    template <class T> task_handle<T> create_task(task<T> &&coroutine, const char *name = nullptr) const;
    template <class T> T run_until_complete(task<T> &&main) const;

private:
    template <class Callback, class Call, class... Sink>
    handle schedule(Callback &&callback, Call call, Sink &...sink) const {
        loop_handle_t id = 0;
        const int code = detail::give_callback(
            std::forward<Callback>(callback), [&](auto... data) { return call(data..., &id); }, sink...);
        return code < 0 ? handle() : handle::from_capi(loop_, id);
    }

    loop_t *loop_ = nullptr;
};

// Options with their size: change what you want.
struct loop_options : loop_options_t {
    loop_options() noexcept : loop_options_t{} { size = sizeof(loop_options_t); }
};

// Owns a loop: closes it in the end. Move-only.
class loop : public loop_view {
public:
#if COLOOP_EXCEPTIONS
    loop() : loop(loop_options()) {}
#endif
    template <class... Sink>
    explicit loop(const loop_options &options, Sink &...sink) noexcept(detail::quiet<Sink...>)
        : loop_view(make(options, sink...)) {}
    explicit loop(std::error_code &code) noexcept : loop(loop_options(), code) {}
    explicit loop(std::nullptr_t) noexcept {} // none

    loop(loop &&other) noexcept : loop_view(other.release()) {}
    loop &operator=(loop &&other) noexcept {
        loop taken(std::move(other));
        std::swap(static_cast<loop_view &>(*this), static_cast<loop_view &>(taken));
        return *this;
    }
    ~loop() {
        if (!*this) return;
        loop_close(capi()); // refused inside its own run: the last reference closes it then
        loop_unref(capi());
    }

    // Takes over a reference, and charge of closing.
    static loop from_capi(loop_t *given) noexcept {
        loop made(nullptr);
        static_cast<loop_view &>(made) = given;
        return made;
    }
    // Gives both to the caller.
    loop_t *release() noexcept {
        return std::exchange(static_cast<loop_view &>(*this), loop_view()).capi();
    }

private:
    template <class... Sink> static loop_t *make(const loop_options &options, Sink &...sink) {
        loop_t *made = nullptr;
        detail::check(loop_create(&options, &made), sink...);
        return made;
    }
};

} // namespace coloop
