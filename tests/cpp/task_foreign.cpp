// Failures of other languages, which C++ code awaits and hands on.
#include "task_test.hpp"

using namespace coloop;

namespace {

// What another language attaches to its failures.
struct attachment {
    int destroyed = 0;
    static void destroy(void *self) { ++static_cast<attachment *>(self)->destroyed; }
};

future<int> failing_future(loop_view loop, attachment &attached) {
    auto made = loop.create_future<int>();
    CHECK(loop_future_set_exception_data(made.capi(), -EPIPE, "oh", &attached, attachment::destroy) == 0);
    return made;
}

void check_failure(loop_future_t *failed, attachment &attached) {
    int code = 0;
    const char *text = nullptr;
    CHECK(loop_future_exception(failed, &code, &text) == 1);
    CHECK(code == -EPIPE);
    CHECK(std::string(text) == "oh");
    CHECK(loop_future_exception_data(failed) == &attached);
    CHECK((loop_future_get_destroy(failed) == attachment::destroy));
}

} // namespace

TEST_CASE("a failure with another language's data is a foreign_error") {
    attachment attached;
    {
        const loop own;
        const auto failed = failing_future(own, attached);
        try {
            failed.result();
            FAIL("nothing was thrown");
        } catch (const foreign_error &error) {
            CHECK(error.number() == -EPIPE);
            CHECK(error.code() == std::errc::broken_pipe);
            CHECK(std::string(error.what()) == "oh");
            check_failure(error.failed(), attached);
        }
        CHECK_THROWS_AS(std::rethrow_exception(failed.exception()), foreign_error);
    }
    CHECK(attached.destroyed == 1);
}

TEST_CASE("a task that it leaves fails with just that, also after other waits") {
    attachment attached;
    int caught = 0;
    auto body = [&]() -> task<> {
        auto inner = [&]() -> task<int> {
            const auto loop = co_await this_loop();
            std::exception_ptr kept;
            try {
                co_await failing_future(loop, attached);
            } catch (const foreign_error &) {
                kept = std::current_exception();
            }
            co_await schedule();
            std::rethrow_exception(kept);
        };
        const auto started = create_task(inner());
        try {
            co_await started;
        } catch (const foreign_error &) {
            ++caught;
        }
        check_failure(started.capi(), attached);
        // And by coroutines of one task.
        try {
            co_await inner();
        } catch (const foreign_error &) {
            ++caught;
        }
    };
    run(body());
    CHECK(caught == 2);
    CHECK(attached.destroyed == 2);
}

TEST_CASE("a future may be given it, on its own loop") {
    attachment attached;
    {
        const loop own, elsewhere;
        const auto failed = failing_future(own, attached);
        const auto same = own.create_future<std::string>(), other = elsewhere.create_future<std::string>();
        same.set_exception(failed.exception());
        check_failure(same.capi(), attached);
        // Elsewhere it is its code and its text, and this exception.
        other.set_exception(failed.exception());
        CHECK_THROWS_AS(other.result(), foreign_error);
        CHECK(loop_future_exception_data(other.capi()) != &attached);
    }
    CHECK(attached.destroyed == 1);
}
