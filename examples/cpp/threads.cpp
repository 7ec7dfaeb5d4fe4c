/* Five threads, each with a loop of its own, share one pool of threads; and a loop in a
 * thread gets work from another one. asyncio: run_in_executor(), call_soon_threadsafe().
 *
 * Output:
 * (0, 0) (1, 1) (2, 2) (3, 3) (4, 4)
 * task
 * joined
 */
#include <coloop/task.hpp>

#include <iostream>
#include <thread>
#include <vector>

using namespace std::chrono_literals;

static coloop::task<int> uses(const coloop::executor &pool, int i) {
    const coloop::loop_view loop = co_await coloop::this_loop();
    co_return co_await loop.run_in_executor(pool, [i] {
        std::this_thread::sleep_for(10ms);
        return i;
    });
}

int main() {
    const coloop::executor pool(5);
    std::vector<std::thread> threads;
    int got[5];
    for (int i = 0; i < 5; ++i) threads.emplace_back([&, i] { got[i] = coloop::run(uses(pool, i)); });
    for (std::thread &thread : threads) thread.join();
    for (int i = 0; i < 5; ++i) std::cout << (i ? " (" : "(") << i << ", " << got[i] << ')';
    std::cout << '\n';
    pool.shutdown(); // waits for its threads

    coloop::loop loop;
    std::thread runs([&] { loop.run_forever(); });
    loop.post_threadsafe([] { std::cout << "task\n"; });
    loop.stop_threadsafe();
    runs.join();
    std::cout << "joined\n";
}
