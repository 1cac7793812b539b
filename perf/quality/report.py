#!/usr/bin/env python3
"""Makes the tables and figures of docs/quality.md from what perf/quality/run.py has written to perf/quality/results.

  perf/quality/report.py             the tables, on standard output
  perf/quality/report.py --update    in docs/quality.md, behind each line <!-- table NAME -->; and of figures.toml those
                                     figures whose runs are there
  perf/quality/report.py --check     fails if those tables are not those of the results

A row is the mean over seeds, with the difference between the largest and the smallest perplexity, the best first. Drawing
needs matplotlib (see perf/plot_loss.py --help).
"""

import argparse
import json
import re
import statistics
import sys
import tomllib
from pathlib import Path

QUALITY = Path(__file__).resolve().parent
PAGE = QUALITY.parents[1] / "docs/quality.md"
COLOURS = ["#1f5fa8", "#c8591a", "#3a8f5c", "#8a4f9e", "#7a6a1f", "#55606b"]
HEADER = """| run | seeds | perplexity | spread | loss | seconds | memory MiB | message MiB | at a refresh |
|---|---|---|---|---|---|---|---|---|
"""


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--update", action="store_true", help="write tables and figures into docs/")
    what.add_argument("--check", action="store_true", help="compare the tables in docs/")
    return parser.parse_args()


def read_runs():
    """The entries of each run by its name, in the order in which the runs were made."""
    runs = {}
    for path in sorted(QUALITY.glob("results/*.jsonl")):
        for line in path.read_text().splitlines():
            entry = json.loads(line)
            runs.setdefault(entry["run"], []).append(entry)
    return runs


def mebibytes(count):
    return f"{count / 2**20:.0f}" if count else "-"


def row_of(name, entries):
    perplexities = [entry["perplexity"] for entry in entries]
    spread = f"{max(perplexities) - min(perplexities):.3f}" if len(entries) > 1 else "-"
    loss = statistics.mean(entry["validation_loss"] for entry in entries)
    seconds = statistics.median(entry["seconds"] for entry in entries)
    cells = [name, len(entries), f"{statistics.mean(perplexities):.3f}", spread, f"{loss:.4f}", f"{seconds:.0f}"]
    cells += [mebibytes(entries[0][key]) for key in ("memory_bytes", "message_bytes", "message_bytes_at_refresh")]
    return "| " + " | ".join(map(str, cells)) + " |\n"


def tables_of(runs):
    """Each table's text by its name."""
    tables = {}
    for name in sorted(runs, key=lambda name: statistics.mean(entry["perplexity"] for entry in runs[name])):
        table, row = name.split("/")
        tables[table] = tables.get(table, HEADER) + row_of(row, runs[name])
    return tables


def with_tables(page, tables):
    """The page with what stands behind its marks replaced."""
    return re.sub(r"(<!-- table (\S+) -->\n\n)(?:\|.*\n)*", lambda mark: mark[1] + tables.get(mark[2], HEADER), page)


def draw(runs, description):
    try:
        import matplotlib
    except ImportError:
        sys.exit("report.py needs matplotlib; perf/plot_loss.py --help says how to get it")
    matplotlib.use("Agg")
    matplotlib.rcParams.update({"font.size": 10, "svg.hashsalt": "sward"})
    import matplotlib.pyplot
    import matplotlib.ticker

    figure, axes = matplotlib.pyplot.subplots(figsize=(7.2, 4.0), layout="constrained")
    column = ["tokens", "seconds"].index(description["axis"])
    for line, colour in zip(description["lines"], COLOURS):
        entry = next(entry for entry in runs[line["run"]] if entry["seed"] == line.get("seed", 1))
        axes.plot([point[column] for point in entry["curve"]], [point[2] for point in entry["curve"]], color=colour, linewidth=1.4)
        axes.plot([point[column] for point in entry["evaluations"]], [point[2] for point in entry["evaluations"]], color=colour,
                  marker="o", markersize=4.5, markerfacecolor="white", linestyle="none",
                  label=f"{line['label']}, validation {entry['validation_loss']:.3f}")
    axes.set_xlabel(["tokens", "seconds of training"][column])
    axes.set_ylabel("loss (nats a token)")
    axes.xaxis.set_major_formatter(matplotlib.ticker.EngFormatter(sep=""))
    axes.set_xlim(left=0)
    axes.set_ylim(top=description["top"])
    axes.grid(axis="y", color="#d9dde1", linewidth=0.7)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.legend(frameon=False)
    path = PAGE.parent / "images" / description["file"]
    figure.savefig(path, metadata={"Date": None})
    print(path)


def main():
    arguments = parse_arguments()
    runs = read_runs()
    tables = tables_of(runs)
    if not arguments.update and not arguments.check:
        for name in sorted(tables):
            print(f"{name}\n\n{tables[name]}")
        return 0
    page = PAGE.read_text()
    updated = with_tables(page, tables)
    if arguments.check:
        if updated != page:
            print("docs/quality.md: its tables are not those of perf/quality/results; run perf/quality/report.py --update")
        return int(updated != page)
    PAGE.write_text(updated)
    for description in tomllib.loads((QUALITY / "figures.toml").read_text())["figure"]:
        if all(line["run"] in runs for line in description["lines"]):
            draw(runs, description)
    return 0


if __name__ == "__main__":
    sys.exit(main())
