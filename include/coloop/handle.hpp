// SPDX-License-Identifier: Apache-2.0 OR MIT
//
// Scheduled callbacks: asyncio's Handle and TimerHandle.
#pragma once

#include "error.hpp"
#include "time.hpp"

#include <utility>

namespace coloop {

// A callback that was scheduled. Move-only; holds a reference to its loop. Dropping it
// cancels nothing: see scoped_handle. Of the loop's thread, unless it is that of
// call_soon_threadsafe, which any thread may cancel.
class handle {
public:
    handle() noexcept = default;
    handle(handle &&other) noexcept
        : loop_(std::exchange(other.loop_, nullptr)), id_(std::exchange(other.id_, 0)),
          cancelled_(std::exchange(other.cancelled_, false)) {}
    handle &operator=(handle &&other) noexcept {
        handle taken(std::move(other));
        swap(taken);
        return *this;
    }
    ~handle() { loop_unref(loop_); }

    // Of a number that the library gave; takes a reference to the loop.
    static handle from_capi(loop_t *loop, loop_handle_t id) noexcept {
        handle made;
        made.loop_ = loop_ref(loop);
        made.id_ = id;
        return made;
    }
    loop_handle_t capi() const noexcept { return id_; }
    // Forgets the callback, which stays scheduled, and answers its number.
    loop_handle_t release() noexcept { return handle(std::move(*this)).id_; }
    // The loop; NULL if there is no callback.
    loop_t *loop() const noexcept { return loop_; }
    explicit operator bool() const noexcept { return id_ != 0; }

    // The callback will not start, and is destroyed now: true. False if it ran, runs, was
    // cancelled long ago, or its loop is closed. asyncio: handle.cancel().
    template <class... Sink> bool cancel(Sink &...sink) noexcept(detail::quiet<Sink...>) {
        const bool done = detail::check(settled(id_ ? loop_handle_cancel(loop_, id_) : LOOP_ESTALE), sink...) == 0;
        cancelled_ = cancelled_ || done;
        return done;
    }

    // Was it cancelled? asyncio: handle.cancelled().
    template <class... Sink> bool cancelled(Sink &...sink) const noexcept(detail::quiet<Sink...>) {
        if (cancelled_ || !id_) return detail::check(0, sink...), cancelled_;
        const int answer = loop_handle_cancelled(loop_, id_);
        return detail::check(answer == LOOP_ESTALE || answer == LOOP_ECLOSED ? 0 : answer, sink...) == 1;
    }

    // When a waiting timer is due. asyncio: handle.when().
    template <class... Sink> time_point when(Sink &...sink) const noexcept(detail::quiet<Sink...>) {
        std::uint64_t ns = 0;
        detail::check(loop_handle_when(loop_, id_, &ns), sink...);
        return detail::to_time_point(ns);
    }

    // Moves a waiting timer.
    template <class... Sink> void reschedule(time_point when, Sink &...sink) noexcept(detail::quiet<Sink...>) {
        detail::check(loop_handle_reschedule(loop_, id_, detail::to_when(when)), sink...);
    }

    void swap(handle &other) noexcept {
        std::swap(loop_, other.loop_);
        std::swap(id_, other.id_);
        std::swap(cancelled_, other.cancelled_);
    }

private:
    // Nothing left to cancel is no error: 1.
    static int settled(int code) noexcept { return code == LOOP_ESTALE || code == LOOP_ECLOSED ? 1 : code; }

    loop_t *loop_ = nullptr;
    loop_handle_t id_ = 0;
    bool cancelled_ = false;
};

// A callback that is cancelled when this goes: what it uses may go at the same time.
class scoped_handle : public handle {
public:
    scoped_handle() noexcept = default;
    scoped_handle(handle &&given) noexcept : handle(std::move(given)) {}
    scoped_handle(scoped_handle &&) noexcept = default;
    scoped_handle &operator=(scoped_handle &&other) noexcept {
        scoped_handle taken(std::move(other));
        swap(taken);
        return *this;
    }
    ~scoped_handle() {
        std::error_code ignored;
        if (*this) cancel(ignored);
    }
};

} // namespace coloop
