"""``snngrade``: grade submissions of a problem set, and show the grades."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from autograder.course import CELL_TIMEOUT, CourseError, checkout, source_of
from autograder.report.cli import export_command

if TYPE_CHECKING:
    from autograder.grade import Execution, StudentGrade

app = typer.Typer(
    help="Grade submissions of the course's problem sets.", no_args_is_help=True, add_completion=False
)

ProblemSet = Annotated[str, typer.Argument(metavar="PS", help="Problem set, such as ps2_surrogates.")]
Out = Annotated[
    Path | None,
    typer.Option("--out", help="Folder for the results; by default build/grades/PS in the checkout."),
]
Timeout = Annotated[int, typer.Option("--cell-timeout", min=1, help="Seconds that one cell may run.")]
Unsafe = Annotated[
    bool,
    typer.Option("--unsafe", help="Grade although files, network or processes cannot be isolated here."),
]
Stock = Annotated[
    bool,
    typer.Option("--stock", help="Leave the cells to nbgrader, in a kernel with the rights of your account."),
]


def _execution(cell_timeout: int, unsafe: bool, stock: bool) -> Execution:
    from autograder.grade import Execution

    return Execution(cell_timeout, isolated=not stock, unsafe=unsafe)


def _fail(error: Exception) -> typer.Exit:
    typer.echo(f"snngrade: {error}", err=True)
    return typer.Exit(2)


def _folder(problem_set: str, out: Path | None) -> Path:
    root = checkout()
    source_of(root, problem_set)
    return out if out is not None else root / "build" / "grades" / problem_set


def _print(problem_set: str, grades: Sequence[StudentGrade], out: Path) -> None:
    from rich.console import Console

    from autograder.report import notes, table

    console = Console(width=None if sys.stdout.isatty() else 150)
    console.print(table(problem_set, grades))
    for line in notes(grades):
        console.print(line, soft_wrap=True, markup=False, highlight=False)
    console.print(f"Results: {out}/results.json, grades.csv and feedback/", soft_wrap=True)


def _graded(problem_set: str, submissions: Path, out: Path, execution: Execution) -> Sequence[StudentGrade]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from autograder import grade, report

    columns: list[Any] = [
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    ]
    live = sys.stdout.isatty()
    with Progress(*columns, disable=not live) as bar:
        task = bar.add_task("grading", total=None)

        def show(done: int, of: int, student: str) -> None:
            bar.update(task, completed=done, total=of, description=f"graded {student}")
            if not live:
                typer.echo(f"[{done}/{of}] graded {student}")

        grades = grade.grade(problem_set, submissions, out, execution=execution, progress=show)
    report.add_manual(grades, out, problem_set)
    report.write(problem_set, grades, out)
    _print(problem_set, grades, out)
    return grades


def _run(what: Callable[[], Sequence[StudentGrade]]) -> Sequence[StudentGrade]:
    try:
        return what()
    except CourseError as error:
        raise _fail(error) from None
    except ModuleNotFoundError as error:
        raise _fail(
            CourseError(f"{error.name} is not installed; run: pip install 'snnkit[grading]'")
        ) from None
    except KeyboardInterrupt:
        raise _fail(CourseError("stopped; what was graded is kept, run the same command to go on")) from None


@app.command("grade")
def grade_command(
    problem_set: ProblemSet,
    submissions: Annotated[
        Path,
        typer.Argument(
            help="Folder of notebooks named by student, folder of students' folders, or a zip of either."
        ),
    ],
    out: Out = None,
    cell_timeout: Timeout = CELL_TIMEOUT,
    unsafe: Unsafe = False,
    stock: Stock = False,
) -> None:
    """Grade submissions in isolation; what has not changed since the last time is not graded again.

    The exit status is 1 when a submission could not be graded, 2 for a wrong call or where isolation is missing.
    """
    grades = _run(
        lambda: _graded(
            problem_set, submissions, _folder(problem_set, out), _execution(cell_timeout, unsafe, stock)
        )
    )
    if any(grade.problem for grade in grades):
        raise typer.Exit(1)


@app.command("report")
def report_command(problem_set: ProblemSet, out: Out = None) -> None:
    """Show the grades again, with the points given by a person since, and write the reports anew."""

    def again() -> Sequence[StudentGrade]:
        from autograder import report

        folder = _folder(problem_set, out)
        grades = report.read(problem_set, folder)
        report.add_manual(grades, folder, problem_set)
        report.write(problem_set, grades, folder)
        _print(problem_set, grades, folder)
        return grades

    _run(again)


@app.command("samples")
def samples_command(
    problem_set: ProblemSet, out: Out = None, cell_timeout: Timeout = CELL_TIMEOUT, stock: Stock = False
) -> None:
    """Grade the bundled sample submissions and compare with the scores they must get.

    They come with the course and are trusted: what isolation there is is used. The exit status is 1 when a score differs.
    """

    def all_samples() -> Sequence[StudentGrade]:
        from autograder import corpus

        folder = _folder(problem_set, out)
        samples = corpus.write_samples(checkout(), problem_set)
        return _graded(problem_set, samples, folder, _execution(cell_timeout, True, stock))

    grades = _run(all_samples)
    from autograder import corpus

    wrong = corpus.differences(problem_set, grades)
    for line in wrong:
        typer.echo(line, err=True)
    if wrong:
        raise typer.Exit(1)
    typer.echo(f"All {len(grades)} samples got exactly the scores they must get.")


app.command("export")(export_command)


if __name__ == "__main__":
    app()
