"""Pages come from templates that a course may replace, and from fields: no wording changes their structure."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from autograder import message
from autograder.cli import app
from autograder.course import CourseError
from autograder.graded import Graded
from autograder.rendering import SHIPPED, render
from autograder.report import store
from autograder.report.feedback import feedback
from autograder.result import Failure, Said

from .outcomes import RIGHT_PART, WRONG_PART, checked, result

WORDS = st.text(st.characters(exclude_characters="`\r", exclude_categories=["Cs"]), min_size=1, max_size=60)


class Tags(HTMLParser):
    """The elements of a page with their classes, in order."""

    def __init__(self, content):
        super().__init__()
        self.found = []
        self.feed(content if isinstance(content, str) else content.decode())

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes).get("class")))


def mark(sentence, title):
    failure = Failure("value", sentence, 0, title)
    wrong = replace(WRONG_PART, title=title, failure=failure, slip=Said("slip", f"{sentence} again"))
    return checked(groups=(replace(RIGHT_PART, title=title), wrong), hints=(sentence,), printed="x")


@given(WORDS, WORDS)
def test_a_pages_structure_does_not_follow_the_words_on_it(sentence, title):
    plain = mark("a sentence", "a title")
    said = mark(sentence, title)
    pages = [Tags(feedback("ps9", Graded("ada", {"a": one}))).found for one in (plain, said)]
    assert pages[0] == pages[1]
    assert [kind for tag, kind in pages[0] if tag == "li"] == ["right", "wrong"]
    shown = [Tags(message.html(one.result)).found for one in (plain, said)]
    assert shown[0] == shown[1]


def test_a_message_in_other_words_changes_no_page(tmp_path, monkeypatch):
    grades = [Graded("ada", {"a": checked()}), Graded("bo", {"a": checked(1.0)})]
    store.write("ps9", grades, tmp_path / "one")
    monkeypatch.setattr(message, "plain", lambda result: "[not right yet] nothing as it was")
    monkeypatch.setattr(message, "html", lambda result: "")
    store.write("ps9", grades, tmp_path / "other")
    pages = [
        {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        for folder in (tmp_path / "one", tmp_path / "other")
    ]
    assert len(pages[0]) == 5
    assert pages[0] == pages[1]


def test_a_sentence_is_said_once():
    same = replace(WRONG_PART, failure=replace(WRONG_PART.failure, label=""))
    page = feedback("ps9", Graded("ada", {"a": checked(groups=(same, replace(same, id="again")))})).decode()
    assert page.count("it is 2; expected 3.") == page.count("Mixed up.") == 1
    assert page.count("not yet") == 2


def test_a_course_has_templates_of_its_own(tmp_path):
    graded = Graded("<ada>", {"a": checked()})
    style, words = tmp_path / "style", tmp_path / "words"
    assert feedback("ps9", graded, tmp_path / "absent") == feedback("ps9", graded)
    style.mkdir()
    (style / "style.css").write_text("body{color:hotpink}")
    page = feedback("ps9", graded, style).decode()
    assert "hotpink" in page
    assert "--paper" not in page
    assert "The slope: 0.5 of 1" in page
    words.mkdir()
    (words / "feedback.html.j2").write_text(
        '{% extends "page.html.j2" %}{% block main %}<p>Well done, {{ graded.student }}.</p>{% endblock %}'
    )
    page = feedback("ps9", graded, words).decode()
    assert "<p>Well done, &lt;ada&gt;.</p>" in page
    assert "--paper" in page


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("one\n{% if %}", r"feedback\.html\.j2, line 2: "),
        ("{{ graded.grade }}", r"the template feedback\.html\.j2: .*has no attribute 'grade'"),
        ("{{ missing }}", "'missing' is undefined"),
        ("{{ graded.score | rounded }}", "line 1: No filter named 'rounded'"),
        ('{% extends "frame.html.j2" %}', r"frame\.html\.j2"),
    ],
)
def test_a_mistake_in_a_template_is_one_line_that_names_it(tmp_path, text, said):
    (tmp_path / "feedback.html.j2").write_text(text)
    with pytest.raises(CourseError, match=said) as error:
        feedback("ps9", Graded("ada"), tmp_path)
    assert "\n" not in str(error.value)


def test_the_command_line_takes_the_courses_templates(root, tmp_path, monkeypatch):
    """``snngrade report`` in a checkout that has a folder ``templates``."""
    problem_set = "ps0_start"
    checkout, out = tmp_path / "checkout", tmp_path / "out"
    for name in ("nbgrader_config.py", f"solutions/{problem_set}/notebook.py", "templates/style.css"):
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        (checkout / name).write_text("body{color:hotpink}")
    store.write(problem_set, [Graded("ada", {"a": checked()})], out)
    monkeypatch.chdir(checkout)
    done = CliRunner().invoke(app, ["report", problem_set, "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert "hotpink" in (out / "feedback" / "ada.html").read_text()
    (checkout / "templates" / "style.css").write_text("one\n{% block %}")
    done = CliRunner().invoke(app, ["report", problem_set, "--out", str(out)])
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1)
    assert "style.css, line 2" in done.stderr


def test_every_shipped_template_says_what_it_is_and_is_used():
    used = {"page.html.j2", "table.html.j2", "feedback.html.j2", "instructor.html.j2", "message.html.j2"}
    assert {path.name for path in SHIPPED.iterdir()} == {*used, "style.css"}
    for path in SHIPPED.glob("*.j2"):
        assert re.match(r"\{# [A-Z]", path.read_text()), path.name


def test_what_is_printed_below_a_check_is_escaped():
    shown = message.html(result(printed="<script>", title="<b>"))
    assert "<script>" not in shown
    assert "&lt;b&gt;" in shown
    assert "shows the next hint" in shown
    assert render("message.html.j2", result=result(1.0), said=[], printed="", next_hint=0)
