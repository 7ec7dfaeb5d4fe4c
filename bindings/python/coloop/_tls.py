"""TLS: asyncio's SSLProtocol, with the way of each record in native code."""

import sys
from asyncio import sslproto

from . import _coloop

Protocol = sslproto.SSLProtocol

# What tls.c does is what these versions do; a later one gets its own code until
# that was looked at.
if sslproto.ssl is not None and sys.version_info < (3, 14):
    _protocol_base, _transport_base = _coloop._make_tls_types(sslproto, sslproto.ssl)

    class SSLTransport(_transport_base, sslproto._SSLProtocolTransport):
        """What the application writes to. asyncio: _SSLProtocolTransport."""

    class Protocol(_protocol_base, sslproto.SSLProtocol):
        """asyncio: SSLProtocol."""

        def __init__(self, loop, *args, **kwargs):
            super().__init__(loop, *args, **kwargs)
            # One buffer for all connections: it is in use only between recv and
            # buffer_updated. asyncio's has 256 KiB for each connection.
            self._ssl_buffer, self._ssl_buffer_view = loop._get_tls_buffer(self.max_size)

        def _get_app_transport(self):
            if self._app_transport is None:
                if self._app_transport_created:
                    raise RuntimeError("Creating _SSLProtocolTransport twice")
                self._app_transport = SSLTransport(self._loop, self)
                self._app_transport_created = True
            return self._app_transport
