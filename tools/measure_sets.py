"""Seconds of every problem set: of its solution's notebook, and of grading it (``python -m tools.measure_sets``).

The notebook runs from its top to its end in a fresh process, imports and figures included: processor seconds. Grading is
the time of cells, probes and comparisons in isolation with one worker, once it is warm. One thread each; run it on a
machine that does nothing else.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from autograder.batch import Cluster
from autograder.course import checkout, problem_sets
from autograder.files import write_if_changed
from autograder.grade import Execution, Grading, grade
from autograder.proof import samples
from autograder.proof.overview import MEASURED
from experiments.provenance import command, hardware, versions

app = typer.Typer(add_completion=False)


def _used() -> float:
    """Processor seconds of all children of this process that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def reference_seconds(notebook: Path) -> float:
    """Processor seconds of a notebook in a fresh process."""
    before = _used()
    variables = {**os.environ, "OMP_NUM_THREADS": "1"}
    variables.pop("SNNKIT_DATA", None)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-P", str(Path(__file__).with_name("run_notebook.py")), str(notebook)],
        cwd=notebook.parent, env=variables, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"{notebook.stem} ended with status {done.returncode}: {done.stderr[-1000:]}")
    return _used() - before


def grading_seconds(problem_set: str, submissions: Path, out: Path) -> float:
    """Seconds from the first cell to the last comparison of one submission in isolation, with one worker."""
    place = out / "in"
    place.mkdir(parents=True)
    (place / "student.ipynb").write_bytes((submissions / "solution.ipynb").read_bytes())
    plan = Grading(checkout(), problem_set, out / "out", Execution(unsafe=True), Cluster(workers=1))
    (found,) = grade(plan, place)
    if found.problem:
        raise RuntimeError(f"{problem_set} could not be graded: {found.problem}")
    return found.seconds


@app.command(help=__doc__)
def main(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="PS", help="Problem sets; all of them by default.")
    ] = None,
) -> None:
    """Measure, and write the numbers where the book reads them."""
    root = checkout()
    place = root / MEASURED
    entry = json.loads(place.read_text()) if place.is_file() else {"sets": {}}
    table = Table("set", "reference", "grading")
    for name in names or problem_sets(root):
        with tempfile.TemporaryDirectory(prefix="measure-") as folder:
            sample = samples.sample(root, name, samples.SOLUTION)
            notebook = Path(folder) / "solution.ipynb"
            notebook.write_bytes(samples.build(root, name, sample, samples.released_notebook(root, name)))
            grading = grading_seconds(name, Path(folder), Path(folder) / "grades")
            seconds = {
                "reference_s": round(reference_seconds(notebook), 1),
                "grading_s": round(grading, 1),
            }
        entry["sets"][name] = seconds
        table.add_row(name, f"{seconds['reference_s']} s", f"{seconds['grading_s']} s")
        entry.update(
            command=command(), hardware=hardware(), versions=versions(), date=f"{datetime.now(UTC):%Y-%m-%d}"
        )
        write_if_changed(place, (json.dumps(entry, indent=1, sort_keys=True) + "\n").encode())
    Console().print(table)


if __name__ == "__main__":
    app()
