// SPDX-License-Identifier: Apache-2.0 OR MIT
//
// Errors: the library's codes as std::error_code and as exceptions.
//
// Every call of these headers exists twice. As it stands it throws coloop::error; with a
// std::error_code as its last argument it reports there, cleared on success, and throws
// nothing of its own. Without exceptions in the compiler (-fno-exceptions) only the second
// form can be used.
#pragma once

#include "../coloop.h"

#include <cerrno>
#include <string>
#include <system_error>
#include <type_traits>

#if defined(__cpp_exceptions) || defined(__EXCEPTIONS) || defined(_CPPUNWIND)
#define COLOOP_EXCEPTIONS 1
#include <exception>
#include <memory>
#include <new>
#include <stdexcept>
#else
#define COLOOP_EXCEPTIONS 0
#endif

// Types that must be one in a whole process, also with -fvisibility=hidden.
#if defined(__GNUC__)
#define COLOOP_VISIBLE __attribute__((visibility("default")))
#else
#define COLOOP_VISIBLE
#endif

namespace coloop {

namespace detail {

class category final : public std::error_category {
public:
    const char *name() const noexcept override { return "coloop"; }
    std::string message(int code) const override { return loop_strerror(code); }

    std::error_condition default_error_condition(int code) const noexcept override {
        switch (code) {
        case LOOP_ECANCELLED: return std::errc::operation_canceled;
        case LOOP_EINVAL: return std::errc::invalid_argument;
        case LOOP_ENOTSUP: return std::errc::not_supported;
        case LOOP_EAI_MEMORY: return std::errc::not_enough_memory;
        default: return {code, *this};
        }
    }
};

} // namespace detail

// The category of the codes below -1000: LOOP_E... and LOOP_EAI_... .
inline const std::error_category &error_category() noexcept {
    static const detail::category category;
    return category;
}

// The category of errno's numbers. On Windows the system's numbers are others.
inline const std::error_category &errno_category() noexcept {
#ifdef _WIN32
    return std::generic_category();
#else
    return std::system_category();
#endif
}

// A code of the library as a std::error_code: -errno in errno_category(), so that
// -ETIMEDOUT equals std::errc::timed_out; 0 and what is positive is no error.
inline std::error_code make_error_code(int code) noexcept {
    if (code >= 0) return {};
    if (code > -1000) return {-code, errno_category()};
    return {code, error_category()};
}

// The other way round. Codes of other categories, and what is no code of the library's, have
// no number: LOOP_EEXCEPTION.
inline int error_number(const std::error_code &code) noexcept {
    if (!code) return 0;
    if (code.category() == error_category()) return code.value() < 0 ? code.value() : LOOP_EEXCEPTION;
    const bool is_errno = code.category() == errno_category() || code.category() == std::generic_category();
    return is_errno && code.value() > 0 && code.value() < 1000 ? -code.value() : LOOP_EEXCEPTION;
}

#if COLOOP_EXCEPTIONS

// A call failed, or a future ended with a failure. what() is the failure's own text.
class COLOOP_VISIBLE error : public std::system_error {
public:
    error(int code, const char *text)
        : std::system_error(make_error_code(code)), text_(text && *text ? text : loop_strerror(code)) {}

    const char *what() const noexcept override { return text_.what(); }
    // The library's number: LOOP_E... or -errno.
    int number() const noexcept { return error_number(code()); }

private:
    std::runtime_error text_; // a text whose copies cannot fail
};

// What was awaited was cancelled: asyncio's CancelledError.
class COLOOP_VISIBLE cancelled_error : public error {
public:
    explicit cancelled_error(const char *text = nullptr) : error(LOOP_ECANCELLED, text) {}
};

// What was awaited failed with something of another language's, such as an exception of
// Python's. A task that it leaves, or a future that it is set for, fails with just that.
class COLOOP_VISIBLE foreign_error : public error {
public:
    foreign_error(loop_future_t *failed, int code, const char *text)
        : error(code, text), failed_(loop_future_ref(failed), [](loop_future_t *kept) { loop_future_unref(kept); }) {}

    // The future that has failed, borrowed: see loop_future_exception_data.
    loop_future_t *failed() const noexcept { return failed_.get(); }

private:
    std::shared_ptr<loop_future_t> failed_; // copies cannot fail
};

#endif

namespace detail {

// Was a std::error_code given? The arguments of every call end with a pack for it.
template <class... Sink> inline constexpr bool quiet = sizeof...(Sink) != 0;
// Where something else might stand in its place.
template <class... Sink> inline constexpr bool are_sinks = (std::is_same_v<Sink, std::error_code> && ...);

#if COLOOP_EXCEPTIONS

[[noreturn]] inline void fail(int code, const char *text) {
    if (code == LOOP_ECANCELLED) throw cancelled_error(text);
    throw error(code, text);
}

// The result of a call of the library, or an exception with its message.
inline int check(int result) {
    if (result < 0) fail(result, loop_last_error());
    return result;
}

#else

int check(int result) = delete; // without exceptions, a std::error_code is needed

#endif

// The same by a std::error_code. Negative is an error.
inline int check(int result, std::error_code &code) noexcept {
    code = make_error_code(result);
    return result;
}

} // namespace detail
} // namespace coloop
