#!/usr/bin/env python3
"""The emulated network carries what ranks give to collectives, at its rate, and nothing of it is left behind."""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import unittest

SCRIPTS, PROGRAMS = (pathlib.Path(argument) for argument in (sys.argv.pop(1), sys.argv.pop(1)))
sys.path.insert(0, str(SCRIPTS))
import measure

SKIPPED = 77  # for ctest


def run_emulated(rate, *command):
    environment = os.environ | dict(OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1",
                                    OMPI_MCA_mpi_yield_when_idle="1")
    return subprocess.run([SCRIPTS / "emulate_network.sh", "--ranks", "2", "--rate", rate, *command],
                          env=environment, capture_output=True, text=True, timeout=60)


def spaces_left():
    listed = subprocess.run(["ip", "netns"], capture_output=True, text=True).stdout
    return [line for line in listed.splitlines() if line.startswith("sward-")]


class EmulatedNetwork(unittest.TestCase):
    def test_carries_the_messages_at_its_rate(self):
        before = spaces_left()
        done = run_emulated("20mbit", PROGRAMS / "perf_scaling", "64/128/2/2/32:16:1:adamw", "--precision", "float",
                            "--steps", "2")
        self.assertEqual(done.returncode, 0, done.stderr)
        line = json.loads(done.stdout)
        # A ring of two ranks carries each message once; the rest is headers and mpirun's own.
        self.assertAlmostEqual(measure.share_of_links(done.stderr, [line]), 1.05, delta=0.06)
        least = line["communicated_bytes"] / (20e6 / 8)
        self.assertGreater(line["step_seconds"], 0.6 * least)  # the bucket lets the first 128 KiB pass at once
        self.assertEqual(spaces_left(), before)

    def test_removes_everything_after_a_failure(self):
        before = spaces_left()
        self.assertNotEqual(run_emulated("1gbit", "false").returncode, 0)
        self.assertEqual(run_emulated("nonsense", "true").returncode, 1)
        self.assertEqual(spaces_left(), before)


def can_limit_networks():
    space = f"sward-probe-{os.getpid()}"
    limit = f"ip netns exec {space} tc qdisc add dev lo root tbf rate 1mbit burst 10k latency 1ms"
    try:
        return subprocess.run(f"ip netns add {space} && {limit}", shell=True, capture_output=True).returncode == 0
    finally:
        subprocess.run(["ip", "netns", "delete", space], capture_output=True)


if __name__ == "__main__":
    if not shutil.which("ip") or not can_limit_networks():
        print("needs root, iproute2, and a kernel that lets it make and limit networks")
        sys.exit(SKIPPED)
    unittest.main()
