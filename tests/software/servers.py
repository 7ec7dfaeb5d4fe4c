"""Starting real programs for a test and ending them: nothing outlives its test."""

import contextlib
import glob
import os
import pwd
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
SECONDS = 30


def program(name, *directories):
    """The path of a program. FileNotFoundError says how to get it."""
    path = shutil.which(name, path=os.pathsep.join([*directories, os.environ["PATH"]]))
    if path is None:
        raise FileNotFoundError(f"{name} is not installed: run scripts/setup.sh software")
    return path


def free_port():
    """A TCP port of the loopback that nothing listens on now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


class Program:
    """A running program; `output()` is all that it has printed."""

    def __init__(self, *words, cwd=HERE, user=None, **environment):
        self._file = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            words, cwd=cwd, user=user, group=user and pwd.getpwnam(user).pw_gid,
            extra_groups=user and [], env={**os.environ, **environment},
            stdin=subprocess.DEVNULL, stdout=self._file, stderr=subprocess.STDOUT,
            start_new_session=True)
        self.pid = self.process.pid

    def output(self):
        """What it printed, as text; what cannot be decoded is replaced."""
        size = os.fstat(self._file.fileno()).st_size
        return os.pread(self._file.fileno(), size, 0).decode(errors="replace")

    def wait_until(self, ready, what):
        """Ask until `ready()` is true. AssertionError if it ends or takes too long."""
        deadline = time.monotonic() + SECONDS
        while not ready():
            if self.process.poll() is not None:
                raise AssertionError(f"ended with {self.process.returncode}: {self.output()}")
            if time.monotonic() > deadline:
                raise AssertionError(f"{what} took over {SECONDS} s: {self.output()}")
            time.sleep(0.02)

    def wait_for_address(self, address):
        """Wait until it accepts connections: (host, port) or the path of a UNIX socket."""
        def connects():
            family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
            with socket.socket(family) as sock:
                return sock.connect_ex(address) == 0
        self.wait_until(connects, f"listening on {address}")

    def end(self, number=signal.SIGTERM):
        """Send a signal and wait; the exit status. Kills what does not end."""
        try:
            if self.process.poll() is None:
                self.process.send_signal(number)
            return self.process.wait(SECONDS)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"did not end by {number!r}: {self.output()}") from None
        finally:
            self.kill()

    def kill(self):
        """End it and its children at once, if it has not ended."""
        if self.process.poll() is None:
            os.killpg(self.pid, signal.SIGKILL)
            self.process.wait()

    def close(self):
        self.kill()
        self._file.close()

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        self.close()


def python(*words, dev=False, **environment):
    """The Program of this Python with these arguments; dev: with -X dev."""
    options = ["-X", "dev"] if dev else []
    return Program(sys.executable, *options, *words, PYTHONUNBUFFERED="1", **environment)


def complaints(output):
    """The lines of a program's output that show something left open or unhandled."""
    signs = ("Warning", "never awaited", "Exception ignored", "Traceback", "CRITICAL",
             "Fatal Python error", "Error:", "Exception in ", "never retrieved")
    return [line for line in output.splitlines() if any(sign in line for sign in signs)]


def wrk(url, *, connections, seconds, options=()):
    """Load `url`; wrk's numbers: {"requests": n, "bad": n, "errors": text}."""
    done = subprocess.run(
        [program("wrk"), "-t1", f"-c{connections}", f"-d{seconds}s", *options,
         "-s", os.path.join(HERE, "report.lua"), url],
        capture_output=True, text=True, timeout=seconds + SECONDS)
    if done.returncode:
        raise AssertionError(f"wrk: {done.stdout}{done.stderr}")
    line = done.stdout.splitlines()[-1].split()
    names = ("requests", "connect", "read", "write", "status", "timeout")
    return dict(zip(names, map(int, line), strict=True))


class Directory:
    """A temporary directory with servers in it, all ended by `close`."""

    def __init__(self):
        self.stack = contextlib.ExitStack()
        self.path = self.stack.enter_context(tempfile.TemporaryDirectory(prefix="coloop-"))

    def file(self, name):
        return os.path.join(self.path, name)

    def close(self):
        self.stack.close()


class Certificate(Directory):
    """A self-signed certificate for localhost and 127.0.0.1."""

    def __init__(self):
        super().__init__()
        self.key, self.certificate = self.file("key.pem"), self.file("certificate.pem")
        subprocess.run(
            [program("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt",
             "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=localhost",
             "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
             "-keyout", self.key, "-out", self.certificate],
            check=True, capture_output=True, timeout=SECONDS)

    def server(self):
        """An SSLContext for the server."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        return context

    def client(self):
        """An SSLContext for a client that trusts this certificate only."""
        return ssl.create_default_context(cafile=self.certificate)


class Redis(Directory):
    """A redis-server on a port and a UNIX socket; it keeps nothing."""

    def __init__(self):
        super().__init__()
        self.port, self.socket = free_port(), self.file("redis.sock")
        self.start()

    def start(self):
        self.server = Program(
            program("redis-server"), "--port", str(self.port), "--bind", "127.0.0.1",
            "--unixsocket", self.socket, "--dir", self.path, "--save", "", cwd=self.path)
        self.stack.callback(self.server.close)
        self.server.wait_for_address(("127.0.0.1", self.port))


class Postgres(Directory):
    """A PostgreSQL server with TLS on a port and a UNIX socket, user and database `test`.

    It refuses to run as root: then the package's own user runs it.
    """

    def __init__(self, certificate):
        super().__init__()
        versions = sorted(glob.glob("/usr/lib/postgresql/*/bin"),
                          key=lambda path: int(path.split("/")[-2]), reverse=True)
        user = "postgres" if os.getuid() == 0 else None
        data, self.port = self.file("data"), free_port()
        key = shutil.copy(certificate.key, self.file("server.key"))
        os.chmod(key, 0o600)
        shutil.copy(certificate.certificate, self.file("server.crt"))
        if user is not None:
            for path in (self.path, key, self.file("server.crt")):
                shutil.chown(path, user, pwd.getpwnam(user).pw_gid)
        with Program(program("initdb", *versions), "--no-sync", "--auth=trust", "--username=test",
                     "--locale=C", "--encoding=UTF8", "-D", data, cwd=self.path, user=user) as init:
            if init.process.wait(SECONDS):
                raise AssertionError(f"initdb: {init.output()}")
        settings = {"listen_addresses": "127.0.0.1", "port": self.port, "fsync": "off",
                    "unix_socket_directories": self.path, "ssl": "on", "shared_buffers": "8MB",
                    "ssl_cert_file": self.file("server.crt"), "ssl_key_file": key}
        words = [f"--{name}={value}" for name, value in settings.items()]
        self.server = Program(program("postgres", *versions), "-D", data, *words,
                              cwd=self.path, user=user)
        self.stack.callback(self.server.close)
        self.stack.callback(self.server.end, signal.SIGINT)  # quickly, and its children too
        self.server.wait_until(lambda: "ready to accept" in self.server.output(), "PostgreSQL")
