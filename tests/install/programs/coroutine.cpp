// hello.cpp as a coroutine.
#include <coloop/task.hpp>
#include <chrono>
#include <cstdio>

#ifndef HELLO_MAIN
#define HELLO_MAIN main
#else
int HELLO_MAIN();
#endif

static coloop::task<const char *> greet() {
    using namespace std::chrono_literals;
    std::puts("soon");
    co_await coloop::sleep(1ms);
    std::puts("later");
    co_await coloop::schedule();
    co_return "posted";
}

int HELLO_MAIN() {
    try {
        std::puts(coloop::run(greet()));
    } catch (const coloop::error &error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
    std::printf("version %s\n", coloop_version());
    return 0;
}
