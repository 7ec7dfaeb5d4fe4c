// SPDX-License-Identifier: Apache-2.0 OR MIT
//
// coloop's coroutines in C++20: everything. See coloop/task/driver.hpp for how an awaitable
// is written.
#pragma once

#include "../coloop.hpp"

#include "task/await_future.hpp"
#include "task/coroutine.hpp"
#include "task/create_task.hpp"
#include "task/driver.hpp"
#include "task/frame_memory.hpp"
#include "task/gather.hpp"
#include "task/run.hpp"
#include "task/sleep.hpp"
#include "task/task_group.hpp"
#include "task/timeout.hpp"
