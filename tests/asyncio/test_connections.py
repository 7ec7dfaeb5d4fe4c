"""Where coloop promises more of a connection than asyncio does."""

import asyncio
import contextlib
import socket
import ssl
import subprocess
import tempfile
import unittest

import coloop


class Connections(unittest.TestCase):
    def test_no_delay_on_what_a_given_listener_accepts(self):
        """Its sockets have the protocol 0, and asyncio leaves those out."""

        async def main():
            accepted = asyncio.get_running_loop().create_future()

            class Protocol(asyncio.Protocol):
                def connection_made(self, transport):
                    sock = transport.get_extra_info("socket")
                    accepted.set_result(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
                    transport.close()

            listener = socket.create_server(("127.0.0.1", 0))
            server = await asyncio.get_running_loop().create_server(Protocol, sock=listener)
            with socket.create_connection(listener.getsockname()):
                no_delay = await accepted
            server.close()
            await server.wait_closed()
            return listener.proto, no_delay

        self.assertEqual(coloop.run(main()), (0, 1))

    def test_unix_connections_have_no_such_option(self):
        async def main():
            near, far = socket.socketpair()
            transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, sock=near)
            transport.write(b"x")
            received = far.recv(1)
            transport.close()
            far.close()
            return received

        self.assertEqual(coloop.run(main()), b"x")

    def test_tls_connections_of_a_loop_receive_into_one_buffer(self):
        with tempfile.TemporaryDirectory() as scratch:
            subprocess.run(
                ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj",
                 "/CN=localhost", "-keyout", f"{scratch}/key", "-out", f"{scratch}/certificate"],
                check=True, capture_output=True,
            )
            inside = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            inside.load_cert_chain(f"{scratch}/certificate", f"{scratch}/key")
            outside = ssl.create_default_context(cafile=f"{scratch}/certificate")

        async def echo(reader, writer):
            with contextlib.closing(writer):
                while data := await reader.read(2**16):
                    writer.write(data)

        async def main():
            server = await asyncio.start_server(echo, "127.0.0.1", 0, ssl=inside)
            port = server.sockets[0].getsockname()[1]
            ends = [
                await asyncio.open_connection("127.0.0.1", port, ssl=outside, server_hostname="localhost")
                for _ in range(4)
            ]
            messages = [bytes([number]) * 100_000 for number in range(len(ends))]
            for (_, writer), message in zip(ends, messages):
                writer.write(message)
            answers = await asyncio.gather(
                *(reader.readexactly(len(message)) for (reader, _), message in zip(ends, messages))
            )
            buffers = {id(writer.transport._ssl_protocol._ssl_buffer) for _, writer in ends}
            for _, writer in ends:
                writer.close()
                await writer.wait_closed()
            server.close()
            await server.wait_closed()
            return answers == messages, len(buffers)

        self.assertEqual(coloop.run(main()), (True, 1))


if __name__ == "__main__":
    unittest.main()
