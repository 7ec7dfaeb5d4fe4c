// SPDX-License-Identifier: Apache-2.0 OR MIT
//
// The ways to read a stream that may wait more than once, and how they fail.
#pragma once

#include "coroutine.hpp"
#include "stream_protocol.hpp"

namespace coloop {

// The peer sent no more before everything had come that was asked for. asyncio:
// IncompleteReadError.
class COLOOP_VISIBLE incomplete_read_error : public error {
public:
    explicit incomplete_read_error(std::string partial)
        : error(LOOP_EINVALID_STATE, "the stream ended before everything was read"),
          partial_(std::make_shared<const std::string>(std::move(partial))) {}

    // What did come.
    const std::string &partial() const noexcept { return *partial_; }

private:
    std::shared_ptr<const std::string> partial_; // copies cannot fail
};

// There is no separator within the stream's limit. asyncio: LimitOverrunError.
class COLOOP_VISIBLE limit_overrun_error : public error {
public:
    limit_overrun_error(const char *text, std::size_t consumed) : error(-EMSGSIZE, text), consumed_(consumed) {}

    // So many bytes are before the separator, or cannot be a part of it.
    std::size_t consumed() const noexcept { return consumed_; }

private:
    std::size_t consumed_;
};

namespace detail {

inline task<std::string> read(shared_stream own, std::size_t size) {
    if (size) co_await stream_arrival(own, 1);
    co_return own->take(std::min(size, own->received().size()));
}

inline task<std::string> read_all(shared_stream own) {
    std::string all;
    try {
        for (;;) {
            co_await stream_arrival(own, 1);
            const std::string_view there = own->received();
            if (there.empty()) co_return all;
            all += there;
            own->drop(there.size());
        }
    } catch (...) {
        own->put_back(all.data(), all.size());
        throw;
    }
}

inline task<std::string> readexactly(shared_stream own, std::size_t size) {
    co_await stream_arrival(own, size);
    const std::size_t there = own->received().size();
    if (there < size) throw incomplete_read_error(own->take(there));
    co_return own->take(size);
}

// How many bytes there are up to the separator and with it; none: the stream ended before.
inline task<std::size_t> separated(shared_stream own, std::string separator) {
    own->refuse_second_reader();
    for (std::size_t searched = 0;;) {
        const std::size_t found = own->received().find(separator, searched), there = own->received().size();
        if (found != std::string_view::npos) {
            if (found > own->limit()) throw limit_overrun_error("Separator is found, but chunk is longer than limit", found);
            co_return found + separator.size();
        }
        if (there >= separator.size()) searched = there + 1 - separator.size();
        if (searched > own->limit())
            throw limit_overrun_error("Separator is not found, and chunk exceed the limit", searched);
        if (own->ended()) {
            own->throw_if_broken();
            co_return 0;
        }
        co_await stream_arrival(own, there + 1);
    }
}

inline task<std::string> readuntil(shared_stream own, std::string separator) {
    if (separator.empty()) throw error(LOOP_EINVAL, "Separator should be at least one-byte string");
    const std::size_t size = co_await separated(own, std::move(separator));
    if (!size) throw incomplete_read_error(own->take(own->received().size()));
    co_return own->take(size);
}

// What is too long for a line is dropped, so that the next one can be read.
inline task<std::string> readline(shared_stream own) {
    try {
        const std::size_t size = co_await separated(own, "\n");
        co_return own->take(size ? size : own->received().size());
    } catch (const limit_overrun_error &overrun) {
        const std::string_view rest = own->received().substr(overrun.consumed());
        own->drop(!rest.empty() && rest[0] == '\n' ? overrun.consumed() + 1 : own->received().size());
        throw;
    }
}

} // namespace detail
} // namespace coloop
