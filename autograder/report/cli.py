"""``snngrade export``: grades for nbgrader, Moodle or Canvas."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from autograder.course import CourseError, checkout, source_of
from autograder.files import write_if_changed


class Target(StrEnum):
    """Where the grades go."""

    nbgrader = "nbgrader"
    moodle = "moodle"
    canvas = "canvas"


def export_command(
    problem_set: Annotated[str, typer.Argument(metavar="PS", help="Name of the problem set.")],
    to: Annotated[Target, typer.Option("--to", help="Whose format.")],
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Folder of the results; by default build/grades/PS in the checkout."),
    ] = None,
    course: Annotated[
        Path | None,
        typer.Option("--course", help="Folder of the course; by default the one that you are in."),
    ] = None,
    roster: Annotated[
        Path | None,
        typer.Option(
            "--roster",
            help="CSV that says who is who: a gradebook exported from Canvas, participants from Moodle, or your own "
            "with a column student_id.",
        ),
    ] = None,
    assignment: Annotated[
        str,
        typer.Option("--assignment", help="Canvas: the assignment's column, such as 'Problem set 2 (4711)'."),
    ] = "",
    provisional: Annotated[
        bool,
        typer.Option("--provisional", help="Take in students whose answers a person has yet to read."),
    ] = False,
) -> None:
    """Write the grades as a CSV file that nbgrader's tools, Moodle or Canvas read.

    For Moodle and Canvas, who has no final grade is left out, since an import replaces what is there.
    """
    try:
        written, told = export(checkout(course), problem_set, to, out, roster, assignment, provisional)
    except CourseError as error:
        typer.echo(f"snngrade: {error}", err=True)
        raise typer.Exit(2) from None
    for line in told:
        typer.echo(line)
    typer.echo(f"Written: {written}")


def export(
    root: Path,
    problem_set: str,
    to: Target,
    out: Path | None = None,
    roster: Path | None = None,
    assignment: str = "",
    provisional: bool = False,
) -> tuple[Path, list[str]]:
    """Write the file, with the points that a person gave since.

    Returns:
        Where it is, and a line for each student who is not in it.

    Raises:
        CourseError: unknown problem set, nothing graded, or a roster that cannot be used.
    """
    from autograder.report import export as formats
    from autograder.report.store import add_manual, gradebook_url, read

    source_of(root, problem_set)
    folder = out if out is not None else root / "build" / "grades" / problem_set
    grades = add_manual(read(problem_set, folder), folder, problem_set)
    url = gradebook_url(folder)
    if roster is not None:
        people = formats.read_roster(roster)
    else:
        people = formats.people_of_gradebook(url) if url else {}
    told = [
        f"{grade.student}: no line in {roster}"
        for grade in grades
        if roster is not None and not grade.problem and grade.student not in people
    ]
    if to is Target.nbgrader:
        content = formats.nbgrader_csv(problem_set, grades, people)
    else:
        told += [
            f"{student}: left out, {why}" for student, why in formats.left_out(grades, provisional).items()
        ]
        if to is Target.moodle:
            content = formats.moodle_csv(problem_set, grades, people, provisional=provisional)
        else:
            content = formats.canvas_csv(
                problem_set, grades, people, assignment=assignment, provisional=provisional
            )
    place = folder / f"{to.value}.csv"
    write_if_changed(place, content)
    return place, told
