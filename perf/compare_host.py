#!/usr/bin/env python3
"""Times a training step of sward-train beside PyTorch on the processor, in full (AdamW) and with Grass, in one run.

  cmake --preset host-release -DSWARD_ENABLE_BENCHMARKS=ON ... && cmake --build build/host-release
  python3 -m venv build/peer && build/peer/bin/pip install torch
  build/peer/bin/python perf/compare_host.py --bin build/host-release/bin

The model: hidden 384, 8 layers, T = 256, r = 96, 25 million parameters, float. PyTorch runs eagerly and, where it can,
through torch.compile; the faster of the two counts. All take turns for some rounds, because a shared machine's speed drifts;
each line shows the median step of the fastest round, and the share of the machine's own
rate of matrix products that the *executed* operations of the step reach (Grass executes fewer).
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

MODEL = dict(hidden=384, ffn=1024, heads=6, layers=8, vocabulary=14000, length=256, rank=96)
METHODS = ("adamw", "grass")
REFRESH_INTERVAL = 1000  # beyond the steps timed: a regular step is compared


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=Path, default=Path("build/host-release/bin"), help="folder with sward-train")
    parser.add_argument("--sequences", type=int, default=8, help="sequences of a step (default 8)")
    parser.add_argument("--steps", type=int, default=20, help="steps timed after the warm-up (default 20)")
    parser.add_argument("--rounds", type=int, default=2, help="turns of each (default 2)")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="threads of either (default: all cores)")
    parser.add_argument("--no-compile", action="store_true", help="leave out torch.compile")
    return parser.parse_args()


def executed_operations(method, tokens):
    """Of the products and of attention (the causal half) in one regular step."""
    d, f, r, layers = MODEL["hidden"], MODEL["ffn"], MODEL["rank"], MODEL["layers"]
    weights = 4 * d * d + 3 * d * f
    compressed = r * (4 * d + 3 * f)
    gradient = weights if method == "adamw" else compressed
    attention = 7 * MODEL["length"] * d  # 2 products forward, 5 backward, half of 2 T d each
    return tokens * (layers * (4 * weights + 2 * gradient + attention) + 6 * MODEL["vocabulary"] * d)


def product_rate(arguments):
    """Operations a second of a float product of 1500 x 1500 x 1500 through Sward's own matrix_product."""
    command = [arguments.bin / "perf_kernels", "--benchmark_filter=matrix_product_of/m:1500", "--benchmark_format=json"]
    run = subprocess.run(command, env=environment(arguments), check=True, capture_output=True, text=True)
    return json.loads(run.stdout)["benchmarks"][0]["operations/s"]


def environment(arguments):
    return {**os.environ, "OMP_NUM_THREADS": str(arguments.threads), "OMP_PROC_BIND": "false",
            "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}


def write_tokens(folder, arguments):
    """Random bytes as text: the tokens' values do not matter for the time."""
    text = folder / "text.txt"
    text.write_bytes(bytes(32 + (i * i * 7 + i) % 90 for i in range(200_000)))
    subprocess.run([arguments.bin / "sward-tokenize", text, "--tokenizer", "bytes", "--output", folder / "train.h5"],
                   check=True, stdout=subprocess.DEVNULL)


def configuration(folder, method, arguments, warmup):
    m = MODEL
    return f"""
[model]
hidden_size = {m["hidden"]}
intermediate_size = {m["ffn"]}
num_heads = {m["heads"]}
num_layers = {m["layers"]}
vocab_size = {m["vocabulary"]}
[data]
train = '{folder}/train.h5'
sequence_length = {m["length"]}
[batch]
sequences = {arguments.sequences}
micro = {arguments.sequences}
[optimizer]
method = "{method}"
learning_rate = 1e-4
[grass]
rank = {m["rank"]}
refresh_interval = {REFRESH_INTERVAL}
[schedule]
steps = {warmup + arguments.steps}
[output]
directory = '{folder}/{method}'
"""


def time_sward(folder, method, arguments, warmup=3):
    file = folder / f"{method}.toml"
    shutil.rmtree(folder / method, ignore_errors=True)
    file.write_text(configuration(folder, method, arguments, warmup))
    subprocess.run([arguments.bin / "sward-train", file], env=environment(arguments), check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    lines = [json.loads(line) for line in (folder / method / "metrics.jsonl").read_text().splitlines()]
    return statistics.median(line["step_seconds"] for line in lines[warmup:])


def time_peer(method, compiled, arguments, warmup=3):
    import torch
    from peer_torch import Trainer

    torch.manual_seed(0)
    torch.set_num_threads(arguments.threads)
    trainer = Trainer(MODEL, MODEL["rank"] if method == "grass" else 0, compiled)
    tokens = torch.randint(0, MODEL["vocabulary"], (arguments.sequences, MODEL["length"] + 1))
    seconds = []
    for _ in range(warmup + arguments.steps):
        begin = time.perf_counter()
        trainer.update(tokens)
        seconds.append(time.perf_counter() - begin)
    return statistics.median(seconds[warmup:])


def time_all(folder, method, arguments):
    """The fastest round of each contender, by name."""
    contenders = {"Sward": lambda: time_sward(folder, method, arguments),
                  "PyTorch eager": lambda: time_peer(method, False, arguments)}
    if not arguments.no_compile:
        contenders["PyTorch compiled"] = lambda: time_peer(method, True, arguments)
    times = {}
    for _ in range(arguments.rounds):
        for name, measure in contenders.items():
            times[name] = min(times.get(name, float("inf")), measure())
    return times


def main():
    arguments = parse_arguments()
    tokens = arguments.sequences * MODEL["length"]
    rate = product_rate(arguments)
    print(f"{arguments.threads} threads, product of 1500^3: {rate / 1e9:.0f} GFLOP/s; {tokens} tokens a step")
    print(f"{'method':8}{'who':20}{'ms a step':>10}{'tokens/s':>10}{'share of product rate':>24}{'Sward ahead':>13}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_tokens(folder, arguments)
        for method in METHODS:
            operations = executed_operations(method, tokens)
            times = time_all(folder, method, arguments)
            for who, seconds in times.items():
                ahead = "" if who == "Sward" else f"{seconds / times['Sward']:13.2f}"
                print(f"{method:8}{who:20}{1e3 * seconds:10.1f}{tokens / seconds:10.0f}"
                      f"{operations / seconds / rate:24.2f}{ahead}", flush=True)


if __name__ == "__main__":
    main()
