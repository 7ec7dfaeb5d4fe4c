"""Rows of docs/contract.md that the Python binding holds itself."""

import unittest

import both
import programs_fork


class Fork(both.Case):
    def printed(self, name, *, module="programs_fork"):
        return both.output_of("coloop", f"{module}.{name}")

    def test_P30_a_loop_cannot_be_pickled(self):
        self.assertEqual(
            self.printed("a_loop_cannot_be_pickled", module="programs_seed"),
            "TypeError: cannot pickle 'Loop' object\nexit 0\n",
        )

    def test_F17_a_process_pool_in_a_callback(self):
        self.assertEqual(
            self.printed("a_process_pool_in_a_callback"),
            "[0, 1, 4, 9, 16, 25] False\nexit 0\n",
        )

    def test_F17_multiprocessing_with_fork_in_a_callback(self):
        self.assertEqual(self.printed("multiprocessing_with_fork_in_a_callback"), "42\n0\nexit 0\n")

    def test_F18_objects_of_queued_callbacks_end_once_in_each_process(self):
        name = "queued_callbacks_run_in_the_parent_only"
        self.assertEqual(self.printed(name), programs_fork.PROMISED[name])


if __name__ == "__main__":
    unittest.main()
