"""The arithmetic of comparisons: medians, ratios within a round, geometric means."""

from __future__ import annotations

import math
from statistics import median

from benchmarks.model import Row, Section


def ratio(row: Row, subject: str, reference: str) -> float | None:
    """Median over the rounds of (sample of `subject` / sample of `reference` in the same round); None without both.

    Dividing within a round first takes out what slows a whole round down, such as a busy machine.
    """
    pairs = zip(row.samples.get(subject, []), row.samples.get(reference, []), strict=False)
    ratios = [ours / theirs for ours, theirs in pairs if theirs > 0]
    return median(ratios) if ratios else None


def geometric_mean(values: list[float]) -> float | None:
    """Geometric mean of positive numbers; None for none."""
    if not values:
        return None
    return math.exp(sum(math.log(value) for value in values) / len(values))


def mean_ratio(section: Section, subject: str, reference: str) -> float | None:
    """Geometric mean over the rows of a section of their ratios."""
    ratios = [ratio(row, subject, reference) for row in section.rows]
    return geometric_mean([value for value in ratios if value is not None and value > 0])


def middle(row: Row, subject: str) -> float | None:
    """Median of the samples of a subject; None without any."""
    samples = row.samples.get(subject)
    return median(samples) if samples else None
