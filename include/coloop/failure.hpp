// SPDX-License-Identifier: Apache-2.0 OR MIT
//
// How a C++ exception travels with a future's failure, and is known again.
//
// It is the data of loop_future_set_exception_data. Other languages leave data of their own
// there, which nothing may look into: ours is known by its destructor. Two modules that have
// different copies of that take each other's exceptions for a code and a text.
#pragma once

#include "exception.hpp"

#if COLOOP_EXCEPTIONS

#include <string>

namespace coloop::detail {

// The parameter keeps two different standard libraries in a process apart.
template <class Standard> struct COLOOP_VISIBLE carried_exception {
    static void destroy(void *data) noexcept { delete static_cast<std::exception_ptr *>(data); }

    // The exception behind a failure's data; null if that is somebody else's.
    static std::exception_ptr of(const void *data, loop_destroy_t destructor) noexcept {
        if (!data || destructor != loop_destroy_t(destroy)) return nullptr;
        return *static_cast<const std::exception_ptr *>(data);
    }
};
using carried = carried_exception<std::string>;

// For what belongs to no loop, and cannot share what belongs to one.
struct shares_nothing {
    int operator()(loop_future_t *) const noexcept { return LOOP_EWRONG_LOOP; }
};

// Ends something with the exception as its failure: set(code, text, data, destructor), or, if
// it was a cancellation, cancel(text), or, if it is of another language, share(failed). What
// that answers. Without memory there is no data.
template <class Set, class Cancel, class Share = shares_nothing>
int set_failure(const std::exception_ptr &exception, Set set, Cancel cancel, Share share = {}) {
    if (!exception) return set(0, nullptr, nullptr, nullptr); // refused in the library's words
    return describe(exception, [&](described failure) {
        if (failure.code == LOOP_ECANCELLED) return cancel(failure.text);
        if (failure.failed) {
            const int answer = share(failure.failed);
            if (answer != LOOP_EWRONG_LOOP) return answer;
        }
        void *const data = new (std::nothrow) std::exception_ptr(exception);
        return set(failure.code, failure.text, data, data ? loop_destroy_t(carried::destroy) : nullptr);
    });
}

} // namespace coloop::detail

#endif
