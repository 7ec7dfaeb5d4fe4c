// With -fno-exceptions: every call with a std::error_code.
#include <coloop.hpp>

#include <chrono>

int main() {
    using namespace std::chrono_literals;
    std::error_code code;
    coloop::loop loop(code);
    int calls = 0;
    loop.call_soon([&calls] { ++calls; }, code);
    auto timer = loop.call_later(1h, [&calls] { ++calls; }, code);
    timer.cancel(code);
    coloop::executor pool(1, code);
    auto job = loop.run_in_executor(pool, [] { return 20; }, code);
    calls += loop.run_until_complete(job, code);
    auto text = loop.create_future<std::string>(code);
    text.set_result("a result", code);
    auto *result = loop.run_until_complete(text, code);
    if (!result || *result != "a result") return 1;
    auto limited = coloop::wait_for(loop.create_future<int>(code), 1ms, code);
    loop.run_until_complete(limited, code);
    if (code != std::errc::timed_out) return 2;
    loop.close(code);
    loop.call_soon([&calls] { ++calls; }, code);
    return code && calls == 21 ? 0 : 3;
}
