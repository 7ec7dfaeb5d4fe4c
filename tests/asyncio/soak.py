#!/usr/bin/env python3
"""Everything a server does, again and again: memory, objects and descriptors stay flat.

    soak.py [--seconds N]

A round opens connections (TCP, UNIX, TLS), sends datagrams, makes and cancels timers
and tasks, starts processes, gives jobs to an executor, and makes and closes a loop of
its own in a thread. After a quarter of the time it counts; at the end nothing may have
grown. It prints how much was done.
"""

import argparse
import asyncio
import gc
import os
import socket
import sys
import tempfile
import threading
import time
from collections import Counter

import coloop
from events import contexts

# What may be there more at the end: caches fill slowly, threads have their stacks.
MOST_PAGES = 1500  # of 4 KiB
MOST_OBJECTS = 300
MOST_BLOCKS = 3000


class Echo(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.transport.write(data)


class Back(asyncio.DatagramProtocol):
    """Sends back what comes; a client's sets `arrived`."""

    def __init__(self, arrived=None):
        self.arrived = arrived

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, address):
        if self.arrived is None:
            self.transport.sendto(data, address)
        elif not self.arrived.done():
            self.arrived.set_result(data)


class Soak:
    def __init__(self, folder):
        self.done = Counter()
        self.path = f"{folder}/socket"
        self.server_tls, self.client_tls = contexts()

    async def start(self):
        loop = asyncio.get_running_loop()
        tcp = await loop.create_server(Echo, "127.0.0.1", 0)
        tls = await loop.create_server(Echo, "127.0.0.1", 0, ssl=self.server_tls)
        local = await loop.create_unix_server(Echo, self.path)
        datagrams, _ = await loop.create_datagram_endpoint(Back, ("127.0.0.1", 0))
        self.tcp = tcp.sockets[0].getsockname()
        self.tls = tls.sockets[0].getsockname()
        self.udp = datagrams.get_extra_info("sockname")
        return tcp, tls, local, datagrams

    async def echo(self, opening, size):
        reader, writer = await opening
        data = os.urandom(size)
        writer.write(data)
        assert await reader.readexactly(size) == data
        writer.close()
        try:
            await writer.wait_closed()
        except ConnectionError:
            pass

    async def round(self):
        loop = asyncio.get_running_loop()
        await asyncio.gather(*(
            self.echo(asyncio.open_connection(*self.tcp), size) for size in (1, 1000, 200_000) * 3
        ))
        await asyncio.gather(*(
            self.echo(asyncio.open_unix_connection(self.path), 1000) for _ in range(5)
        ))
        await asyncio.gather(*(
            self.echo(asyncio.open_connection(
                *self.tls, ssl=self.client_tls, server_hostname="localhost"), size)
            for size in (1, 50_000)
        ))
        self.done.update(connections=14, handshakes=2)

        arrived = loop.create_future()
        transport, _ = await loop.create_datagram_endpoint(
            lambda: Back(arrived), remote_addr=self.udp
        )
        transport.sendto(b"datagram")
        await arrived
        transport.close()
        self.done["datagrams"] += 1

        for number in range(500):
            loop.call_later(5 + number, print, number).cancel()
        tasks = [loop.create_task(asyncio.sleep(30)) for _ in range(50)]
        await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.done.update(timers=550, tasks=50)

        ours, peer = socket.socketpair()
        ours.setblocking(False)
        for _ in range(20):
            waiting = loop.create_task(loop.sock_recv(ours, 10))
            await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.wait([waiting])
        connecting = loop.create_task(loop.create_connection(Echo, *self.tcp))
        await asyncio.sleep(0)
        connecting.cancel()
        await asyncio.wait([connecting])
        ours.close()
        peer.close()
        self.done["cancelled"] += 21

        assert await asyncio.gather(
            *(loop.run_in_executor(None, abs, -number) for number in range(20))
        ) == list(range(20))
        self.done["jobs"] += 20

        if self.done["rounds"] % 5 == 0:
            process = await asyncio.create_subprocess_exec(
                "cat", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
            )
            out, _ = await process.communicate(b"through a process")
            assert out == b"through a process"
            await loop.run_in_executor(None, self.other_loop)
            self.done.update(processes=1, loops=1)
        self.done["rounds"] += 1

    def other_loop(self):
        async def main():
            asyncio.get_running_loop().call_later(60, print)
            await asyncio.sleep(0)

        coloop.run(main())


def measure():
    gc.collect()
    gc.collect()
    with open("/proc/self/statm") as file:
        pages = int(file.read().split()[1])
    return {
        "pages": pages, "objects": len(gc.get_objects()), "blocks": sys.getallocatedblocks(),
        "descriptors": len(os.listdir("/proc/self/fd")), "threads": threading.active_count(),
    }


async def soak(seconds, folder):
    work = Soak(folder)
    ends = await work.start()
    began = time.monotonic()
    before = None
    while time.monotonic() < began + seconds or work.done["rounds"] < 40:
        await work.round()
        if before is None and time.monotonic() > began + seconds / 4 and work.done["rounds"] > 15:
            await asyncio.sleep(0.05)
            before = measure()
    await asyncio.sleep(0.05)
    after = measure()
    for end in ends:
        end.close()
    print(*(f"{count:,} {what}" for what, count in work.done.items()), sep=", ")
    grown = {what: after[what] - before[what] for what in after}
    print("grown:", grown)
    limits = {
        "pages": MOST_PAGES, "objects": MOST_OBJECTS, "blocks": MOST_BLOCKS, "descriptors": 0,
        "threads": 0,
    }
    too_much = [what for what, limit in limits.items() if grown[what] > limit]
    if too_much:
        print("too much:", ", ".join(too_much))
    return 1 if too_much else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=20)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="coloop-soak-") as folder:
        return coloop.run(soak(options.seconds, folder))


if __name__ == "__main__":
    sys.exit(main())
