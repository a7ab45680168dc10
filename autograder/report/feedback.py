"""A student's page: points, the checks' messages, hints, a person's comments; no test and no reference in it.

What a check says was composed where the points were given: titles, one element that differs, the sentence of a
recognised misconception. This page repeats it and adds the first hint, which every student can ask for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape

from autograder.checks.core import number
from autograder.report.page import code, page, table
from autograder.results import QuestionGrade, StudentGrade

_PART = re.compile(r"  \[(right|not yet)\] (.*)")


def shown(score: float | None) -> str:
    """A score as text."""
    return "pending" if score is None else number(score)


def duration(seconds: float) -> str:
    """A time span in the two units that matter, such as "1 day 3 hours"."""
    left, parts = int(seconds // 60), []
    for unit, size in (("day", 1440), ("hour", 60), ("minute", 1)):
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count} {unit}{'' if count == 1 else 's'}")
    return " ".join(parts[:2]) or "less than a minute"


def _title(name: str, message: str) -> str:
    """The question's title, which begins the check's message, or its name in words."""
    first = re.match(r"(.+): \S+ of \S+ points? \(\S+\)$", message.split("\n", 1)[0])
    return first.group(1) if first else name.replace("_", " ").capitalize()


def _message(text: str, hinted: bool) -> str:
    """A check's plain message as a list of its parts; text of another form is shown as it is."""
    lines = text.split("\n")
    if not any(_PART.match(line) for line in lines):
        return f"<pre>{escape(text)}</pre>"
    items: list[str] = []
    after: list[str] = []
    for line in lines[1:]:
        part = _PART.match(line)
        if part and not after:
            kind = "right" if part[1] == "right" else "wrong"
            items.append(
                f'<li class="{kind}"><span class="mark">{part[1]}</span> · {code(part[2])}'.replace("\n", " ")
            )
        elif line.startswith("      ") and items and not after:
            items[-1] += f"<p>{code(line.strip())}</p>"
        elif not (hinted and re.match(r'  check\(".*", hint=1\) shows a hint\.$', line)):
            after.append(line)
    listed = "".join(f"{item}</li>" for item in items)
    rest = "\n".join(after).strip()
    return f'<ul class="parts">{listed}</ul>' + (f"<pre>{escape(rest)}</pre>" if rest else "")


def _question(name: str, one: QuestionGrade, comment: str) -> str:
    body = [
        f'<section class="part"><h2 id="{escape(name)}">{code(_title(name, one.message))}: '
        f"{shown(one.score)} of {number(one.points)}</h2>"
    ]
    lost = one.score is not None and one.score < one.points
    if one.score is None:
        body.append("<p>A person reads this answer; its points are pending.</p>")
    if one.message:
        body.append(_message(one.message, lost and bool(one.hint)))
    if lost and one.hint:
        body.append(f'<p class="note"><strong>Hint.</strong> {code(one.hint)}</p>')
    if comment:
        body.append(f'<div class="note"><strong>Comment.</strong> <pre>{escape(comment)}</pre></div>')
    return "".join([*body, "</section>"])


def _total(grade: StudentGrade) -> str:
    most = sum(one.points for one in grade.questions.values())
    lines = [f'<p class="sum">{number(grade.score)} of {number(most)} points</p>']
    if grade.pending:
        lines.append(
            f"<p>Pending: {number(grade.pending)}. A person reads those answers, and the score can still rise.</p>"
        )
    if grade.late_s > 0:
        taken = f"{number(grade.penalty) if grade.penalty else 'nothing'} was taken off for that"
        lines.append(f"<p>Handed in {duration(grade.late_s)} after the due time; {taken}.</p>")
    elif grade.penalty:
        lines.append(f"<p>{number(grade.penalty)} was taken off for handing in late.</p>")
    if grade.group:
        lines.append(
            f"<p>This is the work of the group {escape(grade.group)}; all its members get this grade.</p>"
        )
    lines.extend(f"<p>{code(remark[:1].upper() + remark[1:])}.</p>" for remark in grade.remarks)
    lines.extend(
        f"<p>A cell was stopped: <code>{escape(str(entry['cell']))}</code>, {escape(str(entry['reason'] or entry['status']))}."
        "</p>"
        for entry in grade.trouble
    )
    return "".join(lines)


def feedback(problem_set: str, grade: StudentGrade, comments: Mapping[str, str] | None = None) -> bytes:
    """A student's page. No request leaves it, and nothing of it runs.

    Args:
        problem_set: its name.
        grade: what the student got.
        comments: what a person wrote in nbgrader's form grader, by cell.

    Returns:
        The HTML file.
    """
    said = dict(comments or {})
    title = f"{problem_set}: feedback for {grade.student}"
    if grade.problem:
        return page(title, f"<h1>{escape(title)}</h1><p>Not graded: {escape(grade.problem)}.</p>")
    rows = [
        [
            f'<a href="#{escape(name)}">{code(_title(name, one.message))}</a>',
            shown(one.score),
            number(one.points),
        ]
        for name, one in grade.questions.items()
    ]
    total = sum(one.points for one in grade.questions.values())
    foot = ["Total", number(grade.score), number(total)]
    if grade.penalty:
        rows.append(["Late penalty", f"−{number(grade.penalty)}", ""])
    parts = "".join(_question(name, one, said.pop(name, "")) for name, one in grade.questions.items())
    other = "".join(
        f'<div class="note"><strong>{escape(name.replace("_", " "))}.</strong> <pre>{escape(text)}</pre></div>'
        for name, text in said.items()
        if text
    )
    body = (
        f"<h1>{escape(title)}</h1>{_total(grade)}"
        f"{table('Points by question', ['question', 'score', 'of'], rows, numbers=(1, 2), foot=foot)}{parts}"
        + (f'<section class="part"><h2>More comments</h2>{other}</section>' if other else "")
    )
    return page(title, body)
