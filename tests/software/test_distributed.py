"""distributed's LocalCluster: its scheduler, workers and client on coloop, and as an executor."""

import json
import unittest

from servers import Directory, complaints, python


class DistributedTest(unittest.TestCase):
    def cluster(self, loop):
        """What cluster.py saw on this loop, and what it complained of."""
        directory = Directory()
        self.addCleanup(directory.close)
        with python("cluster.py", loop, directory.path, dev=True) as program:
            status = program.process.wait(90)
            output = program.output()
        self.assertEqual(status, 0, output)
        complained = [line for line in complaints(output) if "no such luck" not in line]
        return json.loads(output.splitlines()[-1]), complained

    def test_cluster(self):
        expected, _ = self.cluster("asyncio")
        seen, complained = self.cluster("coloop")
        self.assertEqual(complained, [])
        self.assertEqual({seen["client"].pop("here"), seen["client"].pop("scheduler"),
                          *seen["client"].pop("workers")}, {"coloop"})
        for name in ("here", "scheduler", "workers"):
            del expected["client"][name]
        self.assertEqual(seen, expected)
        self.assertEqual(seen["executor"]["squares"], sum(n * n for n in range(100)))
        self.assertEqual(seen["executor"]["killed"], "survived")


if __name__ == "__main__":
    unittest.main()
