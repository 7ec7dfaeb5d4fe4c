// SPDX-License-Identifier: Apache-2.0 OR MIT
//
// What stands between a transport and the coroutines that read and write: asyncio's
// StreamReaderProtocol. stream.hpp is for its users.
#pragma once

#include "../server.hpp"
#include "line.hpp"
#include "stream_buffer.hpp"

#include <memory>
#include <string>

namespace coloop::detail {

class stream_reading;

// Shared by its transport, its stream, and whoever waits for it.
class stream_protocol : public buffered_protocol {
public:
    explicit stream_protocol(std::size_t limit) noexcept : limit_(limit) {}

    // Called by the transport.

    void connection_made(transport_view made) override {
        if (!transport_) attach(transport(made));
    }
    buffer get_buffer(std::size_t hint) override;
    void buffer_updated(std::size_t size) override;
    bool eof_received() override {
        ended_ = true;
        wake_reader();
        return true; // open for writing until it is closed
    }
    void pause_writing() override { paused_writing_ = true; }
    void resume_writing() override {
        paused_writing_ = false;
        draining_.wake_all();
    }
    void connection_lost(std::error_code reason, const char *message) override {
        ended_ = lost_ = true;
        reason_ = error_number(reason);
        wake_reader();
        draining_.wake_all();
        closing_.wake_all();
        if (reason_ && message) message_ = message;
    }

    // What came and was not read yet.

    std::size_t limit() const noexcept { return limit_; }
    std::string_view received() const noexcept { return buffer_.view(); }
    // Will nothing more come?
    bool ended() const noexcept { return ended_; }
    void refuse_second_reader() const {
        if (reader_)
            throw error(LOOP_EINVALID_STATE, "read() called while another coroutine is already waiting for incoming data");
    }
    std::string take(std::size_t size) {
        std::string taken = buffer_.take(size);
        resume_if_low();
        return taken;
    }
    std::size_t take(void *data, std::size_t size) noexcept {
        size = buffer_.take(data, size);
        resume_if_low();
        return size;
    }
    void drop(std::size_t size) noexcept {
        buffer_.drop(size);
        resume_if_low();
    }

    // The connection.

    // From now on it is this one's.
    void attach(transport &&made) noexcept {
        transport_ = std::move(made);
        loop_ = transport_.get_loop().capi();
    }
    transport_view get_transport() const noexcept { return transport_; }
    void close() noexcept {
        if (!lost_) loop_transport_close(transport_.capi());
    }
    bool is_closing() const noexcept { return lost_ || loop_transport_is_closing(transport_.capi()) != 0; }
    void throw_if_broken() const {
        if (reason_) fail(reason_, message_.empty() ? loop_strerror(reason_) : message_.c_str());
    }

private:
    friend class stream_reading;
    friend class stream_drain;
    friend class stream_closing;

    inline bool has_enough() const noexcept;
    inline void wake_reader() noexcept;
    inline void reader_has_enough() noexcept;
    // The peer has to wait while more than twice the limit is unread, unless somebody waits
    // for more than that.
    bool is_full() const noexcept {
        return buffer_.size() > limit_ && buffer_.size() - limit_ > limit_ && (!reader_ || has_enough());
    }
    void resume_if_low() noexcept {
        if (buffer_.size() <= limit_) resume_reading();
    }
    void resume_reading() noexcept {
        if (std::exchange(paused_reading_, false)) loop_transport_resume_reading(transport_.capi());
    }
    // What was received for somebody who does not want it any more.
    void put_back(const void *data, std::size_t size) noexcept {
        if (buffer_.put_back(data, size)) return;
        ended_ = true; // rather than going on without these bytes
        reason_ = -ENOMEM;
        loop_transport_fail(transport_.capi(), -ENOMEM, nullptr);
    }

    transport transport_;
    loop_t *loop_ = nullptr;
    stream_buffer buffer_;
    std::size_t limit_;
    stream_reading *reader_ = nullptr; // until its coroutine goes on
    line draining_, closing_;
    int reason_ = 0;
    std::string message_;
    bool ended_ = false, lost_ = false, paused_reading_ = false, paused_writing_ = false;
};

using shared_stream = std::shared_ptr<stream_protocol>;

// A coroutine that waits until `wanted` bytes are in the stream's buffer, or some in memory of
// its own.
class stream_reading : public waiter<stream_reading> {
public:
    ~stream_reading() { leave(); }

    bool await_ready() const {
        from_->refuse_second_reader();
        return from_->buffer_.size() >= wanted_ || from_->ended_;
    }
    template <class Promise> bool await_suspend(std::coroutine_handle<Promise> waiting) {
        if (from_->loop_ != driver_of(waiting).get_loop()) throw error(LOOP_EWRONG_LOOP, "is bound to a different event loop");
        if (!park(waiting, 0)) return false;
        from_->reader_ = this;
        waits_ = true;
        from_->resume_reading();
        return true;
    }
    void let_go() noexcept { waits_ = false; }

protected:
    stream_reading(shared_stream from, std::size_t wanted, void *data = nullptr, std::size_t size = 0) noexcept
        : from_(std::move(from)), wanted_(wanted), data_(data), size_(size) {}

    // Throws if it was cancelled, or if too little came because the connection broke.
    void finish() {
        leave();
        if (const int code = outcome()) {
            if (received_) from_->put_back(data_, received_);
            fail(code, loop_last_error());
        }
        if (!received_ && from_->buffer_.size() < wanted_) from_->throw_if_broken();
    }
    // How many bytes are in the memory of its own, if any came.
    std::size_t take() noexcept { return received_ ? received_ : from_->take(data_, size_); }

private:
    friend stream_protocol;

    void leave() noexcept {
        if (from_->reader_ == this) from_->reader_ = nullptr;
    }
    bool receives() const noexcept { return waits_ && data_; }

    const shared_stream from_;
    const std::size_t wanted_;
    void *const data_;
    const std::size_t size_;
    std::size_t received_ = 0;
    bool waits_ = false;
};

inline bool stream_protocol::has_enough() const noexcept { return buffer_.size() >= reader_->wanted_; }

inline void stream_protocol::wake_reader() noexcept {
    if (reader_ && std::exchange(reader_->waits_, false)) reader_->wake();
}

// Without a turn in between: what came is dealt with at once.
inline void stream_protocol::reader_has_enough() noexcept {
    if (std::exchange(reader_->waits_, false)) reader_->wake_now();
}

inline buffer stream_protocol::get_buffer(std::size_t hint) {
    if (reader_ && reader_->receives() && !buffer_.size()) return {reader_->data_, reader_->size_};
    return buffer_.room(std::min(hint, limit_));
}

inline void stream_protocol::buffer_updated(std::size_t size) {
    if (reader_ && reader_->receives() && !buffer_.size()) {
        reader_->received_ = size;
        return reader_has_enough();
    }
    buffer_.add(size);
    if (reader_ && has_enough()) reader_has_enough();
    if (is_full() && !std::exchange(paused_reading_, true)) loop_transport_pause_reading(transport_.capi());
}

// Waits for `wanted` bytes in the buffer, or the end.
class stream_arrival : public stream_reading {
public:
    stream_arrival(const shared_stream &from, std::size_t wanted) noexcept : stream_reading(from, wanted) {}
    void await_resume() { finish(); }
};

// Waits for bytes in the caller's memory: how many; 0 is the end.
class stream_read : public stream_reading {
public:
    stream_read(const shared_stream &from, void *data, std::size_t size) noexcept
        : stream_reading(from, size ? 1 : 0, data, size) {}
    std::size_t await_resume() {
        finish();
        return take();
    }
};

// Waits until there is room for more to be sent. On a connection that is being closed for a
// turn, so that whoever does nothing but write hears of the end.
class stream_drain : public line::place {
public:
    explicit stream_drain(shared_stream to) noexcept : to_(std::move(to)) {}
    bool await_ready() const noexcept { return to_->lost_ || (!to_->paused_writing_ && !to_->is_closing()); }
    template <class Promise> bool await_suspend(std::coroutine_handle<Promise> waiting) {
        return to_->paused_writing_ ? stand_in(to_->draining_, waiting) : yield(waiting);
    }
    void await_resume() {
        if (const int code = leave()) fail(code, loop_last_error());
        to_->throw_if_broken();
        if (to_->lost_) throw error(-ECONNRESET, "Connection lost");
    }

private:
    const shared_stream to_;
};

// Waits until the connection is closed.
class stream_closing : public line::place {
public:
    explicit stream_closing(shared_stream closes) noexcept : closes_(std::move(closes)) {}
    bool await_ready() const noexcept { return closes_->lost_; }
    template <class Promise> bool await_suspend(std::coroutine_handle<Promise> waiting) {
        return stand_in(closes_->closing_, waiting);
    }
    void await_resume() {
        if (const int code = leave()) fail(code, loop_last_error());
        closes_->throw_if_broken();
    }

private:
    const shared_stream closes_;
};

} // namespace coloop::detail
