"""An HTTP server for the tests of curl: slow, chunked, broken-off and hanging answers.

    /size/N        N bytes
    /chunked/N     N chunks of 1000 bytes, one after the other
    /slow/MS       "slow", after that many milliseconds
    /broken        announces 1000 bytes, sends 10 and closes
    /hang/NAME     no answer; the connection ends when the client closes it
    /hanging/NAME  how many connections hang there now
    /redirect      to /size/5
    POST           the request's body
"""

import collections
import contextlib
import http.server
import threading
import time


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hanging = collections.Counter()
    lock = threading.Lock()

    def answer(self, body, status=200, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        what, _, argument = self.path[1:].partition("/")
        getattr(self, f"get_{what}", self.get_unknown)(argument)

    def do_POST(self):
        self.answer(self.rfile.read(int(self.headers["Content-Length"])))

    def get_size(self, size):
        self.answer(b"x" * int(size))

    def get_chunked(self, chunks):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for _ in range(int(chunks)):
            self.wfile.write(b"3e8\r\n" + b"c" * 1000 + b"\r\n")
        self.wfile.write(b"0\r\n\r\n")

    def get_slow(self, milliseconds):
        time.sleep(int(milliseconds) / 1000)
        self.answer(b"slow")

    def get_broken(self, _):
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b"0123456789")
        self.close_connection = True

    def get_hang(self, name):
        with self.lock:
            self.hanging[name] += 1
        with contextlib.suppress(OSError):
            self.connection.recv(1)
        with self.lock:
            self.hanging[name] -= 1
        self.close_connection = True

    def get_hanging(self, name):
        with self.lock:
            self.answer(str(self.hanging[name]).encode())

    def get_redirect(self, _):
        self.answer(b"", 302, Location="/size/5")

    def get_unknown(self, _):
        self.answer(b"not here", 404)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, *_):
        pass  # clients that go away are what is tested


@contextlib.contextmanager
def serving(tls=None):
    """A server in a thread of its own, with an SSLContext if there is one; its port."""
    with Server(("127.0.0.1", 0), Handler) as server:
        if tls is not None:
            # Handshakes in the connections' own threads.
            server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()
