"""The map of the course and the table of objectives, made from the pages."""

from __future__ import annotations

import sys
from itertools import combinations
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "book" / "_ext"))

import course_map  # noqa: E402

CHAPTER = """(ch-{0})=
# About {0}

**You need:** {1}

- [{2}-1]{{.objective}} say something;
- [{2}-2]{{.objective}} do something.

```{{exercise}} {2}-1
```
"""


def course(folder: Path, *chapters: tuple[str, str], sets: str = "") -> Path:
    """A course of a few chapters: name and what it needs."""
    (folder / "book" / "learning").mkdir(parents=True)
    for name, needs in chapters:
        text = CHAPTER.format(name, needs, name.upper())
        (folder / "book" / "learning" / f"{name}.md").write_text(text, encoding="utf-8")
    (folder / "book" / "exercises.md").write_text(sets, encoding="utf-8")
    files = [{"file": f"book/learning/{name}"} for name, _ in chapters]
    (folder / "_toc.yml").write_text(
        yaml.safe_dump({"parts": [{"caption": "Learning", "chapters": files}]}), encoding="utf-8"
    )
    return folder


def test_what_a_chapter_needs_is_read_from_its_page(tmp_path: Path) -> None:
    sets = "(sec-ps1)=\n## Problem set 1: spikes\n\n| Read before | {ref}`ch-b` |\n"
    root = course(
        tmp_path, ("a", "nothing"), ("b", "{ref}`ch-a`"), ("c", "{ref}`ch-a`, {ref}`ch-b`"), sets=sets
    )
    found = {stop.label: stop for stop in course_map.stops(root)}
    assert list(found) == ["ch-a", "ch-b", "ch-c", "sec-ps1"]
    assert found["ch-c"].needs == ("ch-a", "ch-b")
    assert found["ch-a"].objectives == (("A-1", "say something"), ("A-2", "do something"))
    assert found["ch-a"].checks == ("A-1",)
    assert found["sec-ps1"].title == "Set 1: spikes"
    assert course_map.reduced(list(found.values())) == {
        "ch-a": (),
        "ch-b": ("ch-a",),
        "ch-c": ("ch-b",),
        "sec-ps1": ("ch-b",),
    }
    assert course_map.columns_of(list(found.values()))["sec-ps1"] == "Problem sets on learning"


def test_a_page_that_does_not_say_what_it_needs_is_refused(tmp_path: Path) -> None:
    root = course(tmp_path, ("a", "nothing"))
    page = root / "book" / "learning" / "a.md"
    page.write_text(page.read_text().replace("You need", "You may want"), encoding="utf-8")
    with pytest.raises(ValueError, match=r"book/learning/a.md: a chapter needs .* 'You need'"):
        course_map.stops(root)


def test_a_set_that_builds_on_a_page_that_is_not_there_is_refused(tmp_path: Path) -> None:
    sets = "(sec-ps1)=\n## Problem set 1: spikes\n\n| Read before | {ref}`ch-z` |\n"
    with pytest.raises(ValueError, match="ch-z is no chapter"):
        course_map.stops(course(tmp_path, ("a", "nothing"), sets=sets))


def test_the_map_has_every_chapter_and_every_set_and_no_box_on_another() -> None:
    found = course_map.stops(ROOT)
    chapters = [page for pages in course_map.pages(ROOT).values() for page in pages]
    assert [stop.page for stop in found if stop.column != course_map.SETS] == chapters
    sets = {path.name.split("_")[0] for path in (ROOT / "solutions").glob("ps*")}
    assert {stop.label.removeprefix("sec-") for stop in found if stop.column == course_map.SETS} == sets
    drawing = ElementTree.fromstring(
        course_map._drawn(found, {stop.label: f"x/{stop.label}" for stop in found})
    )
    assert [a.get("href") for a in drawing.iter("a")] == [f"x/{stop.label}" for stop in found]
    boxes = [(int(r.get("x", "")), int(r.get("y", ""))) for r in drawing.iter("rect")]
    wide, high = course_map.BOX
    assert not any(abs(x - u) < wide and abs(y - v) < high for (x, y), (u, v) in combinations(boxes, 2))
    lines = sum(len(needs) for needs in course_map.reduced(found).values())
    assert len(list(drawing.iter("path"))) == lines >= len(found) - 3


def test_every_objective_is_measured_by_a_self_check_or_a_set() -> None:
    table = course_map.coverage(ROOT)
    names = [name for name, *_ in table]
    assert len(names) == len(set(names)) > 50
    assert [name for name, _, _, checked, sets in table if not checked and not sets] == []
