#!/usr/bin/env python3
"""A model of a training step on many ranks: fitted to what measure.py measured, and asked about larger machines.

  perf/scaling/model.py fit results.jsonl                     rates that fit best, and the error of each measurement
  perf/scaling/model.py fit results.jsonl --fit-ranks 1 2     the same from few ranks; the others are predictions
  perf/scaling/model.py predict                               tokens/s and Grass beside AdamW on up to 1024 GPUs

A rank computes for (operations of the passes) / rate + (bytes of the update) / memory rate. A layer's message starts
when the backward pass has left the layer, behind the message before it, and takes on P ranks
  ring   2 (P - 1) latency + 2 (P - 1) / P bytes / bandwidth
A share of all messages, `overlap`, goes on behind the passes, as far as these last; for the rest the rank waits.
"""

import argparse
import dataclasses
import json
import math
import pathlib

BYTES = {"float": 4, "bfloat16": 2, "int8": 1}


@dataclasses.dataclass
class Step:
    """One rank's part of an update."""
    tokens: float  # of this rank
    operations: list  # of the passes before each message, in the order in which messages start
    messages: list  # bytes
    element: int = 4  # bytes of each number in them
    update_bytes: float = 0.0


@dataclasses.dataclass
class Machine:
    rate: float  # operations a second of a rank
    memory: float  # bytes a second, in updates
    latency: float = 0.0  # seconds
    overlap: float = 1.0
    cores: float = math.inf  # that all ranks share: more ranks than these are slower each


def bytes_of_update(line):
    """For an element: weight and two moments read and written, gradient read in float."""
    weight = BYTES["float" if line["precision"] == "float" else "bfloat16"]
    return 2 * weight + 4 * BYTES[line.get("state", "float")] + BYTES["float"]


def step_of(shape, length, tokens, messages, grass_rank=None, last_pass=1.0, element=4):
    """The step of a LLaMA; the counts are those of perf_scaling. Messages start in the last pass, a share of all."""
    d, f, layers, vocabulary = (shape[key] for key in ("hidden_size", "intermediate_size", "num_layers", "vocab_size"))
    block, attention = 4 * d * d + 3 * d * f, 2 * d * length
    r = min(grass_rank, d) if grass_rank else None
    gradient = r * (4 * d + 3 * f) if r else block
    forward = layers * (2 * block + attention) + 2 * vocabulary * d
    backward = 2 * block + 2 * gradient + 2.5 * attention
    operations = [last_pass * tokens * count for count in [forward + 4 * vocabulary * d] + layers * [backward] + [0]]
    operations[0] += (1 / last_pass - 1) * sum(operations)
    return Step(tokens, operations, messages, element)


def messages_of(shape, grass_rank=None, element=4):
    """Bytes of head and last norm, of each block from the last to the first, and of the embedding."""
    d, f, layers, vocabulary = (shape[key] for key in ("hidden_size", "intermediate_size", "num_layers", "vocab_size"))
    r = min(grass_rank, d) if grass_rank else None
    block = (r * (4 * d + 3 * f) if r else 4 * d * d + 3 * d * f) + 2 * d
    return [element * count for count in [vocabulary * d + d] + layers * [block] + [vocabulary * d]]


def message_seconds(size, ranks, latency, bandwidth):
    if ranks == 1:
        return 0.0
    return 2 * (ranks - 1) * latency + 2 * (ranks - 1) / ranks * size / bandwidth


def local_seconds(step, machine, ranks):
    slower = max(1.0, ranks / machine.cores)
    return slower * (sum(step.operations) / machine.rate + step.update_bytes / machine.memory)


def step_seconds(step, machine, ranks, seconds_of_message):
    """Seconds of an update; `seconds_of_message` is a function of bytes."""
    slower = max(1.0, ranks / machine.cores)
    computed = network_is_free = 0.0
    for operations, size in zip(step.operations, step.messages):
        computed += slower * operations / machine.rate
        network_is_free = max(computed, network_is_free) + seconds_of_message(size)
    behind = max(computed, network_is_free)
    apart = computed + sum(map(seconds_of_message, step.messages))
    update = slower * step.update_bytes / machine.memory
    return machine.overlap * behind + (1 - machine.overlap) * apart + update


# Fitting


def read_lines(paths):
    lines = [json.loads(text) for path in paths for text in path.read_text().splitlines() if text.startswith("{")]
    return [line for line in lines if "local_seconds" in line]


def step_of_line(line):
    element = BYTES[line.get("message", "float")]
    step = step_of(line, line["length"], line["tokens"] / line["ranks"], line["messages"], line["grass_rank"],
                   line["micro"] / line["sequences"], element)
    return dataclasses.replace(step, update_bytes=bytes_of_update(line) * sum(line["messages"]) / element)


def least(error, values):
    """The positive values at which the error is least, by trying factors that become smaller."""
    best, factor = error(values), 2.0
    while factor > 1.0002:
        improved = False
        for name in values:
            for change in (factor, 1 / factor):
                trial = {**values, name: values[name] * change}
                if error(trial) < best:
                    values, best, improved = trial, error(trial), True
        if not improved:
            factor = math.sqrt(factor)
    return values


def squares(pairs):
    return sum((modelled / measured - 1) ** 2 for modelled, measured in pairs)


def seconds_of_line(line, machine, bandwidths):
    message = lambda size: message_seconds(size, line["ranks"], machine.latency, bandwidths.get(line.get("network")))
    return step_seconds(step_of_line(line), machine, line["ranks"], message)


def as_quick_as_measured(machine, line):
    """The machine with the rates at which this measurement computed, so that messages can be judged by themselves."""
    factor = local_seconds(step_of_line(line), machine, line["ranks"]) / line["local_seconds"]
    return dataclasses.replace(machine, rate=machine.rate * factor, memory=machine.memory * factor)


def fit_computing(lines, cores):
    most = 1e13  # bytes a second; from there on updates cost nothing that could be measured
    machine = lambda v: Machine(v["rate"], min(v["memory"], most), cores=cores)
    return machine(least(lambda v: squares((local_seconds(step_of_line(line), machine(v), line["ranks"]),
                                            line["local_seconds"]) for line in lines), {"rate": 1e11, "memory": 1e10}))


def fit(lines, cores):
    """(machine, bandwidth by network) with the least squares of relative errors: computing first, then messages."""
    computing = fit_computing(lines, cores)
    together = [line for line in lines if line["ranks"] > 1]
    networks = sorted({line.get("network") for line in together}, key=str)

    def parts(v):
        machine = dataclasses.replace(computing, latency=v["latency"], overlap=min(1.0, v["overlap"]))
        return machine, {network: v[f"bandwidth {i}"] for i, network in enumerate(networks)}

    def error(v):
        machine, bandwidths = parts(v)
        return squares((seconds_of_line(line, as_quick_as_measured(machine, line), bandwidths), line["step_seconds"])
                       for line in together)

    start = {"latency": 1e-4, "overlap": 0.5, **{f"bandwidth {i}": 1e8 for i in range(len(networks))}}
    return parts(least(error, start) if together else start)


def print_errors(name, errors):
    print(f"{name}: mean error {sum(errors) / len(errors):.1%}, largest {max(errors):.1%} of {len(errors)}")


def print_fit(lines, machine, bandwidths, fitted_ranks):
    print(f"computing {machine.rate * 1e-9:.1f} GFLOP/s a rank, updates {machine.memory * 1e-9:.1f} GB/s, "
          f"latency {machine.latency * 1e6:.0f} us, overlap {machine.overlap:.2f}")
    for network, bandwidth in bandwidths.items():
        print(f"network {network}: {bandwidth * 1e-6:.1f} MB/s")
    print("second model: with the computing as it was measured, so that the error is that of the messages alone\n"
          f"{'scaling':9}{'network':>9}{'ranks':>7}{'method':>8}{'measured, s':>13}{'model, s':>12}{'error':>8}"
          f"{'model 2, s':>12}{'error':>8}")
    errors = {}
    for line in lines:
        row = f"{line['scaling']:9}{line['network']:>9}{line['ranks']:7}{line['method']:>8}{line['step_seconds']:13.3f}"
        group = "fitted" if line["ranks"] in fitted_ranks else "predicted"
        machines = {"": machine, ", messages": as_quick_as_measured(machine, line)}
        for name, rates in machines.items() if line["ranks"] > 1 else [("", machine)]:
            modelled = seconds_of_line(line, rates, bandwidths)
            error = modelled / line["step_seconds"] - 1
            row += f"{modelled:12.3f}{error:8.1%}"
            errors.setdefault(group + name, []).append(abs(error))
        print(row)
    for name, values in errors.items():
        print_errors(name, values)


# Predictions

GPUS_OF_NODE = 8
NVLINK = 450e9
# Bytes a second of all links of a node together, and seconds a hop. The latencies are assumed.
NETWORKS = {"NVLink throughout": (NVLINK, 3e-6), "8 x 400 Gb/s InfiniBand": (400e9, 5e-6),
            "100 Gb/s Ethernet": (12.5e9, 20e-6), "25 Gb/s Ethernet": (3.125e9, 20e-6),
            "10 Gb/s Ethernet": (1.25e9, 20e-6)}
# The rate is that of the operations executed on one GPU (docs/performance.md), updates included; a pass has `pass`
# tokens at most.
CASES = {
    "1B, r=512": dict(hidden_size=2048, intermediate_size=5504, num_layers=24, vocab_size=32000, grass_rank=512,
                      length=256, rate=550e12) | {"pass": 16384},
    "7B, r=128": dict(hidden_size=4096, intermediate_size=11008, num_layers=32, vocab_size=32000, grass_rank=128,
                      length=2048, rate=500e12) | {"pass": 8192},
    "13B, r=256": dict(hidden_size=5120, intermediate_size=13824, num_layers=40, vocab_size=32000, grass_rank=256,
                       length=2048, rate=500e12) | {"pass": 8192},
}
# Tokens of an update: on each GPU, and over all.
WEAK, STRONG = 16384, 2**21


def gpu_message_seconds(size, ranks, network):
    """The ring, or a tree where the latency of so many hops would be more; inside a node NVLink."""
    bandwidth, latency = NETWORKS[network] if ranks > GPUS_OF_NODE else NETWORKS["NVLink throughout"]
    ring = message_seconds(size, ranks, latency, bandwidth)
    return min(ring, 2 * math.ceil(math.log2(ranks)) * latency + 2 * size / bandwidth)


def predict(case, method, network, ranks, scaling):
    """Tokens/s of all GPUs."""
    grass_rank = case["grass_rank"] if method == "grass" else None
    tokens = WEAK if scaling == "weak" else STRONG / ranks
    step = step_of(case, case["length"], tokens, messages_of(case, grass_rank), grass_rank,
                   min(1.0, case["pass"] / tokens))
    seconds = step_seconds(step, Machine(case["rate"], math.inf), ranks,
                           lambda size: gpu_message_seconds(size, ranks, network))
    return ranks * tokens / seconds


def prediction_row(case, network, count):
    row = f"{network:26}{count:5}"
    for scaling in ("weak", "strong"):
        grass, adamw = (predict(case, method, network, count, scaling) for method in ("grass", "adamw"))
        alone = [count * predict(case, method, network, 1, scaling) for method in ("grass", "adamw")]
        row += f"{grass:14.0f}{grass / alone[0]:7.2f}{adamw:14.0f}{adamw / alone[1]:7.2f}{grass / adamw:8.2f}"
    return row


def print_predictions(ranks):
    print("tokens/s and efficiency, with Grass and with AdamW, and Grass / AdamW\n"
          f"left: {WEAK} tokens an update on each GPU; right: {STRONG} over all")
    for name, case in CASES.items():
        full, compressed = sum(messages_of(case)), sum(messages_of(case, case["grass_rank"]))
        print(f"\n{name}: AdamW sends {full * 1e-9:.2f} GB an update, Grass {compressed * 1e-9:.2f} GB, "
              f"{full / compressed:.1f} times less")
        print(f"{'':26}{'GPUs':>5}" + 2 * f"{'Grass':>14}{'':7}{'AdamW':>14}{'':7}{'ratio':>8}")
        for network in NETWORKS:
            for count in ranks:
                print(prediction_row(case, network, count))


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    actions = parser.add_subparsers(dest="action", required=True)
    fitting = actions.add_parser("fit")
    fitting.add_argument("results", nargs="+", type=pathlib.Path, help="JSON lines of measure.py")
    fitting.add_argument("--cores", type=float, default=math.inf,
                         help="that all ranks share (default: as many as ranks)")
    fitting.add_argument("--fit-ranks", type=int, nargs="+", help="use these numbers of ranks alone (default: all)")
    predicting = actions.add_parser("predict")
    predicting.add_argument("--ranks", type=int, nargs="+", default=[8, 64, 256, 1024], help="default 8 64 256 1024")
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    if arguments.action == "predict":
        return print_predictions(arguments.ranks)
    lines = read_lines(arguments.results)
    ranks = set(arguments.fit_ranks or (line["ranks"] for line in lines))
    machine, bandwidths = fit([line for line in lines if line["ranks"] in ranks], arguments.cores)
    print_fit(lines, machine, bandwidths, ranks)


if __name__ == "__main__":
    main()
