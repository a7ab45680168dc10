"""Who works together: one submission of a group is every member's."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from autograder.course import CourseError
from autograder.naming import identifier


@dataclass(frozen=True)
class Groups:
    """The members of each group, by its name.

    Raises:
        CourseError: a student is in two groups.
    """

    members: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        owner: dict[str, str] = {}
        for group, members in self.members.items():
            for student in members:
                if student in owner:
                    raise CourseError(f"{student!r} is in two groups, {owner[student]!r} and {group!r}")
                owner[student] = group

    def of(self, name: str) -> str:
        """The group that a submission's name, a group's or a member's, stands for; empty when it is one person's."""
        if name in self.members:
            return name
        return next((group for group, members in self.members.items() if name in members), "")

    def students(self, owner: str) -> tuple[str, ...]:
        """Who gets the grade of a submission: the members of a group, or the student alone."""
        return self.members.get(owner, (owner,))


#: Everyone works alone.
ALONE = Groups()


def read_groups(file: Path) -> Groups:
    """Groups from a CSV file with the columns ``group`` and ``student``, a row for each member.

    Raises:
        CourseError: the file cannot be read, lacks a column, or a row lacks a name; the message says which.
    """
    try:
        rows = list(csv.DictReader(io.StringIO(file.read_text(encoding="utf-8-sig"))))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CourseError(f"the groups {file} cannot be read: {error}") from error
    found: dict[str, list[str]] = {}
    for line, row in enumerate(rows, start=2):
        group, student = (row.get(name) or "" for name in ("group", "student"))
        group, student = (name.strip() and identifier(name) for name in (group, student))
        if not group or not student:
            raise CourseError(
                f"the groups {file}, line {line}: it needs a group and a student; got {dict(row)}"
            )
        found.setdefault(group, []).append(student)
    if not found:
        raise CourseError(f"the groups {file} hold no row; write the columns group and student")
    return Groups({group: tuple(members) for group, members in found.items()})
