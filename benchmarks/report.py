"""Writes results: JSON for machines, Markdown for people."""

from __future__ import annotations

import json
import re
from pathlib import Path

import attrs

from benchmarks.model import Row, Section, section_from_json
from benchmarks.ratios import mean_ratio, middle, ratio

_BEGIN = "<!-- results: written by `nox -s bench` -->"
_END = "<!-- end of results -->"
_HOW = "Medians of alternating rounds; ratios are taken within each round, then the median. Less is better everywhere."


def load(path: Path) -> dict[str, Section]:
    """The sections of an earlier run by key; none when there is no such file."""
    if not path.exists():
        return {}
    return {data["key"]: section_from_json(data) for data in json.loads(path.read_text())["sections"]}


def save_json(path: Path, machine: dict[str, str], sections: list[Section]) -> None:
    """Write everything that was measured."""
    content = {"machine": machine, "sections": [attrs.asdict(section) for section in sections]}
    # Samples to five digits: more are noise, and make the file long.
    text = json.dumps(content, indent=1)
    text = re.sub(r"\d+\.\d{6,}(e-?\d+)?", lambda match: f"{float(match[0]):.5g}", text)
    path.write_text(re.sub(r"\[\s+([^\[\]{}\"]*?)\s+\]", lambda m: "[" + " ".join(m[1].split()) + "]", text) + "\n")


def number(value: float | None) -> str:
    """Three significant digits, thousands separated."""
    if value is None:
        return "–"
    if value == 0:
        return "0"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    if abs(value) >= 1:
        return f"{value:.{1 if abs(value) >= 10 else 2}f}"
    return f"{value:.3f}" if abs(value) >= 0.1 else f"{value:.2g}"


def _cell(row: Row, subject: str) -> str:
    return number(middle(row, subject))


def markdown_table(section: Section) -> str:
    """The section as a heading, a table of medians and ratios, and notes."""
    heads = [f"{subject}, {section.unit}" if section.unit else subject for subject in section.subjects]
    heads += [f"{ours} / {theirs}" for ours, theirs in section.ratios]
    lines = [f"### {section.title}", "", "| | " + " | ".join(heads) + " |", "|---|" + "---:|" * len(heads)]
    for row in section.rows:
        cells = [_cell(row, subject) for subject in section.subjects]
        cells += [number(ratio(row, *pair)) for pair in section.ratios]
        lines.append(f"| {row.name} | " + " | ".join(cells) + " |")
    if section.mean and section.ratios and len(section.rows) > 1:
        cells = [""] * len(section.subjects) + [f"**{number(mean_ratio(section, *pair))}**" for pair in section.ratios]
        lines.append("| **geometric mean** | " + " | ".join(cells) + " |")
    notes = list(section.notes)
    reasons: dict[tuple[str, str], list[str]] = {}
    for row in section.rows:
        for subject, reason in row.missing.items():
            reasons.setdefault((subject, reason), []).append(row.name)
    notes += [f"{', '.join(names)}: no {subject}: {reason}" for (subject, reason), names in reasons.items()]
    return "\n".join([*lines, "", *(f"* {note}" for note in notes)])


def markdown(machine: dict[str, str], sections: list[Section]) -> str:
    """All sections."""
    about = "\n".join(f"* {key}: {value}" for key, value in machine.items())
    parts = [
        _HOW,
        about,
    ]
    return "\n\n".join([*parts, *map(markdown_table, sections)])


def save_markdown(path: Path, text: str) -> None:
    """Put the text into the marked part of a document (or make the document)."""
    block = f"{_BEGIN}\n\n{text}\n\n{_END}"
    old = path.read_text() if path.exists() else f"# Performance\n\n{_BEGIN}\n{_END}\n"
    before, _, rest = old.partition(_BEGIN)
    after = rest.partition(_END)[2]
    path.write_text(before + block + after)
