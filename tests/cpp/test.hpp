// What the tests share.
#pragma once

#include <coloop.hpp>

#include <doctest/doctest.h>

#include <cerrno>
#include <memory>
#include <ostream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <sys/socket.h>
#include <unistd.h>

using namespace std::chrono_literals;

// How often the global operator new was called on this thread.
extern thread_local long allocations;
// It finds no memory, on this thread.
extern thread_local bool out_of_memory;

// A thing that is counted: as a capture it makes a callable that needs the heap and a
// destructor.
class counted {
public:
    explicit counted(int &alive) : alive_(&alive) { ++*alive_; }
    counted(counted &&other) noexcept : alive_(other.alive_) { ++*alive_; }
    counted(const counted &other) noexcept : alive_(other.alive_) { ++*alive_; }
    counted &operator=(const counted &) = delete;
    ~counted() { --*alive_; }

private:
    int *alive_;
};

// Two connected sockets that do not block, closed in the end.
struct socket_pair {
    int fds[2];
    explicit socket_pair(int type = SOCK_STREAM) { REQUIRE(socketpair(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0); }
    ~socket_pair() {
        for (int fd : fds)
            if (fd >= 0) ::close(fd);
    }
    // The caller closes this end.
    int take(int end) { return std::exchange(fds[end], -1); }
};

// Runs `body` in a forked child, and answers its exit status: what body returned, or 99 for
// an exception. Nothing of the parent's is destroyed there.
template <class Body> int in_child(Body body);

// Waits for that child.
int exit_status_of(int pid);

template <class Body> int in_child(Body body) {
    const int pid = fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
        int status = 99;
        try {
            status = body();
        } catch (...) {
        }
        _exit(status);
    }
    return exit_status_of(pid);
}
