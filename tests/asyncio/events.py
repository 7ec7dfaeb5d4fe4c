"""Protocols that say what is called, and a certificate for TLS."""

import asyncio
import atexit
import functools
import shutil
import ssl
import subprocess
import tempfile


class Said(asyncio.Protocol):
    """Says every call; `received` has all bytes, `lost` is a future."""

    def __init__(self, say, name="", quiet=()):
        self.say, self.name, self.quiet = say, name, quiet
        self.received = bytearray()
        self.lost = asyncio.get_running_loop().create_future()
        self.made = asyncio.get_running_loop().create_future()
        self.eof = asyncio.get_running_loop().create_future()
        self.keep_open = None

    def note(self, what, *more):
        if what not in self.quiet:
            self.say(f"{self.name} {what}".strip(), *more)

    def connection_made(self, transport):
        self.transport = transport
        self.note("made")
        self.made.set_result(None)

    def data_received(self, data):
        self.received += data
        self.note("data", type(data).__name__, len(data))

    def eof_received(self):
        self.note("eof")
        self.eof.set_result(None)
        return self.keep_open

    def connection_lost(self, error):
        self.note("lost", type(error).__name__, str(error))
        self.lost.set_result(None)

    def pause_writing(self):
        self.note("pause")

    def resume_writing(self):
        self.note("resume")


class SaidBuffered(Said, asyncio.BufferedProtocol):
    """The same with a buffer of its own."""

    def __init__(self, *args, size=1000, **kwargs):
        super().__init__(*args, **kwargs)
        self.buffer = bytearray(size)

    def get_buffer(self, hint):
        self.note("get_buffer", hint)
        return self.buffer

    def buffer_updated(self, count):
        self.received += self.buffer[:count]
        self.note("updated", count)


async def until(condition):
    """Waits for what other callbacks do."""
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.001)


@functools.cache
def certificate():
    """The file names of a key and a certificate for localhost, made with openssl."""
    folder = tempfile.mkdtemp(prefix="coloop-tls-")
    atexit.register(shutil.rmtree, folder)
    key, cert = f"{folder}/key.pem", f"{folder}/cert.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-nodes", "-keyout", key, "-out", cert, "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost"],
        check=True, capture_output=True,
    )
    return key, cert


def contexts():
    """(server, client): SSLContexts that trust each other."""
    key, cert = certificate()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(cert, key)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.load_verify_locations(cert)
    return server, client
