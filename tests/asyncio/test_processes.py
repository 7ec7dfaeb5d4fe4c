"""Subprocesses: protocols, streams, signals, failures."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
import unittest

import both
from both import attempt, attempted

ECHO = "import sys; data = sys.stdin.buffer.read(); sys.stdout.buffer.write(data[::-1]); "


class SaidProcess(asyncio.SubprocessProtocol):
    def __init__(self, say):
        self.say = say
        self.exited = asyncio.get_running_loop().create_future()
        self.data = {1: bytearray(), 2: bytearray()}

    def connection_made(self, transport):
        self.say("made")

    def pipe_data_received(self, fd, data):
        self.data[fd] += data

    def pipe_connection_lost(self, fd, error):
        self.say(f"pipe{fd}", "lost", type(error).__name__)

    def process_exited(self):
        self.say("exited")

    def connection_lost(self, error):
        self.say("lost", type(error).__name__)
        self.exited.set_result(None)


class Processes(both.Case):
    def test_a_protocol(self):
        async def program(loop, say):
            transport, protocol = await loop.subprocess_exec(
                lambda: SaidProcess(say), sys.executable, "-c",
                ECHO + "sys.stderr.write('errors'); sys.exit(5)",
            )
            say(transport.get_pid() > 0, transport.get_returncode())
            say([type(transport.get_pipe_transport(fd)).__name__ for fd in range(4)])
            transport.get_pipe_transport(0).write(b"abc" * 50_000)
            transport.get_pipe_transport(0).close()
            await protocol.exited
            say(transport.get_returncode(), bytes(protocol.data[2]), len(protocol.data[1]))
            say(protocol.data[1] == b"cba" * 50_000)
            transport.close()
            say(attempt(transport.send_signal, signal.SIGTERM))

        def order(loop, say):
            return program(loop, say)

        self.same(order, apart=("pipe0", "pipe1", "pipe2", "exited"))

    def test_streams(self):
        async def program(loop, say):
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-c", ECHO, stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
            data = os.urandom(300_000)
            out, err = await process.communicate(data)
            say(out == data[::-1], err, process.returncode)
            process = await asyncio.create_subprocess_shell(
                "echo out; echo err >&2; exit 3", stdout=subprocess.PIPE, stderr=subprocess.STDOUT
            )
            say(await process.stdout.read(), await process.wait(), process.returncode)
            process = await asyncio.create_subprocess_exec(
                "cat", stdin=subprocess.PIPE, stdout=subprocess.PIPE, limit=100
            )
            process.stdin.write(b"line\n")
            say(await process.stdout.readline())
            process.stdin.close()
            say(await process.wait())
            say(await attempted(asyncio.create_subprocess_exec("/no/such/program")))

        self.same(program)

    def test_signals(self):
        async def program(loop, say):
            for end in ("terminate", "kill"):
                process = await asyncio.create_subprocess_exec("sleep", "60")
                getattr(process, end)()
                say(await process.wait())
            process = await asyncio.create_subprocess_exec("sleep", "60")
            process.send_signal(signal.SIGUSR1)
            say(await process.wait())
            say(attempt(process.kill))

        self.same(program)

    def test_cancelling(self):
        async def program(loop, say):
            process = await asyncio.create_subprocess_exec(
                "sleep", "60", stdout=subprocess.PIPE
            )
            say(await attempted(asyncio.wait_for(process.wait(), 0.02)))
            say(await attempted(asyncio.wait_for(process.communicate(), 0.02)))
            process.kill()
            say(await process.wait())

        self.same(program)

    def test_many_at_once(self):
        async def program(loop, say):
            async def one(number):
                process = await asyncio.create_subprocess_exec(
                    "sh", "-c", f"exit {number}", stdin=subprocess.DEVNULL
                )
                return await process.wait()

            say(await asyncio.gather(*(one(number) for number in range(20))))

        self.same(program)

    def test_on_a_loop_in_another_thread(self):
        def program(loop, say):
            async def main():
                process = await asyncio.create_subprocess_exec(
                    "echo", "thread", stdout=subprocess.PIPE
                )
                say(await process.communicate(), process.returncode)

            asyncio.get_child_watcher()  # made in the main thread
            thread = threading.Thread(target=loop.run_until_complete, args=(main(),))
            thread.start()
            thread.join()

        self.same(program)


if __name__ == "__main__":
    unittest.main()
