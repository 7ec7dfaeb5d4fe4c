// hello.c in C++.
#include <coloop.hpp>
#include <chrono>
#include <cstdio>
#include <thread>

#ifndef HELLO_MAIN
#define HELLO_MAIN main
#else
int HELLO_MAIN();
#endif

int HELLO_MAIN() {
    using namespace std::chrono_literals;
    try {
        coloop::loop loop;
        std::thread thread;
        loop.call_later(1ms, [&] {
            std::puts("later");
            thread = std::thread([&] {
                loop.call_soon_threadsafe([&] {
                    std::puts("posted");
                    loop.stop();
                });
            });
        });
        loop.call_soon([] { std::puts("soon"); });
        loop.run_forever();
        thread.join();
    } catch (const coloop::error &error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
    std::printf("version %s\n", coloop_version());
    return 0;
}
