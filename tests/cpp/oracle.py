"""Programs that C++ and asyncio both run, and have to say the same of."""

import asyncio
import subprocess


def compare(executable, random_programs, on_asyncio, count, first):
    """Runs `count` sets of programs, made of the seeds from `first` on: the exit status.

    The executable is given a set as its arguments, the coroutine on_asyncio as a list.
    """
    for seed in range(int(first), int(first) + int(count)):
        programs = random_programs(seed)
        expected = asyncio.run(on_asyncio(programs))
        result = subprocess.run([executable, *programs], capture_output=True, text=True, timeout=60)
        if result.returncode or result.stdout != expected:
            print(f"seed {seed}: {programs}: status {result.returncode}\n{result.stderr}")
            for ours, theirs in zip(result.stdout.splitlines() + ["-"], expected.splitlines() + ["-"]):
                print(f"{ours:40}{theirs}" + ("   <--" if ours != theirs else ""))
                if ours != theirs:
                    break
            return 1
    print(f"{count} programs: the same in C++ and on asyncio")
    return 0
