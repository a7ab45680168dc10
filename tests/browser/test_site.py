"""Every page of the built site, over ``file://``, as a reader with no network sees it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import axe_playwright_python
import pytest
from playwright.sync_api import Browser, Page

from tests.support import SITE, pages

pytestmark = pytest.mark.browser

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text()
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
PHONE = {"width": 390, "height": 844}
DESKTOP = {"width": 1280, "height": 900}


class Visit:
    """A page that was opened, with everything it asked for and complained about."""

    def __init__(self, page: Page, theme: str) -> None:
        self.page, self.requests, self.complaints = page, list[str](), list[str]()
        page.add_init_script(
            f"localStorage.setItem('mode', '{theme}'); localStorage.setItem('theme', '{theme}')"
        )
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("console", lambda message: self.note(message.type, message.text))
        page.on("pageerror", lambda error: self.note("error", str(error)))

    def note(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.complaints.append(f"{kind}: {text}")

    def open(self, name: str) -> Page:
        self.page.goto((SITE / name).as_uri())
        self.page.wait_for_load_state("networkidle")
        self.page.evaluate("window.MathJax && MathJax.startup ? MathJax.startup.promise : null")
        return self.page


@pytest.fixture
def visit(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Visit]:
    theme, size = request.param
    context = browser.new_context(viewport=size, color_scheme=theme, reduced_motion="reduce")
    yield Visit(context.new_page(), theme)
    context.close()


def each(*looks: tuple[str, dict[str, int]]) -> pytest.MarkDecorator:
    names = [f"{theme}-{size['width']}" for theme, size in looks]
    return pytest.mark.parametrize("visit", looks, indirect=True, ids=names)


@pytest.mark.parametrize("name", pages())
@each(("light", DESKTOP), ("dark", DESKTOP))
def test_page_is_complete_accessible_and_asks_nobody(name: str, visit: Visit) -> None:
    page = visit.open(name)
    outside = [url for url in visit.requests if not url.startswith(("file://", "data:", "blob:"))]
    assert outside == []
    assert visit.complaints == []

    typeset = page.locator("mjx-container").count()
    written = page.locator(".math.notranslate").count()
    assert typeset >= written, f"{written - typeset} formulas were not typeset"
    assert page.locator("mjx-merror, [data-mjx-error]").count() == 0
    broken = page.evaluate("[...document.images].filter(i => i.complete && !i.naturalWidth).map(i => i.src)")
    assert broken == []

    page.evaluate(AXE)
    found = page.evaluate(
        "tags => axe.run({runOnly: {type: 'tag', values: tags}})"
        ".then(r => r.violations.map(v => v.id + ': ' + v.help + ' ' + v.nodes.slice(0, 3).map(n => n.html.slice(0, 160))))",
        WCAG,
    )
    assert found == []


@pytest.mark.parametrize("name", pages())
@each(("light", PHONE))
def test_page_fits_a_phone(name: str, visit: Visit) -> None:
    page = visit.open(name)
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= PHONE["width"], f"the page is {width} px wide on a screen of {PHONE['width']} px"


@each(("dark", DESKTOP))
def test_dark_theme_is_dark(visit: Visit) -> None:
    page = visit.open("index.html")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    background = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")
    assert sum(background[:3]) < 3 * 80
