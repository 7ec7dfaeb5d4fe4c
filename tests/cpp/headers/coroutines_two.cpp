// The other file.
#include <coloop/task.hpp>

#include <stdexcept>

coloop::task<int> number_of_the_other_file() {
    co_await coloop::sleep(std::chrono::microseconds(1));
    co_return 0;
}

coloop::task<> fails_in_the_other_file(coloop::any_task &ran) {
    ran = co_await coloop::this_task();
    co_await coloop::schedule();
    throw std::out_of_range("in the other file");
}
