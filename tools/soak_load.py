"""Grade all samples in peace and beside busy processes, and compare scores and sentences (a part of ``make soak``)."""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer

from autograder.catalogue import OWN, Catalogue
from autograder.course import checkout
from autograder.proof.busy import busy
from autograder.proof.samples import write_samples
from tools.soak import finish, results, start

app = typer.Typer(add_completion=False)


def differences(problem_set: str, folder: Path, count: int) -> tuple[int, list[str]]:
    """How many samples of a set there are, and those that get something else beside ``count`` busy processes.

    Raises:
        RuntimeError: grading ended with an error.
    """
    submissions = write_samples(checkout(), problem_set)
    peace, beside = folder / problem_set / "peace", folder / problem_set / "beside"
    finish(start(submissions, peace, problem_set))
    (beside / "isolation").mkdir(parents=True)
    shutil.copy(peace / "isolation" / "secret", beside / "isolation" / "secret")
    with busy(count):
        finish(start(submissions, beside, problem_set))
    wanted, got = results(peace), results(beside)
    return len(wanted), [name for name in wanted.keys() | got.keys() if wanted.get(name) != got.get(name)]


@app.command(help=__doc__)
def main(
    sets: Annotated[list[str] | None, typer.Argument(help="Problem sets; all by default.")] = None,
    count: Annotated[int, typer.Option("--busy", min=1, help="Busy processes.")] = 8,
) -> None:
    """The exit status is 1 when a sample got something else."""
    bad = 0
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        for problem_set in sets or Catalogue(OWN).sets():
            begun = time.monotonic()
            graded, different = differences(problem_set, Path(folder), count)
            bad += len(different)
            names = f": {', '.join(sorted(different))}" if different else ""
            typer.echo(
                f"{problem_set}: {graded} samples beside {count} busy processes, "
                f"{len(different)} different{names}; {time.monotonic() - begun:.0f} s"
            )
    if bad:
        raise typer.Exit(1)


if __name__ == "__main__":
    app()
