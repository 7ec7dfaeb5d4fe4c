// One of two files of one program that include the coroutines, twice.
#include <coloop/task.hpp>
#include <coloop/task.hpp>

#include <stdexcept>

// In the other file.
coloop::task<int> number_of_the_other_file();
coloop::task<> fails_in_the_other_file(coloop::any_task &ran);

static coloop::task<int> both() {
    coloop::any_task ran;
    const coloop::any_task self = co_await coloop::this_task();
    const int number = co_await number_of_the_other_file();
    try {
        co_await fails_in_the_other_file(ran);
    } catch (const std::out_of_range &) {
        co_return ran == self ? number : 1;
    }
    co_return 2;
}

int main() { return coloop::run(both()); }
