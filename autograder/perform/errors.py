"""What went wrong, in words: whose line it was, and what had not the form that was asked for."""

from __future__ import annotations

import linecache
import sys
import traceback
from types import FrameType


class MissingError(Exception):
    """A name that the answer does not have was asked for."""


class FormError(TypeError):
    """What came back has not the form that was asked for; ``name`` is the result that it is about."""

    def __init__(self, text: str, name: str = "") -> None:
        super().__init__(text)
        self.name = name


class NoGradientError(RuntimeError):
    """What came back has no gradient by what was handed in."""

    says_all = True


class UnusableError(Exception):
    """A probe could not go on with what came back; the cause says why."""


_NOT_STUDENTS = frozenset(
    {"autograder", "observer", "probe", "isolation", "snnkit", *sys.stdlib_module_names}
)


def students(error: BaseException) -> list[tuple[FrameType, int]]:
    """The frames of the student's code that an error came through, each with its line."""
    found = []
    for frame, line in traceback.walk_tb(error.__traceback__):
        module = str(frame.f_globals.get("__name__", "")).partition(".")[0]
        installed = "site-packages" in frame.f_code.co_filename
        if not (installed or module in _NOT_STUDENTS or module.startswith("course_")):
            found.append((frame, line))
    return found


def line_of(error: BaseException) -> str:
    """The student's line that raised, where one can be named."""
    for frame, line in reversed(students(error)):
        text = linecache.getline(frame.f_code.co_filename, line, frame.f_globals).strip()
        if text:
            return f", in the line `{text}`"
    return ""


def unanswered(error: BaseException) -> bool:
    """Whether it was raised by the student's own line, as the one that stands where an answer is to be written."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    return isinstance(error, NotImplementedError) and frames[-1] in [frame for frame, _ in students(error)]


def _said(error: BaseException) -> str:
    """An error's words, which a class of the student's may make unreadable."""
    try:
        text = " ".join(str(error).split())
    except Exception:
        return "(it has no text)"
    return f"{text[:300]} ..." if len(text) > 300 else text


def raised(error: BaseException) -> str:
    """What is said of an error."""
    if getattr(error, "says_all", False):
        return " ".join(str(error).split())
    if isinstance(error, UnusableError) and error.__cause__ is not None:
        return f"{error}: {type(error.__cause__).__name__}: {_said(error.__cause__)}"
    line, text = line_of(error), _said(error)
    kind = " ".join(type(error).__name__.split())
    return f"your code raised {kind}: {text.rstrip('.') if line else text}{line}"
