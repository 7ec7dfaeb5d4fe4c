/* The smallest program: a callback, and a timer.
 *
 * Output:
 * hello
 * world
 */
#include <coloop.hpp>

#include <iostream>

int main() {
    using namespace std::chrono_literals;
    coloop::loop loop;
    loop.call_soon([] { std::cout << "hello\n"; });
    loop.call_later(10ms, [&] {
        std::cout << "world\n";
        loop.stop();
    });
    loop.run_forever();
}
