// SPDX-License-Identifier: Apache-2.0 OR MIT
//
// coloop in C++17: everything. Each header of coloop/ is one concept and may be included by
// itself.
#pragma once

#include "coloop/address.hpp"
#include "coloop/callback.hpp"
#include "coloop/combine.hpp"
#include "coloop/concurrent.hpp"
#include "coloop/dns.hpp"
#include "coloop/error.hpp"
#include "coloop/exception.hpp"
#include "coloop/executor.hpp"
#include "coloop/failure.hpp"
#include "coloop/future.hpp"
#include "coloop/handle.hpp"
#include "coloop/loop.hpp"
#include "coloop/observe.hpp"
#include "coloop/policy.hpp"
#include "coloop/process.hpp"
#include "coloop/protocol.hpp"
#include "coloop/result.hpp"
#include "coloop/server.hpp"
#include "coloop/signal.hpp"
#include "coloop/socket.hpp"
#include "coloop/time.hpp"
#include "coloop/transport.hpp"
