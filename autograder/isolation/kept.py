"""What a cell prints and shows, kept as notebook outputs up to a number of bytes and of pieces; the rest is dropped.

The student's side, like :mod:`shell`: nothing of it is trusted.
"""

from __future__ import annotations

import re
from typing import Any, Literal

from .messages import CellOutput, Display, Stream, Traceback, Value
from .timing import TimeLimit

__all__ = ["PIECES", "Outputs", "plain_text"]

KEPT = ("text/plain", "text/html", "text/markdown", "text/latex", "image/png", "image/jpeg", "image/svg+xml")
PIECES = 2000  # a frame holds 50,000 values, and a piece is at most a dozen of them
StreamName = Literal["stdout", "stderr"]
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def plain_text(value: Any) -> str:
    """Text that every file, database and terminal can hold: no half surrogate pairs, no colours, no control characters."""
    return _CONTROL.sub("", str(value).encode("utf-8", "replace").decode("utf-8"))


def _overwritten(line: str) -> str:
    """A line without what its carriage returns wrote over; one at its start or its end acts on what stands beside it."""
    body = line.rstrip("\r")
    return body[max(body.rfind("\r"), 0) :] + "\r" * (len(body) < len(line))


class _Printed:
    """Consecutive text of one stream: whole lines, and the pieces of the line that is being written."""

    def __init__(self, name: StreamName) -> None:
        self.name = name
        self.lines: list[str] = []
        self.line: list[str] = []

    def add(self, text: str) -> int:
        """Add text, and give back by how many bytes it grew: a progress bar writes over itself."""
        if "\r" not in text and not (self.line and self.line[-1].endswith("\r")):
            head, newline, tail = text.rpartition("\n")
            if newline:
                self.lines += [*self.line, head, newline]
                self.line.clear()
            self.line += [tail] * bool(tail)
            return len(text.encode())
        before = "".join(self.line)
        *whole, rest = (_overwritten(line).removeprefix("\r") for line in (before + text).split("\n"))
        ended = "".join(line.removesuffix("\r") + "\n" for line in whole)
        self.lines += [ended] * bool(ended)
        self.line = [rest] * bool(rest)
        return len(ended.encode()) + len(rest.encode()) - len(before.encode())

    def text(self) -> str:
        return "".join([*self.lines, *self.line]).removesuffix("\r")


class Outputs:
    """Notebook outputs of one cell, in order, up to a number of bytes and ``PIECES`` pieces."""

    def __init__(self, limit: int) -> None:
        self.items: list[CellOutput | _Printed] = []
        self.left = limit
        self.limit = limit
        self.cut = False

    def _cut(self, what: str) -> None:
        if not self.cut:
            self.cut = True
            self.items.append(Stream("stderr", f"\n[output beyond {what} was dropped]\n"))

    def _room(self, size: int) -> bool:
        self.left -= size
        if self.left < 0:
            self.left = 0
            self._cut(f"{self.limit // 1024} kB")
        elif len(self.items) > PIECES:
            self._cut(f"{PIECES:,} pieces")
        return not self.cut

    def write(self, name: StreamName, text: str) -> None:
        """Add text to a stream; whole pieces that no longer fit are cut."""
        if self.cut or not (text and self._room(0)):
            return
        text = plain_text(text)
        if "\r" in text:
            text = "\n".join(map(_overwritten, text.split("\n")))
        last = self.items[-1] if self.items else None
        if not (isinstance(last, _Printed) and last.name == name):
            last = _Printed(name)
            self.items.append(last)
        grown, dropped = last.add(text[: self.left]), text[self.left :]
        self._room(grown + len(dropped))

    def show(self, kind: type[Display] | type[Value], data: dict[str, Any]) -> None:
        """Add a displayed value."""
        kept = {
            str(name): plain_text("".join(value) if isinstance(value, list) else value)
            for name, value in data.items()
            if name in KEPT
        }
        if not self.cut and self._room(sum(map(len, kept.values()))):
            self.items.append(kind(kept))

    def fail(self, name: str, text: str, lines: list[str], line: str = "") -> None:
        """Add an error with its traceback, and the student's line that raised it where there is one."""
        name, line = (" ".join(plain_text(one).split()) for one in (name, line))
        lines = [plain_text(one)[:4000] for one in lines[-40:]]
        self.items.append(Traceback(name[:200], plain_text(text)[:4000], lines, line[:300]))

    def clear(self) -> None:
        """Forget what was shown, as ``clear_output`` does: what follows has all the room again."""
        self.items.clear()
        self.left, self.cut = self.limit, False

    @property
    def stopped(self) -> bool:
        """Whether the last of them tells that time was over."""
        last = self.items[-1] if self.items else None
        return isinstance(last, Traceback) and last.ename == TimeLimit.__name__

    def finished(self) -> list[CellOutput]:
        """The outputs as they are sent."""
        return [Stream(item.name, item.text()) if isinstance(item, _Printed) else item for item in self.items]
