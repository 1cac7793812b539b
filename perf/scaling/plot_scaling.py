#!/usr/bin/env python3
"""Draws measurements by measure.py, folders of drivers/slurm/scaling.sbatch, and predictions of the model."""

import argparse
import json
import math
import pathlib
import re
import statistics
import sys

import model

COLOURS = {"grass": "#1f5fa8", "adamw": "#c8591a"}
NAMES = {"grass": "Grass", "adamw": "AdamW"}
NETWORK_COLOURS = ["#3a8f5c", "#8a4f9e", "#1f5fa8", "#c8591a", "#7a6a1f"]
HELP_FOOTER = """
Needs matplotlib: Debian's python3-matplotlib, or from PyPI. Examples:
  perf/scaling/plot_scaling.py ranks scaling.jsonl --output ranks.svg       tokens/s by number of ranks
  perf/scaling/plot_scaling.py ranks scaling-1234 --output ranks.svg        the same of a folder of scaling.sbatch
  perf/scaling/plot_scaling.py rates emulated.jsonl --cores 2               by rate of the network, with the model
  perf/scaling/plot_scaling.py shares h200-x2.jsonl --output shares.svg     by tokens of an update on each rank
  perf/scaling/plot_scaling.py prediction --output prediction.svg           the model on up to 1024 GPUs
"""


def parse_arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=HELP_FOOTER, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("figure", choices=["ranks", "rates", "shares", "prediction"])
    parser.add_argument("results", nargs="*", type=pathlib.Path,
                        help="files of JSON lines, or folders of a Slurm study")
    parser.add_argument("--cores", type=float, default=math.inf,
                        help="that all ranks share (default: as many as ranks)")
    parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path("scaling.svg"),
                        help=".svg, .png or .pdf (default scaling.svg)")
    arguments = parser.parse_args()
    if bool(arguments.results) == (arguments.figure == "prediction"):
        parser.error("ranks, rates and shares take results, prediction takes none")
    return arguments


def read_study(folder):
    """One line a run of scaling.sbatch: the median of its updates without a refresh, after the first five."""
    for path in sorted(folder.glob("*/*/*/metrics.jsonl")):
        updates = [json.loads(text) for text in path.read_text().splitlines()]
        rates = [update["tokens_per_second"] for update in updates[5:] if not update.get("refreshed", True)]
        if not rates:
            sys.exit(f"{path}: holds no update to take a median of")
        scaling, method, ranks = path.relative_to(folder).parts[:3]
        yield {"scaling": scaling, "method": method, "ranks": int(ranks), "network": "",
               "tokens_per_second": statistics.median(rates)}


def read_results(paths):
    lines = []
    for path in paths:
        lines += read_study(path) if path.is_dir() else model.read_lines([path])
    return lines


def new_figure(rows, columns, width, height):
    import matplotlib
    matplotlib.use("Agg")
    matplotlib.rcParams.update({"svg.hashsalt": "sward", "font.size": 8})
    from matplotlib import pyplot
    return pyplot.subplots(rows, columns, figsize=(width, height), layout="constrained", squeeze=False)


def number_axis(axes, values, logarithmic="both"):
    """Ticks at the values alone, without powers of ten."""
    axes.set_xscale("log", base=2)
    axes.set_xticks(values, [str(value) for value in values], minor=False)
    axes.minorticks_off()
    if logarithmic == "both":
        axes.set_yscale("log")
    axes.grid(alpha=0.3)


RATE = re.compile(r"([0-9.]+)([mg])bit")


def bits_of(network):
    """Bits a second of a network whose name is a rate of tc's; 0 of others."""
    rate = RATE.fullmatch(network)
    return float(rate[1]) * {"m": 1e6, "g": 1e9}[rate[2]] if rate else 0


def network_name(network):
    rate = RATE.fullmatch(network)
    return f"{rate[1]} {rate[2].upper()}b/s" if rate else network


def draw_ranks(lines):
    """Tokens/s by number of ranks, a panel each for weak and strong scaling and network."""
    panels = sorted({(line["scaling"], line["network"]) for line in lines if line["ranks"] > 1},
                    key=lambda panel: (panel[0] == "strong", bits_of(panel[1])))
    figure, grid = new_figure(1, len(panels), 2.7 * len(panels) + 0.6, 3.0)
    for axes, (scaling, network) in zip(grid[0], panels):
        for method, colour in COLOURS.items():
            rates = {line["ranks"]: line["tokens_per_second"] for line in lines
                     if line["scaling"] == scaling and line["method"] == method
                     and (line["network"] == network or line["ranks"] == 1)}
            ranks = sorted(rates)
            axes.plot(ranks, [rates[count] for count in ranks], "o-", color=colour, label=NAMES[method], markersize=4)
            axes.plot(ranks, [rates[ranks[0]] * count / ranks[0] for count in ranks], ":", color=colour, linewidth=0.8)
        number_axis(axes, ranks)
        axes.set_title(f"{scaling} {network_name(network)}".strip())
        axes.set_xlabel("ranks")
    grid[0][0].set_ylabel("tokens/s (dotted: in proportion)")
    grid[0][0].legend()
    return figure


def rate_axis(axes, rates):
    axes.set_xscale("log")
    axes.set_xticks([bits_of(rate) for rate in rates], [network_name(rate) for rate in rates], minor=False)
    axes.minorticks_off()
    axes.set_xlabel("rate of each rank's link")
    axes.grid(alpha=0.3)
    axes.set_ylim(bottom=0)


def modelled_rate(line, machine, bandwidths):
    return line["tokens"] / model.seconds_of_line(line, model.as_quick_as_measured(machine, line), bandwidths)


def draw_rates(lines, cores):
    """Weak scaling by rate of the network, measured and with modelled messages, by number of ranks; then the ratio."""
    machine, bandwidths = model.fit(lines, cores)
    lines = [line for line in lines if line["scaling"] == "weak" and line["ranks"] > 1]
    ranks = sorted({line["ranks"] for line in lines})
    rates = sorted({line["network"] for line in lines}, key=bits_of)
    figure, grid = new_figure(1, len(ranks) + 1, 2.7 * (len(ranks) + 1), 3.0)
    for panel, count in enumerate(ranks):
        measured, modelled = {}, {}
        for method, colour in COLOURS.items():
            found = {line["network"]: line for line in lines if line["ranks"] == count and line["method"] == method}
            measured[method] = [found[rate]["tokens_per_second"] for rate in rates]
            modelled[method] = [modelled_rate(found[rate], machine, bandwidths) for rate in rates]
            bits = [bits_of(rate) for rate in rates]
            grid[0][panel].plot(bits, measured[method], "o", color=colour, label=NAMES[method])
            grid[0][panel].plot(bits, modelled[method], "--", color=colour, linewidth=1)
        grid[0][panel].set_title(f"{count} ranks")
        rate_axis(grid[0][panel], rates)
        colour = NETWORK_COLOURS[panel]
        ratio = lambda rates_of: [a / b for a, b in zip(rates_of["grass"], rates_of["adamw"])]
        grid[0][-1].plot(bits, ratio(measured), "o", color=colour, label=f"{count} ranks")
        grid[0][-1].plot(bits, ratio(modelled), "--", color=colour, linewidth=1)
    grid[0][0].set_ylabel("tokens/s (dashed: the model's messages)")
    grid[0][-1].set_title("Grass / AdamW")
    rate_axis(grid[0][-1], rates)
    grid[0][-1].axhline(1, color="#55606b", linewidth=0.8)
    grid[0][0].legend()
    grid[0][-1].legend()
    return figure


def draw_shares(lines, cores):
    """Weak scaling by tokens of an update on each rank, measured and modelled, a panel a network; then the ratio. Of the
    most ranks, the shortest sequences and the smallest rank of Grass, messages in float; the last of measurements of the
    same counts."""
    machine, bandwidths = model.fit(lines, cores)
    of = lambda key, choose: choose(line[key] for line in lines if line["method"] == "grass")
    chosen = [line for line in lines if line["scaling"] == "weak" and line["ranks"] == of("ranks", max)
              and line["length"] == of("length", min) and line["grass_rank"] in (0, of("grass_rank", min))
              and line.get("message", "float") == "float"]
    networks = list(dict.fromkeys(line["network"] for line in chosen))
    figure, grid = new_figure(1, len(networks) + 1, 2.7 * (len(networks) + 1), 3.0)
    for axes, network, ratio_colour in zip(grid[0], networks, NETWORK_COLOURS):
        found = {(line["method"], int(line["tokens"] / line["ranks"])): line for line in chosen if line["network"] == network}
        tokens = sorted({count for _, count in found})
        rates = {method: [found[method, count]["tokens_per_second"] for count in tokens] for method in COLOURS}
        for method, colour in COLOURS.items():
            modelled = [found[method, count]["tokens"] / model.seconds_of_line(found[method, count], machine, bandwidths)
                        for count in tokens]
            axes.plot(tokens, rates[method], "o", color=colour, label=NAMES[method])
            axes.plot(tokens, modelled, "--", color=colour, linewidth=1)
        axes.set_title(network)
        ratio = [grass / adamw for grass, adamw in zip(rates["grass"], rates["adamw"])]
        grid[0][-1].plot(tokens, ratio, "o-", color=ratio_colour, linewidth=1, label=network)
    for axes in grid[0]:
        number_axis(axes, tokens, "x")
        axes.set_xlabel("tokens of an update on each rank")
        axes.set_ylim(bottom=0)
    grid[0][0].set_ylabel("tokens/s (dashed: the model)")
    grid[0][-1].set_title("Grass / AdamW")
    grid[0][-1].axhline(1, color="#55606b", linewidth=0.8)
    grid[0][0].legend()
    grid[0][-1].legend()
    return figure


def draw_prediction():
    """Strong scaling by number of GPUs, and Grass beside AdamW below, a column each for the model's cases."""
    counts = [2**i for i in range(11)]
    figure, grid = new_figure(2, len(model.CASES), 3.0 * len(model.CASES), 5.4)
    for column, (name, case) in enumerate(model.CASES.items()):
        for colour, network in zip(NETWORK_COLOURS, model.NETWORKS):
            for scaling, style in (("strong", "-"), ("weak", ":")):
                rates = {method: [model.predict(case, method, network, count, scaling) for count in counts]
                         for method in COLOURS}
                ratio = [grass / adamw for grass, adamw in zip(rates["grass"], rates["adamw"])]
                grid[1][column].plot(counts, ratio, style, color=colour)
                if scaling == "strong":
                    grid[0][column].plot(counts, rates["grass"], "-", color=colour, label=network)
                    grid[0][column].plot(counts, rates["adamw"], "--", color=colour)
        number_axis(grid[0][column], [1, 4, 16, 64, 256, 1024])
        number_axis(grid[1][column], [1, 4, 16, 64, 256, 1024], "x")
        grid[1][column].set_ylim(bottom=0)
        grid[0][column].set_title(name)
        grid[1][column].set_xlabel("GPUs, 8 in a node")
    grid[0][0].set_ylabel(f"tokens/s, {model.STRONG >> 20}Mi tokens an update\n(full: Grass, dashed: AdamW)")
    grid[1][0].set_ylabel(f"Grass / AdamW\n(dotted: {model.WEAK >> 10}Ki tokens on each GPU)")
    figure.legend(*grid[0][0].get_legend_handles_labels(), loc="outside upper center", ncols=len(model.NETWORKS))
    return figure


def main():
    arguments = parse_arguments()
    if arguments.figure == "prediction":
        figure = draw_prediction()
    elif arguments.figure in ("rates", "shares"):
        draw = {"rates": draw_rates, "shares": draw_shares}[arguments.figure]
        figure = draw(read_results(arguments.results), arguments.cores)
    else:
        figure = draw_ranks(read_results(arguments.results))
    figure.savefig(arguments.output, dpi=160, metadata={"Date": None} if arguments.output.suffix == ".svg" else None)


if __name__ == "__main__":
    main()
