"""What a table is: rows, each of which differs from the benchmark's configuration of stage one."""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass, field, replace


@dataclass(frozen=True)
class Row:
    """One row of a table.

    both: differences of both parts of stage one. second: of its second part alone, so that rows
        which differ only there share the first part's checkpoint.
    partition: regions of the second part and of the labels; None: those of the data root.
    stage_two: labels that a stage two is trained on, for which the stage one is also evaluated on
        unseen scenes: "pseudo" (the row's own), "truth" (ground truth); None: no stage two.
    paper: {"3D": mIoU, "2D": mIoU, "stage two": mIoU} in % on ScanNet.
    without: metrics that would say nothing about the row, and are left out.
    """

    label: str
    both: dict = field(default_factory=dict)
    second: dict = field(default_factory=dict)
    partition: str | None = None
    stage_two: str | None = None
    paper: dict = field(default_factory=dict)
    without: tuple[str, ...] = ()


@dataclass(frozen=True)
class Comparison:
    """How far `row` is above the row `over`, in every metric.

    what: the part in which they differ. less: two rows whose difference is taken off: what the
        part gives without another one.
    """

    what: str
    row: str
    over: str
    less: tuple[str, str] | None = None


@dataclass(frozen=True)
class Table:
    """A table.

    comparisons: between its rows. alike: labels of rows whose results should be close.
    pictured: labels of rows whose labels of some rooms are drawn.
    """

    name: str
    title: str
    rows: tuple[Row, ...]
    note: str = ""
    comparisons: tuple[Comparison, ...] = ()
    alike: tuple[str, ...] = ()
    pictured: tuple[str, ...] = ()

    def select(self, patterns) -> Table:
        """The table with those rows whose labels match one of the patterns (as of file names).

        Raises ValueError for a pattern that matches none.
        """
        labels = [row.label for row in self.rows]
        for pattern in patterns:
            if not any(matches(label, pattern) for label in labels):
                raise ValueError(f"--rows {pattern!r} matches no row; rows: {', '.join(labels)}")
        chosen = [row for row in self.rows if any(matches(row.label, p) for p in patterns)]
        return replace(self, rows=tuple(chosen))


def matches(label: str, pattern: str) -> bool:
    return label == pattern or fnmatch.fnmatchcase(label, pattern)
