// SPDX-License-Identifier: Apache-2.0 OR MIT
//
// Socket addresses: bytes of a struct sockaddr, whose meaning is the system's headers'.
#pragma once

#include <cstddef>
#include <cstring>

namespace coloop {

// A copy of any struct sockaddr: as big as struct sockaddr_storage.
class socket_address {
public:
    static constexpr std::size_t capacity = 128;

    socket_address() noexcept = default;
    // What does not fit is left out.
    socket_address(const void *address, std::size_t size) noexcept {
        set_size(address ? size : 0);
        if (size_) std::memcpy(bytes_, address, size_);
    }
    // Of a struct sockaddr_in, sockaddr_in6, sockaddr_un.
    template <class Address> static socket_address of(const Address &address) noexcept {
        static_assert(sizeof address <= capacity);
        return {&address, sizeof address};
    }

    const void *data() const noexcept { return size_ ? bytes_ : nullptr; }
    void *data() noexcept { return bytes_; }
    std::size_t size() const noexcept { return size_; }
    explicit operator bool() const noexcept { return size_ != 0; }
    void set_size(std::size_t size) noexcept { size_ = size < capacity ? size : capacity; }
    // As the system's struct; zeroes where there is less.
    template <class Address> Address as() const noexcept {
        Address address{};
        std::memcpy(&address, bytes_, size_ < sizeof address ? size_ : sizeof address);
        return address;
    }

private:
    alignas(8) unsigned char bytes_[capacity] = {};
    std::size_t size_ = 0;
};

} // namespace coloop
