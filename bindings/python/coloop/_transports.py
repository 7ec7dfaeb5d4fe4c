"""Transports: asyncio's own, with receiving and sending in native code.

The native base classes come first, so that their methods and attributes are
used by the standard library's code, which does everything else.
"""

import socket
from asyncio import selector_events

from . import _coloop


class SocketTransport(_coloop.StreamBase, selector_events._SelectorSocketTransport):
    """A connection over TCP or a UNIX socket. asyncio: _SelectorSocketTransport."""

    def __init__(self, loop, sock, *args, **kwargs):
        super().__init__(loop, sock, *args, **kwargs)
        # asyncio promises this for every TCP connection, but leaves out sockets that were
        # made without naming the protocol, such as those that listeners of
        # socket.create_server() accept.
        if sock.proto == 0 and sock.family in (socket.AF_INET, socket.AF_INET6):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


class DatagramTransport(_coloop.DatagramBase, selector_events._SelectorDatagramTransport):
    """Datagrams over UDP or a UNIX socket. asyncio: _SelectorDatagramTransport."""

    def _received_from(self, data, packed):
        """A datagram from an address of a family that only `socket` can show."""
        self._protocol.datagram_received(data, _address(packed))


def _address(packed):
    family = int.from_bytes(packed[:2], "little")
    if family == socket.AF_INET6:
        host = socket.inet_ntop(socket.AF_INET6, packed[8:24])
        port = int.from_bytes(packed[2:4], "big")
        flow = int.from_bytes(packed[4:8], "big")
        scope = int.from_bytes(packed[24:28], "little")
        if scope:
            try:
                host = f"{host}%{socket.if_indextoname(scope)}"
            except OSError:
                pass
        return host, port, flow, scope
    return family, packed[2:]
