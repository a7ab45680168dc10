"""Sphinx extension of the book: the map of the course and the table of its objectives, made from the pages.

A chapter names what it needs in its line "You need", a problem set in its row "Read before"; objectives stand in the
list at the head of a chapter, their self-checks are its exercises, and a problem set's source names those it asks for.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape
from pathlib import Path

import yaml
from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from autograder.proof.overview import objectives_of_sets, sources_of_table

CHAPTERS = ("foundations", "learning", "conversion")
EXERCISES = "book/exercises"
#: Columns of the map, so that lines join neighbours only; a problem set stands beside what it builds on.
COLUMNS = ("Problem sets on learning", "Learning", "Foundations", "Conversion", "Problem sets on conversion")
SETS = "Problem sets"
BOX, GAP, TOP = (160, 44), (22, 18), 30


@dataclass(frozen=True)
class Stop:
    """One box of the map.

    Args:
        label: what references to it say.
        title: its heading.
        page: the document, without suffix.
        anchor: within the document; empty for a whole page.
        column: the part of the course.
        needs: labels of the boxes before it.
        objectives: of a chapter, with their sentences.
        checks: of a chapter, the objectives that a self-check measures.
    """

    label: str
    title: str
    page: str
    anchor: str
    column: str
    needs: tuple[str, ...]
    objectives: tuple[tuple[str, str], ...] = ()
    checks: tuple[str, ...] = ()


def _references(text: str) -> list[str]:
    return re.findall(r"\{ref\}`(?:[^`<]*<)?([\w-]+)>?`", text)


def _chapter(root: Path, page: str, column: str, owner: dict[str, str]) -> Stop:
    text = (root / f"{page}.md").read_text(encoding="utf-8")
    title = re.search(r"^\((ch-[\w-]+)\)=\n# (.+)$", text, flags=re.M)
    needs = re.search(r"^\*\*You need:\*\* (.+)$", text, flags=re.M)
    if title is None or needs is None:
        raise ValueError(f"{page}.md: a chapter needs a label, a heading and a line 'You need'")
    before = dict.fromkeys(owner[name] for name in _references(needs[1]) if owner.get(name, page) != page)
    labels = tuple(re.search(r"^\((ch-[\w-]+)\)=", _text(root, other), flags=re.M)[1] for other in before)  # type: ignore[index]
    return Stop(
        label=title[1],
        title=title[2],
        page=page,
        anchor="",
        column=column,
        needs=labels,
        objectives=tuple(re.findall(r"^- \[([A-Z]+-\d+)\]\{\.objective\} (.+?)[;.]?$", text, flags=re.M)),
        checks=tuple(re.findall(r"^```\{exercise\} ([A-Z]+-\d+)$", text, flags=re.M)),
    )


def _text(root: Path, page: str) -> str:
    return (root / f"{page}.md").read_text(encoding="utf-8")


def pages(root: Path) -> dict[str, list[str]]:
    """Documents of the chapters by part, in the order of the contents."""
    contents = yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8"))
    found: dict[str, list[str]] = {}
    for part in contents["parts"]:
        names = [chapter["file"] for chapter in part["chapters"] if "file" in chapter]
        chapters = [name for name in names if Path(name).parent.name in CHAPTERS]
        if chapters:
            found[part["caption"]] = chapters
    return found


def stops(root: Path) -> list[Stop]:
    """Chapters and problem sets, in the order of the contents.

    Raises:
        ValueError: a page names something to read before that is neither a chapter nor a set.
    """
    by_part = pages(root)
    owner = {
        label: page
        for chapters in by_part.values()
        for page in chapters
        for label in re.findall(r"^\(([\w-]+)\)=", _text(root, page), flags=re.M)
    }
    found = [_chapter(root, page, part, owner) for part, chapters in by_part.items() for page in chapters]
    sections = re.split(r"^\((sec-ps\d+)\)=\n## (.+)$", _text(root, EXERCISES), flags=re.M)[1:]
    for label, title, body in zip(sections[::3], sections[1::3], sections[2::3], strict=True):
        row = re.search(r"^\| Read before \| (.+) \|$", body, flags=re.M)
        needs = tuple(name for name in _references(row[1] if row else "") if name.startswith("ch-"))
        title = f"Set {title.removeprefix('Problem set ')}"
        found.append(Stop(label, title, EXERCISES, label, SETS, needs))
    known = {stop.label for stop in found}
    for stop in found:
        unknown = set(stop.needs) - known
        if unknown:
            raise ValueError(f"{stop.page}: {min(unknown)} is no chapter of the course")
    return found


def reduced(found: list[Stop]) -> dict[str, tuple[str, ...]]:
    """What each box needs directly: what another of its needs needs already is left out."""
    needs = {stop.label: stop.needs for stop in found}

    def all_before(label: str) -> set[str]:
        return {earlier for before in needs[label] for earlier in {before, *all_before(before)}}

    return {
        label: tuple(one for one in own if not any(one in all_before(other) for other in own if other != one))
        for label, own in needs.items()
    }


def columns_of(found: list[Stop]) -> dict[str, str]:
    """The column of each box."""
    part = {stop.label: stop.column for stop in found}
    needs = reduced(found)
    return {
        stop.label: next(
            (
                name
                for name in COLUMNS
                if any(name == f"Problem sets on {part[one].lower()}" for one in needs[stop.label])
            ),
            "Foundations",
        )
        if stop.column == SETS
        else stop.column
        for stop in found
    }


def _lines(title: str, width: int = 22) -> list[str]:
    """A title in at most two lines; what follows its last comma is left out where it would not fit."""
    lines = [""]
    for word in title.split():
        if lines[-1] and len(lines[-1]) + 1 + len(word) > width and len(lines) < 2:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    shorter = title.rpartition(",")[0]
    return _lines(shorter, width) if len(lines[-1]) > width + 3 and shorter else lines


def _drawn(found: list[Stop], link: dict[str, str]) -> str:
    """The map as an SVG: a column for each part, a line from each page to those that build on it."""
    column, needs = columns_of(found), reduced(found)
    columns = [name for name in COLUMNS if name in column.values()]
    at: dict[str, tuple[int, int]] = {}
    heights = dict.fromkeys(columns, 0)
    for stop in found:
        x = columns.index(column[stop.label]) * (BOX[0] + GAP[0]) + 14
        at[stop.label] = x, TOP + heights[column[stop.label]] * (BOX[1] + GAP[1])
        heights[column[stop.label]] += 1
    width = len(columns) * (BOX[0] + GAP[0]) - GAP[0] + 28
    height = TOP + max(heights.values()) * (BOX[1] + GAP[1])
    lines, boxes = [], []
    for stop in found:
        x, y = at[stop.label]
        for before in needs[stop.label]:
            a, b = at[before]
            middle = BOX[1] // 2
            if a == x:
                path = f"M{a} {b + middle}c-14 0 -14 {y - b} 0 {y - b}"
            else:
                start, end = (a + BOX[0], x) if a < x else (a, x + BOX[0])
                bend = (end - start) // 2
                path = f"M{start} {b + middle}c{bend} 0 {end - start - bend} {y - b} {end - start} {y - b}"
            lines.append(f'<path d="{path}"/>')
        words = _lines(stop.title)
        first = y + BOX[1] / 2 + 4 - 7.5 * (len(words) - 1)
        text = "".join(
            f'<tspan x="{x + 10}" y="{first + 15 * number:g}">{escape(word)}</tspan>'
            for number, word in enumerate(words)
        )
        kind = ' class="set"' if stop.column == SETS else ""
        boxes.append(
            f'<a href="{escape(link[stop.label])}"{kind}><rect x="{x}" y="{y}" width="{BOX[0]}" height="{BOX[1]}" rx="6"/>'
            f"<text>{text}</text></a>"
        )
    heads = "".join(
        f'<text class="part" x="{number * (BOX[0] + GAP[0]) + 14}" y="16">{escape(name)}</text>'
        for number, name in enumerate(columns)
    )
    return (
        f'<nav class="course-map" aria-label="Map of the course" tabindex="0">'
        f'<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}">'
        f'{heads}<g class="needs" aria-hidden="true">{"".join(lines)}</g>{"".join(boxes)}</svg></nav>'
    )


class CourseMap(SphinxDirective):
    """The map: what builds on what."""

    def run(self) -> list[nodes.Node]:
        """Return the drawing."""
        root = Path(self.env.srcdir)
        found = stops(root)
        self.env.note_dependency(str(root / "_toc.yml"))
        for page in {stop.page for stop in found}:
            self.env.note_dependency(str(root / f"{page}.md"))
        builder, here = self.env.app.builder, self.env.docname
        link = {
            stop.label: builder.get_relative_uri(here, stop.page) + (f"#{stop.anchor}" if stop.anchor else "")
            for stop in found
        }
        return [nodes.raw("", _drawn(found, link), format="html")]


def coverage(root: Path) -> list[tuple[str, str, str, bool, tuple[str, ...]]]:
    """Each objective: its id, its sentence, the label of its page, whether a self-check measures it, and the sets."""
    asked: dict[str, list[str]] = {}
    for name, objectives in objectives_of_sets(root).items():
        for objective in objectives:
            asked.setdefault(objective, []).append(name.split("_")[0])
    return [
        (name, sentence, stop.label, name in stop.checks, tuple(asked.get(name, ())))
        for stop in stops(root)
        for name, sentence in stop.objectives
    ]


class Coverage(SphinxDirective):
    """The objectives: where each is taught, and what measures it."""

    def run(self) -> list[nodes.Node]:
        """Return the table.

        An objective that nothing measures is an error.
        """
        root = Path(self.env.srcdir)
        for source in [*sources_of_table(root), *(root / f"{stop.page}.md" for stop in stops(root))]:
            self.env.note_dependency(str(source))
        rows = ["| objective | you can | taught in | self-check | problem sets |", "|---|---|---|---|---|"]
        for name, sentence, label, checked, sets in coverage(root):
            if not checked and not sets:
                raise self.error(f"{name}: no self-check and no problem set measures it")
            where = ", ".join(f"{{ref}}`{one} <sec-{one}>`" for one in sets) or "–"
            rows.append(f"| {name} | {sentence} | {{ref}}`{label}` | {'yes' if checked else '–'} | {where} |")
        holder = nodes.container()
        self.state.nested_parse(StringList(rows, self.get_source_info()[0]), self.content_offset, holder)
        return list(holder.children)


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the extension; called by Sphinx."""
    app.add_directive("course-map", CourseMap)
    app.add_directive("coverage", Coverage)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
