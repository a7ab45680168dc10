"""Every page of the built site, over ``file://``, as a reader with no network sees it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import axe_playwright_python
import pytest

from tools.contents import pages

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text()
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
PHONE = {"width": 390, "height": 844}
DESKTOP = {"width": 1280, "height": 900}
#: Tokens of code that look like one before them become plain text: each kind in each kind of box is looked at once.
ONE_OF_A_KIND = """() => {
    const seen = new Set();
    const again = [...document.querySelectorAll('.highlight span')].filter(token => {
        const box = token.closest('.highlight').parentElement;
        const kind = [token, token.parentElement, box, box.parentElement].map(one => one.className).join('|');
        return seen.has(kind) || !seen.add(kind);
    });
    for (const token of again) token.replaceWith(...token.childNodes);
}"""


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport=DESKTOP, color_scheme="light", reduced_motion="reduce")
    opened = context.new_page()
    yield opened
    context.close()


def use_theme(page: Page, theme: str) -> None:
    """What the theme switch of the page does."""
    page.evaluate("theme => Object.assign(document.documentElement.dataset, {theme, mode: theme})", theme)


def violations(page: Page, kind: str, values: list[str]) -> list[str]:
    """What axe finds with the rules of a tag, or with the rules of a name."""
    found: list[str] = page.evaluate(
        """only => axe.run({runOnly: only, resultTypes: ['violations']}).then(result => result.violations.map(
            v => v.id + ': ' + v.help + ' ' + v.nodes.slice(0, 3).map(n => n.html.slice(0, 160))))""",
        {"type": kind, "values": values},
    )
    return found


@pytest.mark.parametrize("name", pages())
def test_page_asks_nobody_and_reads_well_for_everybody(name: str, page: Page, site: Path) -> None:
    requests, complaints = list[str](), list[str]()
    page.on("request", lambda request: requests.append(request.url))
    page.on("console", lambda message: complaints.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: complaints.append(f"error: {error}"))
    page.goto((site / name).as_uri())
    page.wait_for_load_state("load")
    page.evaluate("window.MathJax && MathJax.startup ? MathJax.startup.promise.then(() => 0) : 0")

    assert [url for url in requests if not url.startswith(("file://", "data:", "blob:"))] == []
    assert [text for text in complaints if text.startswith(("error", "warning"))] == []
    typeset = page.locator("mjx-container").count()
    written = page.locator(".math.notranslate").count()
    assert typeset >= written, f"{written - typeset} formulas were not typeset"
    assert page.locator("mjx-merror, [data-mjx-error]").count() == 0
    broken = "[...document.images].filter(i => i.complete && !i.naturalWidth).map(i => i.src)"
    assert page.evaluate(broken) == []

    page.evaluate("for (const part of document.querySelectorAll('.bd-article details')) part.open = true")
    page.evaluate(ONE_OF_A_KIND)
    page.evaluate(AXE)
    assert violations(page, "tag", WCAG) == []
    use_theme(page, "dark")  # changes the colours and nothing else
    assert violations(page, "rule", ["color-contrast"]) == []
    page.set_viewport_size(PHONE)
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= PHONE["width"], f"the page is {width} px wide on a screen of {PHONE['width']} px"


def test_dark_theme_is_dark(page: Page, site: Path) -> None:
    page.goto((site / "book/index.html").as_uri())
    use_theme(page, "dark")
    background = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")
    assert sum(background[:3]) < 3 * 80


def test_reader_can_switch_the_theme(page: Page, site: Path) -> None:
    page.goto((site / "book/index.html").as_uri())
    seen = set()
    for _ in range(3):
        page.locator("button.theme-switch-button:visible").first.click()
        seen.add(page.evaluate("document.documentElement.dataset.theme"))
    assert seen == {"light", "dark"}


def test_lif_figure_answers_the_keyboard(page: Page, site: Path) -> None:
    page.goto((site / "book/foundations/lif.html").as_uri())
    figure = page.locator("figure:has(input[type=range]), .interactive:has(input[type=range])").first
    said = figure.locator("[aria-live]").first
    before = said.inner_text()
    slider = figure.locator("input[type=range]").first
    slider.focus()
    for _ in range(8):
        page.keyboard.press("ArrowLeft")
    assert said.inner_text() != before
