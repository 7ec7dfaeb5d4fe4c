// The test program, and how it counts allocations.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include "test.hpp"

#include <cstdlib>
#include <new>

#include <sys/wait.h>

thread_local long allocations;
thread_local bool out_of_memory;

void *operator new(std::size_t size, const std::nothrow_t &) noexcept {
    ++allocations;
    return out_of_memory ? nullptr : std::malloc(size ? size : 1);
}
void *operator new(std::size_t size) {
    if (void *memory = operator new(size, std::nothrow)) return memory;
    throw std::bad_alloc();
}
// Arrays as well: the sanitizers have their own.
void *operator new[](std::size_t size, const std::nothrow_t &) noexcept { return operator new(size, std::nothrow); }
void *operator new[](std::size_t size) { return operator new(size); }
void operator delete[](void *memory) noexcept { std::free(memory); }
void operator delete[](void *memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void *memory) noexcept { std::free(memory); }
void operator delete(void *memory, const std::nothrow_t &) noexcept { std::free(memory); }
void operator delete(void *memory, std::size_t) noexcept { std::free(memory); }

int exit_status_of(int pid) {
    int status;
    while (waitpid(pid, &status, 0) < 0) REQUIRE(errno == EINTR);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}
