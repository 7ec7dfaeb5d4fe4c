// SPDX-License-Identifier: Apache-2.0 OR MIT
//
// How a C++ exception travels with a future's failure, and is known again.
//
// It is the data of loop_future_set_exception_data. Other languages leave data of their own
// there, which nothing may look into; so a table has the addresses of all that is ours.
#pragma once

#include "exception.hpp"

#if COLOOP_EXCEPTIONS

#include <mutex>
#include <string>
#include <unordered_map>

#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#endif

namespace coloop::detail {

// The parameter keeps two different standard libraries in a process apart.
template <class Standard> class COLOOP_VISIBLE failures {
public:
    // The exception as user data for a failure; NULL without memory. It ends by destroy().
    static void *make(const std::exception_ptr &exception) noexcept {
        try {
            auto *made = new std::exception_ptr(exception);
            try {
                table &all = instance();
                std::lock_guard lock(all.mutex);
                all.known.emplace(made, made);
                return made;
            } catch (...) {
                delete made;
            }
        } catch (const std::bad_alloc &) {
        }
        return nullptr;
    }

    static void destroy(void *data) noexcept {
        table &all = instance();
        {
            std::lock_guard lock(all.mutex);
            all.known.erase(data);
        }
        delete static_cast<std::exception_ptr *>(data);
    }

    // The exception behind a future's data; null if it is somebody else's.
    static std::exception_ptr find(const void *data) noexcept {
        if (!data) return nullptr;
        table &all = instance();
        std::lock_guard lock(all.mutex);
        const auto found = all.known.find(data);
        return found == all.known.end() ? nullptr : *found->second;
    }

private:
    struct table {
        std::mutex mutex;
        std::unordered_map<const void *, std::exception_ptr *> known;
    };

    // Never destroyed: futures may outlive everything static.
    static table &instance() {
        static table *const all = make_table();
        return *all;
    }

    // A forked child finds the table free and whole.
    static table *make_table() {
#if defined(__unix__) || defined(__APPLE__)
        pthread_atfork([] { instance().mutex.lock(); }, [] { instance().mutex.unlock(); },
                       [] { instance().mutex.unlock(); });
#endif
        return new table;
    }
};

using exceptions = failures<std::string>;

// Ends something with the exception as its failure: set(code, text, data, destroy), or, if
// it was a cancellation, cancel(text). What that answers.
template <class Set, class Cancel>
int set_failure(const std::exception_ptr &exception, Set set, Cancel cancel) {
    return describe(exception, [&](described failure) {
        if (failure.code == LOOP_ECANCELLED) return cancel(failure.text);
        void *data = exceptions::make(exception);
        return set(failure.code, failure.text, data, data ? loop_destroy_t(exceptions::destroy) : nullptr);
    });
}

} // namespace coloop::detail

#endif
