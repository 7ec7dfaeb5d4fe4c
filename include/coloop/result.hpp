// SPDX-License-Identifier: Apache-2.0 OR MIT
//
// How a result of type T stands in a future of the library, whose results are void *.
//
// Integers, enumerations and pointers stand in the pointer itself, as the C functions do it;
// anything else is one `new` that ends with the future. T void * is whatever stands there.
#pragma once

#include "../coloop.h"

#include <cstdint>
#include <new>
#include <type_traits>
#include <utility>

namespace coloop {

// `reference` is what result() answers, valid as long as the future; `pointer` the same for
// result(std::error_code &). Specialise it for results that are read in another way.
template <class T, class Enable = void> struct result_traits {
    static_assert(std::is_object_v<T> && !std::is_const_v<T>, "a future's result is an object or void");
    using reference = T &;
    using pointer = T *;

    template <class... Values> static void *store(Values &&...values) { return new T(std::forward<Values>(values)...); }
    // NULL without memory.
    template <class Value> static void *quiet_store(Value &&value) {
        return new (std::nothrow) T(std::forward<Value>(value));
    }
    static void destroy(void *result) noexcept { delete static_cast<T *>(result); }
    static constexpr bool destroys = true;

    static T &load(loop_future_t *, void *result) noexcept { return *static_cast<T *>(result); }
    static T *quiet_load(loop_future_t *, void *result) noexcept { return static_cast<T *>(result); }
};

namespace detail {

template <class T>
inline constexpr bool result_in_pointer =
    (std::is_pointer_v<T> && !std::is_function_v<std::remove_pointer_t<T>>) ||
    ((std::is_integral_v<T> || std::is_enum_v<T>) && sizeof(T) <= sizeof(void *));

template <class T> struct plain_result {
    using reference = T;
    using pointer = T;
    static void destroy(void *) noexcept {}
    static constexpr bool destroys = false;
    static T quiet_load(loop_future_t *future, void *result) noexcept {
        return result_traits<T>::load(future, result);
    }
};

} // namespace detail

template <class T> struct result_traits<T, std::enable_if_t<detail::result_in_pointer<T>>> : detail::plain_result<T> {
    static void *store(T value) noexcept {
        if constexpr (std::is_pointer_v<T>)
            return const_cast<void *>(static_cast<const volatile void *>(value));
        else
            return reinterpret_cast<void *>(static_cast<std::intptr_t>(value));
    }
    static T load(loop_future_t *, void *result) noexcept {
        if constexpr (std::is_pointer_v<T>)
            return static_cast<T>(result);
        else
            return static_cast<T>(reinterpret_cast<std::intptr_t>(result));
    }
};

template <> struct result_traits<void> : detail::plain_result<void> {
    static void *store() noexcept { return nullptr; }
    static void load(loop_future_t *, void *) noexcept {}
};

} // namespace coloop
