// The test program, and how it counts allocations.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include "test.hpp"

#include <cstdlib>
#include <new>

#include <sys/wait.h>

thread_local long allocations;

void *operator new(std::size_t size) {
    ++allocations;
    if (void *memory = std::malloc(size ? size : 1)) return memory;
    throw std::bad_alloc();
}
void operator delete(void *memory) noexcept { std::free(memory); }
void operator delete(void *memory, std::size_t) noexcept { std::free(memory); }

int exit_status_of(int pid) {
    int status;
    while (waitpid(pid, &status, 0) < 0) REQUIRE(errno == EINTR);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}
