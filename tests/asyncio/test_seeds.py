"""The programs of programs_seed.py and programs_fork.py print the same on both loops."""

import inspect
import sys
import unittest

import both
import programs_fork
import programs_seed

# Where coloop promises more than asyncio: what it prints.
PROMISED = {
    "equal_deadlines": "[0, 1, 2, 3, 4, 5, 6, 7, 8]\nexit 0\n",
    "a_loop_cannot_be_pickled": "TypeError: cannot pickle 'Loop' object\nexit 0\n",
    **programs_fork.PROMISED,
}


# asyncio of 3.13.0 forgets the running loop when a nested run is refused.
if sys.version_info[:3] == (3, 13, 0):
    PROMISED["two_loops_in_one_thread"] = (
        "RuntimeError: Cannot run the event loop while another loop is running\n" * 2
        + "RuntimeError: Cannot close a running event loop\n"
        "RuntimeError: asyncio.run() cannot be called from a running event loop\nexit 0\n"
    )


class Seeds(both.Case):
    pass


def add(module, name):
    def test(self):
        ours = both.output_of("coloop", f"{module}.{name}")
        if name in PROMISED:
            self.assertEqual(PROMISED[name], ours)
        else:
            self.assertEqual(both.output_of("asyncio", f"{module}.{name}"), ours)
            self.assertGreater(ours.count("\n"), 1 - ("exit_from" in name), "it said nothing")

    setattr(Seeds, f"test_{name}", test)


for module in (programs_seed, programs_fork):
    for name, function in vars(module).items():
        if inspect.isfunction(function) and function.__module__ == module.__name__:
            if not inspect.signature(function).parameters:
                add(module.__name__, name)


if __name__ == "__main__":
    unittest.main()
