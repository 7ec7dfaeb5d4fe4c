// Codes of the library as error codes and as exceptions.
#include "test.hpp"

TEST_CASE("a number below a thousand is the system's, others are coloop's") {
    const std::error_code refused = coloop::make_error_code(-ECONNREFUSED);
    CHECK(refused == std::errc::connection_refused);
    CHECK(refused.category() == std::system_category());
    const std::error_code closed = coloop::make_error_code(LOOP_ECLOSED);
    CHECK(closed.category() == coloop::error_category());
    CHECK(closed.value() == LOOP_ECLOSED);
    CHECK(closed.message() == loop_strerror(LOOP_ECLOSED));
    CHECK_FALSE(coloop::make_error_code(0));
    CHECK_FALSE(coloop::make_error_code(7));
    CHECK(coloop::make_error_code(LOOP_EAI_NONAME).category() == coloop::error_category());
}

TEST_CASE("codes equal the standard's conditions where there is one") {
    CHECK(coloop::make_error_code(-ETIMEDOUT) == std::errc::timed_out);
    CHECK(coloop::make_error_code(LOOP_ECANCELLED) == std::errc::operation_canceled);
    CHECK(coloop::make_error_code(LOOP_EINVAL) == std::errc::invalid_argument);
    CHECK(coloop::make_error_code(LOOP_ENOTSUP) == std::errc::not_supported);
    CHECK(coloop::make_error_code(LOOP_ECLOSED) != std::errc::invalid_argument);
}

TEST_CASE("error_number is the way back") {
    for (int code : {0, -EPIPE, LOOP_ECLOSED, LOOP_ECANCELLED, LOOP_EAI_AGAIN})
        CHECK(coloop::error_number(coloop::make_error_code(code)) == code);
    CHECK(coloop::error_number(std::make_error_code(std::errc::broken_pipe)) == -EPIPE);
    CHECK(coloop::error_number(std::error_code(3, std::iostream_category())) == LOOP_EEXCEPTION);
}

TEST_CASE("every call exists twice") {
    coloop::loop loop;
    loop.close();
    std::error_code code;
    const auto nothing = [] {};
    loop.call_soon(nothing, code);
    CHECK(code == coloop::make_error_code(LOOP_ECLOSED));
    static_assert(noexcept(loop.call_soon(nothing, code)) && !noexcept(loop.call_soon(nothing)));
    static_assert(noexcept(loop.stop(code)) && !noexcept(loop.stop()));
    try {
        loop.call_soon([] {});
        FAIL("a closed loop took a callback");
    } catch (const coloop::error &error) {
        CHECK(error.code() == code);
        CHECK(error.number() == LOOP_ECLOSED);
        CHECK(std::string(error.what()) == "Event loop is closed");
    }
    // What succeeds clears it.
    loop.stop(code);
    CHECK_FALSE(code);
}

TEST_CASE("an exception outlives the text of the library, and copies cannot fail") {
    auto caught = [] {
        try {
            coloop::get_running_loop();
        } catch (const coloop::error &error) {
            return error;
        }
        return coloop::error(0, nullptr);
    }();
    std::error_code other;
    coloop::loop_view().stop(other);
    CHECK(std::string(caught.what()) == "no running event loop");
    static_assert(std::is_nothrow_copy_constructible_v<coloop::error>);
}

TEST_CASE("an empty view answers with an error") {
    std::error_code code;
    coloop::loop_view none;
    none.run_forever(code);
    CHECK(code == std::errc::invalid_argument);
    none.post([] {}, code);
    CHECK(code == std::errc::invalid_argument);
    none.create_future<int>(code);
    CHECK(code == std::errc::invalid_argument);
    CHECK_THROWS_AS(none.close(), coloop::error);
    CHECK_FALSE(none.is_running());
}
