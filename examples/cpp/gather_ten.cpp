/* Ten coroutines that end in another order than they began in; run() leaves the thread
 * without a loop. asyncio: gather() and run().
 *
 * Output:
 * Concurrent work 0 1 2 3 4 5 6 7 8 9
 * ended: 0 3 6 9 2 5 8 1 4 7
 * twice: 7 7
 * There is no current event loop in thread 'MainThread'.
 */
#include <coloop/task.hpp>

#include <iostream>
#include <vector>

using namespace std::chrono_literals;

static std::vector<int> ended;

static coloop::task<int> work(int i) {
    co_await coloop::sleep(((i * 7) % 10) * 20ms);
    ended.push_back(i);
    co_return i;
}

static coloop::task<std::vector<int>> all() {
    std::vector<coloop::task<int>> works;
    for (int i = 0; i < 10; ++i) works.push_back(work(i));
    co_return co_await coloop::gather(std::move(works));
}

static coloop::task<int> seven() { co_return 7; }

int main() {
    std::cout << "Concurrent work";
    for (int i : coloop::run(all())) std::cout << ' ' << i;
    std::cout << "\nended:";
    for (int i : ended) std::cout << ' ' << i;
    std::cout << "\ntwice: " << coloop::run(seven()) << ' ' << coloop::run(seven()) << '\n';
    try {
        coloop::get_event_loop();
    } catch (const coloop::error &none) {
        std::cout << none.what() << '\n';
    }
}
