"""A program that a type checker must accept: never run, checked by mypy --strict."""

import asyncio
import socket

import coloop


async def main(count: int) -> str:
    loop = asyncio.get_running_loop()
    loop.call_soon(print, "a", 1)
    return "x" * count


async def receive(loop: coloop.EventLoop, sock: socket.socket) -> bytes:
    await loop.sock_sendall(sock, data=b"x")
    return await loop.sock_recv(sock, n=1)


version: str = coloop.__version__
text: str = coloop.run(main(3))
loop = coloop.new_event_loop(fork="asyncio")
handle: asyncio.Handle = loop.call_soon(print, 1)
timer: asyncio.TimerHandle = loop.call_later(1, print)
counts: dict[str, int] = loop.stats()
pointer: int = loop.pointer
same: coloop.EventLoop = coloop.from_pointer(loop.capsule)
abstract: asyncio.AbstractEventLoop = loop
result: str = loop.run_until_complete(main(2))
where: list[str] = [coloop.get_include(), *coloop.get_library_dirs(), coloop.get_library_path()]

shared: int = coloop.future_pointer(main(1), loop=loop)
capsule: object = coloop.future_capsule(loop.create_future())
text_of_c: asyncio.Future[str] = coloop.future_from_pointer(shared, convert=hex)
anything: asyncio.Future[int] = coloop.future_from_pointer(capsule)
code: int = coloop.Error(-1, "text").code

with asyncio.Runner(loop_factory=coloop.new_event_loop) as runner:
    answer: str = runner.run(main(1))
