"""The message a student reads after a check: the same words as plain text and as HTML."""

from __future__ import annotations

from autograder.result import GroupResult, Result, Said, number

_PRINTED = 400


def _points(value: float) -> str:
    return f"{number(value)} point{'' if value == 1 else 's'}"


def _slip(said: Said) -> str:
    """A slip's sentence."""
    return said.sentence if said.sure else f"Perhaps: {said.sentence}"


def _ended(sentence: str) -> str:
    """With a full stop, unless it has an end of its own."""
    return sentence if sentence.endswith((".", "!", "?")) else f"{sentence}."


def said(result: Result) -> list[tuple[GroupResult, list[str]]]:
    """Groups with their sentences; what was said for an earlier group is not said again."""
    before: set[str] = set()
    shown = []
    for group in result.groups:
        sentences = []
        if group.failure is not None:
            kind, what = group.failure.kind, group.failure.sentence
            label = "" if kind in ("missing", "unanswered") else group.failure.label
            again = what in before
            if label or not again:
                sentence = "the same as above." if again else _ended(what)
                sentences.append(f"{label}: {sentence}" if label else sentence)
            slip = [_slip(group.slip)] if group.slip is not None else []
            sentences += [one for one in slip if one not in before]
            before.update([what, *slip])
        shown.append((group, sentences))
    return shown


def printed(result: Result) -> str:
    """The beginning of what the student's code printed."""
    return result.printed.strip()[:_PRINTED]


def next_hint(result: Result) -> int:
    """The hint that can be asked for next; 0 where there is none, or no need of one."""
    asked, there = len(result.hints), result.hints_there
    return asked + 1 if result.score < result.points and asked < there else 0


def plain(result: Result) -> str:
    """The message as text."""
    lines = [f"{result.title}: {number(result.score)} of {_points(result.points)} ({result.question})"]
    for group, sentences in said(result):
        mark = "right" if group.failure is None else "not yet"
        lines.append(f"  [{mark}] {group.title}: {number(group.score)} of {number(group.points)}")
        lines.extend(f"      {sentence}" for sentence in sentences)
    lines.extend(f"  {remark}" for remark in result.remarks)
    if printed(result):
        lines.append(f"  Your code printed: {printed(result)}")
    lines.extend(f"  Hint {level}. {hint}" for level, hint in enumerate(result.hints, start=1))
    if level := next_hint(result):
        what = "a hint" if level == 1 else "the next hint"
        lines.append(f'  check("{result.question}", hint={level}) shows {what}.')
    return "\n".join(lines)


def html(result: Result) -> str:
    """The message as HTML, from the template ``message.html.j2``."""
    from autograder.rendering import render

    return render(
        "message.html.j2",
        result=result,
        said=said(result),
        printed=printed(result),
        next_hint=next_hint(result),
    )
