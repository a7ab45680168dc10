"""What a worker tells the supervisor: a type for each message, with its bounds.

The worker makes these objects, the supervisor decodes them strictly: a field that is missing, unknown, of another
type or out of its bounds refuses the whole message, so what is decoded needs no further check of its form.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

__all__ = [
    "CaseDone",
    "CellDone",
    "CellOutput",
    "Display",
    "Message",
    "ProbeDone",
    "Ready",
    "Stream",
    "Traceback",
    "Value",
]

Count = Annotated[int, Meta(ge=0, lt=1 << 53)]
Name = Annotated[str, Meta(max_length=200)]
Line = Annotated[str, Meta(max_length=10_000)]


class Stream(Struct, frozen=True, forbid_unknown_fields=True, tag_field="output_type", tag="stream"):
    """Printed text."""

    name: Literal["stdout", "stderr"]
    text: str


class Traceback(Struct, frozen=True, forbid_unknown_fields=True, tag_field="output_type", tag="error"):
    """The exception that ended a cell; ``line`` is the notebook's own that raised it."""

    ename: Annotated[str, Meta(max_length=1000)]
    evalue: Line
    traceback: Annotated[list[Line], Meta(max_length=100)]
    line: Line = ""


class Display(Struct, frozen=True, forbid_unknown_fields=True, tag_field="output_type", tag="display_data"):
    """Something displayed, by media type."""

    data: dict[str, str]


class Value(Struct, frozen=True, forbid_unknown_fields=True, tag_field="output_type", tag="execute_result"):
    """The value of a cell's last expression, by media type."""

    data: dict[str, str]


CellOutput = Stream | Traceback | Display | Value


class Ready(Struct, frozen=True, forbid_unknown_fields=True, tag_field="op", tag="ready"):
    """The worker is in its cage."""


class CellDone(Struct, frozen=True, forbid_unknown_fields=True, tag_field="op", tag="cell"):
    """A cell has run. ``id`` is that of the request."""

    id: Count
    status: Literal["ok", "error", "time"]
    outputs: list[CellOutput]


class CaseDone(
    Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, tag_field="op", tag="case"
):
    """What came of call ``index`` of a question: an empty ``kind`` and named arrays, otherwise why there are none.

    The arrays follow the message in the same frame, in the order of their names; ``changed`` are the places of arguments
    that were written into, ``name`` is what ``text`` is about.
    """

    id: Count
    index: Count
    kind: Literal["", "missing", "unanswered", "error", "form"] = ""
    text: Annotated[str, Meta(max_length=5000)] = ""
    name: Name = ""
    arrays: tuple[str, ...] = ()
    changed: Annotated[tuple[Count, ...], Meta(max_length=100)] = ()


class ProbeDone(Struct, frozen=True, forbid_unknown_fields=True, tag_field="op", tag="done"):
    """No more cases of a probe come, as all are done or time is over."""

    id: Count
    status: Literal["ok", "time"]
    printed: Line


Message = Ready | CellDone | CaseDone | ProbeDone
