"""Echo servers, one for each way to read and write; the load is another process.

A server gets the loop and returns its address as `load` wants it: a port on 127.0.0.1
or a path.
"""

import asyncio
import os
import socket
import ssl
import tempfile

BACKLOG = 1024
RECEIVE = 65536  # bytes; of one sock_recv or read()
BUFFER = 262144  # bytes; what a transport reads at most into a Protocol's bytes


class Echo(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.transport.write(data)


class BufferedEcho(asyncio.BufferedProtocol):
    def connection_made(self, transport):
        self.transport = transport
        self.buffer = memoryview(bytearray(BUFFER))

    def get_buffer(self, sizehint):
        return self.buffer

    def buffer_updated(self, nbytes):
        # The buffer is read into again only after the client has this message back.
        self.transport.write(self.buffer[:nbytes])


class DatagramEcho(asyncio.DatagramProtocol):
    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, addr):
        self.transport.sendto(data, addr)


async def protocol(loop):
    return _port(await loop.create_server(Echo, "127.0.0.1", 0, backlog=BACKLOG))


async def buffered(loop):
    return _port(await loop.create_server(BufferedEcho, "127.0.0.1", 0, backlog=BACKLOG))


async def streams(loop):
    async def serve(reader, writer):
        while data := await reader.read(RECEIVE):
            writer.write(data)
            await writer.drain()
        writer.close()

    return _port(await asyncio.start_server(serve, "127.0.0.1", 0, backlog=BACKLOG))


async def sock(loop):
    listener = socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)
    listener.setblocking(False)

    async def serve(connection):
        with connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while data := await loop.sock_recv(connection, RECEIVE):
                await loop.sock_sendall(connection, data)

    async def accept():
        while True:
            connection, _ = await loop.sock_accept(listener)
            alive.add(loop.create_task(serve(connection)))

    alive = {loop.create_task(accept())}
    return listener.getsockname()[1]


async def unix(loop):
    path = os.path.join(tempfile.mkdtemp(prefix="coloop-bench-"), "echo")
    await loop.create_unix_server(Echo, path, backlog=BACKLOG)
    return path


async def udp(loop):
    transport, _ = await loop.create_datagram_endpoint(DatagramEcho, ("127.0.0.1", 0))
    return transport.get_extra_info("sockname")[1]


async def tls(loop):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(os.environ["BENCH_CERTIFICATE"])
    return _port(
        await loop.create_server(Echo, "127.0.0.1", 0, ssl=context, backlog=BACKLOG))


def _port(server):
    return server.sockets[0].getsockname()[1]
