// What the tests of coroutines share.
#pragma once

#include "test.hpp"

#include <coloop/task.hpp>

// What a loop's exception handler is told of.
struct reports {
    std::vector<std::string> texts, exceptions;

    void listen(coloop::loop_view loop) {
        loop.set_exception_handler([this](coloop::loop_view, const loop_exception_context_t &context) {
            texts.push_back(context.message);
            exceptions.push_back(context.exception ? context.exception : "");
        });
    }
};

// Does a coroutine end by this exception? The checks' own macros cannot await.
template <class Exception, class T> coloop::task<bool> throws(coloop::task<T> given) {
    try {
        co_await std::move(given);
    } catch (const Exception &) {
        co_return true;
    }
    co_return false;
}

// Counts how often it was cancelled; takes some turns to unwind.
inline coloop::task<> endless(int &cancelled) {
    try {
        co_await coloop::sleep(1h);
    } catch (const coloop::cancelled_error &) {
        ++cancelled;
    }
    co_await coloop::schedule();
    co_await coloop::schedule();
    throw coloop::cancelled_error();
}
