"""C programs that embed CPython and share their loop with it."""

import sys
import sysconfig
import unittest

from support import TestCase, program, run

SHARED = sysconfig.get_config_var("Py_ENABLE_SHARED")
EXPECTED = {
    "loop_first": """\
C: scheduled before there was Python
C: before
Python: Python runs True
C: between
Python: C runs True
C: Python has ended
""",
    "python_first": """\
C: before
Python: Python runs True
C: between
Python: C runs True
Python: closed True
""",
    "pythons_loop": """\
Python: a thread works 49995000
""",
    "thread_runs": """\
Python: 4950
""",
}


@unittest.skipUnless(SHARED, "this Python has no library to embed")
class Embedding(TestCase):
    def test_scenarios(self):
        embed = program("embed", embeds_python=True)
        for name, expected in EXPECTED.items():
            with self.subTest(name):
                self.assertEqual(run(embed, sys.executable, name), expected)
