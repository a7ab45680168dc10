"""Follow-on credit in grading: cells run once more with references for wrong helpers, which nobody sees."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from autograder.graded import Graded
from autograder.isolation import runner
from autograder.isolation.source import WarmParent
from autograder.message import plain
from autograder.question import Case, Group, Question, call

from .conftest import NORMAL
from .toy import code, notebook

pytestmark = pytest.mark.xdist_group("isolation")

RIGHT = {
    "first": "def double(x):\n    return 2 * x",
    "second": "def four(x, by=double):\n    return double(by(x))",
    "third": "def eight(x):\n    return double(four(x))",
}
FACTOR = {"first": 2, "second": 4, "third": 8}


def _question(name: str, function: str, uses: dict[str, str], reference: Path | None = None) -> Question:
    factor = FACTOR[name]

    def cases(rng: Any) -> Any:
        for label, value in (("positive", 3.0), ("negative", -2.0)):
            yield Case(label, label, call(function, value))

    groups = (Group("positive", 1.0, "above 0"), Group("negative", 1.0, "below 0"))
    return Question(
        f"toy.{name}", name, groups, cases, {function: lambda x: factor * x}, uses=uses, reference=reference, tensors=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def questions(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Question]:
    folder = tmp_path_factory.mktemp("checks")
    files = {name: folder / f"{name}_reference.py" for name in ("first", "second")}
    files["first"].write_text("def double(x):\n    return 2 * x\n")
    files["second"].write_text("def four(x):\n    return 4 * x\n")
    return {
        "first": _question("first", "double", {}, files["first"]),
        "second": _question("second", "four", {"double": "toy.first"}, files["second"]),
        "third": _question("third", "eight", {"four": "toy.second"}),
    }


def grade(warm_parent: WarmParent, questions: dict[str, Question], *extra: str, **answers: str) -> Graded:
    content = [code("setup", "from autograder import check, use_reference")]
    for name in questions:
        content.append(code(f"{name}_answer", answers.get(name, RIGHT[name]), solution=True, locked=False))
        content += [code("", source) for source in extra if name == "first"]
        content.append(code(name, f'check("toy.{name}")', grade=True, points=2))
    return runner.grade_notebook(notebook(content), questions, 5, NORMAL, workers=warm_parent)


def scores(graded: Graded) -> list[float | None]:
    return [graded.questions[name].score for name in ("first", "second", "third")]


def remarks(graded: Graded, name: str) -> tuple[str, ...]:
    result = graded.questions[name].result
    assert result is not None
    return result.remarks


def test_a_wrong_helper_costs_its_own_points_only(
    warm_parent: WarmParent, questions: dict[str, Question]
) -> None:
    graded = grade(warm_parent, questions, first="def double(x):\n    return 3 * x")
    assert scores(graded) == [0.0, 2.0, 2.0]
    for name in ("second", "third"):
        assert remarks(graded, name) == ("right; but your `double` is not: mend that first",)
        result = graded.questions[name].result
        assert result is not None
        assert "expected" not in plain(result)
    assert grade(warm_parent, questions).score == 6.0


def test_each_link_of_a_chain_pays_for_itself(
    warm_parent: WarmParent, questions: dict[str, Question]
) -> None:
    graded = grade(
        warm_parent,
        questions,
        first="def double(x):\n    return 3 * x",
        second="def four(x):\n    return double(double(x)) if x > 0 else 5 * x",
    )
    assert scores(graded) == [0.0, 1.0, 2.0]
    assert remarks(graded, "second") == (
        "1 of 2 points with a right `double`; yours is not: mend that first",
    )
    assert remarks(graded, "third") == ("right; but your `double` and `four` are not: mend them first",)


def test_a_later_cell_that_binds_the_helper_again_does_not_bring_it_back(
    warm_parent: WarmParent, questions: dict[str, Question]
) -> None:
    graded = grade(
        warm_parent, questions, first="raise NotImplementedError",
        second="def double(x):\n    return 3 * x\ndef four(x):\n    return double(double(x))",
    )  # fmt: skip
    assert scores(graded) == [0.0, 2.0, 2.0]


def test_an_alias_from_the_helpers_own_cell_is_reached(
    warm_parent: WarmParent, questions: dict[str, Question]
) -> None:
    graded = grade(
        warm_parent, questions, first="def double(x):\n    return 3 * x\nmine = double",
        second="def four(x):\n    return mine(mine(x))",
    )  # fmt: skip
    assert scores(graded) == [0.0, 2.0, 2.0]


def test_what_an_earlier_cell_computed_with_the_helper_is_computed_again(
    warm_parent: WarmParent, questions: dict[str, Question]
) -> None:
    graded = grade(
        warm_parent, questions, first="def double(x):\n    return 3 * x",
        second="factor = double(2.0)\ndef four(x):\n    return factor * x",
    )  # fmt: skip
    assert scores(graded) == [0.0, 2.0, 2.0]


def test_a_question_that_is_wrong_by_itself_stays_so(
    warm_parent: WarmParent, questions: dict[str, Question]
) -> None:
    wrong = {"first": "def double(x):\n    return 3 * x", "second": "def four(x):\n    return 5 * x"}
    graded = grade(warm_parent, questions, **wrong)
    assert scores(graded) == [0.0, 0.0, 2.0]
    assert remarks(graded, "second") == ()
    assert remarks(graded, "third") == ("right; but your `double` and `four` are not: mend them first",)


def test_a_stand_in_never_costs(warm_parent: WarmParent, questions: dict[str, Question]) -> None:
    """An answer that is right because two of its faults make up for each other keeps what it has."""
    graded = grade(
        warm_parent, questions, first="def double(x):\n    return 3 * x",
        second="def four(x):\n    return double(x) * 4 / 3 if x > 0 else 5 * double(x)",
    )  # fmt: skip
    assert scores(graded) == [0.0, 1.0, 2.0]


@pytest.mark.parametrize("name", ["double", "toy.first.double"])
def test_a_reference_that_was_taken_is_noted_and_costs_nothing_later(
    warm_parent: WarmParent, questions: dict[str, Question], name: str
) -> None:
    own = f'def double(x):\n    return 3 * x\nown = double\ndouble = use_reference("{name}")'
    graded = grade(warm_parent, questions, first=own)
    assert scores(graded) == [0.0, 2.0, 2.0]
    assert graded.remarks == ("used the reference for `double`",)
    assert remarks(graded, "first") == ("used the reference for `double`",)
    assert remarks(graded, "second") == ()
    behind = grade(warm_parent, questions, f'mine = double\ndouble = use_reference("{name}")')
    assert scores(behind) == [0.0, 2.0, 2.0]


@pytest.mark.parametrize(
    "own",
    [
        'double = use_reference("double")',
        'given = use_reference("double")\ndef double(x):\n    return given(x)',
        'from functools import partial\ndouble = partial(use_reference("double"))',
    ],
)
def test_a_reference_is_not_an_answer(
    warm_parent: WarmParent, questions: dict[str, Question], own: str
) -> None:
    graded = grade(warm_parent, questions, first=own)
    assert scores(graded) == [0.0, 2.0, 2.0]
    result = graded.questions["first"].result
    assert result is not None
    said = plain(result)
    assert "the course's own `double`, from use_reference" in said
    assert "NotYourOwnError" not in said


def test_a_reference_that_is_not_there_is_told(
    warm_parent: WarmParent, questions: dict[str, Question]
) -> None:
    graded = grade(warm_parent, questions, 'use_reference("eight")')
    assert graded.score == 6.0
    assert graded.remarks == ()


LOOK = """import pathlib, autograder
for file in sorted(pathlib.Path(autograder.__file__).parent.glob("references/*")):
    exec(file.read_text())
"""


@pytest.mark.parametrize(
    "own",
    [
        'take = use_reference\ndouble = take("double")',
        'for name in ["double"]:\n    double = use_reference(name)',
        LOOK,
    ],
)
def test_a_reference_that_no_cell_names_in_plain_text_is_not_there(
    warm_parent: WarmParent, questions: dict[str, Question], own: str
) -> None:
    """Neither at first nor when the cells are run again for a later question."""
    graded = grade(warm_parent, questions, first=own, second="def four(x):\n    return double(double(x))")
    assert scores(graded) == [0.0, 2.0, 2.0]
    assert graded.remarks == ()
    if "use_reference" in own:
        assert any('write use_reference("double") in a cell' in one.reason for one in graded.trouble)


def test_the_second_run_has_no_reference_of_what_it_asks(
    warm_parent: WarmParent, questions: dict[str, Question]
) -> None:
    """A question that is asked again, and whose helper a third needs, is not answered by that helper's reference."""
    graded = grade(
        warm_parent, questions, first="def double(x):\n    return 3 * x",
        second=f"def four(x):\n    return double(x)\n{LOOK}",
    )  # fmt: skip
    assert scores(graded) == [0.0, 0.0, 2.0]


def test_only_what_was_asked_for_is_there_and_a_remark_says_so(
    warm_parent: WarmParent, questions: dict[str, Question]
) -> None:
    """Whoever makes an answer of it by its file keeps the points of that one, under a remark."""
    own = f'use_reference("double")\n{LOOK}'
    graded = grade(warm_parent, questions, first=own, second="raise NotImplementedError")
    assert scores(graded) == [2.0, 0.0, 2.0]
    assert graded.remarks == ("used the reference for `double`",)
    assert remarks(graded, "first") == ("used the reference for `double`",)


@pytest.mark.parametrize(
    "own",
    [
        'double = use_reference("double").__wrapped__',
        'double = use_reference("double").__closure__[0].cell_contents',
        'import inspect\nexec(inspect.getsource(use_reference("double")))',
    ],
)
def test_a_reference_does_not_give_its_inside_away(
    warm_parent: WarmParent, questions: dict[str, Question], own: str
) -> None:
    graded = grade(warm_parent, questions, first=own)
    assert scores(graded) == [0.0, 2.0, 2.0]
    assert graded.remarks == ("used the reference for `double`",)


def test_whoever_empties_the_list_of_what_is_asked_is_noted(
    warm_parent: WarmParent, questions: dict[str, Question]
) -> None:
    own = (
        "import autograder.reference\nclass Empty(list):\n    def __contains__(self, one): return False\n"
        'autograder.reference._ASKED = Empty()\ndouble = use_reference("double")'
    )
    graded = grade(warm_parent, questions, first=own)
    assert graded.remarks == ("used the reference for `double`",)
    assert "used the reference for `double`" in remarks(graded, "first")


def test_a_reference_word_for_word_is_told_and_keeps_its_points(
    warm_parent: WarmParent, questions: dict[str, Question], tmp_path: Path
) -> None:
    body = "(x):\n    total = 0 * x\n    for part in (x, x):\n        total = total + 1 * part\n    return total\n"
    file = tmp_path / "first_reference.py"
    file.write_text(
        f"def double{body.replace('(x):', '(x: float) -> float:' + chr(10) + '    ' + repr('Twice.'))}"
    )
    longer = {**questions, "first": replace(questions["first"], reference=file)}
    graded = grade(warm_parent, longer, first=f"def double{body}")
    assert scores(graded) == [2.0, 2.0, 2.0]
    assert graded.remarks == ("this is the course's reference for `double`, word for word",)
    below = grade(warm_parent, longer, second=f"def double{body}\n{RIGHT['second']}")
    assert below.remarks == ()


def test_a_wrong_helper_in_a_module_of_ones_own_costs_its_own_points_only(
    warm_parent: WarmParent, questions: dict[str, Question]
) -> None:
    """The right function beside it calls the wrong one by the module's name for it."""
    mine = (
        "%%writefile mine.py\ndef double(x):\n    return 3 * x\ndef four(x):\n    return double(double(x))\n"
    )
    for way in (
        "from mine import double, four",
        "import mine\ndouble, four = mine.double, mine.four",
        "from mine import *",
    ):
        graded = grade(warm_parent, questions, way, first=mine, second="pass")
        assert scores(graded) == [0.0, 2.0, 2.0], way
        assert remarks(graded, "second") == ("right; but your `double` is not: mend that first",)
