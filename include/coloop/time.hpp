// SPDX-License-Identifier: Apache-2.0 OR MIT
//
// Durations from <chrono>, and points on a loop's clock.
#pragma once

#include <chrono>
#include <cmath>
#include <cstdint>
#include <limits>
#include <ratio>
#include <type_traits>

namespace coloop {

using nanoseconds = std::chrono::nanoseconds;

// The clock of loop.time(), which differs from loop to loop: a tag without now().
struct clock {
    using duration = nanoseconds;
    using rep = duration::rep;
    using period = duration::period;
    using time_point = std::chrono::time_point<clock, duration>;
    static constexpr bool is_steady = true;
};
using time_point = clock::time_point;

// As a time limit: none. A limit of 0 or less is over at once.
inline constexpr nanoseconds no_timeout = nanoseconds::max();

namespace detail {

// Nanoseconds, rounded up, so that nothing is early; the nearest there is if they are too
// many. No number (NaN) is 0.
template <class Rep, class Period>
constexpr std::int64_t to_ns(const std::chrono::duration<Rep, Period> &given) noexcept {
    using limits = std::numeric_limits<std::int64_t>;
    using ratio = std::ratio_divide<Period, std::nano>;
    const long double ns = static_cast<long double>(given.count()) * ratio::num / ratio::den;
    if (!(ns == ns)) return 0;
    if (ns >= static_cast<long double>(limits::max())) return limits::max();
    if (ns <= static_cast<long double>(limits::min())) return limits::min();
    if constexpr (std::is_integral_v<Rep> && (ratio::num == 1 || ratio::den == 1)) {
        return static_cast<std::int64_t>(std::chrono::ceil<nanoseconds>(given).count());
    } else {
        const auto whole = static_cast<std::int64_t>(ns);
        return static_cast<long double>(whole) < ns ? whole + 1 : whole;
    }
}

// A time limit as the library takes it: negative is none.
template <class Rep, class Period>
constexpr std::int64_t to_timeout(const std::chrono::duration<Rep, Period> &given) noexcept {
    const std::int64_t ns = to_ns(given);
    if (ns == no_timeout.count()) return -1;
    return ns < 0 ? 0 : ns;
}

inline constexpr nanoseconds from_timeout(std::int64_t ns) noexcept {
    return ns < 0 ? no_timeout : nanoseconds(ns);
}

// Points before the clock's start are its start.
inline constexpr std::uint64_t to_when(time_point when) noexcept {
    const std::int64_t ns = when.time_since_epoch().count();
    return ns < 0 ? 0 : static_cast<std::uint64_t>(ns);
}

inline constexpr time_point to_time_point(std::uint64_t ns) noexcept {
    constexpr auto last = static_cast<std::uint64_t>(nanoseconds::max().count());
    return time_point(nanoseconds(static_cast<std::int64_t>(ns < last ? ns : last)));
}

} // namespace detail
} // namespace coloop
