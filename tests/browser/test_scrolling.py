"""What scrolls can be reached with the keyboard, and a browser's rounding does not scroll (``course.js``)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support import ROOT

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

STATIC = ROOT / "book" / "_static"
KINDS = {
    "formula": '<mjx-container display="true" style="display: block">{}</mjx-container>',
    "displayed": '<div class="math">{}</div>',
    "code": "<pre>{}</pre>",
    "output": '<div class="output text_html">{}</div>',
    "table": '<div class="pst-scrollable-table-container">{}</div>',
    "map": '<div class="course-map">{}</div>',
}
#: Content that is as wide as its box, by a rounding wider, and wider.
EXCESS = (0.0, 0.2, 0.5, 0.7, 1.0, 3.0, 40.0)
#: Pushes every box as far as it goes: {its name: whether it moved, whether the Tab key stops there}.
PUSHED = """() => Object.fromEntries([...document.querySelectorAll('[data-name]')].map(inside => {
    const box = inside.parentElement;
    const style = getComputedStyle(box);
    box.scrollLeft = 1000;
    const moves = box.scrollLeft > 0 && /auto|scroll/.test(style.overflowX);
    return [inside.dataset.name, [moves, box.tabIndex === 0]];
}))"""
DRAWN = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"


@pytest.fixture
def page(browser: Browser, tmp_path: Path) -> Iterator[Page]:
    """A page of the course's style and script with a box of each kind and each excess."""
    boxes = [
        box.format(f'<div data-name="{kind} {excess}" style="width: calc(100% + {excess}px)">1</div>')
        for kind, box in KINDS.items()
        for excess in EXCESS
    ]
    written = tmp_path / "page.html"
    written.write_text(
        f'<!doctype html><link rel="stylesheet" href="{(STATIC / "course.css").as_uri()}">'
        f'<details class="bd-article"><summary>Closed</summary>{"".join(boxes)}</details>'
        f'<script src="{(STATIC / "course.js").as_uri()}"></script>'
    )
    opened = browser.new_page()
    opened.goto(written.as_uri())
    yield opened
    opened.close()


@pytest.mark.parametrize("width", [800, 801.5, 333.3])
def test_a_rounding_does_not_scroll_and_what_scrolls_is_reached(page: Page, width: float) -> None:
    page.evaluate("width => document.querySelector('details').style.width = `${width}px`", width)
    page.locator("summary").click()
    page.evaluate(DRAWN)
    found: dict[str, tuple[bool, bool]] = page.evaluate(PUSHED)
    assert len(found) == len(KINDS) * len(EXCESS)
    assert [name for name, (moves, reached) in found.items() if moves != reached] == []
    scrolling = {name for name, (moves, _) in found.items() if moves}
    assert {f"{kind} {excess}" for kind in KINDS for excess in EXCESS if excess > 2} <= scrolling
    assert not scrolling & {f"{kind} {excess}" for kind in KINDS for excess in EXCESS if excess <= 0.5}


def test_a_box_is_measured_again_when_it_becomes_narrower(page: Page) -> None:
    page.locator("summary").click()
    page.evaluate(
        "for (const inside of document.querySelectorAll('[data-name]')) inside.style.width = '500px'"
    )
    reached = []
    for width in (600, 400, 600):
        page.evaluate("width => document.querySelector('details').style.width = `${width}px`", width)
        page.evaluate(DRAWN)
        reached.append(sum(reached for _, reached in page.evaluate(PUSHED).values()))
    assert reached == [0, len(KINDS) * len(EXCESS), 0]
