// SPDX-License-Identifier: Apache-2.0 OR MIT
//
// Any callable as a callback of the library: a function, its user data and a destructor.
//
// A callable that is no larger than a pointer, trivial to copy and to destroy, and callable
// as const, such as a lambda that captures `this`, is carried inside the void * itself:
// no heap, no destructor. Anything else is one `new`, which the library destroys exactly
// once, also when the call that was given it fails.
#pragma once

#include "exception.hpp"

#include <cstring>
#include <functional>
#include <new>
#include <type_traits>
#include <utility>

namespace coloop {

// A method of an object as a callable that needs no heap: loop.call_soon(member<&T::f>(this)).
// The object must outlive it.
template <auto Method, class Object> auto member(Object *object) noexcept {
    return [object](auto &&...args) -> decltype(auto) {
        return std::invoke(Method, object, std::forward<decltype(args)>(args)...);
    };
}

namespace detail {

// A callable as user data, and how it is called with `Args`.
template <class Callable, class... Args> class user_data {
public:
    using callable = std::decay_t<Callable>;

    static constexpr bool in_pointer =
        sizeof(callable) <= sizeof(void *) && alignof(callable) <= alignof(void *) &&
        std::is_trivially_copyable_v<callable> && std::is_trivially_destructible_v<callable> &&
        std::is_invocable_v<const callable &, Args...>;

    // Does storing it throw nothing, if there is memory?
    static constexpr bool quiet = std::is_nothrow_constructible_v<callable, Callable>;

    // Stores it at `data`; without memory for it: false, or std::bad_alloc.
    template <class... Sink> static bool store(Callable &&given, void *&data, Sink &...sink) {
        if constexpr (in_pointer) {
            const callable copy(std::forward<Callable>(given));
            data = nullptr;
            if constexpr (!std::is_empty_v<callable>) std::memcpy(&data, &copy, sizeof copy);
        } else if constexpr (detail::quiet<Sink...>) {
            data = new (std::nothrow) callable(std::forward<Callable>(given));
            if (!data) return check(-ENOMEM, sink...) == 0;
        } else {
            data = new callable(std::forward<Callable>(given));
        }
        return true;
    }

    // The result is a value: what is in the pointer is a copy for the call.
    static auto call(void *data, Args... args) {
        if constexpr (in_pointer) {
            alignas(callable) unsigned char place[sizeof(callable)];
            std::memcpy(place, &data, sizeof place);
            return std::invoke(*std::launder(reinterpret_cast<const callable *>(place)),
                               std::forward<Args>(args)...);
        } else {
            return std::invoke(*static_cast<callable *>(data), std::forward<Args>(args)...);
        }
    }

    static loop_destroy_t destructor() noexcept {
        if constexpr (in_pointer)
            return nullptr;
        else
            return destroy;
    }

private:
    static void destroy(void *data) noexcept { delete static_cast<callable *>(data); }
};

// Null pointers are refused by the library, which knows how to say so.
template <class Callable> bool is_null(const Callable &callable) noexcept {
    if constexpr (std::is_pointer_v<Callable> || std::is_member_pointer_v<Callable>)
        return callable == nullptr;
    else
        return (void)callable, false;
}

// loop_callback_t for a callable without arguments.
template <class Callable> void trampoline(void *data) noexcept {
    guarded(nullptr, [data] { (void)user_data<Callable>::call(data); });
}

// Gives a callable to a call of the library: call(function, data, destructor) -> its result.
// `function` is the trampoline for it.
template <class Data, class Callable, class Function, class Call, class... Sink>
int give(Callable &&callable, Function function, Call &&call, Sink &...sink) {
    if (is_null(callable)) return check(call(Function{}, nullptr, nullptr), sink...);
    void *data;
    if (!Data::store(std::forward<Callable>(callable), data, sink...)) return -ENOMEM;
    return check(call(function, data, Data::destructor()), sink...);
}

// The same for callables without arguments.
template <class Callable, class Call, class... Sink>
int give_callback(Callable &&callable, Call &&call, Sink &...sink) {
    static_assert(std::is_invocable_v<std::decay_t<Callable> &>, "a callback is called without arguments");
    return give<user_data<Callable>>(std::forward<Callable>(callable), loop_callback_t(trampoline<Callable>),
                                     std::forward<Call>(call), sink...);
}

// May a call that stores this callable be noexcept?
template <class Callable, class... Sink>
inline constexpr bool quiet_give = quiet<Sink...> && user_data<Callable>::quiet;

} // namespace detail
} // namespace coloop
