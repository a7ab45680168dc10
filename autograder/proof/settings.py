"""What the proving tools are told about one set: ``solutions/<set>/proof.toml``.

``[brief]``: given cells that take long, by name: ``false`` leaves one out, ``[["old", "new"], ...]`` replaces text in it.
``[stand_in]``: code for a question that runs before its answer, in the place of a given function that takes long.
``trained``: questions in which something is trained, by name: they are asked with the cases of few seeds.
``[survivors]``: mutants that no check refuses, and why each is as right as the reference.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from autograder.course import CourseError, home_of
from autograder.notebook import read, with_sources, write


@dataclass(frozen=True)
class Settings:
    """See the module; each part may be absent."""

    brief: Mapping[str, Sequence[Sequence[str]] | bool] = field(default_factory=dict)
    stand_in: Mapping[str, str] = field(default_factory=dict)
    trained: Sequence[str] = ()
    survivors: Mapping[str, str] = field(default_factory=dict)


def settings(root: Path, problem_set: str) -> Settings:
    """The settings of a problem set.

    Raises:
        CourseError: the file cannot be read.
    """
    place = home_of(root, problem_set) / "proof.toml"
    if not place.is_file():
        return Settings()
    try:
        return Settings(**tomllib.loads(place.read_text(encoding="utf-8")))
    except (tomllib.TOMLDecodeError, TypeError) as error:
        raise CourseError(f"{place}: {error}") from error


def shorten(notebook: bytes, brief: Mapping[str, Sequence[Sequence[str]] | bool]) -> bytes:
    """A notebook, released or handed in, with its given cells shortened, so that it runs in seconds.

    Raises:
        CourseError: a cell no longer holds the text that is to be replaced.
    """
    content = read(notebook)
    sources = {}
    for cell in content.cells:
        changes = brief.get(cell.grade_id)
        if changes is not None and cell.code:
            sources[cell.grade_id] = _shortened(cell.source, cell.grade_id, changes)
    return write(with_sources(content, sources))


def _shortened(source: str, name: str, changes: Sequence[Sequence[str]] | bool) -> str:
    if isinstance(changes, bool):
        return source if changes else ""
    for old, new in changes:
        if old not in source:
            raise CourseError(f"proof.toml, brief: the cell {name!r} does not contain {old!r}")
        source = source.replace(old, new)
    return source
