"""docs/pooling-study.md and its figures, from the results of pooling.py."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

DOCS = Path(__file__).resolve().parent.parent
PAGE = DOCS / "pooling-study.md"
FIGURES = DOCS / "figures" / "pooling"
TEXT = Path(__file__).with_name("pooling-study.txt")

NETWORKS = {"vgg": "VGG-like", "nin": "NIN-like", "resnet": "ResNet-like"}
POOLINGS = {
    "strided": "strided convolution",
    "max": "max",
    "average": "average",
    "nin": "small network (NIN)",
    "mixed": "mixed",
    "gated": "gated",
    "l2": "L2",
    "stochastic": "stochastic",
    "s3pool": "S3Pool",
    "softpool": "SoftPool",
    "adapool": "AdaPool",
    "lite-sym": "DPP Lite, symmetric",
    "lite-asym": "DPP Lite, asymmetric",
    "full-sym": "DPP Full, symmetric",
    "full-asym": "DPP Full, asymmetric",
    "lite-s3dpp-sym": "S3DPP Lite, symmetric",
}
DETAIL = [name for name in POOLINGS if "sym" in name]
BLUE, ORANGE, GREY = "#1f6fb4", "#c8500a", "#808080"
Results = Sequence[dict[str, Any]]


def write(results: Results) -> None:
    """Write the page and draw its figures."""
    PAGE.write_text(render(results), encoding="utf-8")
    FIGURES.mkdir(parents=True, exist_ok=True)
    settings = {"svg.hashsalt": "dpid", "svg.fonttype": "path", "font.size": 8}
    with mpl.rc_context(settings):
        for name, figure in (("errors", errors_figure(results)), ("learned", learned_figure(results))):
            figure.savefig(FIGURES / f"{name}.svg", metadata={"Date": None})


def render(results: Results) -> str:
    """The page: the text with the tables in their places."""
    protocol, seeds = results[0]["protocol"], len({line["seed"] for line in results})
    seconds = sum(line["seconds"] for line in results)
    return TEXT.read_text(encoding="utf-8").format(
        runs=len(results),
        seeds=seeds,
        images=f"{protocol['images']:,}",
        images_test=f"{protocol['images_test']:,}",
        epochs=protocol["epochs"],
        batch=protocol["batch"],
        drops=" and ".join(map(str, protocol["drops"])),
        hours=f"{seconds / 3600:.1f}",
        errors=errors_table(results),
        learned=learned_table(results),
    )


def errors_table(results: Results) -> str:
    """Test errors of all poolings, the best first."""
    rows = ["| pooling | " + " | ".join(NETWORKS.values()) + " | above max | rank | time |"]
    rows.append("|---|" + "---:|" * (len(NETWORKS) + 3))
    ranks = mean_ranks(results)
    for pooling in sorted(ranks, key=lambda name: (ranks[name], name)):
        cells = [spread(errors(results, network, pooling)) for network in NETWORKS]
        more = above_max(results, pooling)
        cells.append(f"{signed(mean(more))} ± {stdev(more) / math.sqrt(len(more)):.1f}" if any(more) else "")
        cells += [f"{ranks[pooling]:.1f}", f"{times(results, pooling):.2f}"]
        rows.append(f"| {POOLINGS[pooling]} | " + " | ".join(cells) + " |")
    return "\n".join(rows)


def learned_table(results: Results) -> str:
    """Medians of lambda and alpha at the end, from the first pooling to the last."""
    rows = ["| pooling | network | lambda | alpha |", "|---|---|---|---|"]
    for pooling, network in itertools.product(DETAIL, NETWORKS):
        cells = [
            ", ".join(f"{np.median(values):.2f}" for values in learned(results, network, pooling, name))
            for name in ("lambda_", "alpha")
        ]
        rows.append(f"| {POOLINGS[pooling]} | {NETWORKS[network]} | {cells[0]} | {cells[1]} |")
    return "\n".join(rows)


def errors(results: Results, network: str, pooling: str) -> list[float]:
    """Of all seeds, in their order."""
    found = [line for line in results if (line["network"], line["pooling"]) == (network, pooling)]
    return [line["error"] for line in sorted(found, key=lambda line: line["seed"])]


def above_max(results: Results, pooling: str) -> list[float]:
    """By how much the error is above that of max pooling, for each network and seed."""
    pairs = [
        pair
        for network in NETWORKS
        for pair in zip(errors(results, network, "max"), errors(results, network, pooling), strict=True)
    ]
    return [own - of_max for of_max, own in pairs]


def mean_ranks(results: Results) -> dict[str, float]:
    """The mean over the networks of the place by the mean error, 1 for the least."""
    places: dict[str, list[int]] = {pooling: [] for pooling in POOLINGS}
    for network in NETWORKS:
        order = sorted(POOLINGS, key=lambda pooling: mean(errors(results, network, pooling)))
        for place, pooling in enumerate(order, 1):
            places[pooling].append(place)
    return {pooling: mean(found) for pooling, found in places.items()}


def times(results: Results, pooling: str) -> float:
    """Processor time of training, over that with max pooling: the median of all networks and seeds."""
    of = {(line["network"], line["pooling"], line["seed"]): line["seconds"] for line in results}
    return float(np.median([of[n, p, s] / of[n, "max", s] for n, p, s in of if p == pooling]))


def learned(results: Results, network: str, pooling: str, name: str) -> list[list[float]]:
    """A parameter of all channels and seeds, for each layer."""
    found = [line["learned"] for line in results if (line["network"], line["pooling"]) == (network, pooling)]
    return [[value for layer in layers for value in layer[name]] for layers in zip(*found, strict=True)]


def spread(values: Sequence[float]) -> str:
    """Mean and standard deviation."""
    return f"{mean(values):.1f} ± {stdev(values):.1f}" if len(values) > 1 else f"{values[0]:.1f}"


def signed(value: float) -> str:
    """With a sign, which is a true minus."""
    return f"{value:+.1f}".replace("-", "−")


def errors_figure(results: Results) -> Figure:
    """A dot for each run, the poolings from best to worst."""
    ranks = mean_ranks(results)
    order = sorted(ranks, key=lambda name: (-ranks[name], name))
    figure = Figure(figsize=(7.2, 3.6), layout="constrained")
    for axes, (network, title) in zip(figure.subplots(1, 3, sharey=True), NETWORKS.items(), strict=True):
        for place, pooling in enumerate(order):
            values = errors(results, network, pooling)
            color = BLUE if pooling in DETAIL else GREY
            axes.plot(values, [place] * len(values), "o", color=color, markersize=3, alpha=0.7, mew=0)
            axes.plot([mean(values)], [place], "|", color=color, markersize=9, mew=1.5)
        axes.axvline(mean(errors(results, network, "max")), color=GREY, linewidth=0.6, linestyle=":")
        axes.set(title=title, xlabel="test error, %", yticks=range(len(order)))
        axes.set_yticklabels([POOLINGS[pooling] for pooling in order])
        axes.grid(axis="x", linewidth=0.3)
    return figure


def learned_figure(results: Results) -> Figure:
    """Lambda and alpha of all channels and seeds, for each layer: median, and the middle 80 %."""
    figure = Figure(figsize=(7.2, 4.2), layout="constrained")
    grid = figure.subplots(2, len(NETWORKS), sharey="row", sharex="col")
    colors = [BLUE, ORANGE, "#3a9fd8", "#e69f45", "#6a3d9a"]
    for row, (name, label) in zip(grid, (("lambda_", "λ"), ("alpha", "α")), strict=True):
        for axes, network in zip(row, NETWORKS, strict=True):
            for place, (pooling, color) in enumerate(zip(DETAIL, colors, strict=True)):
                layers = learned(results, network, pooling, name)
                low, middle, high = np.percentile(layers_of(layers), [10, 50, 90], axis=1)
                where = np.arange(1, len(layers) + 1) + 0.09 * (place - 2)
                axes.errorbar(
                    where, middle, [middle - low, high - middle], marker="o", markersize=3, linewidth=0.9,
                    elinewidth=0.6, color=color, label=POOLINGS[pooling],
                )  # fmt: skip
            axes.axhline(1, color=GREY, linewidth=0.6, linestyle=":")
            axes.set_xticks(range(1, len(layers) + 1))
            axes.grid(axis="y", linewidth=0.3)
        row[0].set_ylabel(label)
    for axes, title in zip(grid[0], NETWORKS.values(), strict=True):
        axes.set_title(title)
    for axes in grid[1]:
        axes.set_xlabel("pooling, from the input on")
    figure.legend(*grid[0][0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
    return figure


def layers_of(layers: Sequence[Sequence[float]]) -> np.ndarray[Any, Any]:
    """As many samples of each layer: quantiles, since layers differ in their channels."""
    return np.array([np.percentile(layer, np.linspace(0, 100, 201)) for layer in layers])
