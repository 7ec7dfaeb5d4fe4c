// SPDX-License-Identifier: Apache-2.0 OR MIT
//
// What stands between a transport and the coroutines that read and write: asyncio's
// StreamReaderProtocol. stream.hpp is for its users.
#pragma once

#include "../server.hpp"
#include "await_future.hpp"
#include "line.hpp"
#include "sleep.hpp"

#include <algorithm>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace coloop::detail {

class stream_reading;

class stream_protocol : public buffered_protocol, public std::enable_shared_from_this<stream_protocol> {
public:
    explicit stream_protocol(std::size_t limit) noexcept : limit_(limit) {}

    // Called by the transport.

    void connection_made(transport_view made) override { transport_ = transport(made); }
    buffer get_buffer(std::size_t hint) override;
    void buffer_updated(std::size_t size) override;
    bool eof_received() override {
        eof_ = true;
        wake_reader();
        return true; // open for writing until it is closed
    }
    void pause_writing() override { paused_writing_ = true; }
    void resume_writing() override {
        paused_writing_ = false;
        draining_.wake_all();
    }
    void connection_lost(std::error_code reason, const char *message) override {
        lost_ = true;
        eof_ = true;
        if (reason) {
            reason_ = error_number(reason);
            if (message) message_ = message;
        }
        wake_reader();
        draining_.wake_all();
        closing_.wake_all();
    }

    // What came and was not read yet.

    std::size_t limit() const noexcept { return limit_; }
    std::size_t buffered_size() const noexcept { return end_ - begin_; }
    bool at_eof() const noexcept { return eof_ && begin_ == end_; }
    std::size_t find(std::string_view wanted, std::size_t from) const noexcept {
        return std::string_view(bytes_.data() + begin_, buffered_size()).find(wanted, from);
    }
    std::string take(std::size_t size) {
        std::string taken(bytes_.data() + begin_, size);
        drop(size);
        return taken;
    }
    std::size_t take(void *data, std::size_t size) noexcept {
        size = std::min(size, buffered_size());
        if (size) std::memcpy(data, bytes_.data() + begin_, size);
        drop(size);
        return size;
    }
    // What was received for somebody who does not want it any more.
    void put_back(const void *data, std::size_t size) {
        if (begin_ < size) {
            bytes_.insert(bytes_.begin() + static_cast<std::ptrdiff_t>(begin_), size - begin_, 0);
            end_ += size - begin_;
            begin_ = size;
        }
        begin_ -= size;
        std::memcpy(bytes_.data() + begin_, data, size);
    }
    // A reader needs so many bytes at a time, however low the limit is.
    void need(std::size_t size) noexcept {
        needed_ = size;
        resume_reading_if_low();
    }

    // The connection.

    transport_view get_transport() const noexcept { return transport_; }
    transport_view open_transport() const {
        throw_if_broken();
        return transport_;
    }
    bool is_lost() const noexcept { return lost_; }
    bool is_closing() const noexcept { return lost_ || loop_transport_is_closing(transport_.capi()) != 0; }
    bool is_paused_writing() const noexcept { return paused_writing_ && !lost_; }
    void close() noexcept {
        if (!lost_) loop_transport_close(transport_.capi());
    }
    void throw_if_broken() const {
        if (reason_) fail(reason_, message_.empty() ? loop_strerror(reason_) : message_.c_str());
    }

private:
    friend class stream_reading;
    friend class stream_drain;
    friend class stream_closing;

    static constexpr std::size_t least_room = 16 * 1024;

    void drop(std::size_t size) noexcept {
        begin_ += size;
        if (begin_ == end_) begin_ = end_ = 0;
        resume_reading_if_low();
    }
    void resume_reading_if_low() noexcept {
        if (!paused_reading_ || (buffered_size() > limit_ && buffered_size() >= needed_)) return;
        paused_reading_ = false;
        loop_transport_resume_reading(transport_.capi());
    }
    inline void wake_reader() noexcept;

    transport transport_;
    std::vector<char> bytes_;
    std::size_t begin_ = 0, end_ = 0;
    std::size_t limit_, needed_ = 0;
    stream_reading *reader_ = nullptr;
    line draining_, closing_;
    int reason_ = 0;
    std::string message_;
    bool eof_ = false, lost_ = false, paused_reading_ = false, paused_writing_ = false;
};

// A coroutine that waits for bytes: for more than `known` in the stream's buffer, or for
// some in memory of its own.
class stream_reading : public waiter<stream_reading> {
public:
    ~stream_reading() { let_go(); }
    void let_go() noexcept {
        if (stream_protocol *const left = std::exchange(waits_for_, nullptr)) left->reader_ = nullptr;
    }

protected:
    stream_reading(stream_protocol &from, void *data, std::size_t size, std::size_t known) noexcept
        : from_(from), data_(data), size_(size), known_(known) {}

    bool is_ready() const {
        if (from_.reader_) throw error(LOOP_EINVALID_STATE, "read() called while another coroutine is already waiting for incoming data");
        return from_.buffered_size() > known_ || from_.eof_;
    }
    template <class Promise> bool read_later(std::coroutine_handle<Promise> waiting) noexcept {
        if (!park(waiting, 0)) return false;
        waits_for_ = &from_;
        from_.reader_ = this;
        return true;
    }
    // Throws if it was cancelled, or if nothing came because the connection broke.
    void finish() {
        let_go();
        if (const int code = outcome()) {
            if (received_) from_.put_back(data_, received_);
            fail(code, loop_last_error());
        }
        if (!received_ && from_.buffered_size() <= known_) from_.throw_if_broken();
    }

    stream_protocol &from_;
    void *data_;
    std::size_t size_, known_, received_ = 0;

private:
    friend stream_protocol;

    stream_protocol *waits_for_ = nullptr;
};

inline void stream_protocol::wake_reader() noexcept {
    if (stream_reading *const woken = std::exchange(reader_, nullptr)) {
        woken->waits_for_ = nullptr;
        woken->wake();
    }
}

inline buffer stream_protocol::get_buffer(std::size_t hint) {
    if (reader_ && reader_->data_ && begin_ == end_) return {reader_->data_, reader_->size_};
    if (bytes_.size() - end_ < least_room && begin_) {
        std::memmove(bytes_.data(), bytes_.data() + begin_, buffered_size());
        end_ -= begin_;
        begin_ = 0;
    }
    if (bytes_.size() - end_ < least_room) bytes_.resize(end_ + std::max(std::min(hint, limit_), least_room));
    return {bytes_.data() + end_, bytes_.size() - end_};
}

inline void stream_protocol::buffer_updated(std::size_t size) {
    if (reader_ && reader_->data_ && begin_ == end_) {
        reader_->received_ = size;
        return wake_reader();
    }
    end_ += size;
    wake_reader();
    if (!paused_reading_ && buffered_size() > 2 * std::max(limit_, needed_)) {
        paused_reading_ = true;
        loop_transport_pause_reading(transport_.capi());
    }
}

// Waits for more than `known` bytes in the buffer, or the end.
class stream_arrival : public stream_reading {
public:
    explicit stream_arrival(stream_protocol &from, std::size_t known = 0) noexcept : stream_reading(from, nullptr, 0, known) {}
    bool await_ready() const { return is_ready(); }
    template <class Promise> bool await_suspend(std::coroutine_handle<Promise> waiting) noexcept { return read_later(waiting); }
    void await_resume() { finish(); }
};

// Waits for bytes in the caller's memory: how many; 0 is the end.
class stream_read : public stream_reading {
public:
    stream_read(stream_protocol &from, void *data, std::size_t size) noexcept : stream_reading(from, data, size, 0) {}
    bool await_ready() const { return size_ == 0 || is_ready(); }
    template <class Promise> bool await_suspend(std::coroutine_handle<Promise> waiting) noexcept { return read_later(waiting); }
    std::size_t await_resume() {
        finish();
        return received_ ? received_ : from_.take(data_, size_);
    }
};

// As long as it lives, so many bytes may come before the peer has to wait.
class stream_need {
public:
    stream_need(stream_protocol &from, std::size_t size) noexcept : from_(from) { from_.need(size); }
    stream_need(const stream_need &) = delete;
    stream_need &operator=(const stream_need &) = delete;
    ~stream_need() { from_.need(0); }

private:
    stream_protocol &from_;
};

// Waits until there is room for more to be sent.
class stream_drain : public line::place {
public:
    explicit stream_drain(stream_protocol &to) noexcept : to_(to) {}
    bool await_ready() const noexcept { return !to_.is_paused_writing(); }
    template <class Promise> bool await_suspend(std::coroutine_handle<Promise> waiting) {
        return stand_in(to_.draining_, waiting);
    }
    void await_resume() {
        if (const int code = leave()) fail(code, loop_last_error());
        to_.throw_if_broken();
        if (to_.is_lost()) throw error(-ECONNRESET, "Connection lost");
    }

private:
    stream_protocol &to_;
};

// Waits until the connection is closed.
class stream_closing : public line::place {
public:
    explicit stream_closing(stream_protocol &closes) noexcept : closes_(closes) {}
    bool await_ready() const noexcept { return closes_.is_lost(); }
    template <class Promise> bool await_suspend(std::coroutine_handle<Promise> waiting) {
        return stand_in(closes_.closing_, waiting);
    }
    void await_resume() {
        if (const int code = leave()) fail(code, loop_last_error());
        closes_.throw_if_broken();
    }

private:
    stream_protocol &closes_;
};

} // namespace coloop::detail
