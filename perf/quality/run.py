#!/usr/bin/env python3
"""Runs the rows of a table of training runs one after another, and writes what came out as JSON lines.

  perf/quality/make_data.sh --pack
  perf/quality/run.py perf/quality/60m-33M.toml --data build/quality --bin build/cuda-release/bin --results 60m.jsonl

A table names a configuration of sward-train and its rows:

  configuration = "60m.toml"             beside the table; paths of token files are relative to --data
  set = ["schedule.steps=6100"]          laid over the configuration, as with sward-train --set; default none
  [[run]]
  name = "grass-r128"
  set = ["grass.rank=128"]               of this row, behind those of the table
  seeds = [1, 2, 3]                      default [1]
  from = { 3000 = ["grass.rank=256"] }   settings from that update on, a refresh; default none

With program = "adamw", "grass", "galore" or "lora", of the table or of a row, peer.py beside this file trains in PyTorch
in place of sward-train, from the weights that it starts with.

A row whose result is there already, with the same settings and seed, is left out; one that was interrupted goes on from
its last checkpoint. So a study may be run in pieces, and stopped at any time.
"""

import argparse
import json
import lzma
import math
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from typing import NamedTuple

CURVE_POINTS = 60


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", nargs="+", type=Path, help="tables of runs")
    parser.add_argument("--data", type=Path, required=True, help="folder with train.h5 and validation.h5, or the same packed as .xz")
    parser.add_argument("--bin", type=Path, required=True, help="folder with sward-train")
    parser.add_argument("--results", type=Path, required=True, help="file that JSON lines are added to")
    parser.add_argument("--work", type=Path, default=Path("build/quality-runs"), help="folder for the runs (default build/quality-runs)")
    parser.add_argument("--only", default="", help="regular expression that the names of runs have to match")
    parser.add_argument("--seconds", type=float, default=math.inf, help="begin no run after this many seconds")
    parser.add_argument("--keep", action="store_true", help="keep checkpoints of finished runs")
    parser.add_argument("--list", action="store_true", help="only print the names of what is left to run")
    return parser.parse_args()


class Row(NamedTuple):
    name: str
    program: str
    configuration: Path
    settings: list
    changes: list  # (update, settings from it on)
    seed: int

    def all_settings(self):
        return self.settings + [setting for _, settings in self.changes for setting in settings]

    def described_settings(self):
        return self.settings + [f"{setting} from {update}" for update, settings in self.changes for setting in settings]


def refuse(table, reason):
    print(f"run.py: {table}: {reason}", file=sys.stderr)
    sys.exit(2)


def read_table(path):
    try:
        content = tomllib.loads(path.read_text())
    except OSError as error:
        refuse(path, error.strerror)
    except ValueError as error:  # of TOML, and of bytes that are no UTF-8
        refuse(path, error)
    for key in ("configuration", "run"):
        if key not in content:
            refuse(path, f"no table of runs (it names no {key})")
    return content


def rows_of(table):
    """The runs of a table, the first seed of all rows first."""
    content = read_table(table)
    configuration = (table.parent / content["configuration"]).resolve()
    program, common = content.get("program", "sward"), content.get("set", [])
    rows = [Row(f"{table.stem}/{run['name']}", run.get("program", program), configuration, common + run.get("set", []),
                sorted((int(update), settings) for update, settings in run.get("from", {}).items()), seed)
            for run in content["run"] for seed in run.get("seeds", [1])]
    return sorted(rows, key=lambda row: row.seed)


def key_of(name, settings, seed):
    return json.dumps([name, settings, seed])


def finished(results):
    if not results.exists():
        return set()
    entries = map(json.loads, results.read_text().splitlines())
    return {key_of(entry["run"], entry["settings"], entry["seed"]) for entry in entries}


def unpack(folder):
    for packed in folder.glob("*.h5.xz"):
        target = packed.with_suffix("")
        if not target.exists():
            part = target.with_suffix(f".{os.getpid()}.part")  # another study may unpack the same file
            with lzma.open(packed) as source, part.open("wb") as destination:
                shutil.copyfileobj(source, destination, 1 << 24)
            part.rename(target)


def thinned(points):
    """Means over as many neighbours as leave CURVE_POINTS of them."""
    width = max(1, len(points) // CURVE_POINTS)
    groups = [points[i:i + width] for i in range(0, len(points) - width + 1, width)]
    return [[group[-1][0], round(group[-1][1], 3), round(sum(point[2] for point in group) / width, 4)] for group in groups]


def summary(metrics):
    """What a run's metrics.jsonl says, without the curve of single updates."""
    updates, evaluations, seconds, refreshes, memory = [], [], 0.0, 0, 0
    for entry in map(json.loads, metrics.read_text().splitlines()):
        if "validation_loss" in entry:
            tokens = updates[-1][0]
            evaluations.append([tokens, round(seconds, 3), round(entry["validation_loss"], 5)])
        else:
            seconds += entry["step_seconds"]
            updates.append([entry["tokens"], seconds, entry["loss"]])
            refreshes += entry["refreshed"]
            memory = max(memory, entry["device_memory_bytes"])
    rates = sorted((b[0] - a[0]) / (b[1] - a[1]) for a, b in zip(updates, updates[1:]))
    return {"updates": len(updates), "tokens": updates[-1][0], "validation_loss": evaluations[-1][2],
            "perplexity": round(math.exp(evaluations[-1][2]), 4), "seconds": round(seconds, 2),
            "tokens_per_second": round(rates[len(rates) // 2]), "refreshes": refreshes,
            "memory_bytes": memory, "curve": thinned(updates), "evaluations": evaluations}


def planned(arguments, row):
    """Bytes that each of two ranks would send in an update; how the sequences are split does not matter to them. 0 of LoRA,
    which is no method of the plan."""
    if row.program == "lora":
        return {"message_bytes": 0, "message_bytes_at_refresh": 0}
    command = [arguments.bin / "sward-plan", row.configuration, "--json", "--ranks", "2"]
    for setting in [*row.all_settings(), "batch.micro=1", *([] if row.program == "sward" else ["optimizer.method=adamw"])]:
        command += ["--set", setting]
    plan = json.loads(subprocess.run(command, cwd=arguments.data, capture_output=True, text=True, check=True).stdout)
    return {f"message_bytes{suffix}": sum(layer[kind] for layer in plan["messages"])
            for kind, suffix in (("regular", ""), ("refresh", "_at_refresh"))}


def device_name():
    try:
        query = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
        return subprocess.run(query, capture_output=True, text=True, check=True).stdout.splitlines()[0]
    except (OSError, subprocess.CalledProcessError, IndexError):
        return "host"


def initial_weights(arguments, row):
    """A folder with the weights that sward-train starts with for this seed: an update at a rate of 0 leaves them as they are."""
    folder = arguments.work / f"{row.configuration.stem}-start-seed{row.seed}"
    if not folder.exists():
        run = folder.with_name(folder.name + "-run")
        settings = [f"run.seed={row.seed}", "schedule.steps=1", "optimizer.method=adamw", "optimizer.learning_rate=0.0",
                    "precision.compute=float", f"output.directory='{run}'"]
        command = [arguments.bin / "sward-train", row.configuration, *(f"--set={setting}" for setting in settings)]
        subprocess.run(command, cwd=arguments.data, stdout=subprocess.DEVNULL, check=True)
        subprocess.run([arguments.bin / "sward-convert", run / "checkpoint-00000001.h5", folder], check=True)
        shutil.rmtree(run)
    return folder


def command_of(arguments, row, settings, folder):
    if row.program != "sward":
        command = [sys.executable, Path(__file__).resolve().with_name("peer.py"), row.program, row.configuration,
                   "--weights", initial_weights(arguments, row)]
    else:
        command = [arguments.bin / "sward-train", row.configuration, "--resume", "auto"]
    settings = [*settings, f"run.seed={row.seed}", f"output.directory='{folder}'"]
    return command + [f"--set={setting}" for setting in settings]


def train_until(command, checkpoint, **options):
    """Ends a run at its first checkpoint. The updates that it has done since are done again by whoever resumes it."""
    with subprocess.Popen(command, **options) as process:
        while process.poll() is None and not checkpoint.exists():
            time.sleep(0.05)
        process.kill()
    return checkpoint.exists()


def train_to_the_end(arguments, row, folder, output):
    options = {"cwd": arguments.data, "stdout": output, "stderr": subprocess.STDOUT}
    settings = list(row.settings)
    for update, changed in row.changes:
        checkpoint = folder / f"checkpoint-{update:08}.h5"
        command = command_of(arguments, row, [*settings, f"output.checkpoint_interval={update}"], folder)
        if not checkpoint.exists() and not train_until(command, checkpoint, **options):
            return False
        settings += changed
    return subprocess.run(command_of(arguments, row, settings, folder), **options).returncode == 0


def train(arguments, row):
    """The result of one run; None if it failed, whose log stays."""
    folder = arguments.work / f"{row.name}-seed{row.seed}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    log = folder.with_name(folder.name + ".log")
    with log.open("w") as output:
        succeeded = train_to_the_end(arguments, row, folder, output)
    if not succeeded:
        print(f"{row.name}, seed {row.seed}: failed, see {log}", file=sys.stderr)
        return None
    result = {**summary(folder / "metrics.jsonl"), **planned(arguments, row)}
    if not arguments.keep:
        shutil.rmtree(folder)
    return result


def rows_left(arguments):
    done = finished(arguments.results)
    rows = [row for table in arguments.tables for row in rows_of(table) if re.search(arguments.only, row.name)]
    return [row for row in rows if key_of(row.name, row.described_settings(), row.seed) not in done]


def main():
    arguments = parse_arguments()
    arguments.bin, arguments.work = arguments.bin.resolve(), arguments.work.resolve()
    if arguments.list:
        print(*(f"{row.name}, seed {row.seed}" for row in rows_left(arguments)), sep="\n")
        return 0
    unpack(arguments.data)
    start, failures = time.monotonic(), 0
    for row in rows_left(arguments):
        if time.monotonic() - start > arguments.seconds:
            print("no time left; call again for the rest")
            break
        result = train(arguments, row)
        if result is None:
            failures += 1
            continue
        entry = {"run": row.name, "settings": row.described_settings(), "seed": row.seed, "device": device_name(), **result}
        with arguments.results.open("a") as results:
            results.write(json.dumps(entry) + "\n")
        print(f"{row.name}, seed {row.seed}: {entry['validation_loss']:.4f} nats, perplexity {entry['perplexity']:.3f}, "
              f"{entry['seconds']:.1f} s, {entry['tokens_per_second']:,} tokens/s", flush=True)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
