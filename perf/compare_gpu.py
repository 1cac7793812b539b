#!/usr/bin/env python3
"""Times a training step on one GPU in one run: Sward, PyTorch in full and with Grass, and the floor, which is the
products and the attention of a Grass step alone, one after another for seconds. Prints a table and JSON lines.

  cmake --preset cuda-release -DSWARD_ENABLE_BENCHMARKS=ON ... && cmake --build build/cuda-release
  python3 perf/compare_gpu.py --bin build/cuda-release/bin 1b:256:64:512

A case is PRESET:LENGTH:SEQUENCES:RANK. Sward's step is that of perf_step; "deterministic" costs are included in it.
Needs PyTorch with CUDA, 2.5 or later. All figures are medians; ratios hold on one card in one run.
"""

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path

import torch
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel

VOCABULARY = 32000
PRESETS = {"60m": (512, 1376, 8, 8), "130m": (768, 2048, 12, 12), "350m": (1024, 2736, 16, 24),
           "1b": (2048, 5461, 32, 24), "7b": (4096, 11008, 32, 32), "13b": (5120, 13824, 40, 40)}
PEAK_FLOPS = 989e12  # of a Hopper GPU in bfloat16, by its data sheet


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="+", help="PRESET:LENGTH:SEQUENCES:RANK")
    parser.add_argument("--bin", type=Path, default=Path("build/cuda-release/bin"), help="folder with perf_step")
    parser.add_argument("--steps", type=int, default=20, help="steps timed after the warm-up (default 20)")
    parser.add_argument("--seconds", type=float, default=4, help="that the floor runs (default 4)")
    parser.add_argument("--without", nargs="+", default=[], choices=["floor", "full", "grass"], help="leave these out")
    parser.add_argument("--step-arguments", default="", help="more arguments for perf_step, in one string")
    return parser.parse_args()


def shape_of(case):
    preset, length, sequences, rank = case.split(":")
    hidden, ffn, heads, layers = PRESETS[preset]
    return dict(hidden=hidden, ffn=ffn, heads=heads, layers=layers, vocabulary=VOCABULARY, length=int(length),
                sequences=int(sequences), rank=int(rank))


def time_on_device(function):
    begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    begin.record()
    function()
    end.record()
    torch.cuda.synchronize()
    return begin.elapsed_time(end) / 1e3


def median_time(function, warmup, count):
    for _ in range(warmup):
        function()
    return statistics.median(time_on_device(function) for _ in range(count))


def floor_step(s):
    """The products of a Grass step (ffn padded to whole tiles) and attention by cuDNN, as one callable."""
    bf16 = torch.bfloat16
    d, f, tokens = s["hidden"], (s["ffn"] + 63) // 64 * 64, s["length"] * s["sequences"]
    r = min(s["rank"], d)
    random = lambda *extents: torch.randn(*extents, device="cuda", dtype=bf16)
    linears = [(3 * d, d), (d, d), (2 * f, d), (d, f)]
    inputs, outputs = {i: random(tokens, i) for _, i in linears}, {o: random(tokens, o) for o, _ in linears}
    weights = [(random(o, i), random(i, o)) for o, i in linears]
    # By the smaller side: rows of q, k, v, o and down, columns of gate and up. (Selected factor, other factor.)
    compressed = [(random(tokens, 3 * r), d), (random(tokens, r), d), (random(tokens, r), f)]
    by_columns = [random(tokens, r)] * 2
    normed, head, logits = random(tokens, d), random(VOCABULARY, d), random(tokens, VOCABULARY)
    q, k, v = (random(s["sequences"], s["heads"], s["length"], d // s["heads"]).requires_grad_() for _ in range(3))

    def step():
        with sdpa_kernel(SDPBackend.CUDNN_ATTENTION):
            for _ in range(s["layers"]):
                for (o, i), (weight, _) in zip(linears, weights):
                    inputs[i] @ weight.t()
                attended = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
                for (o, i), (_, transposed) in zip(linears, weights):
                    outputs[o] @ transposed.t()
                torch.autograd.grad(attended, (q, k, v), attended.detach())
                for selected, width in compressed:
                    selected.t() @ inputs[width]
                for selected in by_columns:
                    outputs[2 * f][:, :f].t() @ selected
        normed @ head.t()
        logits @ head
        logits.t() @ normed

    return step


def time_floor(s, arguments):
    step = floor_step(s)
    step()
    times = []
    while sum(times) < arguments.seconds:
        times.append(time_on_device(step))
    return statistics.median(times[len(times) // 2:])  # the clock has fallen by then


def time_peer(s, method, arguments):
    from peer_torch import Trainer

    torch.manual_seed(0)
    trainer = Trainer(s, s["rank"] if method == "grass" else 0, True, "cuda", torch.bfloat16)
    tokens = torch.randint(0, VOCABULARY, (s["sequences"], s["length"] + 1), device="cuda")
    return median_time(lambda: trainer.update(tokens), 5, arguments.steps)


def attempt(measure):
    """Seconds, or None where the memory does not suffice."""
    try:
        return measure()
    except torch.cuda.OutOfMemoryError:
        return None
    finally:
        torch._dynamo.reset()
        torch.cuda.empty_cache()


def time_sward(case, arguments):
    preset, length, sequences, rank = case.split(":")
    cases = [f"{preset}:{length}:{sequences}:grass:{rank}"]
    if "full" not in arguments.without:
        cases.append(f"{preset}:{length}:{sequences}:adamw")
    results = []
    for sward_case in cases:
        command = [arguments.bin / "perf_step", sward_case, "--steps", str(arguments.steps),
                   *arguments.step_arguments.split()]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            print(f"perf_step {sward_case}: {done.stderr.strip()[-300:]}", file=sys.stderr)
            results.append(None)
            continue
        results.append(json.loads(done.stdout.splitlines()[-1]))
    return results


def measurements(case, arguments):
    """Yields (who, tokens/s or None, what perf_step printed), the floor first."""
    s = shape_of(case)
    tokens = s["length"] * s["sequences"]
    if "floor" not in arguments.without:
        yield "floor", tokens / attempt(lambda: time_floor(s, arguments)), None
    for who, result in zip(("Sward Grass", "Sward AdamW"), time_sward(case, arguments)):
        yield who, result and result["tokens_per_second"], result
    for method, who in (("grass", "PyTorch Grass"), ("full", "PyTorch AdamW")):
        if method not in arguments.without:
            seconds = attempt(lambda: time_peer(s, method, arguments))
            yield who, seconds and tokens / seconds, None


def print_row(case, who, rate, rates, result):
    if rate is None:
        print(f"{case:20}{who:22}{'-':>11}", flush=True)
        return
    of_floor = f"{rate / rates['floor']:14.3f}" if "floor" in rates else f"{'':14}"
    of_peak = f"{result['executed_tflops'] * 1e12 / PEAK_FLOPS:16.3f}" if result else f"{'':16}"
    ahead = f"{rates['Sward Grass'] / rate:13.3f}" if who.startswith("PyTorch") and rates.get("Sward Grass") else ""
    print(f"{case:20}{who:22}{rate:11.0f}{of_floor}{of_peak}{ahead}", flush=True)


def main():
    arguments = parse_arguments()
    print(f"{torch.cuda.get_device_name()}, PyTorch {torch.__version__}, cuDNN {torch.backends.cudnn.version()}")
    print(f"{'case':20}{'who':22}{'tokens/s':>11}{'of the floor':>14}{'of 989 TFLOP/s':>16}{'Sward ahead':>13}")
    for case in arguments.cases:
        rates, sward = {}, []
        for who, rate, result in measurements(case, arguments):
            rates[who] = rate
            if who.startswith("Sward"):
                sward.append(result)
            print_row(case, who, rate, rates, result)
        print(json.dumps(dict(case=case, tokens_per_second=rates, sward=sward)), flush=True)


if __name__ == "__main__":
    main()
