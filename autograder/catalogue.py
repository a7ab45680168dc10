"""The questions of a course: a folder ``checks`` that holds ``<set>/<question>.py``.

Nothing of a course is imported by name, so the engine may lie anywhere and several courses can be open at once.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import pkgutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from types import ModuleType

from autograder.light_form import Light
from autograder.question import Question

#: The folder of the questions that come with this package.
OWN = Path(__file__).resolve().parent / "checks"


#: How the name of a module ends that holds a question's references.
_REFERENCE = "_reference"


class UnknownQuestionError(KeyError):
    """No question or set has this name."""

    def _render_traceback_(self) -> list[str]:
        """In a notebook the words, without the way they came."""
        return [str(self)]

    def __str__(self) -> str:
        return str(self.args[0])


class BrokenQuestionError(Exception):
    """A file of the course cannot be used; the message begins with its path."""


@dataclass(frozen=True)
class Catalogue:
    """The questions below a folder; a set's modules are imported when one of its questions is asked for."""

    checks: Path

    @property
    def package(self) -> str:
        """Name of the package that the folder is imported as: one of its own for each folder."""
        folder = self.checks.resolve()
        if folder == OWN:
            return "autograder.checks"
        name = f"course_{hashlib.sha256(str(folder).encode()).hexdigest()[:12]}"
        if name not in sys.modules:
            module = ModuleType(name)
            module.__path__ = [str(folder)]
            sys.modules[name] = module
        return name

    def sets(self) -> list[str]:
        """Names of the sets: folders that hold Python files."""
        if not self.checks.is_dir():
            return []
        return sorted(path.name for path in self.checks.iterdir() if any(path.glob("*.py")))

    def questions(self, problem_set: str) -> dict[str, Question]:
        """Questions of a set by name, the part of the id after the dot; in the order of their names.

        A module without a question is a neighbour that questions share.

        Raises:
            UnknownQuestionError: there is no such set; the message lists those that exist.
            BrokenQuestionError: a file cannot be imported, or its question is not called as the file is.
        """
        if problem_set not in self.sets():
            known = ", ".join(self.sets()) or "none"
            raise UnknownQuestionError(f"no problem set is called {problem_set!r}; there are: {known}")
        return _questions(self.package, self.checks / problem_set)

    def __getitem__(self, question: str) -> Question:
        """A question by its id, ``<set>.<question>``; no other question is loaded.

        Raises:
            UnknownQuestionError: no question has this id; the message lists those that exist.
            BrokenQuestionError: its file cannot be used.
        """
        prefix, _, name = str(question).partition(".")
        for problem_set in self.sets():
            folder = self.checks / problem_set
            if prefix == _prefix(problem_set) and (folder / f"{name}.py").is_file():
                found = _question(self.package, folder, name)
                if found is not None:
                    return found
        known = ", ".join(self._ids())
        raise UnknownQuestionError(
            f"no question is called {question!r}; there are: {known or f'none in {self.checks}'}"
        )

    def withheld(self, question: str) -> frozenset[str]:
        """Names of the library that no answer to the set of a question may use.

        Raises:
            UnknownQuestionError, BrokenQuestionError: see :meth:`questions`.
        """
        folder = next((one for one in self.sets() if _prefix(one) == question.split(".")[0]), "")
        return frozenset(name for one in self.questions(folder).values() for name in one.withheld)

    def references(self, question: str = "") -> dict[str, Path]:
        """Files of references by the id of their question: of all sets, or of the one that a question is in."""
        wanted = question.split(".")[0]
        return {
            f"{_prefix(problem_set)}.{file.stem.removesuffix(_REFERENCE)}": file
            for problem_set in self.sets()
            if wanted in ("", _prefix(problem_set))
            for file in sorted((self.checks / problem_set).glob(f"*{_REFERENCE}.py"))
        }

    def folders(self) -> list[Path]:
        """The folder of each set."""
        return [self.checks / name for name in self.sets()]

    def _ids(self) -> Iterator[str]:
        """Ids of the questions that can be used."""
        for problem_set in self.sets():
            folder = self.checks / problem_set
            for module in pkgutil.iter_modules([str(folder)]):
                with contextlib.suppress(BrokenQuestionError):
                    if _question(self.package, folder, module.name) is not None:
                        yield f"{_prefix(problem_set)}.{module.name}"

    def __iter__(self) -> Iterator[Question]:
        return (one for problem_set in self.sets() for one in self.questions(problem_set).values())


def _prefix(problem_set: str) -> str:
    """With what the ids of a set's questions begin."""
    return problem_set.split("_")[0]


def _questions(package: str, folder: Path) -> dict[str, Question]:
    names = sorted(
        one.name for one in pkgutil.iter_modules([str(folder)]) if not one.name.endswith(_REFERENCE)
    )
    found = {name: _question(package, folder, name) for name in names}
    return {name: question for name, question in found.items() if question is not None}


@cache
def _question(package: str, folder: Path, name: str) -> Question | None:
    """The question in a file; None where it has none."""
    place, id = folder / f"{name}.py", f"{_prefix(folder.name)}.{name}"
    try:
        content = importlib.import_module(f"{package}.{folder.name}.{name}")
        question, small = getattr(content, "QUESTION", None), getattr(content, name, None)
        if isinstance(small, Light):
            question = small.question(id)
    except Exception as error:
        raise BrokenQuestionError(f"{place}: {type(error).__name__}: {error}") from error
    if question is not None and question.id != id:
        raise BrokenQuestionError(f"{place}: its question is called {question.id!r}; expected {id!r}")
    reference = folder / f"{name}{_REFERENCE}.py"
    if question is not None and reference.is_file():
        question = replace(question, reference=reference)
    return question
