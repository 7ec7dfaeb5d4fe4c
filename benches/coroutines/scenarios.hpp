// What the coroutine scenarios ask of a library: one file for each, NAME.cpp, has these
// functions. They are called from C (src/coroutines.c).
#pragma once

#include <cstddef>
#include <cstdint>

extern "C" {

// `width` coroutines that each let a turn of the loop pass, `count` times in all.
void b_co_hop(std::uint64_t count, std::uint64_t width);

// A coroutine that awaits another one, which returns a number at once, `count` times; their
// sum.
std::uint64_t b_co_call(std::uint64_t count);

// TCP echo, a coroutine for each connection: see b_stream_serve in src/stream.c. The
// listener is non-blocking, and from now on the library's.
void b_co_serve(int listener, int (*received)(std::size_t length));
}

constexpr std::size_t chunk = 262144; // the most that is read at a time
