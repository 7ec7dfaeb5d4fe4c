// SPDX-License-Identifier: Apache-2.0 OR MIT
//
// coloop's coroutines in C++20: everything. See coloop/task/driver.hpp for how an awaitable
// is written.
#pragma once

#include "../coloop.hpp"

#include "task/await_future.hpp"
#include "task/barrier.hpp"
#include "task/condition.hpp"
#include "task/coroutine.hpp"
#include "task/create_task.hpp"
#include "task/driver.hpp"
#include "task/event.hpp"
#include "task/frame_memory.hpp"
#include "task/gather.hpp"
#include "task/line.hpp"
#include "task/lock.hpp"
#include "task/queue.hpp"
#include "task/run.hpp"
#include "task/semaphore.hpp"
#include "task/signals.hpp"
#include "task/sleep.hpp"
#include "task/stream.hpp"
#include "task/stream_buffer.hpp"
#include "task/stream_open.hpp"
#include "task/stream_protocol.hpp"
#include "task/stream_reads.hpp"
#include "task/subprocess.hpp"
#include "task/task_group.hpp"
#include "task/timeout.hpp"
