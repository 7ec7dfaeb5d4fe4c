// SPDX-License-Identifier: Apache-2.0 OR MIT
//
// coloop in C++17: everything. Each header of coloop/ is one concept and may be included by
// itself.
#pragma once

#include "coloop/callback.hpp"
#include "coloop/error.hpp"
#include "coloop/exception.hpp"
#include "coloop/failure.hpp"
#include "coloop/future.hpp"
#include "coloop/handle.hpp"
#include "coloop/loop.hpp"
#include "coloop/policy.hpp"
#include "coloop/result.hpp"
#include "coloop/time.hpp"
