// SPDX-License-Identifier: Apache-2.0 OR MIT
//
// Items from coroutines for coroutines of the same loop: asyncio's Queue, LifoQueue and
// PriorityQueue. Not for threads: they post with loop.call_soon_threadsafe.
#pragma once

#include "coroutine.hpp"
#include "event.hpp"

#include <algorithm>
#include <cstddef>
#include <deque>
#include <functional>
#include <vector>

namespace coloop {

// get_nowait() found nothing. asyncio: QueueEmpty.
class COLOOP_VISIBLE queue_empty : public error {
public:
    queue_empty() : error(-EAGAIN, "the queue is empty") {}
};
// put_nowait() found no room. asyncio: QueueFull.
class COLOOP_VISIBLE queue_full : public error {
public:
    queue_full() : error(-EAGAIN, "the queue is full") {}
};
// The queue was shut down. asyncio: QueueShutDown.
class COLOOP_VISIBLE queue_shut_down : public error {
public:
    queue_shut_down() : error(LOOP_ESHUTDOWN, "the queue was shut down") {}
};

namespace detail {

template <class T> class first_in_first_out {
public:
    std::size_t size() const noexcept { return items_.size(); }
    void put(T &&item) { items_.push_back(std::move(item)); }
    T get() {
        T item = std::move(items_.front());
        items_.pop_front();
        return item;
    }

private:
    std::deque<T> items_;
};

template <class T> class last_in_first_out {
public:
    std::size_t size() const noexcept { return items_.size(); }
    void put(T &&item) { items_.push_back(std::move(item)); }
    T get() {
        T item = std::move(items_.back());
        items_.pop_back();
        return item;
    }

private:
    std::vector<T> items_;
};

// A heap whose first item none is less than.
template <class T, class Less> class least_first {
public:
    std::size_t size() const noexcept { return items_.size(); }
    void put(T &&item) {
        items_.push_back(std::move(item));
        std::push_heap(items_.begin(), items_.end(), greater);
    }
    T get() {
        std::pop_heap(items_.begin(), items_.end(), greater);
        T item = std::move(items_.back());
        items_.pop_back();
        return item;
    }

private:
    static bool greater(const T &a, const T &b) { return Less()(b, a); }

    std::vector<T> items_;
};

} // namespace detail

template <class T, class Items = detail::first_in_first_out<T>> class queue {
public:
    // For `maxsize` items; 0: for any number.
    explicit queue(std::size_t maxsize = 0) : maxsize_(maxsize) { all_done_.set(); }
    queue(const queue &) = delete;
    queue &operator=(const queue &) = delete;

    std::size_t maxsize() const noexcept { return maxsize_; }
    std::size_t qsize() const noexcept { return items_.size(); }
    bool empty() const noexcept { return items_.size() == 0; }
    bool full() const noexcept { return maxsize_ && items_.size() >= maxsize_; }

    // co_await put(item): waits until there is room. Throws queue_shut_down,
    // cancelled_error: then the item is lost, unless it was moved in from elsewhere.
    task<void> put(T item) {
        while (full()) {
            if (shut_down_) throw queue_shut_down();
            turn waits(putters_);
            if (const int code = co_await waits) {
                if (!full() && waits.is_woken()) putters_.wake_next();
                detail::fail(code, loop_last_error());
            }
        }
        put_nowait(std::move(item));
    }

    // co_await get(): waits for an item. Throws queue_shut_down when there will be none,
    // cancelled_error.
    task<T> get() {
        while (empty()) {
            if (shut_down_) throw queue_shut_down();
            turn waits(getters_);
            if (const int code = co_await waits) {
                if (!empty() && waits.is_woken()) getters_.wake_next();
                detail::fail(code, loop_last_error());
            }
        }
        co_return get_nowait();
    }

    // Throws queue_full, queue_shut_down.
    void put_nowait(T item) {
        if (shut_down_) throw queue_shut_down();
        if (full()) throw queue_full();
        items_.put(std::move(item));
        ++unfinished_;
        all_done_.clear();
        getters_.wake_next();
    }

    // Throws queue_empty; queue_shut_down when there will be no more.
    T get_nowait() {
        if (empty()) {
            if (shut_down_) throw queue_shut_down();
            throw queue_empty();
        }
        T item = items_.get();
        putters_.wake_next();
        return item;
    }

    // An item that came from get() has been dealt with. LOOP_EINVALID_STATE if there was no
    // such item.
    void task_done() {
        if (!unfinished_) throw error(LOOP_EINVALID_STATE, "task_done() called too many times");
        if (!--unfinished_) all_done_.set();
    }

    // co_await join(): waits until every item that was put has been dealt with.
    [[nodiscard]] auto join() noexcept { return all_done_.wait(); }

    // No more items: put() fails from now on, get() when the queue is empty. With
    // `immediate` it is emptied, which counts as dealt with.
    void shutdown(bool immediate = false) {
        shut_down_ = true;
        while (immediate && !empty()) {
            items_.get();
            if (unfinished_) --unfinished_;
        }
        if (!unfinished_) all_done_.set();
        getters_.wake_all();
        putters_.wake_all();
    }

private:
    class turn : public detail::line::place {
    public:
        explicit turn(detail::line &joined) noexcept : joined_(joined) {}
        bool await_ready() const noexcept { return false; }
        template <class Promise> bool await_suspend(std::coroutine_handle<Promise> waiting) {
            return stand_in(joined_, waiting);
        }
        // 0 or a code.
        int await_resume() {
            leave_orphan();
            return leave();
        }

    private:
        detail::line &joined_;
    };

    Items items_;
    std::size_t maxsize_, unfinished_ = 0;
    event all_done_;
    detail::line getters_, putters_;
    bool shut_down_ = false;
};

// The item that was put last comes first.
template <class T> using lifo_queue = queue<T, detail::last_in_first_out<T>>;
// The least item comes first.
template <class T, class Less = std::less<T>> using priority_queue = queue<T, detail::least_first<T, Less>>;

} // namespace coloop
