// Runs a program of coroutines that gather, group, limit, shield, fail and cancel each other,
// and prints what happens in which order; sync_ends_oracle.py runs the same on asyncio.
//
//     sync_ends "yP{f}{y3}" "k0" ...    a task each; see perform() for the letters
#include <coloop/task.hpp>

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <list>
#include <string>
#include <vector>

using namespace coloop;
using namespace std::chrono_literals;

namespace {

struct step;
using block = std::vector<step>;
struct step {
    char letter;
    std::size_t number;
    std::vector<block> blocks;
    int id;
};

block parse(const char *&text, int &counter) {
    block steps;
    while (*text && *text != '}') {
        step made{*text++, 0, {}, counter++};
        while (std::isdigit(static_cast<unsigned char>(*text))) made.number = made.number * 10 + static_cast<std::size_t>(*text++ - '0');
        while (*text == '{') {
            ++text;
            made.blocks.push_back(parse(text, counter));
            ++text;
        }
        steps.push_back(std::move(made));
    }
    return steps;
}

struct failure : std::runtime_error {
    using std::runtime_error::runtime_error;
};

std::string kind(const std::exception_ptr &exception) {
    try {
        std::rethrow_exception(exception);
    } catch (const cancelled_error &) {
        return "cancelled";
    } catch (const failure &thrown) {
        return std::string("failure(") + thrown.what() + ")";
    } catch (const exception_group &thrown) {
        std::string all;
        for (const auto &each : thrown.exceptions()) all += (all.empty() ? "" : ",") + kind(each);
        return "group[" + all + "]";
    } catch (const error &thrown) {
        return thrown.code() == std::errc::timed_out ? "late" : "refused";
    }
}

std::string state(const future<int> &task) {
    if (!task.done()) return "pending";
    try {
        return std::to_string(task.result());
    } catch (...) {
        return kind(std::current_exception());
    }
}

struct world {
    std::vector<task_handle<int>> tasks, kept;
    std::list<timeout_scope *> scopes;
    std::vector<future<int>> futures;
    event flag;
    lock mutex;
};

task<int> run_block(world &all, const block &steps, std::size_t own, task_group *group);

// A task of its own.
task<int> begin(world &all, const block &steps, task_group *group = nullptr) {
    const std::size_t own = all.tasks.size();
    all.tasks.push_back(task_handle<int>::from_capi((co_await this_task()).release()));
    co_return co_await run_block(all, steps, own, group);
}

void note(std::size_t own, const step &at, const std::string &text) {
    std::printf("%zu:%d%c %s\n", own, at.id, at.letter, text.c_str());
}

task<std::string> perform(world &all, const step &at, std::size_t own, task_group *group) {
    const auto run_one = [&](std::size_t index) { return run_block(all, at.blocks[index], own, group); };
    const auto later = all.tasks.size() - own - 1;
    switch (at.letter) {
    case 'y':
        for (std::size_t i = 0; i <= at.number; ++i) co_await schedule();
        break;
    case 'f': throw failure(std::to_string(at.id));
    case 'c': throw cancelled_error();
    case 'k': co_return all.tasks[at.number % all.tasks.size()].cancel() ? "1" : "0";
    case 'u': co_return std::to_string((co_await this_task()).uncancel());
    case 'q': co_return std::to_string((co_await this_task()).cancelling());
    case 'T': {
        std::exception_ptr thrown;
        try {
            co_return std::to_string(co_await run_one(0));
        } catch (...) {
            thrown = std::current_exception();
        }
        co_return kind(thrown);
    }
    case 'R':
        try {
            co_return std::to_string(co_await run_one(0));
        } catch (...) {
            note(own, at, kind(std::current_exception()));
            throw;
        }
    case 'F': {
        std::exception_ptr thrown;
        try {
            co_await run_one(0);
        } catch (...) {
            thrown = std::current_exception();
        }
        co_await run_one(1);
        if (thrown) std::rethrow_exception(thrown);
        break;
    }
    case 'G': {
        std::vector<task<int>> tasks;
        for (const block &each : at.blocks) tasks.push_back(begin(all, each));
        std::string results;
        if (at.number % 2) {
            for (const auto &each : co_await gather(return_exceptions, std::move(tasks)))
                results += (results.empty() ? "" : ",") + state(each);
        } else {
            for (const int each : co_await gather(std::move(tasks)))
                results += (results.empty() ? "" : ",") + std::to_string(each);
        }
        co_return results;
    }
    case 'S': co_return std::to_string(co_await shield(begin(all, at.blocks[0])));
    case 'W': co_return std::to_string(co_await wait_for(run_one(0), at.number % 2 ? nanoseconds(0) : no_timeout));
    case 'O': {
        auto body = [&](timeout_scope &scope) -> task<int> {
            struct registered {
                world &all;
                timeout_scope *scope;
                ~registered() { all.scopes.remove(scope); }
            };
            all.scopes.push_back(&scope);
            const registered leaves{all, &scope};
            co_return co_await run_one(0);
        };
        struct leaver {
            std::size_t own;
            const step &at;
            ~leaver() { note(own, at, "left"); }
        } const leaves{own, at};
        co_return std::to_string(co_await timeout(at.number % 2 ? nanoseconds(0) : no_timeout, body));
    }
    case 'd': {
        if (all.scopes.empty()) co_return "none";
        std::error_code code;
        (*std::next(all.scopes.begin(), static_cast<long>(at.number % all.scopes.size())))
            ->reschedule(at.number % 5 == 4 ? no_timeout : nanoseconds(0), code);
        if (code) co_return "refused";
        break;
    }
    case 'P': {
        int result = 0;
        auto body = [&](task_group &inner) -> task<> {
            for (std::size_t i = 1; i < at.blocks.size(); ++i) (void)inner.create_task(begin(all, at.blocks[i], &inner));
            result = co_await run_block(all, at.blocks[0], own, &inner);
        };
        struct leaver {
            std::size_t own;
            const step &at;
            ~leaver() { note(own, at, "left"); }
        } const leaves{own, at};
        co_await with_task_group(body);
        co_return std::to_string(result);
    }
    case 'g':
        if (!group) co_return "none";
        try {
            all.kept.push_back(group->create_task(begin(all, at.blocks[0], group)));
        } catch (const error &) {
            co_return "refused";
        }
        break;
    case 't': all.kept.push_back(create_task(begin(all, at.blocks[0]))); break;
    case 'a': {
        if (!later) co_return "none";
        const auto given = all.tasks[own + 1 + at.number % later].clone();
        co_return std::to_string(co_await given);
    }
    case 'e': {
        const auto given = all.futures[at.number % 3].clone();
        co_return std::to_string(co_await given);
    }
    case 'h': co_return std::to_string(co_await shield(all.futures[at.number % 3]));
    case 'r':
    case 'x':
    case 'm': {
        const auto &given = all.futures[at.number % 3];
        if (at.letter == 'm') co_return given.cancel() ? "1" : "0";
        if (given.done()) co_return "refused";
        if (at.letter == 'r')
            given.set_result(at.id);
        else
            given.set_exception(std::make_exception_ptr(failure(std::to_string(at.id))));
        break;
    }
    case 'n': all.futures[at.number % 3] = (co_await this_loop()).create_future<int>(); break;
    case 'v': co_await all.flag.wait(); break;
    case 'V': all.flag.set(); break;
    case 'z': all.flag.clear(); break;
    case 'L': {
        const held_lock held = co_await all.mutex.hold();
        co_return std::to_string(co_await run_one(0));
    }
    case 'b': {
        if (!later) co_return "none";
        std::vector<future<int>> given;
        for (std::size_t i = 0; i < later; ++i) given.push_back(all.tasks[own + 1 + i].clone());
        const return_when whens[] = {return_when::all_completed, return_when::first_completed, return_when::first_exception};
        co_await wait(co_await this_loop(), given, whens[at.number % 3]);
        // asyncio asks only when it goes on.
        const auto done = std::count_if(given.begin(), given.end(), [](const auto &each) { return each.done(); });
        co_return std::to_string(done) + "/" + std::to_string(given.size() - static_cast<std::size_t>(done));
    }
    default: std::abort();
    }
    co_return "";
}

task<int> run_block(world &all, const block &steps, std::size_t own, task_group *group) {
    int last = 0;
    for (const step &each : steps) {
        const std::string result = co_await perform(all, each, own, group);
        note(own, each, result);
        last = each.id;
    }
    co_return last;
}

} // namespace

int main(int count, char **programs) {
    std::list<block> parsed;
    for (int i = 1; i < count; ++i) {
        const char *text = programs[i];
        int counter = 0;
        parsed.push_back(parse(text, counter));
    }
    world all;
    auto body = [&]() -> task<void> {
        const loop_view here = co_await this_loop();
        here.set_exception_handler([](loop_view, const loop_exception_context_t &) {});
        for (int i = 0; i < 3; ++i) all.futures.push_back(here.create_future<int>());
        for (const block &each : parsed) all.kept.push_back(create_task(begin(all, each)));
        for (int round = 0; round < 40; ++round) {
            for (int turn = 0; turn < 60; ++turn) co_await schedule();
            std::vector<task_handle<int>> pending;
            for (const auto &each : all.tasks)
                if (!each.done()) pending.push_back(each.clone());
            if (pending.empty()) break;
            for (const auto &each : pending) each.cancel();
        }
        for (std::size_t i = 0; i < all.tasks.size(); ++i)
            std::printf("%zu %s %d\n", i, state(all.tasks[i]).c_str(), all.tasks[i].cancelling());
    };
    run(body());
}
