/* What runs before what. asyncio: call_soon(), call_later(), tasks, stop().
 *
 * Output:
 * soon1 task soon2 later0 resumed
 * 0 1 2 3 4
 * a b | next
 * Event loop stopped before Future completed.
 * 3
 */
#include <coloop/task.hpp>

#include <iostream>
#include <string>

using namespace std::chrono_literals;

static std::string log_text;

static void note(const std::string &what) { log_text += (log_text.empty() ? "" : " ") + what; }
static void print() { std::cout << std::exchange(log_text, "") << '\n'; }

static coloop::task<> notes() {
    note("task");
    co_await coloop::schedule();
    note("resumed");
}

static coloop::task<> stops() {
    (co_await coloop::this_loop()).stop();
    co_await coloop::sleep(1h);
}

static coloop::task<int> three() {
    co_await coloop::schedule();
    co_return 3;
}

int main() {
    coloop::loop loop;
    loop.call_later(0s, [] { note("later0"); });
    loop.call_soon([] { note("soon1"); });
    const auto task = loop.create_task(notes());
    loop.call_soon([] { note("soon2"); });
    loop.run_until_complete(task);
    print();

    // Equal deadlines, in the order of their scheduling.
    const coloop::time_point when = loop.time() + 1ms;
    for (int i = 0; i < 5; ++i) loop.call_at(when, [i] { note(std::to_string(i)); });
    loop.call_at(when, [&] { loop.stop(); });
    loop.run_forever();
    print();

    // stop() ends the run after the present turn.
    loop.call_soon([&] {
        note("a");
        loop.stop();
        loop.call_soon([] { note("next"); });
    });
    loop.call_soon([] { note("b"); });
    loop.run_forever();
    note("|");
    loop.stop();
    loop.run_forever();
    print();

    try {
        loop.run_until_complete(stops());
    } catch (const coloop::error &stopped) {
        std::cout << stopped.what() << '\n';
    }
    std::cout << loop.run_until_complete(three()) << '\n';
    loop.set_exception_handler([](coloop::loop_view, const loop_exception_context_t &) {}); // stops() never ends
    loop.close();
}
