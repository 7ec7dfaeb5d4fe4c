#!/usr/bin/env python3
"""Random bytes in random pieces, read in random ways by C++ streams and asyncio's StreamReader.

stream_oracle.py EXECUTABLE [COUNT [FIRST-SEED]]: both have to print the same. What the
programs mean stands in stream_program.cpp.
"""

import asyncio
import random
import subprocess
import sys


async def read_once(reader, reading):
    size = int(reading[1:]) if reading[1:].isdigit() else 0
    match reading[0]:
        case "l": return await reader.readline()
        case "u": return await reader.readuntil(reading[1:].replace("/", "\n").encode())
        case "x": return await reader.readexactly(size)
        case "r" | "s": return await reader.read(size)
        case "a": return await reader.read(-1)


async def on_asyncio(program):
    limit, readings, pieces = program.split()
    reader, fed, log = asyncio.StreamReader(limit=int(limit)), 0, []

    async def read():
        for reading in readings.split(";"):
            try:
                result = (await read_once(reader, reading)).decode()
            except asyncio.IncompleteReadError as end:
                result = "incomplete " + end.partial.decode()
            except asyncio.LimitOverrunError as overrun:
                result = f"overrun {overrun.consumed}"
            except ValueError:
                result = "overrun"
            log.append(f"{fed} {reading} {result}".replace("\n", "/"))

    async def turns():
        for _ in range(5):
            await asyncio.sleep(0)

    task = asyncio.create_task(read())
    await turns()
    for piece in pieces.rstrip(".").split("+"):
        reader.feed_data(piece.replace("/", "\n").encode())
        fed += 1
        await turns()
    if pieces.endswith("."):
        reader.feed_eof()
    await turns()
    task.cancel()
    await asyncio.wait([task])
    log.append("at end" if reader.at_eof() else "not at end")
    return log


def random_program(seed):
    chosen = random.Random(seed)
    separators = ["/", "-", "ab", "-/-", "a/b"]

    def reading():
        way = chosen.choice("llluuuxxrrssa" if chosen.random() < 0.3 else "llluuuxxrrss")
        if way in "la":
            return way
        return way + (chosen.choice(separators) if way == "u" else str(chosen.randint(0, 12)))

    def piece():
        return "".join(chosen.choice(["a", "b", "-", "/", "ab", "-/-"]) for _ in range(chosen.randint(1, 12)))

    readings = ";".join(reading() for _ in range(chosen.randint(1, 8)))
    pieces = "+".join(piece() for _ in range(chosen.randint(1, 8)))
    return f"{chosen.choice([1, 3, 8, 100])} {readings} {pieces}{chosen.choice(['', '.'])}"


def main(executable, count="1000", first="0"):
    programs = [random_program(seed) for seed in range(int(first), int(first) + int(count))]
    result = subprocess.run([executable], input="\n".join(programs), capture_output=True, text=True, timeout=120)
    printed = iter(result.stdout.splitlines())
    for program in programs:
        for theirs in asyncio.run(on_asyncio(program)):
            ours = next(printed, None)
            if ours != theirs:
                print(f"{program}\nasyncio: {theirs}\n    C++: {ours}\nstatus {result.returncode}\n{result.stderr}")
                return 1
    if result.returncode or next(printed, None) is not None:
        print(f"status {result.returncode}\n{result.stderr}")
        return 1
    print(f"{count} programs: the same from C++ streams and asyncio's")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
