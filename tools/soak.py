"""Kill the grader at random until it is done, and compare with a run that nobody disturbed (``make soak``).

One copy of each sample submission of a problem set after another is handed in under a name of its own, with a line of its
own in it. First they are graded in peace; then again into another folder while Dask workers, and the process that gives
them work, are ended by SIGKILL at random moments, each time after something was graded since the last kill; the latter
is started again. In the end both folders and both gradebooks must say the same.
"""

from __future__ import annotations

import contextlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import psutil
import typer
from tqdm import tqdm

from autograder.course import COURSE_ID, checkout
from autograder.graded import Graded, decode_results, without_measures
from autograder.notebook import Cell, read, write
from autograder.proof.samples import write_samples

PS = "ps0_start"
app = typer.Typer(add_completion=False)


@dataclass(frozen=True)
class SoakResult:
    """What a soak ended with: submissions graded, lost, there twice, with another result; and what was killed."""

    graded: int
    lost: int
    twice: int
    different: int
    workers_killed: int
    coordinators_killed: int

    @property
    def clean(self) -> bool:
        """Whether killing changed nothing."""
        return not (self.lost or self.twice or self.different)

    def __str__(self) -> str:
        return f"graded {self.graded}, lost {self.lost}, twice {self.twice}, different {self.different}"


def hand_in(folder: Path, count: int) -> list[str]:
    """Write ``count`` submissions, each different from all others; their names."""
    samples = [path.read_bytes() for path in sorted(write_samples(checkout(), PS).glob("*.ipynb"))]
    names = [f"student{number:04d}" for number in range(count)]
    for number, name in enumerate(names):
        sample = read(samples[number % len(samples)])
        own = replace(sample, cells=(*sample.cells, Cell(f"mine = {number}")))
        (folder / f"{name}.ipynb").write_bytes(write(own))
    return names


def start(submissions: Path, out: Path, problem_set: str = PS) -> subprocess.Popen[bytes]:
    """A grader at work on a folder of submissions."""
    command = [
        sys.executable,
        "-m",
        "autograder.cli",
        "grade",
        problem_set,
        str(submissions),
        "--out",
        str(out),
        "--unsafe",
    ]
    return subprocess.Popen(
        command, cwd=checkout(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True
    )


def _workers(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """The Dask workers of a running grader: its children that multiprocessing spawned."""
    with contextlib.suppress(psutil.Error):
        children = psutil.Process(process.pid).children()
        return [child for child in children if "spawn_main" in " ".join(child.cmdline())]
    return []


def grade_disturbed(submissions: Path, out: Path, seed: int, count: int, pause: float) -> tuple[int, int]:
    """Grade to the end while killing; how many workers and how many coordinators were killed.

    Args:
        submissions: folder of notebooks.
        out: folder of the results.
        seed: of the moments and victims.
        count: number of submissions.
        pause: mean seconds between two kills.

    Raises:
        RuntimeError: grading ended by itself with an error.
    """
    rng = random.Random(seed)
    killed: Counter[str] = Counter()
    before = 0
    process = start(submissions, out)
    with tqdm(total=count, desc="disturbed", disable=not sys.stderr.isatty()) as bar:
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                if process.wait(timeout=rng.expovariate(1 / pause)) == 0:
                    bar.update(count - bar.n)
                    return killed["worker"], killed["coordinator"]
                said = process.stderr.read().decode()[-2000:] if process.stderr else ""
                raise RuntimeError(f"grading ended with status {process.returncode}: {said}")
            done = len(list((out / "students").glob("*.json")))
            bar.update(done - bar.n)
            if done == before:  # nothing came since the last kill: an endless start would not end
                continue
            workers = _workers(process)
            before = done
            if rng.random() < 0.2:
                process.send_signal(signal.SIGKILL)
                process.wait()
                killed["coordinator"] += 1
                process = start(submissions, out)
            elif workers:
                with contextlib.suppress(psutil.Error):
                    rng.choice(workers).kill()
                    killed["worker"] += 1


def finish(process: subprocess.Popen[bytes]) -> None:
    """Wait for a grader to end well.

    Raises:
        RuntimeError: it ended with an error.
    """
    _, said = process.communicate()
    if process.returncode:
        raise RuntimeError(f"grading ended with status {process.returncode}: {said.decode()[-2000:]}")


def results(out: Path) -> dict[str, list[Graded]]:
    """Every student's results, without what was measured."""
    found: dict[str, list[Graded]] = {}
    for one in decode_results((out / "results.json").read_bytes()):
        found.setdefault(one.student, []).append(without_measures(one))
    return found


def _gradebook(out: Path) -> Counter[tuple[Any, ...]]:
    """The gradebook's rows: student, cell, scores."""
    from nbgrader.api import BaseCell, Grade, Gradebook, Student, SubmittedAssignment, SubmittedNotebook

    with Gradebook(f"sqlite:///{out / 'course' / 'gradebook.db'}", COURSE_ID) as book:
        return Counter(
            tuple(row)
            for row in book.db.query(Student.id, BaseCell.name, Grade.auto_score, Grade.needs_manual_grade)
            .select_from(Grade)
            .join(BaseCell, Grade.cell_id == BaseCell.id)
            .join(SubmittedNotebook, Grade.notebook_id == SubmittedNotebook.id)
            .join(SubmittedAssignment, SubmittedNotebook.assignment_id == SubmittedAssignment.id)
            .join(Student, SubmittedAssignment.student_id == Student.id)
            .all()
        )


def compare(names: list[str], peace: Path, disturbed: Path) -> tuple[int, int, int, int]:
    """Graded, lost, twice and different among the submissions of ``names``."""
    wanted, got = results(peace), results(disturbed)
    lost = sum(name not in got for name in names)
    twice = sum(len(got.get(name, [])) > 1 for name in names)
    different = sum(name in got and got[name][0] != wanted[name][0] for name in names)
    one, other = _gradebook(peace), _gradebook(disturbed)
    twice += len({row[0] for row, times in other.items() if times > 1})
    different += len({row[0] for row in (one - other) + (other - one)})
    return len(got), lost, twice, different


def soak(count: int, seed: int, folder: Path, pause: float) -> SoakResult:
    """Grade ``count`` submissions in peace and disturbed, in ``folder``, and compare."""
    submissions, peace, disturbed = folder / "submissions", folder / "peace", folder / "disturbed"
    submissions.mkdir(parents=True)
    names = hand_in(submissions, count)
    finish(start(submissions, peace))
    (disturbed / "isolation").mkdir(parents=True)
    shutil.copy(peace / "isolation" / "secret", disturbed / "isolation" / "secret")
    workers, coordinators = grade_disturbed(submissions, disturbed, seed, count, pause)
    return SoakResult(*compare(names, peace, disturbed), workers, coordinators)


@app.command(help=__doc__)
def main(
    count: Annotated[int, typer.Option("--count", min=1, help="Submissions.")] = 1000,
    seed: Annotated[int, typer.Option("--seed", help="Of the moments and victims.")] = 0,
    pause: Annotated[float, typer.Option("--pause", help="Mean seconds between two kills.")] = 5.0,
) -> None:
    """The exit status is 1 when killing changed anything."""
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        outcome = soak(count, seed, Path(folder), pause)
    typer.echo(
        f"{outcome.workers_killed} workers and {outcome.coordinators_killed} coordinators were killed; "
        f"{time.monotonic() - begun:.0f} s"
    )
    typer.echo(outcome)
    if not outcome.clean:
        raise typer.Exit(1)


if __name__ == "__main__":
    app()
