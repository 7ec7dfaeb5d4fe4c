// One of two files of one program that include everything, twice.
#include <coloop.hpp>
#include <coloop.hpp>

#include <stdexcept>

// In the other file.
void fail_in_callback(coloop::loop_view loop);
coloop::future<int> failed_future(coloop::loop_view loop);
const std::error_category *category_of_the_other_file();

int main() {
    coloop::loop loop;
    // What one file's callback throws, the other file's run gets.
    fail_in_callback(loop);
    try {
        loop.run_forever();
        return 1;
    } catch (const std::out_of_range &) {
    }
    // What one file's future ends with, the other file knows.
    try {
        loop.run_until_complete(failed_future(loop));
        return 2;
    } catch (const std::out_of_range &) {
    }
    return category_of_the_other_file() == &coloop::error_category() ? 0 : 3;
}
