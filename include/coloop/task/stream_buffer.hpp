// SPDX-License-Identifier: Apache-2.0 OR MIT
//
// Bytes that a stream received and nobody read yet.
#pragma once

#include "../protocol.hpp"

#include <algorithm>
#include <cstring>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <utility>

namespace coloop::detail {

class stream_buffer {
public:
    std::size_t size() const noexcept { return end_ - begin_; }
    std::string_view view() const noexcept { return {bytes_.get() + begin_, size()}; }

    // Room for more behind what is there: as much as the last receptions needed, up to `most`.
    // Throws std::bad_alloc.
    buffer room(std::size_t most) {
        given_ = std::min(wanted_, std::max(most, least_room));
        if (capacity_ - end_ < given_) make_room();
        return {bytes_.get() + end_, given_};
    }
    // So many bytes came into that room.
    void add(std::size_t size) noexcept {
        end_ += size;
        if (size == given_) wanted_ = std::min(2 * given_, most_room);
    }

    std::string take(std::size_t size) {
        std::string taken(view().substr(0, size));
        drop(size);
        return taken;
    }
    std::size_t take(void *data, std::size_t size) noexcept {
        size = std::min(size, this->size());
        if (size) std::memcpy(data, bytes_.get() + begin_, size);
        drop(size);
        return size;
    }
    void drop(std::size_t size) noexcept {
        begin_ += size;
        if (begin_ != end_) return;
        begin_ = end_ = 0;
        if (capacity_ > most_kept) {
            bytes_.reset();
            capacity_ = 0;
        }
    }

    // Puts bytes before all others: false if there is no memory for it.
    bool put_back(const void *data, std::size_t size) noexcept {
        if (begin_ < size && !move_to(this->size() + size, size)) return false;
        begin_ -= size;
        if (size) std::memcpy(bytes_.get() + begin_, data, size);
        return true;
    }

private:
    static constexpr std::size_t least_room = 4 * 1024, most_room = 256 * 1024, most_kept = 256 * 1024;

    // To the front if that moves no more than it gains, else to twice the memory: so every
    // byte is moved a few times at most.
    void make_room() {
        if (begin_ >= size() && capacity_ - size() >= given_) {
            if (size()) std::memcpy(bytes_.get(), bytes_.get() + begin_, size());
            end_ -= std::exchange(begin_, 0);
        } else if (!move_to(std::max(size() + given_, 2 * size()), 0)) {
            throw std::bad_alloc();
        }
    }

    // What is there to `begin` of new memory.
    bool move_to(std::size_t capacity, std::size_t begin) noexcept {
        std::unique_ptr<char[]> bytes(new (std::nothrow) char[capacity]);
        if (!bytes) return false;
        if (size()) std::memcpy(bytes.get() + begin, bytes_.get() + begin_, size());
        end_ = begin + size();
        begin_ = begin;
        bytes_ = std::move(bytes);
        capacity_ = capacity;
        return true;
    }

    std::unique_ptr<char[]> bytes_;
    std::size_t capacity_ = 0, begin_ = 0, end_ = 0;
    std::size_t wanted_ = least_room, given_ = 0;
};

} // namespace coloop::detail
