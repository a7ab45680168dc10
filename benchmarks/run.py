"""Run all benchmarks, print the table of ratios and write ``build/bench.json`` (``python -m benchmarks.run``).

Every module of :data:`MODULES` has a function ``entries()`` and runs in a fresh process of its own with one thread, so
that neither memory nor thread pools of one reach the next.  Ratios are to the floor that the row's note names; a
peer's own ratio is to the same floor.
"""

from __future__ import annotations

import importlib
import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from autograder.files import write_whole
from benchmarks.harness import BenchmarkRow

ROOT = Path(__file__).resolve().parent.parent
OUTPUT = ROOT / "build" / "bench.json"
MODULES = ("benchmarks.train", "benchmarks.events", "benchmarks.convert")
ONE_THREAD = {name: "1" for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")}

app = typer.Typer(add_completion=False)


class BenchmarkError(RuntimeError):
    """A benchmark module did not deliver its rows."""


def collect(module: str, environment: Mapping[str, str] | None = None) -> list[BenchmarkRow]:
    """Run ``entries()`` of a module in a fresh process with one thread and return its rows.

    Raises:
        BenchmarkError: if the process fails; the message ends with the last lines of its standard error.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "entries.json"
        result = subprocess.run(
            [sys.executable, "-m", "benchmarks.run", "--worker", module, str(path)],
            cwd=ROOT,
            env={**os.environ, **ONE_THREAD, **(environment or {})},
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
        if result.returncode or not path.is_file():
            tail = "\n".join(result.stderr.strip().splitlines()[-12:])
            raise BenchmarkError(f"{module} failed with exit code {result.returncode}:\n{tail}")
        rows: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return [BenchmarkRow(**{**row, "iqr": tuple(row["iqr"])}) for row in rows]


def work(module: str, path: Path) -> None:
    """What the fresh process does: one thread, import, ``entries()``, write."""
    benchmark = importlib.import_module(module)
    import torch

    torch.set_num_threads(1)
    entries: list[BenchmarkRow] = benchmark.entries()
    path.write_text(json.dumps([asdict(entry) for entry in entries]), encoding="utf-8")


def record(entry: BenchmarkRow) -> dict[str, Any]:
    """A row of ``bench.json``.

    Raises:
        ValueError: if a ratio is not a positive finite number or the quartiles are not in order.
    """
    low, high = entry.iqr
    numbers = {"ratio_to_floor": entry.ratio_to_floor, "iqr low": low, "iqr high": high, **entry.peers}
    for name, value in numbers.items():
        if not (math.isfinite(value) and value > 0):
            raise ValueError(f"{entry.name}: {name} must be a positive finite number; got {value}")
    if low > high:
        raise ValueError(f"{entry.name}: the quartiles {low} and {high} are not in order")
    return {
        "name": entry.name,
        "ratio_to_floor": entry.ratio_to_floor,
        "iqr": [low, high],
        "peers": dict(entry.peers),
        "peak_mb": entry.peak_mb,
    }


def write(entries: Sequence[BenchmarkRow], path: Path = OUTPUT) -> None:
    """Write ``bench.json``; nothing is left half-written.

    Raises:
        ValueError: if two rows have one name or a row does not pass :func:`record`.
    """
    names = [entry.name for entry in entries]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"every row needs a name of its own; found twice: {', '.join(twice)}")
    text = json.dumps([record(entry) for entry in entries], indent=2) + "\n"
    write_whole(path, text.encode())


def verdict(entry: BenchmarkRow) -> str:
    """The bar of a row and whether its ratio keeps it; empty without a bar."""
    if entry.bar is None:
        return ""
    return f"{entry.bar:.2f} {'kept' if entry.ratio_to_floor <= entry.bar else 'EXCEEDED'}"


def table(entries: Sequence[BenchmarkRow]) -> Table:
    """The rows as a table: ratio to the floor, quartiles, bar, each peer's ratio and how many times ours it is."""
    result = Table(
        title="Time as a ratio to the floor (median of interleaved rounds, one thread)", expand=False
    )
    result.add_column("benchmark")
    for title in ("ratio", "quartiles", "bar"):
        result.add_column(title, justify="right", no_wrap=True)
    result.add_column("peers: ratio to the floor (times ours)")
    result.add_column("peak MB", justify="right")
    for entry in entries:
        peers = ", ".join(
            f"{name} {value:.2f} ({value / entry.ratio_to_floor:.1f})"
            for name, value in sorted(entry.peers.items(), key=lambda item: item[1])
        )
        result.add_row(
            escape(entry.name),
            f"{entry.ratio_to_floor:.2f}",
            f"{entry.iqr[0]:.2f}-{entry.iqr[1]:.2f}",
            verdict(entry),
            escape(peers),
            "" if entry.peak_mb is None else f"{entry.peak_mb:.0f}",
        )
    return result


@app.command(
    help="Run the benchmarks; the exit status is 1 if a module failed (the rows of the others are still written)."
)
def main(
    modules: Annotated[
        list[str] | None, typer.Argument(help=f"Modules to run; by default {' '.join(MODULES)}.")
    ] = None,
    output: Annotated[Path, typer.Option("--output", help="Where to write the JSON file.")] = OUTPUT,
    worker: Annotated[tuple[str, Path] | None, typer.Option("--worker", hidden=True)] = None,
) -> None:
    """Run modules, print the table and write the rows; as a worker run one of them in this process."""
    if worker is not None:
        work(*worker)
        return
    chosen = modules or list(MODULES)
    console = Console(width=None if sys.stdout.isatty() else 150)
    entries: list[BenchmarkRow] = []
    failures: list[str] = []
    for module in chosen:
        console.print(f"{module} ...")
        try:
            entries += collect(module)
        except BenchmarkError as error:
            failures.append(str(error))
            console.print(escape(str(error)))
    console.print(table(entries))
    for entry in entries:
        if entry.note:
            console.print(escape(f"{entry.name}: {entry.note}"))
    write(entries, output)
    console.print(f"wrote {escape(str(output))}")
    if failures:
        console.print(f"{len(failures)} of {len(chosen)} benchmark modules failed")
        raise typer.Exit(1)


if __name__ == "__main__":
    app()
