"""Pictures of what imports what: boxes in layers, with an arrow down to each thing that is imported, as SVG."""

from __future__ import annotations

import ast
import html
import re
from collections.abc import Mapping
from functools import cache
from typing import Final

from docs.generate.imports import PACKAGES, RUNTIME, package_graph, room_graph

Graph = Mapping[str, set[str]]

WIDTH: Final = 190
HEIGHT: Final = 50
ACROSS: Final = 34
DOWN: Final = 48


def reduced(graph: Graph) -> dict[str, set[str]]:
    """The graph without arrows to what is also reached by way of something else."""

    def reached(start: str) -> set[str]:
        found: set[str] = set()
        waiting = [start]
        while waiting:
            for other in graph[waiting.pop()] - found:
                found.add(other)
                waiting.append(other)
        return found

    return {node: others - set().union(*(reached(other) for other in others)) for node, others in graph.items()}


def layers(graph: Graph) -> list[list[str]]:
    """The nodes from bottom to top: each is above all that it has arrows to."""
    heights: dict[str, int] = {}
    while len(heights) < len(graph):
        ready = [node for node in sorted(graph) if node not in heights and graph[node] <= heights.keys()]
        if not ready:
            raise ValueError("these import each other: " + ", ".join(sorted(graph.keys() - heights.keys())))
        heights.update({node: 1 + max((heights[other] for other in graph[node]), default=-1) for node in ready})
    for node in graph:
        # What needs nothing is right below who needs it.
        users = [heights[other] for other in graph if node in graph[other]]
        if users and not graph[node]:
            heights[node] = min(users) - 1
    return [[node for node in sorted(graph) if heights[node] == height] for height in range(max(heights.values()) + 1)]


def picture(graph: Graph, captions: Mapping[str, str], title: str) -> str:
    """The graph as an SVG element on one line."""
    rows = layers(graph)
    columns = max(len(row) for row in rows)
    width = columns * (WIDTH + ACROSS)
    height = len(rows) * (HEIGHT + DOWN)
    corners: dict[str, tuple[float, float]] = {}
    for level, row in enumerate(rows):
        indent = (width - len(row) * (WIDTH + ACROSS) + ACROSS) / 2
        for place, node in enumerate(row):
            corners[node] = (indent + place * (WIDTH + ACROSS), height - (level + 1) * (HEIGHT + DOWN) + DOWN / 2)
    parts = [
        f'<svg viewBox="0 0 {width} {height}" style="max-width: {width}px" role="img" '
        'xmlns="http://www.w3.org/2000/svg" font-family="sans-serif" fill="currentColor" stroke="none">',
        f"<title>{html.escape(title)}</title>",
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
        '<path d="M0 0L8 4L0 8z"/></marker></defs>',
    ]
    for node, others in reduced(graph).items():
        x, y = corners[node]
        for other in sorted(others):
            to_x, to_y = corners[other]
            line = f"M{x + WIDTH / 2} {y + HEIGHT}L{to_x + WIDTH / 2} {to_y}"
            parts.append(f'<path d="{line}" fill="none" stroke="currentColor" opacity=".6" marker-end="url(#tip)"/>')
    for node, (x, y) in corners.items():
        # The lower text is as small as its length asks for.
        caption = captions.get(node, "")
        size = min(11, 1.75 * (WIDTH - 10) / max(len(caption), 1))
        parts.append(
            f'<rect x="{x}" y="{y}" width="{WIDTH}" height="{HEIGHT}" rx="6" fill="#8884" stroke="currentColor"/>'
            f'<text x="{x + WIDTH / 2}" y="{y + 21}" text-anchor="middle" font-size="15">{html.escape(node)}</text>'
            f'<text x="{x + WIDTH / 2}" y="{y + 39}" text-anchor="middle" font-size="{size:.1f}" opacity=".8">'
            f"{html.escape(caption)}</text>"
        )
    return "".join((*parts, "</svg>"))


@cache
def packages() -> str:
    """The packages of this repository."""
    captions = {source.parent.name: source.parents[2].name for source in PACKAGES.glob("*/src/*/__init__.py")}
    return picture(package_graph(), captions, "Packages: an arrow leads to what is imported")


@cache
def rooms() -> str:
    """The rooms of the runtime, each with the beginning of what its docstring says."""
    graph = {room or "top": {other or "top" for other in others} for room, others in room_graph().items()}
    captions = {"top": "what users hold"}
    for room in graph.keys() - {"top"}:
        docstring = ast.get_docstring(ast.parse((RUNTIME / "wasmetal" / room / "__init__.py").read_text())) or ""
        captions[room] = re.split("[:.,]", docstring)[0]
    return picture(graph, captions, "Rooms of the runtime: an arrow leads to what is imported")
