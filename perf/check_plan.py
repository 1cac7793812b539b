#!/usr/bin/env python3
"""Compares what sward-plan plans with what sward-train takes: the peak of resident memory, and the bytes of messages.

Each configuration is planned by `sward-plan --json`, then trained for a few updates with an evaluation and a
checkpoint. The peak is VmHWM, as sward-train's last line gives it for the rank that took most. Ends with status 1 if
any configuration is off by more than the tolerance, or any update's message by a byte.

  perf/check_plan.py --bin build/host-release/bin
"""

import argparse
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

SHAPES = {
    "tiny": dict(hidden_size=128, intermediate_size=344, num_heads=4, num_layers=4, vocab_size=4000),
    "small": dict(hidden_size=256, intermediate_size=688, num_heads=4, num_layers=6, vocab_size=8000),
    "grouped": dict(hidden_size=512, intermediate_size=1376, num_heads=8, num_key_value_heads=2, num_layers=8,
                    vocab_size=16000, tie_embeddings=True),
    "60m": dict(preset="llama-60m"),
    "130m": dict(preset="llama-130m"),
    "350m": dict(preset="llama-350m"),
    "65b/16": dict(hidden_size=512, intermediate_size=1376, num_heads=4, num_layers=24, vocab_size=2000),
}
# shape, method, recompute, tokens a sequence, sequences a pass, ranks, and what else is not the default
CONFIGURATIONS = [
    ("tiny", "grass", "none", 128, 1, 1, {}),
    ("tiny", "adamw", "block", 128, 4, 2, {}),
    ("small", "grass", "attention", 128, 4, 1, {}),
    ("small", "adamw", "none", 128, 8, 2, {}),
    ("grouped", "grass", "none", 128, 2, 2, {}),
    ("60m", "grass", "none", 128, 4, 1, {}),
    ("60m", "grass", "block", 256, 4, 2, {}),
    ("60m", "adamw", "attention", 256, 1, 1, {}),
    ("130m", "grass", "block", 256, 2, 1, {}),
    ("350m", "adamw", "none", 128, 1, 1, {}),
    ("60m", "grass", "block", 256, 4, 2, {"run.shard": "states"}),
    ("60m", "adamw", "none", 128, 2, 2, {"run.shard": "weights"}),
    ("65b/16", "grass", "block", 64, 2, 4, {"run.shard": "weights"}),
]
UPDATES = 3
PEAK = re.compile(r"process at its peak \S+ \S+ \((\d+) B\)")


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=pathlib.Path, default=pathlib.Path("build/host-release/bin"),
                        help="folder with the programs")
    parser.add_argument("--threads", type=int, default=2, help="of all ranks together (default 2)")
    parser.add_argument("--tolerance", type=float, default=0.02, help="of the measured peak (default 0.02)")
    parser.add_argument("--only", type=int, nargs="+", help="numbers of the configurations to check, from 1")
    return parser.parse_args()


def environment(threads):
    return {**os.environ, "OMP_NUM_THREADS": str(threads), "OMP_PROC_BIND": "false",
            "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}


def run(command, threads):
    done = subprocess.run(list(map(str, command)), env=environment(threads), capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}: status {done.returncode}\n{done.stderr}")
    return done.stdout


def write_tokens(folder, arguments):
    """Random bytes as text: the tokens' values do not matter for the memory."""
    text = folder / "random.txt"
    text.write_bytes(bytes(32 + byte % 90 for byte in os.urandom(2_000_000)))
    run([arguments.bin / "sward-tokenize", text, "--tokenizer", "bytes", "--output", folder / "train.h5"], 1)
    text.write_bytes(bytes(32 + byte % 90 for byte in os.urandom(4_000)))
    run([arguments.bin / "sward-tokenize", text, "--tokenizer", "bytes", "--output", folder / "validation.h5"], 1)


def configuration_text(folder, number):
    shape, method, recompute, length, micro, ranks, more = CONFIGURATIONS[number]
    sections = {
        "model": SHAPES[shape],
        "data": dict(train=str(folder / "train.h5"), validation=str(folder / "validation.h5"), sequence_length=length),
        "batch": dict(sequences=2 * micro * ranks, micro=micro),
        "optimizer": dict(method=method, learning_rate=0.001),
        "grass": dict(rank=64, refresh_interval=2),
        "schedule": dict(steps=UPDATES),
        "output": dict(directory=str(folder / f"run-{number}"), checkpoint_interval=2, evaluation_interval=2, keep=1),
        "run": dict(recompute=recompute),
        "precision": {},
    }
    for key, value in more.items():
        section, name = key.split(".")
        sections[section][name] = value
    return "".join(f"[{section}]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in keys.items())
                   for section, keys in sections.items())


def check_messages(folder, number, plan):
    """The bytes of each update, which the plan must give exactly."""
    wrong = 0
    for line in (folder / f"run-{number}" / "metrics.jsonl").read_text().splitlines():
        update = json.loads(line)
        if "loss" in update:
            planned = plan["message_bytes"]["refresh" if update["refreshed"] else "regular"]
            wrong += update["communicated_bytes"] != planned
    return wrong


def check(folder, number, arguments):
    """The plan, measured bytes, and the number of updates whose messages differ."""
    file = folder / f"{number}.toml"
    file.write_text(configuration_text(folder, number))
    ranks = CONFIGURATIONS[number][5]
    threads = max(1, arguments.threads // ranks)
    plan = json.loads(run([arguments.bin / "sward-plan", file, "--ranks", ranks, "--json"], threads))
    launch = ["mpirun", "--oversubscribe", "--bind-to", "none", "-n", ranks] if ranks > 1 else []
    log = run([*launch, arguments.bin / "sward-train", file], threads)
    return plan, int(PEAK.search(log).group(1)), check_messages(folder, number, plan)


def main():
    arguments = parse_arguments()
    bad = 0
    print(f"{'':4}{'shape':9}{'method':8}{'recompute':11}{'tokens':>7}{'ranks':>7}{'planned, MiB':>14}"
          f"{'measured, MiB':>15}{'difference':>12}  messages")
    for number in [i - 1 for i in arguments.only or range(1, len(CONFIGURATIONS) + 1)]:
        shape, method, recompute, length, micro, ranks, more = CONFIGURATIONS[number]
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            write_tokens(folder, arguments)
            plan, measured, wrong = check(folder, number, arguments)
        planned = plan["total_bytes"]
        difference = planned / measured - 1
        bad += abs(difference) > arguments.tolerance or wrong > 0
        print(f"{number + 1:<4}{shape:9}{method:8}{recompute:11}{length * micro:7}{ranks:7}{planned / 2**20:14.1f}"
              f"{measured / 2**20:15.1f}{difference:12.2%}  {'differ' if wrong else 'equal'}"
              f"{''.join(f'  {key} = {value}' for key, value in more.items())}", flush=True)
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
