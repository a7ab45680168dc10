"""Sphinx extension of the book: the pages of the API reference, links in docstrings, and provenance lines.

One page for each public module of ``snnkit`` is written to ``book/reference/api/`` before Sphinx looks for
its sources, so that a new module cannot be forgotten.  The pages are derived and not kept in the repository.
"""

from __future__ import annotations

import ast
import json
import pkgutil
import re
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from docutils.statemachine import StringList
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
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


def reexported(module: str) -> list[str]:
    """Full names of what a package hands on from its public modules."""
    if source_of(module).name != "__init__.py":
        return []
    tree = ast.parse(source_of(module).read_text(encoding="utf-8"))
    origins = [
        node for node in tree.body if isinstance(node, ast.ImportFrom) and node.module in public_modules()
    ]
    return sorted(f"{node.module}.{name.name}" for node in origins for name in node.names)


def source_of(module: str) -> Path:
    """File that a public module is read from."""
    path = Path(next(iter(snnkit.__path__))).joinpath(*module.split(".")[1:])
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _api_page(module: str) -> str:
    text = (
        f"({anchor(module)})=\n# {module}\n\n```{{eval-rst}}\n.. automodule:: {module}\n   :members:\n```\n"
    )
    names = reexported(module)
    if names:
        links = ", ".join(f"{{py:obj}}`~{name}`" for name in names)
        text += f"\nDescribed on the pages of their modules, and importable from `{module}` too: {links}.\n"
    return text


def _skip_member(app: Sphinx, what: str, name: str, obj: object, skip: bool, options: object) -> bool | None:
    """Leave out fields of named tuples, and in a package what one of its public modules describes."""
    del name, skip, options
    here = app.env.temp_data.get("autodoc:module")
    origin = getattr(obj, "__module__", None)
    elsewhere = what == "module" and origin != here and origin in public_modules()
    return True if elsewhere or type(obj).__name__ == "_tuplegetter" else None


ANNOTATED = re.compile(r"~?[\w.]*\bAnnotated\[(.+?), <[^<>]+ object at 0x[0-9a-f]+>\]")


def _readable_signature(
    app: Sphinx,
    what: str,
    name: str,
    obj: object,
    options: object,
    signature: str | None,
    returns: str | None,
) -> tuple[str, str | None] | None:
    """Types without what a command line reads from them, and ... for a default that is made anew for each call.

    An enumeration is shown without the call that looks up its members.
    """
    del app, what, name, options
    if isinstance(obj, type) and issubclass(obj, Enum):
        return "", None
    if signature is None:
        return None
    return ANNOTATED.sub(r"\1", signature).replace("<factory>", "..."), returns


def _resolve_reexport(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.TextElement
) -> nodes.Element | None:
    """Lead a reference to ``snnkit.package.name`` to the module of the package that describes it."""
    target = str(node.get("reftarget", ""))
    package, _, name = target.rpartition(".")
    if node.get("refdomain") != "py" or package not in public_modules():
        return None
    described = [full for full in reexported(package) if full.rpartition(".")[2] == name]
    if not described:
        return None
    found = env.domains["py"].resolve_xref(
        env, node["refdoc"], app.builder, node["reftype"], described[0], node, content
    )
    return found if isinstance(found, nodes.Element) else None


def _plain_text(app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """Let docstrings be plain text: what is no code and no formula has no mark-up that could misfire."""
    del app, what, name, obj, options
    borders = [index for index, line in enumerate(lines) if re.fullmatch(r"\s*=+( +=+)+\s*", line)]
    table = range(borders[0], borders[-1]) if borders else range(0)
    inside = None  # indentation of the literal or formula block that the line is in
    for index, line in enumerate(lines):
        indent = len(line) - len(line.lstrip())
        if inside is not None and line.strip() and indent <= inside:
            inside = None
        if index in table or inside is not None or line.lstrip().startswith((">>>", "..")):
            pass
        elif line.startswith("Source: "):
            lines[index] = f"**Source:** {_escape(line.removeprefix('Source: '))}"
        else:
            lines[index] = _escape(line)
        if inside is None and (line.rstrip().endswith("::") or line.lstrip().startswith(".. math::")):
            inside = indent


def _escape(line: str) -> str:
    marked = r"(:[a-z:]+:`[^`]+`|``.+?``|`[^`]+`|(?<![\w*])\*[^\s*][^*]*(?<!\s)\*(?![\w*]))"
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


class Provenance(SphinxDirective):
    """A line under a result of ``experiments/results/NAME.json``: what has to be known to repeat it."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the line."""
        source = Path(self.env.srcdir) / "experiments" / "results" / f"{self.arguments[0]}.json"
        if not source.is_file():
            raise self.error(f"there is no result file {source.name}; run the experiment first")
        self.env.note_dependency(str(source))
        holder = nodes.container(classes=["provenance"])
        text = provenance_line(json.loads(source.read_text(encoding="utf-8"))["provenance"])
        self.state.nested_parse(StringList([text], self.get_source_info()[0]), self.content_offset, holder)
        return list(holder.children)


def provenance_line(record: dict[str, Any]) -> str:
    """Command, date, seed, time, hardware, versions and data of a result, as one line of Markdown."""
    versions = ", ".join(f"{name} {version}" for name, version in record["versions"].items())
    data = ", ".join(f"`{name}` {digest[:12]}" for name, digest in record["data_sha256"].items())
    hardware = record["hardware"].replace("1 thread(s)", "1 thread")  # as older results have it
    return (
        f"*Source: `{record['command']}`, finished {record['finished']}; seed {record['seed']}; "
        f"{record['wall_time_s'] / 60:.0f} minutes on {hardware}; {versions}. "
        f"Data (beginning of the SHA-256): {data or 'none'}.*"
    )


def summary(module: str) -> str:
    """First sentence of a module's docstring, read from its source."""
    text = ast.get_docstring(ast.parse(source_of(module).read_text(encoding="utf-8"))) or ""
    return text.split("\n\n")[0].replace("\n", " ").replace("``", "`").replace("|", "\\|")


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the extension; called by Sphinx."""
    write_api_pages(Path(app.srcdir))
    app.connect("autodoc-process-docstring", _plain_text, priority=400)
    app.connect("autodoc-process-signature", _readable_signature)
    app.connect("missing-reference", _resolve_reexport)
    app.connect("autodoc-skip-member", _skip_member)
    app.add_directive("interactive", InteractiveFigure)
    app.add_directive("api-overview", ApiOverview)
    app.add_directive("provenance", Provenance)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
