"""Draws the main results: ratios of run time to wasmtime's, and how the cost of compiling grows."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import matplotlib
from matplotlib import pyplot
from matplotlib.axes import Axes

from benchmarks.model import Section
from benchmarks.ratios import mean_ratio, middle, ratio

# Text that can be searched, and the same file for the same numbers.
matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "wasmetal", "font.size": 8})
_BAR, _OTHER = "#4c78a8", "#bbbbbb"


def _run_time(axes: Axes, sections: list[Section]) -> None:
    bars: list[tuple[str, float, str]] = []
    for section in sections:
        mean = mean_ratio(section, "wasmetal", "wasmtime")
        rows = [(row.name, ratio(row, "wasmetal", "wasmtime")) for row in section.rows]
        bars += [(name, value, _BAR) for name, value in rows if value is not None]
        if mean is not None:
            bars.append((f"mean: {section.title.removeprefix('Run time of ')}", mean, "#e45756"))
    bars.reverse()
    axes.barh([bar[0] for bar in bars], [bar[1] for bar in bars], color=[bar[2] for bar in bars])
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_title("run time / wasmtime's")


def _compilation(axes: Axes, section: Section) -> None:
    for subject, color in (("total", _BAR), ("wasmtime", _OTHER)):
        points = []
        for row in section.rows:
            size = re.match(r"functions of ([\d,]+)", row.name)
            value = middle(row, subject)
            if size and value is not None:
                points.append((int(size[1].replace(",", "")), value))
        name = "wasmetal" if subject == "total" else subject
        axes.plot([x for x, _ in points], [y for _, y in points], "o-", color=color, label=name)
    axes.set_xscale("log")
    axes.set_ylim(bottom=0)
    axes.set_xlabel("instructions in one function")
    axes.set_title("compiling, µs per instruction")
    axes.legend()


def _calls(axes: Axes, section: Section) -> None:
    names = [row.name for row in section.rows]
    height = 0.8 / len(section.subjects)
    for number, subject in enumerate(section.subjects):
        values = [middle(row, subject) or float("nan") for row in section.rows]
        axes.barh([place + number * height for place in range(len(names))], values, height, label=subject)
    axes.set_yticks([place + 0.3 for place in range(len(names))], names)
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.set_title("one call, ns")
    axes.legend(fontsize=6)


def save_plot(path: Path, sections: Mapping[str, Section]) -> None:
    """Draw what there is of the sections corpus, kernels, vectors, calls and compilation."""
    figure = pyplot.figure(figsize=(10, 7), layout="constrained")
    grid = figure.add_gridspec(2, 2)
    run_time = [sections[key] for key in ("corpus", "kernels", "vectors") if key in sections]
    _run_time(figure.add_subplot(grid[:, 0]), run_time)
    if "calls" in sections:
        _calls(figure.add_subplot(grid[0, 1]), sections["calls"])
    if "compilation" in sections:
        _compilation(figure.add_subplot(grid[1, 1]), sections["compilation"])
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)
