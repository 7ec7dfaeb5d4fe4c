/* Where exceptions go. asyncio: Task, exception handlers.
 *
 * Output:
 * awaited: deep inside
 * handler: Task exception was never retrieved: nobody asked
 * run_forever threw: out of a callback
 */
#include <coloop/task.hpp>

#include <iostream>
#include <stdexcept>

static coloop::task<int> fails(const char *text) {
    co_await coloop::schedule();
    throw std::runtime_error(text);
}

static coloop::task<> awaits() {
    try {
        co_await fails("deep inside");
    } catch (const std::runtime_error &error) {
        std::cout << "awaited: " << error.what() << '\n';
    }
    (void)coloop::create_task(fails("nobody asked"));
    for (int i = 0; i < 3; ++i) co_await coloop::schedule();
}

int main() {
    coloop::loop loop;
    loop.set_exception_handler([](coloop::loop_view, const loop_exception_context_t &context) {
        std::cout << "handler: " << context.message << ": " << context.exception << '\n';
    });
    loop.run_until_complete(awaits());
    loop.post([] { throw std::runtime_error("out of a callback"); });
    try {
        loop.run_forever();
    } catch (const std::runtime_error &error) {
        std::cout << "run_forever threw: " << error.what() << '\n';
    }
}
