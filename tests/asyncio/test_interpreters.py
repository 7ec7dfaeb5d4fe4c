"""Loops in subinterpreters: one after another, several at once, beside the main one."""

import os
import pathlib
import subprocess
import sys
import unittest

import both

# What runs in each of them: signals apart, everything that calls back.
BODY = """
import sys
sys.path[:0] = {path!r}
import asyncio, gc, socket, coloop

async def main():
    loop = asyncio.get_running_loop()
    async def echo(reader, writer):
        writer.write(await reader.readexactly(5))
        writer.close()
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    writer.write(b"hello")
    assert await reader.read() == b"hello"
    writer.close()
    server.close()
    ours, peer = socket.socketpair()
    seen = loop.create_future()
    loop.add_reader(ours, lambda: seen.done() or seen.set_result(ours.recv(10)))
    peer.send(b"x")
    assert await seen == b"x"
    assert loop.remove_reader(ours)
    ours.setblocking(False)
    task = loop.create_task(loop.sock_recv(ours, 1))
    await asyncio.sleep(0.001)
    task.cancel()
    await asyncio.wait([task])
    ours.close(); peer.close()
    loop.call_later(60, print)
    return 5

assert coloop.run(main()) == 5
loop = coloop.new_event_loop()
loop.call_later(60, print)
loop.close()
gc.collect()
"""

CREATE = {
    "legacy": "interpreters.create(isolated=False)",
    "isolated": "interpreters.create(isolated=True)",
}
if sys.version_info >= (3, 13):
    CREATE = {kind: f"interpreters.create({kind!r})" for kind in CREATE}

HEAD = """
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters
import threading
body = {body!r}
def use():
    number = {create}
    failed = interpreters.run_string(number, body)
    if failed is not None:
        raise RuntimeError(failed)
    interpreters.destroy(number)
"""


USE = "for _ in range(5): use()\nprint('done')\n"


def path():
    return [str(both.HERE), str(pathlib.Path(both.coloop.__path__[0]).parent)]


class Interpreters(both.Case):
    def run_in(self, kind, tail):
        done = self.run_script(BODY.format(path=path()), kind, tail)
        self.assertEqual((done.returncode, done.stdout), (0, "done\n"), done.stderr[-2000:])

    def run_script(self, body, kind, tail):
        script = HEAD.format(body=body, create=CREATE[kind]) + tail
        return subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True,
            timeout=both.LIMIT, env=dict(os.environ, PYTHONPATH=os.pathsep.join(path())),
        )

    def kinds(self):
        # 3.11 has one GIL for all: "isolated" only forbids things there. In 3.12.1
        # the standard library's own ssl, which asyncio imports, corrupts memory there.
        if sys.version_info < (3, 12) or self.run_script("import ssl", "isolated", USE).returncode:
            return ["legacy"]
        return ["legacy", "isolated"]

    def test_one_after_another(self):
        for kind in self.kinds():
            with self.subTest(kind=kind):
                self.run_in(kind, USE)

    @unittest.skipIf(
        sys.version_info < (3, 12), "asyncio mixes up the running loops of such threads"
    )
    def test_in_threads_at_once(self):
        for kind in self.kinds():
            with self.subTest(kind=kind):
                self.run_in(kind, (
                    "threads = [threading.Thread(target=use) for _ in range(4)]\n"
                    "for thread in threads: thread.start()\n"
                    "for thread in threads: thread.join()\n"
                    "print('done')\n"
                ))

    def test_beside_the_main_one(self):
        for kind in self.kinds():
            with self.subTest(kind=kind):
                self.run_in(kind, (
                    "exec(body)\n"
                    "thread = threading.Thread(target=use); thread.start(); thread.join()\n"
                    "exec(body)\n"
                    "use(); exec(body)\n"
                    "print('done')\n"
                ))


if __name__ == "__main__":
    unittest.main()
