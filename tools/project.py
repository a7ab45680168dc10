"""The project's slides and score sheets from their sources: ``python tools/project.py`` (part of ``make exercises``).

``solutions/project/slides.py`` becomes the students' notebook.
``solutions/project/rubric.csv`` is the rubric; the page of the project shows it, and both score sheets are made from it.
The project has no question that a check could grade, so nbgrader takes no part.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Annotated

import typer

from autograder.files import write_if_changed
from autograder.notebook import dump
from autograder.source import read_source

ROOT = Path(__file__).resolve().parent.parent
SOURCE, TARGET = ROOT / "solutions" / "project", ROOT / "exercises" / "project"
STUDENTS = 3
PEER = ("reviewer", "group reviewed")
PEER_END = ("what was best", "a question that the group should answer")
INSTRUCTOR = ("group", "student")
INSTRUCTOR_END = ("total", "median of the peers", "remarks")

app = typer.Typer(add_completion=False)


def rubric() -> list[dict[str, str]]:
    """The criteria in order, each with its part (group or person) and points."""
    with (SOURCE / "rubric.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def heading(criterion: dict[str, str]) -> str:
    """A criterion as the heading of a column, with its largest score."""
    return f"{criterion['criterion']} (0 to {criterion['points']})"


def sheet(columns: list[str], rows: int) -> bytes:
    """A CSV file with a heading and empty rows."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([[""] * len(columns)] * rows)
    return text.getvalue().encode()


def peer_sheet() -> bytes:
    """One row for each reviewer: the criteria of the group only."""
    group = [heading(one) for one in rubric() if one["part"] == "group"]
    return sheet([*PEER, *group, *PEER_END], 1)


def instructor_sheet() -> bytes:
    """One row for each student of a group: all criteria."""
    return sheet([*INSTRUCTOR, *map(heading, rubric()), *INSTRUCTOR_END], STUDENTS)


def files() -> dict[Path, bytes]:
    """Everything that is made, by its place."""
    return {
        TARGET / "slides.ipynb": dump(read_source(SOURCE / "slides.py")),
        TARGET / "peer_sheet.csv": peer_sheet(),
        TARGET / "instructor_sheet.csv": instructor_sheet(),
    }


@app.command(help=__doc__)
def main(
    check: Annotated[bool, typer.Option("--check", help="Write nothing; say which files are stale.")] = False,
) -> None:
    """Write what changed; the exit status is 1 when ``--check`` finds a stale file."""
    status = 0
    for place, content in files().items():
        name = place.relative_to(ROOT)
        if not check:
            typer.echo(f"{name}: {'written' if write_if_changed(place, content) else 'up to date'}")
        elif not place.is_file() or place.read_bytes() != content:
            typer.echo(f"{name} is stale; run: make exercises")
            status = 1
    raise typer.Exit(status)


if __name__ == "__main__":
    app()
