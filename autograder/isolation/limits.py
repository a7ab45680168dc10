"""How much a submission may use. One frozen dataclass, set per problem set, sent to the worker as plain data.

Time is processor time, which no other program on the machine takes away; the clock on the wall only ends what sleeps.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any


@dataclass(frozen=True)
class Limits:
    """Bounds for one submission.

    Args:
        cell_seconds: processor time of a cell, and of all cases of a question together.
        notebook_seconds: processor time of the whole submission, restarts not included.
        replay_seconds: processor time of all cells that run again because a worker was replaced.
        wall_factor: how many times longer than its processor time something may take, for what sleeps.
        memory_mb: address space beyond what the warm parent has mapped already. With ``processes`` above 0 the
            bound holds for each process.
        processes: child processes the code may have at once; 0 forbids them.
        threads: threads (and processes) in all.
        file_mb: largest file, and size of the scratch folder where it is a file system of its own.
        output_kb: printed and displayed output kept per cell; the rest is dropped with a note.
        grace_seconds: processor time from the interruption of a cell or question to the end of its process.
        restarts: how often a worker is replaced in one submission.

    Raises:
        ValueError: a bound is not positive (``processes`` and ``restarts``: negative).
    """

    cell_seconds: float = 120.0
    notebook_seconds: float = 900.0
    replay_seconds: float = 1800.0
    wall_factor: float = 10.0
    memory_mb: int = 4096
    processes: int = 0
    threads: int = 128
    file_mb: int = 256
    output_kb: int = 1024
    grace_seconds: float = 1.0
    restarts: int = 6

    def __post_init__(self) -> None:
        for entry in fields(self):
            value = getattr(self, entry.name)
            least = 0 if entry.name in ("processes", "restarts") else None
            if (least is None and not value > 0) or (least is not None and value < least):
                wanted = "positive" if least is None else "0 or more"
                raise ValueError(f"{entry.name} must be {wanted}; got {value!r}")

    @property
    def check_seconds(self) -> float:
        """What a notebook's own ``check`` allows a question: less than grading, as no two machines are equally fast."""
        return self.cell_seconds / 1.2

    def as_data(self) -> dict[str, Any]:
        """The bounds as plain data."""
        return asdict(self)
