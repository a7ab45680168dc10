"""``snngrade``: grade submissions of a problem set, and show the grades."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from autograder.course import (
    CELL_TIMEOUT,
    CourseError,
    catalogue_of,
    checkout,
    exercise_of,
    home_of,
    questions_of,
    source_of,
)
from autograder.course import problem_sets as sets_of
from autograder.report.cli import export_command

if TYPE_CHECKING:
    from autograder.grade import Execution, Grading
    from autograder.graded import Graded


class _Commands(TyperGroup):
    """``snngrade SET folder`` is short for ``snngrade grade SET folder``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and not args[0].startswith("-") and args[0] not in self.commands:
            args = ["grade", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    help="Grade submissions of the course's problem sets.",
    no_args_is_help=True,
    add_completion=False,
    cls=_Commands,
)

ProblemSet = Annotated[str, typer.Argument(metavar="PS", help="Name of the problem set.")]
Out = Annotated[
    Path | None,
    typer.Option("--out", help="Folder for the results; by default build/grades/PS in the checkout."),
]
Course = Annotated[
    Path | None,
    typer.Option(
        "--course", help="Folder of the course; by default the one that you are in, or that of this package."
    ),
]
Timeout = Annotated[
    int,
    typer.Option(
        "--cell-timeout",
        min=1,
        help="Seconds of processor time that one cell, or all cases of one question, may use.",
    ),
]
Unsafe = Annotated[
    bool,
    typer.Option("--unsafe", help="Grade although files, network or processes cannot be isolated here."),
]
Stock = Annotated[
    bool,
    typer.Option("--stock", help="Leave the cells to nbgrader, in a kernel with the rights of your account."),
]


Database = Annotated[
    str,
    typer.Option(
        "--db",
        help="Address of the gradebook, such as postgresql+psycopg://user@host/grades; by default an SQLite file beside "
        "the results.",
    ),
]


def _execution(cell_timeout: int, unsafe: bool, stock: bool) -> Execution:
    from autograder.grade import Execution

    return Execution(cell_timeout, isolated=not stock, unsafe=unsafe)


def _fail(error: Exception) -> typer.Exit:
    typer.echo(f"snngrade: {error}", err=True)
    return typer.Exit(2)


def _folder(root: Path, problem_set: str, out: Path | None) -> Path:
    source_of(root, problem_set)
    return out if out is not None else root / "build" / "grades" / problem_set


def _print(problem_set: str, grades: Sequence[Graded], out: Path) -> None:
    from rich.console import Console

    from autograder.report.terminal import notes, table

    console = Console(width=None if sys.stdout.isatty() else 150)
    console.print(table(problem_set, grades))
    for line in notes(grades):
        console.print(line, soft_wrap=True, markup=False, highlight=False)
    console.print(f"Results: {out}/results.json, grades.csv and feedback/", soft_wrap=True)


def _graded(plan: Grading, submissions: Path, anew: bool = False) -> Sequence[Graded]:
    """Grade, report and print."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from autograder import grade

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

        grades = grade.grade(plan, submissions, anew=anew, announce=typer.echo, progress=show)
    return _reported(plan.root, plan.problem_set, grades, plan.out, plan.db_url)


def _reported(
    root: Path, problem_set: str, grades: Sequence[Graded], out: Path, db_url: str
) -> Sequence[Graded]:
    """The grades with what people gave, written and printed."""
    from autograder.report.store import add_manual, write

    final = add_manual(grades, out, problem_set, db_url)
    write(problem_set, final, out, root / "templates", questions_of(root, problem_set))
    _print(problem_set, final, out)
    return final


def _run(what: Callable[[], Sequence[Graded]]) -> Sequence[Graded]:
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
            help="Folder of notebooks named by student, folder of students' folders (nbgrader's exchange is one), what "
            "Moodle or Canvas give out, or a zip of any of these."
        ),
    ],
    out: Out = None,
    course: Course = None,
    workers: Annotated[
        int, typer.Option("--workers", min=0, help="Processes that grade; 0: one for each processor.")
    ] = 0,
    scheduler: Annotated[
        str,
        typer.Option(
            "--scheduler", help="Address of a Dask scheduler that is running, such as tcp://host:8786."
        ),
    ] = "",
    resume: Annotated[
        bool,
        typer.Option(
            "--resume/--anew", help="Keep what was graded before and has not changed, or grade all again."
        ),
    ] = True,
    due: Annotated[
        str, typer.Option("--due", help="When the set was due, such as '2026-12-01 23:59+01:00'.")
    ] = "",
    off_per_day: Annotated[
        float, typer.Option("--off-per-day", min=0, help="Points taken off for each day begun after that.")
    ] = 0.0,
    groups: Annotated[
        Path | None,
        typer.Option("--groups", help="CSV with the columns group and student: who works together."),
    ] = None,
    db: Database = "",
    cell_timeout: Timeout = CELL_TIMEOUT,
    unsafe: Unsafe = False,
    stock: Stock = False,
) -> None:
    """Grade submissions in isolation; what has not changed since the last time is not graded again.

    The exit status is 1 when a submission could not be graded, 2 for a wrong call or where isolation is missing.
    """

    def all_of_them() -> Sequence[Graded]:
        from autograder.batch import Cluster
        from autograder.deadlines import Deadline, due_time
        from autograder.grade import Grading
        from autograder.groups import ALONE, read_groups

        root = checkout(course)
        plan = Grading(
            root,
            problem_set,
            _folder(root, problem_set, out),
            _execution(cell_timeout, unsafe, stock),
            Cluster(workers, scheduler),
            Deadline(due_time(due) if due else None, off_per_day),
            read_groups(groups) if groups is not None else ALONE,
            db,
        )
        return _graded(plan, submissions, anew=not resume)

    grades = _run(all_of_them)
    faults = {f"{name}: {mark.fault}" for one in grades for name, mark in one.questions.items() if mark.fault}
    for line in sorted(faults):
        typer.echo(f"snngrade: the question is at fault, not the answers: {line}", err=True)
    if faults or any(grade.problem for grade in grades):
        raise typer.Exit(1)


@app.command("report")
def report_command(
    problem_set: ProblemSet, out: Out = None, course: Course = None, db: Database = ""
) -> None:
    """Show the grades again, with the points given by a person since, and write the reports anew."""

    def again() -> Sequence[Graded]:
        from autograder.report.store import read

        root = checkout(course)
        folder = _folder(root, problem_set, out)
        return _reported(root, problem_set, read(problem_set, folder), folder, db)

    _run(again)


@app.command("samples")
def samples_command(
    problem_set: ProblemSet,
    out: Out = None,
    course: Course = None,
    cell_timeout: Timeout = CELL_TIMEOUT,
    stock: Stock = False,
) -> None:
    """Grade the bundled sample submissions and compare with the scores they must get.

    They come with the course and are trusted: what isolation there is is used. The exit status is 1 when a score differs.
    """

    def all_samples() -> Sequence[Graded]:
        from autograder.grade import Grading
        from autograder.proof.samples import write_samples

        root = checkout(course)
        folder, execution = _folder(root, problem_set, out), _execution(cell_timeout, True, stock)
        return _graded(Grading(root, problem_set, folder, execution), write_samples(root, problem_set))

    grades = _run(all_samples)
    from autograder.proof.samples import differences

    wrong = differences(checkout(course), problem_set, grades)
    for line in wrong:
        typer.echo(line, err=True)
    if wrong:
        raise typer.Exit(1)
    typer.echo(f"All {len(grades)} samples got exactly the scores they must get.")


@app.command("release")
def release_command(
    problem_sets: Annotated[
        list[str] | None, typer.Argument(metavar="[PS]...", help="Problem sets; all of them by default.")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; say which notebooks are stale (exit status 1).")
    ] = False,
    course: Course = None,
) -> None:
    """Make the students' notebooks from their sources, where they changed."""
    from autograder import release

    try:
        root = checkout(course)
        outdated = False
        own = catalogue_of(root).sets() if (root / "checks").is_dir() else []
        for name in own:
            if name not in sets_of(root):
                place = home_of(root, name) / "notebook.py"
                raise CourseError(f"the set {name!r} has questions and no notebook: {place} is missing")
        for name in problem_sets or sets_of(root):
            source_of(root, name)
            place = exercise_of(root, name).relative_to(root)
            if not check:
                if not release.made(root, name):
                    _try_out(root, name)
                typer.echo(f"{place}: {'written' if release.release(root, name) else 'up to date'}")
            elif release.stale(root, name):
                outdated = True
                typer.echo(f"{place} is stale; run: snngrade release {name}")
            else:
                typer.echo(f"{place}: up to date")
    except CourseError as error:
        raise _fail(error) from None
    if outdated:
        raise typer.Exit(1)


def _try_out(root: Path, problem_set: str) -> None:
    """Put the right answers and the slips of a set to its own cases.

    Raises:
        CourseError: names the file of each question that is not sound, and what is wrong with it.
    """
    from autograder.dry_run import faults

    folder = catalogue_of(root).checks / problem_set
    found = [
        f"{folder / name}.py: {fault}"
        for name, question in questions_of(root, problem_set).items()
        for fault in faults(question)[:3]
    ]
    if found:
        raise CourseError("\n".join(found))


@app.command("questions")
def questions_command(problem_set: ProblemSet, course: Course = None) -> None:
    """List the questions of a set with their points, as the checks have them."""
    try:
        root = checkout(course)
        known = catalogue_of(root).sets()
        if problem_set not in known:
            raise CourseError(
                f"no problem set is called {problem_set!r}; with questions there are: {', '.join(known) or 'none'}"
            )
        for question in questions_of(root, problem_set).values():
            groups = ", ".join(f"{group.id} {group.points:g}" for group in question.groups)
            typer.echo(f"{question.id:28}{question.points:5g}  {question.title} ({groups})")
    except CourseError as error:
        raise _fail(error) from None


app.command("export")(export_command)


if __name__ == "__main__":
    app()
