// SPDX-License-Identifier: Apache-2.0 OR MIT
//
// Coroutines that wait in a line, first come, first served: what Lock, Event, Semaphore and
// the like have in common. A place in the line lies in the frame of the coroutine that waits.
#pragma once

#include "../error.hpp"
#include "driver.hpp"

#include <cstddef>

namespace coloop::detail {

class line {
public:
    // An awaitable that waits in a line. It keeps its place until its coroutine goes on, so
    // that whoever comes meanwhile does not overtake it; one that was cancelled is passed over.
    class place : public waiter<place> {
    public:
        ~place() { leave_line(); }

        bool is_woken() const noexcept { return state_ == state::woken; }
        // What it waited for has ended before its coroutine could go on.
        bool is_orphan() const noexcept { return orphan_; }
        void let_go() noexcept {
            state_ = state::cancelled;
            if (in_) --in_->expecting_;
        }

    protected:
        place() noexcept = default;

        // The end of await_suspend: waits at the end of the line.
        template <class Promise> bool stand_in(line &joined, std::coroutine_handle<Promise> waiting) {
            loop_t *const loop = driver_of(waiting).get_loop();
            if (joined.first_ && joined.loop_ != loop) throw error(LOOP_EWRONG_LOOP, "is bound to a different event loop");
            if (!park(waiting, 0)) return false;
            joined.loop_ = loop;
            joined.append(this);
            return true;
        }

        // The beginning of await_resume: 0 or a code, and no longer in the line.
        int leave() noexcept {
            leave_line();
            return outcome();
        }
        // For those who need what they waited for: throws if that is no more.
        void leave_orphan() {
            if (!orphan_) return;
            if (const int code = outcome()) fail(code, loop_last_error());
            throw error(LOOP_EINVALID_STATE, "what was waited for has ended");
        }

    private:
        friend line;
        enum class state : unsigned char { waiting, woken, cancelled };

        void leave_line() noexcept {
            if (line *const left = std::exchange(in_, nullptr)) left->remove(this);
        }

        line *in_ = nullptr;
        place *before_ = nullptr, *after_ = nullptr;
        state state_ = state::waiting;
        bool orphan_ = false;
    };

    line() noexcept = default;
    line(const line &) = delete;
    line &operator=(const line &) = delete;
    // Who still waits is never woken by it; both may end with their loop, in any order. And
    // the locals of a main coroutine end before run() cancels those who wait for them.
    ~line() {
        for (place *each = first_; each; each = each->after_) {
            each->in_ = nullptr;
            each->orphan_ = true;
        }
    }

    // Is somebody in it who was not cancelled?
    bool expected() const noexcept { return expecting_ != 0; }

    // Wakes the first who waits: false if there is none.
    bool wake_next() noexcept {
        while (place *const each = next_) {
            next_ = each->after_;
            if (wake(each)) return true;
        }
        return false;
    }

    // Wakes the very first unless that is on its way: of those who want a lock, only one at
    // a time tries to get it.
    void wake_first() noexcept {
        if (first_) wake(first_);
    }

    void wake_all() noexcept {
        while (wake_next()) {}
    }

private:
    static bool wake(place *waits) noexcept {
        if (waits->state_ != place::state::waiting) return false;
        waits->state_ = place::state::woken;
        static_cast<waiter<place> *>(waits)->wake();
        return true;
    }

    void append(place *joins) noexcept {
        joins->in_ = this;
        joins->before_ = last_;
        (last_ ? last_->after_ : first_) = joins;
        last_ = joins;
        if (!next_) next_ = joins;
        ++expecting_;
    }

    void remove(place *leaves) noexcept {
        if (next_ == leaves) next_ = leaves->after_;
        (leaves->before_ ? leaves->before_->after_ : first_) = leaves->after_;
        (leaves->after_ ? leaves->after_->before_ : last_) = leaves->before_;
        if (leaves->state_ != place::state::cancelled) --expecting_;
    }

    place *first_ = nullptr, *last_ = nullptr;
    place *next_ = nullptr; // all before it were woken or cancelled
    std::size_t expecting_ = 0;
    loop_t *loop_ = nullptr; // of those who wait
};

} // namespace coloop::detail
