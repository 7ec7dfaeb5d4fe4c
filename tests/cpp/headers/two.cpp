// The other of two files of one program that include everything.
#include <coloop.hpp>

#include <stdexcept>

void fail_in_callback(coloop::loop_view loop) {
    loop.post([] { throw std::out_of_range("two"); });
}

coloop::future<int> failed_future(coloop::loop_view loop) {
    auto future = loop.create_future<int>();
    future.set_exception(std::make_exception_ptr(std::out_of_range("two")));
    return future;
}

const std::error_category *category_of_the_other_file() { return &coloop::error_category(); }
