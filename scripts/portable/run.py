#!/usr/bin/env python3
"""The library on other systems: run.py STEP..., after scripts/setup.sh portable-STEP.

What each step can say, and what it cannot: docs/platforms.md.
"""

import argparse
import time

import kqueue
import linux
import musl
import windows

STEPS = {
    **dict.fromkeys(linux.PROCESSORS, linux.step),
    "musl": musl.step,
    "windows": windows.step,
    "kqueue": kqueue.step,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("steps", nargs="+", choices=STEPS, metavar="STEP", help=" ".join(STEPS))
    for name in parser.parse_args().steps:
        start = time.monotonic()
        STEPS[name](name)
        print(f"{name}: {time.monotonic() - start:.0f} s", flush=True)


if __name__ == "__main__":
    main()
