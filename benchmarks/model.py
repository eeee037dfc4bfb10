"""What a benchmark run yields: sections of rows of samples, as written to JSON."""

from __future__ import annotations

from collections.abc import Mapping

import attrs


@attrs.frozen
class Row:
    """One thing that was measured, for several subjects."""

    name: str
    #: Samples by subject, one per round; those of one round belong together.
    samples: Mapping[str, list[float]]
    #: Why there are none, by subject.
    missing: Mapping[str, str] = attrs.field(factory=dict)


@attrs.frozen
class Section:
    """A table: rows of one kind, in one unit."""

    key: str
    title: str
    #: Unit of the samples, as printed; "" when the rows have different ones and say which.
    unit: str
    #: Subjects in the order of the columns.
    subjects: list[str]
    #: Pairs (subject, reference) whose ratios are of interest.
    ratios: list[tuple[str, str]]
    rows: list[Row]
    #: Whether the rows are alike, so that the geometric mean of their ratios says something.
    mean: bool = True
    #: What a reader has to know to understand the numbers.
    notes: list[str] = attrs.field(factory=list)


@attrs.frozen
class Options:
    """How thoroughly to measure."""

    #: Smaller workloads and fewer rounds: for checking the harness, not for quoting.
    quick: bool
    #: How many times each subject is measured, alternating.
    rounds: int
    #: In how many processes, one after the other, run time is measured (see workers.measure_row).
    processes: int = 1
    #: Only rows whose name contains this.
    match: str = ""
    #: A Python that has native wheels installed, beside this one, which has the sources; "" for none.
    native: str = ""

    def wants(self, name: str) -> bool:
        """Whether the row of this name was asked for."""
        return self.match in name


def section_from_json(data: Mapping[str, object]) -> Section:
    """A section from what `attrs.asdict` made of it."""
    fields = dict(data)
    fields["rows"] = [Row(**row) for row in data["rows"]]  # type: ignore[attr-defined]
    fields["ratios"] = [tuple(pair) for pair in data["ratios"]]  # type: ignore[attr-defined]
    return Section(**fields)  # type: ignore[arg-type]
