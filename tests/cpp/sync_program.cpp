// Runs a program of coroutines that lock, wait and cancel each other, and prints what
// happens in which order; sync_oracle.py runs the same program on asyncio.
//
//     sync_program "a.y.r" "a.k0.r" ...    a coroutine each; see perform() for the letters
#include <coloop/task.hpp>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

using namespace coloop;

namespace {

struct world {
    lock mutex;
    event flag;
    semaphore permits{2};
    bounded_semaphore bounded{1};
    condition changed;
    barrier both{2};
    queue<int> items{2};
    priority_queue<int> sorted{1};
    std::vector<task_handle<void>> tasks;
};

task<void> perform(world &all, const std::string &step, std::string &result) {
    switch (step[0]) {
    case 'a': co_await all.mutex.acquire(); break;
    case 'r': all.mutex.release(); break;
    case 'e': co_await all.flag.wait(); break;
    case 's': all.flag.set(); break;
    case 'c': all.flag.clear(); break;
    case 'p': co_await all.permits.acquire(); break;
    case 'v': all.permits.release(); break;
    case 'q': co_await all.bounded.acquire(); break;
    case 'u': all.bounded.release(); break;
    case 'w': {
        const held_lock held = co_await all.changed.hold();
        co_await all.changed.wait();
        break;
    }
    case 'n':
    case 'm': {
        const held_lock held = co_await all.changed.hold();
        if (step[0] == 'n')
            all.changed.notify();
        else
            all.changed.notify_all();
        break;
    }
    case 'b': result += std::to_string(co_await all.both.wait()); break;
    case 'x': co_await all.both.reset(); break;
    case 'g': result += std::to_string(co_await all.items.get()); break;
    case 't': co_await all.items.put(std::atoi(step.c_str() + 1)); break;
    case 'd': all.items.task_done(); break;
    case 'j': co_await all.items.join(); break;
    case 'h': result += std::to_string(all.items.get_nowait()); break;
    case 'i': all.items.put_nowait(7); break;
    case 'l': result += std::to_string(co_await all.sorted.get()); break;
    case 'o': co_await all.sorted.put(std::atoi(step.c_str() + 1)); break;
    case 'y': co_await schedule(); break;
    case 'k': result += all.tasks[static_cast<std::size_t>(std::atoi(step.c_str() + 1))].cancel() ? "1" : "0"; break;
    default: std::abort();
    }
    result += std::string(all.mutex.locked() ? "L" : "l") + (all.permits.locked() ? "P" : "p") +
              std::to_string(all.items.qsize()) + std::to_string(all.both.n_waiting());
}

task<void> coroutine(world &all, std::size_t number, std::string program) {
    for (std::size_t begin = 0; begin < program.size();) {
        const std::size_t end = std::min(program.find('.', begin), program.size());
        const std::string step = program.substr(begin, end - begin);
        begin = end + 1;
        std::string result;
        try {
            co_await perform(all, step, result);
        } catch (const cancelled_error &) {
            result = "cancelled";
        } catch (const error &) {
            result = "failed";
        }
        std::printf("%zu.%s:%s\n", number, step.c_str(), result.c_str());
    }
}

} // namespace

int main(int count, char **programs) {
    world all;
    auto body = [&]() -> task<void> {
        for (int i = 1; i < count; ++i)
            all.tasks.push_back(create_task(coroutine(all, static_cast<std::size_t>(i - 1), programs[i])));
        for (int round = 0; round < 100; ++round) {
            for (int turn = 0; turn < 50; ++turn) co_await schedule();
            bool done = true;
            for (auto &each : all.tasks) {
                if (each.done()) continue;
                done = false;
                each.cancel();
            }
            if (done) co_return;
        }
        std::puts("endless");
    };
    run(body());
}
