"""The project: one rubric for the page and both score sheets, and slides that build and run without a network."""

from __future__ import annotations

import csv
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tools import project

BUILT = "slides.slides.html"


def columns(name: str) -> list[str]:
    with (project.TARGET / name).open(newline="", encoding="utf-8") as file:
        return next(csv.reader(file))


def test_the_files_are_what_their_sources_give():
    done = CliRunner().invoke(project.app, ["--check"])
    assert (done.exit_code, done.output) == (0, "")


def test_a_stale_file_is_named(monkeypatch):
    old = project.TARGET / "peer_sheet.csv"
    monkeypatch.setattr(project, "files", lambda: {old: b"older\n"})
    done = CliRunner().invoke(project.app, ["--check"])
    assert done.exit_code == 1
    assert done.output == "exercises/project/peer_sheet.csv is stale; run: make exercises\n"


def test_the_rubric_gives_the_points_that_the_page_promises(root):
    points = {"group": 0.0, "person": 0.0}
    for one in project.rubric():
        points[one["part"]] += float(one["points"])
        assert all(value.strip() for value in one.values())
    words = {5: "five", 10: "ten", 15: "fifteen", 20: "twenty"}
    group, person = points["group"], points["person"]
    assert (
        f"counts {words[group + person]} points of a hundred for the course: {words[group]} for the group, "
        f"and {words[person]} for each person."
    ) in (root / "book" / "project.md").read_text(encoding="utf-8")


def test_both_sheets_ask_for_the_criteria_of_the_rubric():
    criteria = {part: [] for part in ("group", "person")}
    for one in project.rubric():
        criteria[one["part"]].append(project.heading(one))
    assert columns("peer_sheet.csv")[2:-2] == criteria["group"]
    assert columns("instructor_sheet.csv")[2:-3] == criteria["group"] + criteria["person"]
    rows = (project.TARGET / "instructor_sheet.csv").read_text().splitlines()
    assert len(rows) == 1 + project.STUDENTS


def test_the_page_shows_the_rubric_itself(root):
    page = (root / "book" / "project.md").read_text(encoding="utf-8")
    assert ":file: ../solutions/project/rubric.csv" in page
    assert (root / "book" / "../solutions/project/rubric.csv").resolve() == project.SOURCE / "rubric.csv"


@pytest.fixture(scope="module")
def slides(tmp_path_factory) -> Path:
    """The slides, built as the page says, in a copy of the folder beside a copy of the course's MathJax."""
    course = tmp_path_factory.mktemp("course")
    folder = course / "exercises" / "project"
    shutil.copytree(project.TARGET, folder, ignore=shutil.ignore_patterns("*.html"))
    shutil.copytree(project.ROOT / "book/_static/vendor/mathjax", course / "book/_static/vendor/mathjax")
    done = subprocess.run(
        [sys.executable, "-m", "nbconvert", "--config", "slides_config.py", "slides.ipynb"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder / BUILT


@pytest.mark.slow
def test_slides_build_and_name_no_other_computer(slides):
    page = slides.read_text(encoding="utf-8")
    cells = json.loads((slides.parent / "slides.ipynb").read_text())["cells"]
    begun = [cell["metadata"]["slideshow"]["slide_type"] for cell in cells].count("slide")
    assert page.count('<section class="slide">') == page.count("</section>") == begun >= 7
    assert "How this becomes slides" not in page
    assert 'class="notes"' in page
    assert "unevenness.random_dense_net" not in page
    assert re.search(r"data:image/svg\+xml|<svg", page)
    outside = re.findall(r"""(?:src|href|url|import|from)\s*[=(]?\s*["']?((?:https?:)?//[^"'\s)]+)""", page)
    assert outside == []


@pytest.mark.slow
@pytest.mark.browser
def test_slides_run_by_keyboard_set_formulas_and_print(slides, browser):
    from pypdf import PdfReader

    page = browser.new_page(viewport={"width": 1280, "height": 720})
    asked, said = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.goto(slides.as_uri())
    page.wait_for_selector("mjx-container", state="attached")
    slide_count = page.locator(".slide").count()
    assert page.locator("#place").inner_text() == f"1 / {slide_count}"
    page.keyboard.press("ArrowRight")
    assert page.locator(".slide.shown h2").inner_text() == "What is known"
    assert page.locator(".slide.shown mjx-container").is_visible()
    page.keyboard.press("End")
    assert page.locator("#place").inner_text() == f"{slide_count} / {slide_count}"
    page.keyboard.press("ArrowRight")
    assert page.locator("#place").inner_text() == f"{slide_count} / {slide_count}"
    for _ in range(slide_count):
        shown = page.locator(".slide.shown")
        assert shown.evaluate("slide => slide.scrollHeight <= innerHeight && slide.scrollWidth <= innerWidth")
        page.keyboard.press("PageUp")
    printed = slides.with_suffix(".pdf")
    page.pdf(path=printed, prefer_css_page_size=True)
    page.close()
    assert all(url.startswith(("file:", "data:")) for url in asked)
    assert said == []
    assert len(PdfReader(printed).pages) == slide_count
