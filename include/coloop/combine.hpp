// SPDX-License-Identifier: Apache-2.0 OR MIT
//
// Futures of futures: asyncio's sleep, gather, wait, wait_for and shield.
//
// The library's combinators share results: what one takes out with take(), all have lost.
#pragma once

#include "future.hpp"

#include <array>
#include <cstddef>
#include <iterator>
#include <vector>

namespace coloop {

// The results of gather, and what keeps them alive.
class gathered {
public:
    gathered() noexcept = default;
    gathered(loop_future_t *future, void *result) noexcept
        : owner_(future_t::from_capi(loop_future_ref(future))), all_(static_cast<const loop_gathered_t *>(result)) {}

    std::size_t size() const noexcept { return all_ ? all_->count : 0; }
    // How the future at `index` ended.
    std::error_code error(std::size_t index) const noexcept {
        return make_error_code(index < size() ? all_->codes[index] : LOOP_EINVAL);
    }
    // The future at `index`, which must have a result of type T: result() and exception().
    template <class T> future<T> get(std::size_t index) const noexcept {
        return future<T>::from_capi(index < size() ? loop_future_ref(all_->futures[index]) : nullptr);
    }
    // Its result, or its failure as an exception.
    template <class T> typename result_traits<T>::reference result(std::size_t index) const {
        return get<T>(index).result();
    }

private:
    using future_t = future<void *>;
    future_t owner_;
    const loop_gathered_t *all_ = nullptr;
};

// Which futures are done, as of the moment in which wait ended.
class waited {
public:
    waited() noexcept = default;
    waited(loop_future_t *future, void *result) noexcept
        : owner_(future_t::from_capi(loop_future_ref(future))), all_(static_cast<const loop_waited_t *>(result)) {}

    std::size_t done_count() const noexcept { return all_ ? all_->done_count : 0; }
    std::size_t pending_count() const noexcept { return all_ ? all_->pending_count : 0; }
    bool is_done(const any_future &future) const noexcept {
        for (std::size_t i = 0; i < done_count(); ++i)
            if (all_->done[i] == future.capi()) return true;
        return false;
    }
    // They, in the order in which they were given, whatever their results are.
    std::vector<future<void *>> done() const { return list(all_ ? all_->done : nullptr, done_count()); }
    std::vector<future<void *>> pending() const { return list(all_ ? all_->pending : nullptr, pending_count()); }

private:
    using future_t = future<void *>;
    static std::vector<future_t> list(loop_future_t *const *futures, std::size_t count) {
        std::vector<future_t> made;
        made.reserve(count);
        for (std::size_t i = 0; i < count; ++i) made.push_back(future_t::from_capi(loop_future_ref(futures[i])));
        return made;
    }
    future_t owner_;
    const loop_waited_t *all_ = nullptr;
};

namespace detail {

// A result that keeps its future: `Owner(future, result)`.
template <class Owner> struct owning_result : plain_result<Owner> {
    static Owner load(loop_future_t *future, void *result) noexcept { return Owner(future, result); }
    static Owner quiet_load(loop_future_t *future, void *result) noexcept { return Owner(future, result); }
};

// The library's futures behind a range of ours.
template <class Futures> std::vector<loop_future_t *> capi_of(const Futures &futures) {
    std::vector<loop_future_t *> made;
    for (const auto &future : futures) made.push_back(future.capi());
    return made;
}

} // namespace detail

template <> struct result_traits<gathered> : detail::owning_result<gathered> {};
template <> struct result_traits<waited> : detail::owning_result<waited> {};

// A future that is done after `delay`. asyncio: sleep().
template <class Rep, class Period, class... Sink>
future<void> sleep(loop_view loop, std::chrono::duration<Rep, Period> delay, Sink &...sink) noexcept(detail::quiet<Sink...>) {
    future<void> made;
    detail::check(loop_sleep(loop.capi(), detail::to_ns(delay), nullptr, nullptr, made.receive()), sink...);
    return made;
}

// A future of the results of a range of futures, in their order. The first failure ends it;
// with LOOP_RETURN_EXCEPTIONS in `flags` failures are results like others. Cancelling it
// cancels them all. asyncio: gather().
template <class Futures, class... Sink, class = decltype(std::begin(std::declval<const Futures &>()))>
future<gathered> gather(loop_view loop, const Futures &futures, std::uint32_t flags = 0, Sink &...sink) {
    const auto list = detail::capi_of(futures);
    future<gathered> made;
    detail::check(loop_gather(loop.capi(), list.data(), list.size(), flags, made.receive()), sink...);
    return made;
}
namespace detail {
// Of futures of any types.
template <class... Results>
future<gathered> gather_all(loop_view loop, std::uint32_t flags, const future<Results> &...futures) {
    const std::array<loop_future_t *, sizeof...(Results)> list{futures.capi()...};
    future<gathered> made;
    check(loop_gather(loop.capi(), list.data(), list.size(), flags, made.receive()));
    return made;
}
} // namespace detail
// The same for futures of any types: gather(loop, first, second).
template <class... Results> future<gathered> gather(loop_view loop, const future<Results> &...futures) {
    return detail::gather_all(loop, 0, futures...);
}

enum class return_when {
    all_completed = LOOP_ALL_COMPLETED,
    first_completed = LOOP_FIRST_COMPLETED,
    first_exception = LOOP_FIRST_EXCEPTION,
};

// A future of which futures of a range are done when `when` says so, or after `timeout`. It
// does not fail, and cancels none of them. asyncio: wait().
template <class Futures, class... Sink, class = decltype(std::begin(std::declval<const Futures &>()))>
future<waited> wait(loop_view loop, const Futures &futures, return_when when = return_when::all_completed,
                    nanoseconds timeout = no_timeout, Sink &...sink) {
    const auto list = detail::capi_of(futures);
    future<waited> made;
    detail::check(loop_wait(loop.capi(), list.data(), list.size(), detail::to_timeout(timeout),
                            static_cast<int>(when), made.receive()),
                  sink...);
    return made;
}

// A future that ends as `awaited` does, or fails with std::errc::timed_out once that was
// cancelled because it took longer. Cancelling it cancels `awaited`. asyncio: wait_for().
template <class T, class Rep, class Period, class... Sink>
future<T> wait_for(const future<T> &awaited, std::chrono::duration<Rep, Period> timeout,
                   Sink &...sink) noexcept(detail::quiet<Sink...>) {
    future<T> made;
    detail::check(loop_wait_for(awaited.capi(), detail::to_timeout(timeout), made.receive()), sink...);
    return made;
}

// A future that ends as `inner` does; cancelling it leaves `inner` alone. asyncio: shield().
template <class T, class... Sink> future<T> shield(const future<T> &inner, Sink &...sink) noexcept(detail::quiet<Sink...>) {
    future<T> made;
    detail::check(loop_shield(inner.capi(), made.receive()), sink...);
    return made;
}

} // namespace coloop
