// SPDX-License-Identifier: Apache-2.0 OR MIT
//
// Signals for coroutines.
//
//     coloop::signal_set stop{SIGINT, SIGTERM};
//     int which = co_await stop.next();
#pragma once

#include "../policy.hpp"
#include "../signal.hpp"
#include "coroutine.hpp"
#include "event.hpp"
#include "sleep.hpp"

#include <initializer_list>
#include <memory>
#include <vector>

namespace coloop {

// Catches some signals for a loop as long as it lives; what the process did on them before
// comes back in the end. On the same loop a later handler or set for one of them takes its
// place. Of the loop's thread; it may end after the loop, or in a forked child, too.
class signal_set {
public:
    // On the running loop. Throws LOOP_EINVAL for what is no signal or cannot be caught, and
    // catches none then.
    signal_set(std::initializer_list<int> signums) : signal_set(get_running_loop(), signums) {}
    signal_set(loop_view loop, std::initializer_list<int> signums) : signal_set(loop, signums.size()) {
        for (const int signum : signums) {
            all_->each.push_back({signum, false, false});
            loop_.add_signal_handler(signum, arrival(all_, all_->each.back()));
        }
    }
    signal_set(const signal_set &) = delete;
    signal_set &operator=(const signal_set &) = delete;
    ~signal_set() {
        std::error_code ignored;
        for (const watched &one : all_->each)
            if (one.caught) loop_.remove_signal_handler(one.signum, ignored);
        loop_unref(loop_.capi());
    }

    // co_await next(): one of the signals, when it has arrived since it was returned last;
    // arrivals of one signal before that count once. Of several the one that the set was
    // given first. Any number of coroutines may wait; one of them gets it. Throws
    // cancelled_error: then nothing is lost.
    task<int> next() const { return take(all_, loop_); }

private:
    struct watched {
        int signum;
        bool caught, arrived;
    };
    struct shared {
        std::vector<watched> each;
        event arrived;
    };

    // The handler of a signal. It is destroyed when another one took its place, or with its
    // loop, and the set then leaves the signal alone.
    class arrival {
    public:
        arrival(std::shared_ptr<shared> all, watched &one) noexcept : all_(std::move(all)), one_(&one) { one_->caught = true; }
        arrival(arrival &&) noexcept = default;
        ~arrival() {
            if (all_) one_->caught = false;
        }
        void operator()() const noexcept {
            one_->arrived = true;
            all_->arrived.set();
        }

    private:
        std::shared_ptr<shared> all_;
        watched *one_;
    };

    // Complete, so that it ends as any other if a signal is refused.
    signal_set(loop_view loop, std::size_t count) : all_(std::make_shared<shared>()), loop_(loop_ref(loop.capi())) {
        all_->each.reserve(count);
    }

    static task<int> take(std::shared_ptr<shared> all, loop_view loop) {
        if (co_await this_loop() != loop) throw error(LOOP_EWRONG_LOOP, "is bound to a different event loop");
        for (;;) {
            for (watched &one : all->each)
                if (std::exchange(one.arrived, false)) co_return one.signum;
            all->arrived.clear();
            co_await all->arrived.wait();
        }
    }

    std::shared_ptr<shared> all_;
    loop_view loop_;
};

} // namespace coloop
