#!/usr/bin/env python3
"""Draws the training and validation loss of one or more runs from their metrics.jsonl."""

import argparse
import json
import pathlib
import sys

COLOURS = ["#1f5fa8", "#c8591a", "#3a8f5c", "#8a4f9e", "#7a6a1f", "#55606b"]
HELP_FOOTER = """
Needs matplotlib: Debian's python3-matplotlib, or from PyPI
  python3 -m venv plots && plots/bin/pip install matplotlib && plots/bin/python perf/plot_loss.py ...

Example:
  perf/plot_loss.py grass/metrics.jsonl adamw/metrics.jsonl --labels "Grass r=128" AdamW --output loss.svg
"""


def parse_arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=HELP_FOOTER, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("metrics", nargs="+", type=pathlib.Path, help="metrics.jsonl of a run")
    parser.add_argument("--labels", nargs="+", help="a name for each run; default: the name of its folder")
    parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path("loss.svg"),
                        help=".svg, .png or .pdf (default loss.svg)")
    parser.add_argument("--axis", choices=["step", "tokens"], default="tokens", help="what runs along (default tokens)")
    parser.add_argument("--smooth", type=int, default=0,
                        help="updates that the training line averages over (default: 1 in 50 of the run)")
    parser.add_argument("--top", type=float, help="cut off losses above this")
    parser.add_argument("--title", default="", help="a line above the figure")
    arguments = parser.parse_args()
    if arguments.labels and len(arguments.labels) != len(arguments.metrics):
        parser.error(f"{len(arguments.metrics)} runs and {len(arguments.labels)} labels")
    return arguments


def read_run(path):
    """(step, tokens, loss) of each update and (step, tokens, validation loss) of each evaluation."""
    updates, evaluations, tokens = [], [], {}
    for line in path.read_text().splitlines():
        entry = json.loads(line)
        if entry.get("loss") is not None:  # null: not finite, and skipped
            tokens[entry["step"]] = entry["tokens"]
            updates.append((entry["step"] + 1, entry["tokens"], entry["loss"]))
        elif "validation_loss" in entry:
            evaluations.append((entry["step"] + 1, tokens.get(entry["step"], 0), entry["validation_loss"]))
    if not updates:
        sys.exit(f"{path}: holds no update")
    return updates, evaluations


def smoothed(values, width):
    """The mean over `width` values around each, fewer at both ends."""
    sums = [0.0]
    for value in values:
        sums.append(sums[-1] + value)
    means = []
    for i in range(len(values)):
        first, last = max(0, i - width // 2), min(len(values), i + (width + 1) // 2)
        means.append((sums[last] - sums[first]) / (last - first))
    return means


def draw_run(axes, path, label, colour, arguments):
    updates, evaluations = read_run(path)
    column = 1 if arguments.axis == "tokens" else 0
    places = [update[column] for update in updates]
    losses = [update[2] for update in updates]
    width = arguments.smooth or max(1, len(losses) // 50)
    axes.plot(places, losses, color=colour, alpha=0.22, linewidth=0.8)
    axes.plot(places, smoothed(losses, width), color=colour, linewidth=1.6, label=f"{label}, training")
    if evaluations:
        last = evaluations[-1][2]
        axes.plot([entry[column] for entry in evaluations], [entry[2] for entry in evaluations], color=colour,
                  marker="o", markersize=4.5, markerfacecolor="white", linewidth=1.2, linestyle="--",
                  label=f"{label}, validation (last {last:.3f})")
    return min(losses + [entry[2] for entry in evaluations]), max(losses)


def decorate(axes, lowest, highest, arguments):
    import matplotlib.ticker

    axes.set_xlabel("tokens" if arguments.axis == "tokens" else "updates")
    axes.set_ylabel("loss (nats a token)")
    axes.xaxis.set_major_formatter(matplotlib.ticker.EngFormatter(sep=""))
    axes.set_ylim(lowest - 0.05 * (highest - lowest), arguments.top or highest)
    axes.set_xlim(left=0)
    axes.grid(axis="y", color="#d9dde1", linewidth=0.7)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.legend(frameon=False)
    if arguments.title:
        axes.set_title(arguments.title, loc="left", fontsize=11)


def main():
    arguments = parse_arguments()
    try:
        import matplotlib
    except ImportError:
        sys.exit("plot_loss.py needs matplotlib; --help says how to get it")
    matplotlib.use("Agg")
    matplotlib.rcParams.update({"font.size": 10, "svg.hashsalt": "sward"})
    import matplotlib.pyplot

    figure, axes = matplotlib.pyplot.subplots(figsize=(7.2, 4.0), layout="constrained")
    bounds = []
    for i, path in enumerate(arguments.metrics):
        label = arguments.labels[i] if arguments.labels else path.resolve().parent.name
        bounds.append(draw_run(axes, path, label, COLOURS[i % len(COLOURS)], arguments))
    decorate(axes, min(low for low, _ in bounds), max(high for _, high in bounds), arguments)
    figure.savefig(arguments.output, dpi=160)
    print(arguments.output)


if __name__ == "__main__":
    main()
