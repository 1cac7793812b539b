#!/usr/bin/env python3
"""Prints the results of perf/quality/run.py as Markdown tables, and draws the loss of chosen runs.

  perf/quality/report.py perf/quality/results/60m.jsonl
  perf/quality/report.py perf/quality/results/60m.jsonl --draw "60m-33M/adamw-0.001=AdamW" "60m-33M/norm-128-0.014=Grass r=128" \\
    --axis seconds --output loss.svg

A row is the mean over seeds, with the difference between the largest and the smallest perplexity. Drawing needs
matplotlib (see perf/plot_loss.py --help).
"""

import argparse
import json
import statistics
import sys
from pathlib import Path

COLOURS = ["#1f5fa8", "#c8591a", "#3a8f5c", "#8a4f9e", "#7a6a1f", "#55606b"]


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", nargs="+", type=Path, help="JSON lines of run.py")
    parser.add_argument("--draw", nargs="+", default=[], metavar="RUN=LABEL", help="runs to draw, instead of the table")
    parser.add_argument("--axis", choices=["tokens", "seconds"], default="tokens", help="what runs along (default tokens)")
    parser.add_argument("--output", type=Path, default=Path("loss.svg"), help=".svg, .png or .pdf (default loss.svg)")
    parser.add_argument("--top", type=float, help="cut off losses above this")
    return parser.parse_args()


def read_runs(paths):
    """The entries of each run by its name, in the order in which the runs were made."""
    runs = {}
    for path in paths:
        for line in path.read_text().splitlines():
            entry = json.loads(line)
            runs.setdefault(entry["run"], []).append(entry)
    return runs


def mebibytes(count):
    return f"{count / 2**20:.0f}" if count else "-"


def print_row(name, entries):
    perplexities = [entry["perplexity"] for entry in entries]
    spread = f"{max(perplexities) - min(perplexities):.3f}" if len(entries) > 1 else "-"
    loss = statistics.mean(entry["validation_loss"] for entry in entries)
    seconds = statistics.median(entry["seconds"] for entry in entries)
    bytes_of = (mebibytes(entries[0][key]) for key in ("memory_bytes", "message_bytes", "message_bytes_at_refresh"))
    print(f"| {name} | {len(entries)} | {statistics.mean(perplexities):.3f} | {spread} | {loss:.4f} | {seconds:.0f} | "
          + " | ".join(bytes_of) + " |")


def print_tables(runs):
    """One for each table of runs, the best first."""
    for table in dict.fromkeys(name.split("/")[0] for name in runs):
        print(f"\n{table}\n")
        print("| run | seeds | perplexity | spread | loss | seconds | memory MiB | message MiB | at a refresh |")
        print("|---|---|---|---|---|---|---|---|---|")
        rows = [(name.split("/")[1], entries) for name, entries in runs.items() if name.split("/")[0] == table]
        for name, entries in sorted(rows, key=lambda row: statistics.mean(entry["perplexity"] for entry in row[1])):
            print_row(name, entries)


def draw(runs, arguments):
    try:
        import matplotlib
    except ImportError:
        sys.exit("report.py needs matplotlib; perf/plot_loss.py --help says how to get it")
    matplotlib.use("Agg")
    matplotlib.rcParams.update({"font.size": 10, "svg.hashsalt": "sward"})
    import matplotlib.pyplot
    import matplotlib.ticker

    figure, axes = matplotlib.pyplot.subplots(figsize=(7.2, 4.0), layout="constrained")
    column = 0 if arguments.axis == "tokens" else 1
    for choice, colour in zip(arguments.draw, COLOURS):
        name, _, label = choice.partition("=")
        if name not in runs:
            sys.exit(f"report.py: no run '{name}' in the results")
        entry = runs[name][0]
        axes.plot([point[column] for point in entry["curve"]], [point[2] for point in entry["curve"]], color=colour, linewidth=1.4)
        axes.plot([point[column] for point in entry["evaluations"]], [point[2] for point in entry["evaluations"]], color=colour,
                  marker="o", markersize=4.5, markerfacecolor="white", linestyle="none",
                  label=f"{label or name}, validation {entry['validation_loss']:.3f}")
    axes.set_xlabel(arguments.axis if column == 0 else "seconds of training")
    axes.set_ylabel("loss (nats a token)")
    axes.xaxis.set_major_formatter(matplotlib.ticker.EngFormatter(sep=""))
    axes.set_xlim(left=0)
    if arguments.top:
        axes.set_ylim(top=arguments.top)
    axes.grid(axis="y", color="#d9dde1", linewidth=0.7)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.legend(frameon=False)
    figure.savefig(arguments.output)
    print(arguments.output)


def main():
    arguments = parse_arguments()
    runs = read_runs(arguments.results)
    if arguments.draw:
        draw(runs, arguments)
    else:
        print_tables(runs)


if __name__ == "__main__":
    main()
