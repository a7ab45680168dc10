"""Where a result comes from: seed, data, versions, hardware, time and command; and how it is written.

Every experiment writes one JSON file ``experiments/results/<name>.json`` of ``{"rows": [...], "provenance": {...}}``.
Files are replaced as a whole, so that a run that is stopped leaves the last complete state.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from autograder.files import file_digest, write_whole

RESULTS = Path(__file__).resolve().parent / "results"
PACKAGES = ("torch", "numpy", "spikingjelly", "snnkit")


def files(name: str, folder: Path, *patterns: str) -> dict[str, Path]:
    """The files of a data set that match a pattern, named ``name/file``, for :func:`provenance`."""
    return {f"{name}/{path.name}": path for pattern in patterns for path in sorted(folder.glob(pattern))}


def hardware() -> str:
    """The processor's name, the number of logical cores and the number of threads that torch uses."""
    import torch

    name = platform.processor() or platform.machine()
    information = Path("/proc/cpuinfo")
    if information.is_file():
        lines = information.read_text(encoding="utf-8", errors="replace").splitlines()
        name = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), name)
    threads = torch.get_num_threads()
    return f"{name}, {os.cpu_count()} logical cores, {threads} thread{'s' * (threads != 1)} used"


def versions(packages: Iterable[str] = PACKAGES) -> dict[str, str]:
    """Installed versions, with Python's own."""
    found = {"python": platform.python_version()}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def command() -> str:
    """The command line, without the folders of this machine."""
    module = getattr(sys.modules.get("__main__"), "__spec__", None)
    program = f"python -m {module.name}" if module is not None else f"python {Path(sys.argv[0]).name}"
    return " ".join([program, *(os.path.basename(a) if a.startswith(os.sep) else a for a in sys.argv[1:])])


class Clock:
    """Wall time of a run, added to that of the runs that it continues, and the machines of all of them.

    Args:
        before: Seconds that earlier runs of the same experiment took.
        machines: What they said of their hardware.
    """

    def __init__(self, before: float = 0.0, machines: str = "") -> None:
        self.before, self.machines = before, machines
        self.started = time.monotonic()

    @classmethod
    def after(cls, record: Mapping[str, Any]) -> Clock:
        """Goes on from the runs that a provenance tells of."""
        return cls(record["wall_time_s"], record["hardware"])

    def seconds(self) -> float:
        return self.before + time.monotonic() - self.started

    def hardware(self) -> str:
        """This machine, behind those of the earlier runs where they were others."""
        seen = self.machines.split("; then ") if self.machines else []
        return "; then ".join(dict.fromkeys([*seen, hardware()]))


def provenance(*, seed: int, data: Mapping[str, Path], clock: Clock, **settings: Any) -> dict[str, Any]:
    """What has to be known to repeat a result.

    Args:
        seed: Seed of everything random.
        data: Files that were read, by a name without machine paths; their SHA-256 is recorded.
        clock: Started with the run.
        settings: Whatever else decides the numbers.

    Returns:
        A dictionary for :func:`write`.
    """
    return {
        "seed": seed,
        "data_sha256": {name: file_digest(path) for name, path in sorted(data.items())},
        "settings": settings,
        "versions": versions(),
        "hardware": clock.hardware(),
        "wall_time_s": round(clock.seconds(), 1),
        "command": command(),
        "finished": datetime.now(UTC).strftime("%Y-%m-%d"),
    }


def write(path: Path, rows: list[dict[str, Any]], record: Mapping[str, Any]) -> None:
    """Replace ``path`` by ``{"rows": rows, "provenance": record}`` in one step."""
    text = json.dumps({"rows": rows, "provenance": dict(record)}, indent=1) + "\n"
    write_whole(path, text.encode())


def read(path: Path) -> dict[str, Any]:
    """The file written by :func:`write`.

    Raises:
        ValueError: If it is not such a file.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise ValueError(
            f"{path.name} is not a complete JSON file: {error}; remove it and run again"
        ) from error
    if not isinstance(found, dict) or set(found) != {"rows", "provenance"}:
        raise ValueError(f"{path.name} must hold 'rows' and 'provenance'; remove it and run again")
    return found
