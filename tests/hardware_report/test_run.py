"""The whole script, on the stand-in driver: what it writes, and how it ends when there is nothing to look at."""

import pathlib
import subprocess
import sys
import tempfile
import unittest

SCRIPT, GPUMEM, DRIVER = (pathlib.Path(sys.argv.pop(1)).resolve() for _ in range(3))


def run(*arguments):
    command = [SCRIPT, "--gpumem", GPUMEM, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=150, check=False)


class Report(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.output = pathlib.Path(folder.name, "report.md")

    def test_on_the_stand_in(self):
        ended = run("--stand-in", DRIVER, "--quick", "--output", self.output)
        self.assertEqual(ended.returncode, 0, ended.stdout + ended.stderr)
        report = self.output.read_text()
        for part in (
            "**This has not run on hardware.**",
            "Everything that ran agrees.",
            "Not run: the stand-in driver has no libcuda.",
            "| 8 | 2,915.0 MiB |",
            "| raised | emergency |",
            "Freeing gave 23,320.0 MiB back.",
            "| nvmlDeviceGetMemoryInfo_v2 | 0 |",
            "| 100 Hz |",
        ):
            self.assertIn(part, report)

    def test_a_machine_without_what_it_needs_keeps_the_report_that_is_there(self):
        self.output.write_text("the last one")
        ended = run("--stand-in", self.output.parent, "--output", self.output)
        self.assertEqual(ended.returncode, 2)
        self.assertIn("no stand-in driver in", ended.stderr)
        self.assertEqual(self.output.read_text(), "the last one")


if __name__ == "__main__":
    unittest.main()
