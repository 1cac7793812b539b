#!/usr/bin/env python3
"""Draws what perf/compare_gpu.py printed: for each case the share of the floor that Sward and its peers reach."""

import argparse
import json
import pathlib
import sys

COLOURS = {"Sward Grass": "#1f5fa8", "Sward AdamW": "#8fb3dc", "PyTorch Grass": "#c8591a", "PyTorch AdamW": "#eab896"}
HELP_FOOTER = """
Needs matplotlib: Debian's python3-matplotlib, or from PyPI. Example:
  python3 perf/compare_gpu.py 1b:256:64:512 350m:256:128:256 | tee results.txt
  perf/plot_gpu.py results.txt --output step.svg
"""


def parse_arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=HELP_FOOTER, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=pathlib.Path, help="the output of compare_gpu.py; its JSON lines are read")
    parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path("step.svg"),
                        help=".svg, .png or .pdf (default step.svg)")
    return parser.parse_args()


def read_results(path):
    """(device, cases): what the first line says, and the cases that were measured beside their floor."""
    lines = path.read_text().splitlines()
    cases = [json.loads(line) for line in lines if line.startswith("{")]
    cases = [case for case in cases if case["tokens_per_second"].get("floor")]
    if not cases:
        sys.exit(f"{path}: holds no case with a floor")
    return lines[0], cases


def case_name(text):
    preset, length, sequences, rank = text.split(":")
    return f"{preset.upper()}, {length} x {sequences}, r={rank}"


def draw(device, cases, output):
    import matplotlib
    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "sward"
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(1.6 + 1.7 * len(cases), 3.6), layout="constrained")
    width = 0.8 / len(COLOURS)
    for place, (who, colour) in enumerate(COLOURS.items()):
        rates = [case["tokens_per_second"].get(who) for case in cases]
        shares = [(rate or 0) / case["tokens_per_second"]["floor"] for rate, case in zip(rates, cases)]
        positions = [i + (place - 1.5) * width for i in range(len(cases))]
        axes.bar(positions, shares, width, color=colour, label=who)
        for position, share in zip(positions, shares):
            if share:
                axes.annotate(f"{share:.2f}", (position, share), ha="center", va="bottom", fontsize=7)
    axes.axhline(1, color="#55606b", linewidth=0.8, linestyle="--")
    axes.set_xticks(range(len(cases)), [case_name(case["case"]) for case in cases], fontsize=8)
    axes.set_ylabel("tokens/s over those of\nproducts and attention alone")
    axes.set_ylim(0, 1.15)
    axes.set_title(device, fontsize=8)
    axes.legend(ncols=len(COLOURS), fontsize=7, loc="upper center")
    figure.savefig(output, metadata={"Date": None} if output.suffix == ".svg" else None)


if __name__ == "__main__":
    arguments = parse_arguments()
    draw(*read_results(arguments.results), arguments.output)
