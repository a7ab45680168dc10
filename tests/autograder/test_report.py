"""Feedback, the instructor's page, statistics, and what a person gave in nbgrader's gradebook."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograder.catalogue import OWN, Catalogue
from autograder.course import COURSE_ID, configure, source_of
from autograder.graded import Graded, Mark, Trouble
from autograder.judging import right_values, run
from autograder.message import html
from autograder.proof import samples
from autograder.rendering import duration
from autograder.report import statistics, store
from autograder.report.feedback import feedback
from autograder.report.instructor import instructor_page
from autograder.result import Failure, GroupResult, Said, number

from .outcomes import WRONG_PART, checked, failing, read_by_person

PS = "ps2_surrogates"
ASKED = Catalogue(OWN).questions(PS)


def graded(student, a=0.5, b=None, **more):
    return Graded(student, {"a": checked(a), "b": read_by_person(b)}, **more)


class Page(HTMLParser):
    """A page's elements, checked to be nested properly."""

    VOID = frozenset({"meta", "br", "path", "use", "rect"})

    def __init__(self, content):
        super().__init__()
        self.open, self.seen, self.text = [], [], []
        self.feed(content.decode())
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.seen.append((tag, dict(attributes)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.seen.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def offline_and_accessible(content):
    page = Page(content)
    tags = [tag for tag, _ in page.seen]
    assert ("html", {"lang": "en"}) in page.seen
    assert not {"script", "img", "link", "iframe"} & set(tags)
    assert tags.count("h1") == tags.count("main") == tags.count("title") == 1
    assert not re.search(r"(src|href)=\"(?!#)", content.decode())
    assert "url(" not in re.sub(r"url\(#[\w-]+\)", "", content.decode())
    levels = [int(tag[1]) for tag in tags if re.fullmatch(r"h[1-6]", tag)]
    assert all(after - before <= 1 for before, after in pairwise(levels))
    names = [attributes["id"] for _, attributes in page.seen if "id" in attributes]
    assert len(names) == len(set(names))
    for tag, attributes in page.seen:
        if tag == "th":
            assert attributes.get("scope") in ("row", "col")
        if tag == "svg":
            assert attributes["role"] == "img"
            assert attributes["aria-label"]
    return page


# ----------------------------------------------------------------------------------------------- feedback


def test_feedback_has_points_message_hint_lateness_group_and_comment():
    said = {"b": "Well <argued>", "elsewhere": "see me"}
    more = dict(late_s=90_000.0, penalty=0.25, group="red", remarks=("a cell was put back",), comments=said)
    page = feedback("ps9", graded("ada", **more))
    text = " ".join("".join(offline_and_accessible(page).text).split())
    assert "0.25 of 5 points" in text
    assert "The slope: 0.5 of 1" in text
    assert "not yet · the other: 0 of 0.5" in text
    assert "x: it is 2; expected 3." in text
    assert "Hint. Look there." in text
    assert "hint=1" not in text
    assert "Your code printed: <hello>" in text
    assert "Mixed up." in text
    assert "Handed in 1 day 1 hour after the due time; 0.25 was taken off for that." in text
    assert "the work of the group red" in text
    assert "A cell was put back." in text
    assert "Pending: 4." in text
    assert "B: pending of 4" in text
    assert "Comment. Well <argued>" in text
    assert "elsewhere. see me" in text


def test_feedback_gives_no_hint_for_a_full_score_and_none_twice():
    assert b"Hint." not in feedback("ps9", graded("ada", a=1.0))
    assert feedback("ps9", graded("ada")).count(b"Hint.") == 1


def test_feedback_says_what_to_mend_first():
    """Only where the earlier question lost points as well."""
    later = checked(0.0, question="ps9.b", title="The rest", rests_on=("ps9.a",))
    page = feedback("ps9", Graded("ada", {"a": checked(0.5), "b": later}))
    text = " ".join("".join(offline_and_accessible(page).text).split())
    assert "First mend The slope: this question uses what it asks for." in text
    assert text.count("First mend") == 1
    assert b"First mend" not in feedback("ps9", Graded("ada", {"a": checked(1.0), "b": later}))


@given(st.text(max_size=200), st.text(max_size=40))
def test_whatever_a_student_writes_is_text(message, name):
    failure = Failure("value", message, 0, message, (), None)
    group = GroupResult("g", message, 1.0, 0.0, 1, failure, Said("s", message))
    question = checked(0.0, title=message, groups=(group,), hints=(message,), printed=message)
    fault = Mark(1.0, 0.0, fault=message)
    trouble = (Trouble(message, message, message),)
    whole = Graded(
        name,
        {"a": question, "b": fault},
        remarks=(message,),
        trouble=trouble,
        comments={"a": message, "c": message},
    )
    page = feedback("ps9", whole)
    assert feedback("ps9", Graded(name, problem=message))
    Page(html(question.result).encode())
    tags = {tag for tag, _ in Page(page).seen}
    assert not tags & {"script", "img", "iframe", "b", "svg", "object", "form", "input", "link"}


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(5, "less than a minute"), (60, "1 minute"), (3725, "1 hour 2 minutes"), (200_000, "2 days 7 hours")],
)
def test_durations_in_words(seconds, said):
    assert duration(seconds) == said


WRONG = ("sharpness_for_width", "strict_and_bare", "gradients_pile_up", "half_done")


def test_feedback_shows_no_reference_no_test_and_one_element_only(root):
    """Real wrong answers: the page holds no line of a check or a solution, and one expected number for each case."""
    solution = source_of(root, PS).read_text()
    checks = list((root / "autograder" / "checks" / PS).glob("*.py"))
    assert checks
    hidden = {
        line.strip()
        for part in re.findall(r"### BEGIN SOLUTION\n(.*?)### END SOLUTION", solution, re.DOTALL)
        for line in part.splitlines()
    }
    hidden |= {
        line.strip()
        for path in checks
        for line in path.read_text().splitlines()
        # Sentences that students read (messages, titles, hints) stand in the checks as strings.
        if '"' not in line and "`" not in line
    }
    hidden = {line for line in hidden if len(line) > 18}
    given_code = solution.split("# %%")
    setup = next(part for part in given_code if 'given="setup"' in part).split("\n", 1)[1]
    seen = 0
    for name in WRONG:
        sample = samples.sample(root, PS, name)
        sources = samples.sources(root, PS, sample)
        for question in ("sine_derivative", "sine_surrogate", "power_surrogate"):
            if question not in sample.answers:
                continue
            check = ASKED[question]
            namespace = {"__name__": "__main__"}
            exec(setup, namespace)
            exec(sources[f"{question}_answer"], namespace)
            seed = 987_654
            result = run(check, namespace, seed=seed)
            assert result.score < result.points
            hinted = replace(result, hints=check.hints[:1])
            mark = Mark(result.points, result.score, result=hinted)
            text = "".join(Page(feedback(PS, Graded(name, {question: mark}))).text)
            for case in check.draw(seed):
                group = next(group for group in check.groups if group.id == case.group)
                if group.judge is not None:
                    continue
                for array in right_values(check, case.call).values():
                    values = {number(value) for value in np.ravel(array)} - {"0", "1", "0.5"}
                    shown = {
                        value for value in values if f"expected {value} " in text or f" {value}," in text
                    }
                    assert len(shown) <= 1
                    seen += bool(shown)
            assert not [line for line in hidden if line in text]
            assert check.hints[1] not in text
            assert check.hints[2] not in text
    assert seen > 0


# ---------------------------------------------------------------------------------------------- statistics


def table(*rows):
    """Grades of students from rows of scores; every question has 10 points, None is pending."""
    return [
        Graded(
            f"s{number}",
            {f"q{at}": Mark(10.0, score, manual=score is None) for at, score in enumerate(row)},
        )
        for number, row in enumerate(rows)
    ]


scores = st.lists(st.tuples(*[st.integers(0, 10).map(float)] * 4), min_size=3, max_size=20)


@given(scores)
def test_discrimination_is_the_correlation_with_the_rest(rows):
    array = np.array(rows)
    for at, item in enumerate(statistics.items(table(*rows))):
        rest = array.sum(axis=1) - array[:, at]
        if array[:, at].std() == 0 or rest.std() == 0:
            assert item.discrimination is None
        else:
            assert item.discrimination == pytest.approx(np.corrcoef(array[:, at], rest)[0, 1], abs=1e-9)
        assert item.share == pytest.approx(array[:, at].mean() / 10)
        assert item.full == np.mean(array[:, at] == 10)
        assert item.none == np.mean(array[:, at] == 0)


def test_pending_questions_enter_no_discrimination():
    rows = [(0.0, 1.0, None), (5.0, 4.0, 9.0), (9.0, 10.0, 2.0)]
    first, second, third = statistics.items([*table(*rows), Graded("x", problem="broken")])
    assert third.discrimination is None
    assert third.graded == 2
    assert third.share == pytest.approx(0.55)
    assert (
        first.discrimination
        == second.discrimination
        == pytest.approx(np.corrcoef([0, 5, 9], [1, 4, 10])[0, 1])
    )


def test_rounding_noise_is_no_variance():
    rows = np.array([[0.1 + 0.2, 1.0], [0.3, 2.0], [0.3, 3.0]])
    assert statistics.corrected_item_total(rows, 0) is None
    assert statistics.corrected_item_total(rows[:2], 1) is None
    assert statistics.corrected_item_total(rows[:, 1:], 0) is None


def test_misconceptions_are_counted_once_for_each_student_and_question():
    slip = replace(WRONG_PART, slip=Said("alpha_as_sharpness", "What was read."))
    twice = checked(0.0, groups=(slip, replace(slip, id="again")))
    one = Graded("a", {"sine_derivative": twice})
    found = statistics.mistakes(ASKED, [one, replace(one, student="c"), Graded("b", problem="x")])
    assert (found[0].id, found[0].question, found[0].students) == ("alpha_as_sharpness", "sine_derivative", 2)
    assert found[0].message == "What was read."
    assert all(mistake.message for mistake in found)
    assert {mistake.students for mistake in found[1:]} == {0}
    assert len(found) == sum(len(check.slips) for check in ASKED.values())


def test_stops_name_place_and_reason():
    died = Mark(3.0, 0.0, result=failing({"g": "died", "h": "died", "i": "value"}))
    one = Graded("a", {"a": died}, trouble=(Trouble("cell 3", "time", "over 60 s"),))
    other = Graded("b", {"a": Mark(1.0, 0.0, result=failing({"g": "died"}))})
    found = {(stop.place, stop.what): stop.students for stop in statistics.stops([one, other])}
    assert found == {
        ("cell 3", "ran out of time"): (
            "a",
        ),  # how long it took is each one's own, and no reason to list it apart
        ("a", "ended the process"): ("a", "b"),
    }


# ------------------------------------------------------------------------------------- the instructor's page


def klass(students=30):
    rng = np.random.default_rng(5)
    grades = [
        graded(
            f"s{at:02} <b>", a=float(rng.integers(0, 3)) / 2, b=float(rng.integers(0, 5)), seconds=1.0 + at
        )
        for at in range(students)
    ]
    grades[0] = replace(grades[0], late_s=7200.0, penalty=1.0)
    stopped = Trouble("a_answer", "died", "killed by signal 9")
    faulty = replace(grades[1].questions["a"], fault="the comparison <failed>")
    grades[1] = replace(grades[1], trouble=(stopped,), questions={**grades[1].questions, "a": faulty})
    return [*grades, Graded("z", problem="not a <notebook>")]


def notebook(source):
    cell = {
        "cell_type": "code",
        "source": source,
        "outputs": [],
        "metadata": {"nbgrader": {"grade_id": "a_answer"}},
    }
    return json.dumps({"nbformat": 4, "cells": [cell]}).encode()


def test_instructor_page_is_one_accessible_file_with_a_table_beside_each_plot():
    code = "\n".join(f"y{at} = torch.op{at}(x{at}, {at}) + {at * at}" for at in range(20))
    books = {"s00 <b>": notebook(code), "s01 <b>": notebook(code.replace("y", "zed"))}
    content = instructor_page("ps9", klass(), books, notebook("pass"))
    page = offline_and_accessible(content)
    plots = [attributes for tag, attributes in page.seen if tag == "svg"]
    assert len(plots) == 7
    assert sum(attributes.get("class") == "pair" for _, attributes in page.seen) == 7
    text = " ".join("".join(page.text).split())
    for said in (
        "31 submissions, 30 of them graded", "Discrimination", "mixed up", "killed by signal 9",
        "not a <notebook>", "2 hours", "no proof of anything", "100 %", "the comparison <failed>",
    ):  # fmt: skip
        assert said in text
    assert instructor_page("ps9", klass(), books, notebook("pass")) == content


def test_instructor_page_of_nothing_and_of_one():
    for grades in ([], [Graded("z", problem="broken")], klass(2)[:1]):
        text = "".join(offline_and_accessible(instructor_page("ps9", grades, {}, b"")).text)
        assert "nan" not in text.lower().replace("finance", "")


# ----------------------------------------------------------------------------------- what a person gave


@pytest.fixture
def gradebook(tmp_path):
    """A gradebook of nbgrader's with two students and two questions."""
    from nbgrader.api import Gradebook
    from traitlets.config import Config

    configure(Config(), tmp_path / "course")  # makes alembic, which nbgrader calls by name, known
    (tmp_path / "course").mkdir()
    with Gradebook(f"sqlite:///{tmp_path / 'course' / 'gradebook.db'}", COURSE_ID) as book:
        book.add_assignment("ps9")
        book.add_notebook("ps9", "ps9")
        for name, points in (("a", 1), ("b", 4)):
            book.add_grade_cell(name, "ps9", "ps9", max_score=points, cell_type="code")
            book.add_solution_cell(name, "ps9", "ps9")
        for student in ("ada", "bo"):
            book.add_student(
                student, first_name=student.title(), last_name="L", email=f"{student}@uni.example"
            )
            book.add_submission("ps9", student)
            book.find_grade("a", "ps9", "ps9", student).auto_score = 0.5
            book.find_grade("b", "ps9", "ps9", student).needs_manual_grade = True
        book.db.commit()
        yield book, tmp_path


@pytest.mark.slow
def test_manual_points_extra_credit_and_comments_reach_grades_and_feedback(gradebook):
    book, out = gradebook
    book.find_grade("b", "ps9", "ps9", "ada").manual_score = 3.0
    book.find_grade("a", "ps9", "ps9", "ada").extra_credit = 0.25
    book.find_comment("b", "ps9", "ps9", "ada").manual_comment = "Say why."
    book.db.commit()
    grades = [graded("ada"), graded("bo")]
    for _ in range(2):  # a second time changes nothing
        grades = store.add_manual(grades, out, "ps9")
        assert [(one.score, one.pending) for one in grades] == [(3.75, 0.0), (0.5, 4.0)]
    submitted = out / "course" / "submitted" / "ada" / "ps9"
    submitted.mkdir(parents=True)
    (submitted / "timestamp.txt").write_text("2026-01-01")
    store.write("ps9", grades, out)
    page = (out / "feedback" / "ada.html").read_text()
    assert "Say why." in page
    assert "Say why." not in (out / "feedback" / "bo.html").read_text()
    place = out / "course" / "feedback" / "ada" / "ps9"
    assert (place / "ps9.html").read_text() == page
    assert (place / "timestamp.txt").read_text() == "2026-01-01"
    assert not (out / "course" / "feedback" / "bo").exists()
    # Points that are taken back in the form grader are pending again.
    book.find_grade("b", "ps9", "ps9", "ada").manual_score = None
    book.db.commit()
    again = store.add_manual(store.read("ps9", out), out, "ps9")
    assert again[0].pending == 4.0
