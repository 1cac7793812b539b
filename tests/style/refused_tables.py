#!/usr/bin/env python3
"""perf/quality/run.py refuses in one line, with status 2, what is no table of runs."""

import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

QUALITY = Path(sys.argv.pop(1)) / "perf/quality"


def refusal(table):
    command = [sys.executable, QUALITY / "run.py", table, "--data=none", "--bin=none", "--results=none", "--list"]
    result = subprocess.run(command, capture_output=True, text=True)
    return result.returncode, result.stderr


class Refused(unittest.TestCase):
    def test_a_configuration(self):
        table = QUALITY / "60m.toml"
        self.assertEqual(refusal(table), (2, f"run.py: {table}: no table of runs (it names no configuration)\n"))

    def test_a_table_without_runs(self):
        with tempfile.TemporaryDirectory() as folder:
            table = Path(folder, "empty.toml")
            table.write_text('configuration = "60m.toml"\n')
            self.assertEqual(refusal(table), (2, f"run.py: {table}: no table of runs (it names no run)\n"))

    def test_what_is_not_there(self):
        self.assertEqual(refusal("none.toml"), (2, "run.py: none.toml: No such file or directory\n"))

    def test_what_is_no_toml(self):
        with tempfile.TemporaryDirectory() as folder:
            table = Path(folder, "broken.toml")
            for content in (b"[[run", b"\xff\xfe"):
                table.write_bytes(content)
                status, line = refusal(table)
                self.assertEqual((status, line.count("\n")), (2, 1), line)
                self.assertTrue(line.startswith(f"run.py: {table}: "), line)

    def test_takes_a_table(self):
        self.assertEqual(refusal(QUALITY / "60m-33M.toml")[0], 0)


unittest.main()
