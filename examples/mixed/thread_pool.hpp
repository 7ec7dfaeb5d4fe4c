// A pool of C++ threads, and a bound on what is on its way from them.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

// At most `capacity` events between the threads and their consumer.
class Bound {
public:
    explicit Bound(long capacity) : capacity_(capacity) {}

    // Waits for room; false once it was cancelled.
    bool acquire() {
        std::unique_lock lock(mutex_);
        if (used_ == capacity_) ++waits_;
        room_.wait(lock, [this] { return used_ < capacity_ || cancelled_; });
        if (cancelled_) return false;
        if (++used_ > highest_) highest_ = used_;
        if (used_ == capacity_) full_.notify_all();
        return true;
    }

    // Waits until there is no room.
    void wait_until_full() {
        std::unique_lock lock(mutex_);
        full_.wait(lock, [this] { return used_ == capacity_; });
    }

    // One event was consumed. Who waits is woken when half of the room is free, so
    // that threads are not woken for each event.
    void release() {
        std::lock_guard lock(mutex_);
        if (--used_ == capacity_ / 2) room_.notify_all();
    }

    void cancel() {
        std::lock_guard lock(mutex_);
        cancelled_ = true;
        room_.notify_all();
    }

    long highest() const { return highest_; }
    long waits() const { return waits_; }

private:
    std::mutex mutex_;
    std::condition_variable room_, full_;
    const long capacity_;
    long used_ = 0, highest_ = 0, waits_ = 0;
    bool cancelled_ = false;
};

class ThreadPool {
public:
    explicit ThreadPool(int threads) {
        for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { work(); });
    }

    ~ThreadPool() { join(); }

    void submit(std::function<void()> job) {
        std::lock_guard lock(mutex_);
        jobs_.push_back(std::move(job));
        changed_.notify_one();
    }

    // Waits until no job is left, also of those that jobs submit.
    void join() {
        {
            std::lock_guard lock(mutex_);
            ending_ = true;
            changed_.notify_all();
        }
        for (auto &thread : threads_) thread.join();
        threads_.clear();
    }

private:
    void work() {
        std::unique_lock lock(mutex_);
        for (;;) {
            changed_.wait(lock, [this] { return !jobs_.empty() || (ending_ && running_ == 0); });
            if (jobs_.empty()) return;
            auto job = std::move(jobs_.front());
            jobs_.pop_front();
            ++running_;
            lock.unlock();
            job();
            lock.lock();
            if (--running_ == 0) changed_.notify_all();
        }
    }

    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<std::function<void()>> jobs_;
    std::vector<std::thread> threads_;
    int running_ = 0;
    bool ending_ = false;
};
