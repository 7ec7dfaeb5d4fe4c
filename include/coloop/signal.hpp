// SPDX-License-Identifier: Apache-2.0 OR MIT
//
// Signals: asyncio's add_signal_handler.
#pragma once

#include "loop.hpp"

namespace coloop {

// Calls `callback()` in the loop after the signal arrived; a handler from before is replaced.
// asyncio: loop.add_signal_handler().
template <class Callback, class... Sink>
void loop_view::add_signal_handler(int signum, Callback &&callback, Sink &...sink) const
    noexcept(detail::quiet_give<Callback, Sink...>) {
    detail::give_callback(std::forward<Callback>(callback),
                          [&](auto... data) { return loop_add_signal_handler(loop_, signum, data...); }, sink...);
}

// True if there was one.
template <class... Sink>
bool loop_view::remove_signal_handler(int signum, Sink &...sink) const noexcept(detail::quiet<Sink...>) {
    return detail::check(loop_remove_signal_handler(loop_, signum), sink...) == 1;
}

} // namespace coloop
