"""Sphinx extension of the book: the pages of the API reference, and links in docstrings.

One page for each public module of ``snnkit`` is written to ``book/reference/api/`` before Sphinx looks for
its sources, so that a new module cannot be forgotten.  The pages are derived and not kept in the repository.
"""

from __future__ import annotations

import ast
import pkgutil
import re
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

import snnkit

PAGES = Path("book/reference/api")


@cache
def public_modules() -> list[str]:
    """Names of the modules of ``snnkit`` that a user may import, in alphabetical order."""
    names = [
        module.name
        for module in pkgutil.walk_packages(snnkit.__path__, "snnkit.")
        if not any(part.startswith("_") for part in module.name.split("."))
    ]
    return sorted(names)


def page_name(module: str) -> str:
    """Name of a module's page, without suffix: ``conversion.errors`` for ``snnkit.conversion.errors``."""
    return module.removeprefix("snnkit.").replace(".", "-")


def anchor(module: str) -> str:
    """Label of a module's page."""
    return f"api-{page_name(module)}"


def write_api_pages(root: Path) -> None:
    """Write a page for each public module, leave the unchanged ones untouched and remove the stale ones."""
    folder = root / PAGES
    folder.mkdir(parents=True, exist_ok=True)
    wanted = {f"{page_name(module)}.md": _api_page(module) for module in public_modules()}
    for stale in set(folder.glob("*.md")) - {folder / name for name in wanted}:
        stale.unlink()
    for name, text in wanted.items():
        page = folder / name
        if not page.exists() or page.read_text(encoding="utf-8") != text:
            page.write_text(text, encoding="utf-8")


def _api_page(module: str) -> str:
    return (
        f"({anchor(module)})=\n# `{module}`\n\n```{{eval-rst}}\n.. automodule:: {module}\n   :members:\n```\n"
    )


def _plain_text(app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """Let docstrings be plain text: what is no code and no formula has no mark-up that could misfire."""
    del app, what, name, obj, options
    inside = None  # indentation of the literal or formula block that the line is in
    for index, line in enumerate(lines):
        indent = len(line) - len(line.lstrip())
        if inside is not None and line.strip() and indent <= inside:
            inside = None
        if inside is not None or line.lstrip().startswith((">>>", "..")):
            pass
        elif line.startswith("Source: "):
            lines[index] = f"**Source:** {_escape(line.removeprefix('Source: '))}"
        else:
            lines[index] = _escape(line)
        if inside is None and (line.rstrip().endswith("::") or line.lstrip().startswith(".. math::")):
            inside = indent


def _escape(line: str) -> str:
    marked = r"(:[a-z:]+:`[^`]+`|``.+?``|`[^`]+`)"
    parts = re.split(marked, line)
    for index, part in enumerate(parts):
        if index % 2 == 0:
            parts[index] = re.sub(r"(?<!\\)[|*]|(?<=\w)_(?!\w)", r"\\\g<0>", part)
        elif part.startswith("`") and not part.startswith("``"):
            parts[index] = f"`{part}`"
    bullet = re.match(r"(\s*)\\\* ", line_out := "".join(parts))
    return line_out.replace("\\*", "*", 1) if bullet else line_out


class InteractiveFigure(SphinxDirective):
    """A numbered figure that the script ``_static/figures/NAME.js`` draws; the content is its caption."""

    required_arguments = 1
    has_content = True
    option_spec: ClassVar[dict[str, Any]] = {"name": directives.unchanged_required}

    def run(self) -> list[nodes.Node]:
        """Return the figure with its caption."""
        name = self.arguments[0]
        up = "../" * self.env.docname.count("/")
        html = (
            f'<div class="interactive" data-figure="{name}"><p>This figure needs JavaScript.</p></div>'
            f'<script defer src="{up}_static/figures/{name}.js"></script>'
        )
        figure = nodes.figure("", nodes.raw("", html, format="html"))
        text, messages = self.state.inline_text(" ".join(self.content), self.lineno)
        figure += nodes.caption("", "", *text)
        self.set_source_info(figure)
        self.add_name(figure)
        return [figure, *messages]


class ApiOverview(SphinxDirective):
    """A table of the public modules, each with the first sentence of its docstring."""

    def run(self) -> list[nodes.Node]:
        """Return the table."""
        rows = ["| module | what is in it |", "|---|---|"]
        rows += [
            f"| {{ref}}`{module} <{anchor(module)}>` | {summary(module)} |" for module in public_modules()
        ]
        holder = nodes.container()
        self.state.nested_parse(StringList(rows, self.get_source_info()[0]), self.content_offset, holder)
        return list(holder.children)


def summary(module: str) -> str:
    """First sentence of a module's docstring, read from its source."""
    root = Path(next(iter(snnkit.__path__)))
    path = root.joinpath(*module.split(".")[1:])
    source = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    text = ast.get_docstring(ast.parse(source.read_text(encoding="utf-8"))) or ""
    return text.split("\n\n")[0].replace("\n", " ").replace("``", "`").replace("|", "\\|")


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the extension; called by Sphinx."""
    write_api_pages(Path(app.srcdir))
    app.connect("autodoc-process-docstring", _plain_text, priority=400)
    app.add_directive("interactive", InteractiveFigure)
    app.add_directive("api-overview", ApiOverview)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
