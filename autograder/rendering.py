"""HTML from templates, which escape what they are given: a course's own ones, otherwise those that come with it.

A teacher changes a page by copying one of ``report/templates`` into the folder ``templates`` of the course and editing it.
"""

from __future__ import annotations

import re
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from autograder.course import CourseError
from autograder.result import number

#: The templates that come with the grader.
SHIPPED = Path(__file__).resolve().parent / "report" / "templates"


def code(text: str) -> Markup:
    """Escaped text in which `words` become code."""
    return Markup(re.sub(r"`([^`\n]+)`", r"<code>\1</code>", escape(text)))


def words(name: str) -> str:
    """An identifier in words."""
    return name.replace("_", " ")


def shown(score: float | None) -> str:
    """A score as text."""
    return "pending" if score is None else number(score)


def percent(share: float | None) -> str:
    """A share between 0 and 1 as text."""
    return "–" if share is None else f"{100 * share:.0f} %"


def duration(seconds: float) -> str:
    """A time span in the two units that matter, such as "1 day 3 hours"."""
    left, parts = int(seconds // 60), []
    for unit, size in (("day", 1440), ("hour", 60), ("minute", 1)):
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count} {unit}{'' if count == 1 else 's'}")
    return " ".join(parts[:2]) or "less than a minute"


@cache
def _environment(folder: Path | None) -> jinja2.Environment:
    folders = [SHIPPED] if folder is None else [folder, SHIPPED]
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folders),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for filter in (number, code, words, shown, percent, duration):
        environment.filters[filter.__name__] = filter
    return environment


def render(template: str, folder: Path | None = None, **fields: Any) -> str:
    """A template filled in.

    Args:
        template: its name, such as ``feedback.html.j2``.
        folder: the course's templates, which win over those that come with the grader; None: only these.
        fields: what it may name.

    Raises:
        CourseError: there is a mistake in the template; the message says where.
    """
    try:
        return _environment(folder).get_template(template).render(fields)
    except jinja2.TemplateSyntaxError as error:
        place = f"{error.filename or error.name or template}, line {error.lineno}"
        raise CourseError(f"the template {place}: {error.message}") from error
    except jinja2.TemplateError as error:
        raise CourseError(f"the template {template}: {error.message or type(error).__name__}") from error
