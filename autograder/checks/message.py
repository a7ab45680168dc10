"""The message a student reads after a check: the same words as plain text and as HTML."""

from __future__ import annotations

import re
from html import escape

from autograder.checks.core import number
from autograder.result import GroupResult, Result

_PRINTED = 400


def _points(value: float) -> str:
    return f"{number(value)} point{'' if value == 1 else 's'}"


def _verdict(group: GroupResult) -> list[str]:
    """The sentences under one group."""
    if group.failure is None:
        return []
    label = "" if group.failure.kind in ("missing", "unanswered") else group.failure.label
    slip = [group.slip.sentence] if group.slip is not None else []
    return [f"{f'{label}: ' if label else ''}{group.failure.sentence}.", *slip]


def _shown_once(result: Result) -> list[tuple[GroupResult, list[str]]]:
    """Groups with their sentences; a sentence said for an earlier group is not said again."""
    said: set[str] = set()
    shown = []
    for group in result.groups:
        fresh = [sentence for sentence in _verdict(group) if sentence not in said]
        said.update(fresh)
        shown.append((group, fresh))
    return shown


def _invitation(result: Result) -> str:
    if result.score == result.points or len(result.hints) == 3:
        return ""
    level = len(result.hints) + 1
    return f'check("{result.question}", hint={level}) shows {"a hint" if level == 1 else "the next hint"}.'


def plain(result: Result) -> str:
    """The message as text."""
    lines = [f"{result.title}: {number(result.score)} of {_points(result.points)} ({result.question})"]
    for group, sentences in _shown_once(result):
        mark = "right" if group.failure is None else "not yet"
        lines.append(f"  [{mark}] {group.title}: {number(group.score)} of {number(group.points)}")
        lines.extend(f"      {sentence}" for sentence in sentences)
    if result.printed.strip():
        lines.append(f"  Your code printed: {result.printed.strip()[:_PRINTED]}")
    lines.extend(f"  Hint {level}. {hint}" for level, hint in enumerate(result.hints, start=1))
    if _invitation(result):
        lines.append(f"  {_invitation(result)}")
    return "\n".join(lines)


def _code(text: str) -> str:
    """Escaped text in which `words` become code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))


def html(result: Result) -> str:
    """The message as HTML; colours follow the page (no fixed text colour), marks are words and not only colours."""
    edge = "#1a7f37" if result.score == result.points else "#b35900"
    items = []
    for group, sentences in _shown_once(result):
        mark = "right" if group.failure is None else "not yet"
        inner = "".join(f"<div style='margin-left:1.2em'>{_code(sentence)}</div>" for sentence in sentences)
        items.append(
            f"<div><strong>{mark}</strong> · {_code(group.title)} "
            f"({number(group.score)} of {number(group.points)}){inner}</div>"
        )
    if result.printed.strip():
        items.append(f"<div>Your code printed:<pre>{escape(result.printed.strip()[:_PRINTED])}</pre></div>")
    items.extend(
        f"<div><em>Hint {level}.</em> {_code(hint)}</div>" for level, hint in enumerate(result.hints, start=1)
    )
    if _invitation(result):
        items.append(
            f"<div><code>{escape(_invitation(result).split(' shows')[0])}</code> shows "
            f"{escape(_invitation(result).split(' shows ')[1])}</div>"
        )
    return (
        f"<div role='status' style='border-left:4px solid {edge};padding:0.2em 0.8em'>"
        f"<div><strong>{_code(result.title)}: {number(result.score)} of {_points(result.points)}</strong> "
        f"<code>{escape(result.question)}</code></div>{''.join(items)}</div>"
    )
