#!/usr/bin/env python3
"""Starts the servers that the adapters talk to and runs their tests and examples:
with_servers.py [--only TEXT] [--plain] DIRECTORY

DIRECTORY has one test program for each adapter, and the examples as example-NAME.
What the tests are told of the servers stands in environment variables.
"""

import argparse
import contextlib
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "software"))

import http_server  # noqa: E402
import servers  # noqa: E402

ADAPTERS = ("hiredis", "curl", "libpq", "cares")


def dns(stack):
    """dnsmasq with a few names, and a socket that takes questions and never answers."""
    port = servers.free_port()
    server = stack.enter_context(servers.Program(
        servers.program("dnsmasq", "/usr/sbin"), "--keep-in-foreground", "--conf-file=/dev/null",
        "--no-resolv", "--no-hosts", "--listen-address=127.0.0.1", "--bind-interfaces", f"--port={port}",
        "--user=root" if os.getuid() == 0 else "--user=", "--pid-file=",
        "--address=/one.test/192.0.2.1", "--address=/one.test/2001:db8::1",
        "--host-record=other.test,192.0.2.7", "--local=/test/", "--txt-record=one.test,hello"))
    server.wait_for_address(("127.0.0.1", port))  # dnsmasq answers by TCP, too
    dead = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    dead.bind(("127.0.0.1", 0))
    return {"COLOOP_DNS": f"127.0.0.1:{port}", "COLOOP_DEAD_DNS": f"127.0.0.1:{dead.getsockname()[1]}"}


def postgres(stack, certificate):
    """Two clusters: one is for the test that kills its server."""
    values = {}
    for name in ("COLOOP_PG", "COLOOP_PG_KILLED"):
        server = servers.Postgres(certificate)
        stack.callback(server.close)
        values[name] = f"host={server.path} port={server.port} user=test dbname=postgres"
        values[f"{name}_TLS"] = f"host=127.0.0.1 port={server.port} user=test dbname=postgres sslmode=require"
    return values


def redis(stack):
    server = servers.Redis()
    stack.callback(server.close)
    return {"COLOOP_REDIS": server.socket, "COLOOP_REDIS_PORT": str(server.port)}


def http(stack, certificate):
    plain = stack.enter_context(http_server.serving())
    tls = stack.enter_context(http_server.serving(certificate.server()))
    return {"COLOOP_HTTP": f"http://127.0.0.1:{plain}", "COLOOP_HTTPS": f"https://localhost:{tls}",
            "COLOOP_CA": certificate.certificate}


def run_example(name, program, arguments):
    """Whether the example prints what its first comment says."""
    source = (HERE.parent.parent / "examples" / "adapters" / f"{name}.c").read_text()
    comment = re.match(r"/\*(.*?)\*/", source, re.DOTALL).group(1)
    expected = "".join(line[3:] + "\n" for line in comment.partition("\n * Output:\n")[2].splitlines()
                       if line.startswith(" * "))
    done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=60)
    right = done.returncode == 0 and expected != "" and done.stdout == expected
    if not right:
        print(f"FAILED example {name}: status {done.returncode}\n{done.stdout}{done.stderr}instead of\n{expected}")
    return right


def foreign_pieces():
    """The indented pieces of code in docs/adapters.md that stand in no example."""
    root = HERE.parent.parent
    programs = "".join(path.read_text() for path in (root / "examples/adapters").glob("*.c"))
    programs = re.sub("^ +", "", programs, flags=re.M)
    pieces = re.findall(r"(?:^    .*\n)+", (root / "docs/adapters.md").read_text(), re.M)
    return [piece for piece in pieces if re.sub("^ +", "", piece, flags=re.M) not in programs] if pieces else ["none"]


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--only", default="", metavar="TEXT", help="adapters whose name contains it")
    arguments.add_argument("--plain", action="store_true", help="not under valgrind")
    arguments.add_argument("directory", type=pathlib.Path)
    options = arguments.parse_args()
    # Also who is told to end ends its servers.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    chosen = [name for name in ADAPTERS if options.only in name]
    with contextlib.ExitStack() as stack:
        os.environ["COLOOP_CLOSED_PORT"] = str(servers.free_port())
        certificate = servers.Certificate()
        stack.callback(certificate.close)
        if "hiredis" in chosen:
            os.environ.update(redis(stack))
        if "curl" in chosen:
            os.environ.update(http(stack, certificate))
        if "libpq" in chosen:
            os.environ.update(postgres(stack, certificate))
        if "cares" in chosen:
            os.environ.update(dns(stack))
        failed = 0
        for valgrind in ([], ["--valgrind"])[:1 if options.plain else 2]:
            for name in chosen:
                print(name, end=": ", flush=True)
                failed += subprocess.run([sys.executable, HERE.parent / "c" / "run.py", *valgrind,
                                          options.directory / name]).returncode != 0
        told = {"hiredis": ["COLOOP_REDIS"], "curl": ["COLOOP_HTTP"], "libpq": ["COLOOP_PG"], "cares": ["COLOOP_DNS"]}
        examples = [name for name in chosen if (options.directory / f"example-{name}").exists()]
        for name in examples:
            failed += not run_example(name, options.directory / f"example-{name}",
                                      [os.environ[variable] for variable in told[name]])
        print(f"{len(examples)} examples ran")
    if foreign := foreign_pieces():
        failed += 1
        print("docs/adapters.md has code that is in no example:\n" + "".join(foreign))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
