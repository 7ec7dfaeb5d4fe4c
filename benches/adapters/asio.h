/* Boost.Asio, for its coroutines only (coroutines/asio.cpp): B_NO_LOOP leaves the rest out. */
#define B_NAME "asio"
#define B_NO_LOOP 1
