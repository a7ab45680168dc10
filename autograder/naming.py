"""Whose a file is, and how that person is called in folders, tables and the gradebook.

A student's name may be any that can be printed. In the names of files stand letters of every script, digits and a few
signs; a name with anything else is written with ``_`` in its place and a short hash, and so is one that is too long.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Collection

#: Bytes of the longest name.
LONGEST_NAME = 100
_SIGNS = frozenset(" .,'’‘ʼ@+()_-·‐‑–")
_LETTERS = ("L", "M", "N")

#: How Moodle and Canvas name what they give out: the name kept is what the groups capture.
_MOODLE = re.compile(r"(.+_\d+)_assignsubmission_\w+?_?(?:[\W].*)?", re.DOTALL)
_CANVAS = re.compile(r"([^\W_]+)(?:_LATE)?_(\d+)_\d+_.+", re.DOTALL)

#: Files that nobody hands in as an answer, beside the submissions.
_DEBRIS = re.compile(
    r"(thumbs\.db|desktop\.ini|icon\r|(read[ _-]?me|licen[cs]e|roster|grades|gradebook|students|index)(\..*)?"
    r"|.*\.(csv|tsv|log|tmp|lock|ini|db|bak|part))",
    re.IGNORECASE,
)


def debris(part: str) -> bool:
    """Whether a part of a path belongs to a system or an instructor and to no submission."""
    return part.startswith(".") or part == "__MACOSX" or bool(_DEBRIS.fullmatch(part))


def printed(text: str) -> str:
    """A name as it can be shown: bytes of an older code page as letters, other unprintable characters as a mark."""
    with_letters = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    if "\ufffd" in with_letters and "\ufffd" not in text:
        with_letters = text.encode("utf-8", "surrogateescape").decode("latin-1")
    normal = unicodedata.normalize("NFC", with_letters)
    return "".join(one if one.isprintable() else " " if one.isspace() else "\ufffd" for one in normal).strip()


def identifier(name: str) -> str:
    """A name that is safe as that of a file and in nbgrader: the name itself wherever it can be."""
    shown = printed(name)
    safe = "".join(one if unicodedata.category(one)[0] in _LETTERS or one in _SIGNS else "_" for one in shown)
    if safe[:1] in ("", ".", "-", "+", "@"):
        safe = f"_{safe[1:]}"
    safe = safe.rstrip(". ")
    if safe == shown and len(safe.encode()) <= LONGEST_NAME:
        return safe
    cut = safe.encode()[: LONGEST_NAME - 7].decode(errors="ignore")
    return f"{cut}-{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:6]}"


def canvas(names: Collection[str], notebooks: Collection[str]) -> bool:
    """Whether files are named as Canvas names them: all of them, and not two people as one.

    Args:
        names: of the files, without endings.
        notebooks: those of them that are notebooks.
    """
    found = [_CANVAS.fullmatch(name) for name in names]
    people = {match.groups() for match in found if match}
    return bool(names) and all(found) and (len(people) > 1 or len(notebooks) <= 1)


def student_of(name: str, *, of_canvas: bool = True) -> str:
    """The student's name in a file's or folder's name: shortened where Moodle or Canvas made it.

    Moodle: ``Ada Lovelace_4711_assignsubmission_file_`` is ``Ada Lovelace_4711``; Canvas:
    ``lovelaceada_4711_815_notebook.ipynb`` is ``lovelaceada_4711``.

    Args:
        name: of the file or folder.
        of_canvas: whether Canvas named it, see :func:`canvas`.
    """
    if found := _MOODLE.fullmatch(name):
        return found[1]
    if of_canvas and (found := _CANVAS.fullmatch(name)):
        return f"{found[1]}_{found[2]}"
    return name
