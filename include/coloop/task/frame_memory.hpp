// SPDX-License-Identifier: Apache-2.0 OR MIT
//
// Memory for the frames of coroutines. A thread keeps some that were freed, because calling
// a coroutine frees a frame of the size that the next call needs.
//
// Off where a tool looks for errors of memory, which has to see every frame come and go.
#pragma once

#include <cstddef>
#include <new>

#if defined(__SANITIZE_ADDRESS__)
#define COLOOP_KEEPS_FRAMES 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer)
#define COLOOP_KEEPS_FRAMES 0
#endif
#endif
#ifndef COLOOP_KEEPS_FRAMES
#define COLOOP_KEEPS_FRAMES 1
#endif

namespace coloop::detail {

#if COLOOP_KEEPS_FRAMES

// Blocks of up to 1 KiB, by their size in steps of 64 bytes; at most 8 of each.
class frame_memory {
public:
    static void *allocate(std::size_t size) {
        const std::size_t level = level_of(size);
        if (level >= levels) return ::operator new(size);
        frame_memory &mine = here_;
        if (kept *const block = mine.free_[level]) {
            mine.free_[level] = block->next;
            --mine.count_[level];
            return block;
        }
        return ::operator new((level + 1) * step);
    }

    static void release(void *block, std::size_t size) noexcept {
        const std::size_t level = level_of(size);
        frame_memory &mine = here_;
        if (level >= levels || mine.count_[level] == most || mine.ends_) return ::operator delete(block);
        static thread_local const end_of_thread frees_all;
        (void)frees_all;
        mine.free_[level] = new (block) kept{mine.free_[level]};
        ++mine.count_[level];
    }

private:
    struct kept {
        kept *next;
    };
    struct end_of_thread {
        ~end_of_thread() {
            here_.ends_ = true;
            for (kept *&list : here_.free_) {
                while (kept *const block = list) {
                    list = block->next;
                    ::operator delete(block);
                }
            }
        }
    };

    static constexpr std::size_t step = 64, levels = 16, most = 8;
    static constexpr std::size_t level_of(std::size_t size) noexcept { return (size - 1) / step; }

    kept *free_[levels] = {};
    unsigned char count_[levels] = {};
    bool ends_ = false;

    // Of a type that needs no construction and no destruction, so that reaching it is cheap.
    static thread_local frame_memory here_;
};

inline constinit thread_local frame_memory frame_memory::here_;

#else

class frame_memory {
public:
    static void *allocate(std::size_t size) { return ::operator new(size); }
    static void release(void *block, std::size_t) noexcept { ::operator delete(block); }
};

#endif

} // namespace coloop::detail
