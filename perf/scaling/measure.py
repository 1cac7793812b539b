#!/usr/bin/env python3
"""Measures strong and weak scaling of a training step, with Grass and with AdamW in the same runs.

  perf/scaling/measure.py --ranks 1 2 4 8 --launch "srun -n {ranks}" --model 1b --grass-rank 512 --weak 64 --strong 512
  perf/scaling/measure.py --ranks 1 2 4 --rates 100mbit 1gbit --model 384/1024/6/6/256 --grass-rank 48 --weak 2 \\
    --launch "perf/scaling/emulate_network.sh --ranks {ranks} --rate {rate}" --arguments "--precision float"

Every repetition goes through all numbers of ranks, so that a drift of the machine's speed meets all of them; of each
measurement the fastest repetition counts. The output has a JSON line a measurement (docs/scaling.md), written anew
after every run.
"""

import argparse
import json
import pathlib
import re
import signal
import subprocess
import sys

LINKS = re.compile(r"emulate_network.sh: (\{.*\})")


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=pathlib.Path, default=pathlib.Path("build/host-release/bin"),
                        help="folder with perf_scaling")
    parser.add_argument("--launch", default="mpirun -n {ranks}",
                        help="what starts the ranks (default mpirun -n {ranks})")
    parser.add_argument("--ranks", type=int, nargs="+", default=[1, 2, 4], help="default 1 2 4")
    parser.add_argument("--rates", nargs="+", default=[""],
                        help="what {rate} stands for in --launch, one after another")
    parser.add_argument("--network", default="", help="a name for the network where there are no rates")
    parser.add_argument("--model", default="1b", help="a preset, or HIDDEN/INTERMEDIATE/HEADS/LAYERS/VOCABULARY")
    parser.add_argument("--length", type=int, default=256, help="tokens of a sequence (default 256)")
    parser.add_argument("--grass-rank", type=int, default=512, help="rows that Grass keeps (default 512)")
    parser.add_argument("--weak", type=int, help="sequences of an update on each rank")
    parser.add_argument("--strong", type=int, help="sequences of an update over all ranks")
    parser.add_argument("--repeats", type=int, default=3, help="default 3")
    parser.add_argument("--arguments", default="", help="more for perf_scaling, in one string")
    parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path("scaling.jsonl"),
                        help="default scaling.jsonl")
    arguments = parser.parse_args()
    if not arguments.weak and not arguments.strong:
        parser.error("--weak or --strong is missing")
    if arguments.strong and any(arguments.strong % ranks for ranks in arguments.ranks):
        parser.error("--strong must be a multiple of every number of --ranks")
    return arguments


def runs(arguments):
    """(scaling, ranks, rate, sequences on each rank), one rank at the first rate alone: it uses no network."""
    for ranks in arguments.ranks:
        for rate in arguments.rates[:1] if ranks == 1 else arguments.rates:
            if arguments.weak:
                yield "weak", ranks, rate, arguments.weak
            if arguments.strong:
                yield "strong", ranks, rate, arguments.strong // ranks


def share_of_links(errors, lines):
    """Bytes that a link carried in one direction, over the bytes that its rank gave to collectives."""
    links = LINKS.search(errors)
    given = sum(line["updates"] * line["communicated_bytes"] + line["refreshes"] * line["refresh_bytes"]
                for line in lines)
    if links is None or lines[0]["ranks"] == 1:
        return None
    sent = json.loads(links.group(1))["sent"]
    return sum(sent) / len(sent) / given


def run(command):
    """(output, errors); a command that is given up is told so, and has time to clean up."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        output, errors = process.communicate()
    except BaseException:
        process.terminate()
        process.communicate()
        raise
    if process.returncode != 0:
        sys.exit(f"{' '.join(command)}: status {process.returncode}\n{errors}")
    return output, errors


def measure(arguments, scaling, ranks, rate, sequences):
    case = f"{arguments.model}:{arguments.length}:{sequences}"
    command = [*arguments.launch.format(ranks=ranks, rate=rate).split(), str(arguments.bin / "perf_scaling"),
               f"{case}:grass:{arguments.grass_rank}", f"{case}:adamw", *arguments.arguments.split()]
    output, errors = run(command)
    lines = [json.loads(text) for text in output.splitlines() if text.startswith("{")]
    share = share_of_links(errors, lines)
    for line in lines:
        line |= {"scaling": scaling, "network": rate or arguments.network}
        if share is not None:
            line["link_bytes_over_messages"] = round(share, 4)
    return lines


def keep_fastest(best, line):
    """Whole repetitions: what one computed and what it waited for belong together where other programs are at work."""
    key = (line["scaling"], line["ranks"], line["network"], line["method"])
    best[key] = min(best.get(key, line), line, key=lambda x: x["step_seconds"])


def print_table(lines):
    alone = {(line["scaling"], line["method"]): line["tokens_per_second"] for line in lines if line["ranks"] == 1}
    print(f"{'scaling':9}{'network':>9}{'ranks':>6}{'method':>8}{'tokens/s':>10}{'efficiency':>12}{'step, s':>9}"
          f"{'passes':>8}{'products':>10}{'waiting':>9}{'MB sent':>9}")
    for line in lines:
        rate = alone.get((line["scaling"], line["method"]))
        efficiency = f"{line['tokens_per_second'] / (line['ranks'] * rate):12.2f}" if rate else f"{'':12}"
        print(f"{line['scaling']:9}{line['network']:>9}{line['ranks']:6}{line['method']:>8}"
              f"{line['tokens_per_second']:10.0f}{efficiency}{line['step_seconds']:9.3f}{line['passes_seconds']:8.3f}"
              f"{line['products_seconds']:10.3f}{line['waiting_seconds']:9.3f}{line['communicated_bytes'] * 1e-6:9.2f}")


def main():
    arguments = parse_arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    best = {}
    for repeat in range(arguments.repeats):
        for scaling, ranks, rate, sequences in runs(arguments):
            print(f"repetition {repeat + 1}: {scaling}, {ranks} ranks {rate}", file=sys.stderr, flush=True)
            for line in measure(arguments, scaling, ranks, rate, sequences):
                keep_fastest(best, line)
            arguments.output.write_text("".join(json.dumps(line) + "\n" for line in best.values()))
    print_table(best.values())


if __name__ == "__main__":
    main()
