// SPDX-License-Identifier: Apache-2.0 OR MIT
//
// Which loop is a thread's: the running one, the current one, and the process's policy.
#pragma once

#include "loop.hpp"

namespace coloop {

// The loop that runs in this thread. asyncio: get_running_loop().
template <class... Sink> loop_view get_running_loop(Sink &...sink) noexcept(detail::quiet<Sink...>) {
    loop_t *running = nullptr;
    detail::check(loop_get_running(&running), sink...);
    return running;
}

// This thread's loop: the running one, else the policy's. asyncio: get_event_loop().
template <class... Sink> loop_view get_event_loop(Sink &...sink) noexcept(detail::quiet<Sink...>) {
    loop_t *current = nullptr;
    detail::check(policy_get_event_loop(&current), sink...);
    return current;
}

// Makes a loop this thread's, which takes a reference; an empty view: none.
// asyncio: set_event_loop().
template <class... Sink> void set_event_loop(loop_view current, Sink &...sink) noexcept(detail::quiet<Sink...>) {
    detail::check(policy_set_event_loop(current.capi()), sink...);
}

// A new loop by the policy. asyncio: new_event_loop().
template <class... Sink> loop new_event_loop(Sink &...sink) noexcept(detail::quiet<Sink...>) {
    loop_t *made = nullptr;
    detail::check(policy_new_event_loop(&made), sink...);
    return loop::from_capi(made);
}

// A policy with a reference. Move-only. asyncio: AbstractEventLoopPolicy.
class policy {
public:
    policy() noexcept = default;
    policy(policy &&other) noexcept : policy_(other.release()) {}
    policy &operator=(policy &&other) noexcept {
        policy taken(std::move(other));
        std::swap(policy_, taken.policy_);
        return *this;
    }
    ~policy() { policy_unref(policy_); }

    // Takes over a reference, such as that of policy_new.
    static policy from_capi(policy_t *given) noexcept {
        policy made;
        made.policy_ = given;
        return made;
    }
    policy_t *capi() const noexcept { return policy_; }
    policy_t *release() noexcept { return std::exchange(policy_, nullptr); }
    explicit operator bool() const noexcept { return policy_ != nullptr; }

    template <class... Sink> loop_view get_event_loop(Sink &...sink) const noexcept(detail::quiet<Sink...>) {
        loop_t *current = nullptr;
        detail::check(policy_object_get_event_loop(policy_, &current), sink...);
        return current;
    }
    template <class... Sink> void set_event_loop(loop_view current, Sink &...sink) const noexcept(detail::quiet<Sink...>) {
        detail::check(policy_object_set_event_loop(policy_, current.capi()), sink...);
    }
    template <class... Sink> loop new_event_loop(Sink &...sink) const noexcept(detail::quiet<Sink...>) {
        loop_t *made = nullptr;
        detail::check(policy_object_new_event_loop(policy_, &made), sink...);
        return loop::from_capi(made);
    }

private:
    policy_t *policy_ = nullptr;
};

// The process's policy. asyncio: get_event_loop_policy().
inline policy get_event_loop_policy() noexcept { return policy::from_capi(policy_ref(policy_get())); }

// Makes a policy the process's; an empty one restores the default.
// asyncio: set_event_loop_policy().
template <class... Sink> void set_event_loop_policy(const policy &given, Sink &...sink) noexcept(detail::quiet<Sink...>) {
    detail::check(policy_set(given.capi()), sink...);
}

} // namespace coloop
