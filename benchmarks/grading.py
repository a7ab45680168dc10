"""Grading, ours against stock nbgrader, end to end with the gradebook written (``make bench-grade``).

The same submissions, copies of the sample submissions of a problem set, go through ``snngrade`` and through
unmodified ``nbgrader autograde``, in turns on the same machine: each round grades all of them with ours, and then a
share of them with nbgrader, both in a course folder whose assignment has been made; ours has graded one submission into
it before. Then ours is timed for 10, 40 and 160 submissions with one worker and with two. The grader's own cost is the slope between 10 and 160 with one worker, less what the cells and
probes of the same submissions take in a process where everything is imported already. The floor is that computation in
a bare fork of such a process.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from autograder.course import CELL_TIMEOUT, checkout, questions_of
from autograder.files import write_whole
from autograder.perform import attempt, quiet
from autograder.proof.play import play
from autograder.proof.samples import write_samples
from autograder.question import Question
from tools.soak import hand_in

PS = "ps0_start"
SIZES = (10, 40, 160)
MANY = 40
app = typer.Typer(add_completion=False)
NBGRADER = """
import sys
from pathlib import Path
from nbgrader.apps.autogradeapp import AutogradeApp
from traitlets.config import Config
from autograder.course import configure
app = AutogradeApp.instance(config=configure(Config(), Path(sys.argv[1]), cell_timeout=int(sys.argv[2])))
app.initialize([sys.argv[3]])
app.start()
"""


def _timed(command: list[str]) -> float:
    begun = time.perf_counter()
    done = subprocess.run(command, cwd=checkout(), capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{command[:6]} ended with status {done.returncode}: {done.stderr[-1500:]}")
    return time.perf_counter() - begun


def ours(submissions: Path, first: Path, out: Path, workers: int) -> float:
    """Seconds that ``snngrade`` takes from its start to its end, after it has graded ``first`` into the same folder."""
    if submissions != first:
        ours(first, first, out, workers)
    options = ["--out", str(out), "--workers", str(workers)]
    return _timed([sys.executable, "-m", "autograder.cli", "grade", PS, str(submissions), *options])


def stock(submissions: Path, out: Path, names: list[str]) -> float:
    """Seconds that ``nbgrader autograde`` takes for these students, in a course folder that is ready."""
    from autograder.release import generate

    course = out / "course"
    generate(checkout(), PS, course)
    for name in names:
        place = course / "submitted" / name / PS
        place.mkdir(parents=True)
        shutil.copy(submissions / f"{name}.ipynb", place / f"{PS}.ipynb")
    seconds = _timed([sys.executable, "-c", NBGRADER, str(course), str(CELL_TIMEOUT), PS])
    graded = len(list((course / "autograded").glob(f"*/{PS}/{PS}.ipynb")))
    if graded != len(names):
        raise RuntimeError(f"nbgrader graded {graded} of {len(names)} submissions")
    return seconds


def compute(notebook: bytes) -> None:
    """A submission's own computation: its cells and the probes of its questions, here, without comparing."""

    def put(question: Question, namespace: dict[str, Any]) -> None:
        with quiet():
            for case in question.draw(0):
                attempt(namespace, case.call, question.results(case.call), tensors=question.tensors)

    play(notebook, questions_of(checkout(), PS), put)


def _each(notebooks: list[bytes], one: Callable[[bytes], None]) -> float:
    """Mean seconds of ``one`` over the notebooks, after a first call that does not count."""
    one(notebooks[0])
    seconds = []
    for notebook in notebooks:
        begun = time.perf_counter()
        one(notebook)
        seconds.append(time.perf_counter() - begun)
    return statistics.fmean(seconds)


def _in_a_fork(notebook: bytes) -> None:
    child = os.fork()
    if child == 0:
        try:
            compute(notebook)
        finally:
            os._exit(0)
    os.waitpid(child, 0)


def measure(rounds: int, say: Callable[[str], None]) -> dict[str, Any]:
    """All figures, in the form of ``build/bench-grade.json``."""
    import matplotlib
    import torch

    matplotlib.use("Agg")
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        base = Path(folder)
        sets: dict[int, Path] = {}
        for size in (1, *SIZES):
            sets[size] = base / f"in{size}"
            sets[size].mkdir()
            hand_in(sets[size], size)
        names = sorted(path.stem for path in sets[MANY].glob("*.ipynb"))
        mine, theirs = [], 0.0
        share = len(names) // rounds
        for number in range(rounds):
            mine.append(ours(sets[MANY], sets[1], base / f"ours{number}", workers=2))
            part = names[number * share : (number + 1) * share if number < rounds - 1 else None]
            seconds = stock(sets[MANY], base / f"stock{number}", part)
            theirs += seconds
            say(
                f"round {number + 1}: ours {mine[-1]:.1f} s for {len(names)}, nbgrader {seconds:.1f} s for {len(part)}"
            )
        growth: dict[str, dict[str, float]] = {}
        for workers in (1, 2):
            growth[str(workers)] = {}
            for size in SIZES:
                seconds = ours(sets[size], sets[1], base / f"grow{workers}-{size}", workers)
                growth[str(workers)][str(size)] = round(seconds, 2)
                say(f"{size} submissions, {workers} worker{'s' * (workers > 1)}: {seconds:.1f} s")
        notebooks = [path.read_bytes() for path in sorted(sets[MANY].glob("*.ipynb"))]
        own = _each(notebooks, compute)
        floor = _each(notebooks, _in_a_fork)
    few, many = str(SIZES[0]), str(SIZES[-1])
    slope = (growth["1"][many] - growth["1"][few]) / (SIZES[-1] - SIZES[0])
    ours_s = statistics.median(mine)
    return {
        "throughput_ratio": round(theirs / ours_s, 2),
        "overhead_ms": round(1e3 * (slope - own), 1),
        "floor_ms": round(1e3 * floor, 1),
        "submissions": len(names),
        "problem_set": PS,
        "ours_s": round(ours_s, 2),
        "nbgrader_s": round(theirs, 2),
        "own_computation_ms": round(1e3 * own, 1),
        "slope_ms": round(1e3 * slope, 1),
        "growth_s": growth,
    }


@app.command(help=__doc__)
def main(
    rounds: Annotated[int, typer.Option("--rounds", min=1, help="Turns between ours and nbgrader.")] = 2,
    out: Annotated[
        Path | None, typer.Option("--out", help="Result file; by default build/bench-grade.json.")
    ] = None,
) -> None:
    """Measure, print the table and write the figures."""
    place = out if out is not None else checkout() / "build" / "bench-grade.json"
    write_samples(checkout(), PS)
    figures = measure(rounds, typer.echo)
    write_whole(place, (json.dumps(figures, indent=1) + "\n").encode())
    table = Table(title=f"Grading {figures['submissions']} submissions of {PS}, gradebook written")
    for head in ("", "measured", "bar"):
        table.add_column(head, justify="left" if not head else "right")
    table.add_row("nbgrader / ours, whole time", f"{figures['throughput_ratio']:.1f}", ">= 15")
    table.add_row("grader's own cost per submission", f"{figures['overhead_ms']:.0f} ms", "<= 60 ms")
    table.add_row("a submission's own computation", f"{figures['own_computation_ms']:.0f} ms", "")
    table.add_row("floor: that in a bare fork", f"{figures['floor_ms']:.0f} ms", "")
    Console().print(table)
    typer.echo(f"Written: {place}")


if __name__ == "__main__":
    app()
