"""Runs one program on one loop: child.py LOOP MODULE.FUNCTION

asyncio.new_event_loop() and everything that uses it make loops of the kind LOOP.
"""

import asyncio
import faulthandler
import importlib
import signal
import sys


class Policy(asyncio.DefaultEventLoopPolicy):
    def new_event_loop(self):
        import coloop

        return coloop.new_event_loop()


def main():
    kind, program = sys.argv[1:]
    faulthandler.dump_traceback_later(240, exit=True)
    # A shell ignores Ctrl-C for what runs in its background, and that is inherited.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if kind == "coloop":
        asyncio.set_event_loop_policy(Policy())
    module, _, name = program.rpartition(".")
    getattr(importlib.import_module(module), name)()
    sys.stdout.flush()


if __name__ == "__main__":
    main()
