"""The mutation test of the checks: its faults, how they are run, and that no mutant survives off the list."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest

from autograder import mutants
from autograder.checks import problem_sets
from autograder.corpus import CORPUS
from autograder.course import CourseError, checkout
from autograder.mutants import Cell, Outcome, Question, Report, apart, run_question
from autograder.question import Case, Group, Tolerance, call
from autograder.question import Question as AskedQuestion

ROOT = checkout()
SETS = problem_sets()


def source(body):
    """An answer cell with the body of a function as its solution."""
    lines = textwrap.indent(textwrap.dedent(body).strip("\n"), "    ")
    return f'def answer(x, y=2):\n    """Do not touch 1 > 0."""\n    ### BEGIN SOLUTION\n{lines}\n    ### END SOLUTION\n'


def bodies(text, kind=None):
    """The solutions of all mutants, of one kind or of all, each as one line."""
    found = [one for one in mutants.mutants(source(text)) if kind in (None, one.kind)]
    return {"; ".join(one.source.split("\n")[2:]).replace("    ", "") for one in found}


# ------------------------------------------------------------------------------------------------ the faults


@pytest.mark.parametrize(
    ("kind", "text", "wanted"),
    [
        ("comparison", "return x > y", {"return x >= y", "return x < y"}),
        ("comparison", "return x != y", {"return x == y"}),
        ("operator", "return x + y", {"return x - y"}),
        ("operator", "return x * y", {"return x / y"}),
        ("operator", "x += y", {"x -= y"}),
        ("operator", "return x and y", {"return x or y"}),
        ("part", "return x & y", {"return x", "return y"}),
        ("part", "return -x", {"return x"}),
        ("part", "return not x", {"return x"}),
        ("condition", "return 1 if x else 2", {"return 1 if not x else 2"}),
        ("condition", "return [i for i in x if i]", {"return [i for i in x]"}),
        ("number", "return 0", {"return 1"}),
        ("number", "return 3", {"return 4", "return 2"}),
        ("number", "return 0.5", {"return 1.0"}),
        ("number", "return 0.0", {"return 1.0"}),
        ("number", "return True", {"return False"}),
        ("number", "return x.sum(dim=1)", {"return x.sum(dim=2)", "return x.sum(dim=0)"}),
        ("word", "return x == 'soft'", {"return x == 'soft?'"}),
        ("order", "return x - y", {"return y - x"}),
        ("order", "return f(x, y)", {"return f(y, x)"}),
        ("order", "return max(x, y)", set()),
        ("order", "return (x, y)", {"return (y, x)"}),
        ("order", "a, b = x", {"b, a = x"}),
        ("order", "a, b = [], []", set()),
        ("argument", "return f(x, axis=1)", {"return f(x)"}),
        ("argument", "return x.clamp(0, 1)", {"return x.clamp(min=0)", "return x.clamp(max=1)"}),
        ("argument", "return zip(x, y, strict=True)", set()),
        ("call", "return x.detach()", {"return x"}),
        ("call", "return torch.floor(x)", {"return x"}),
        ("statement", "x = f(x); y = 1", {"pass; y = 1", "x = f(x); pass"}),
        ("result", "return x", {"return None"}),
    ],
)
def test_every_kind_of_fault(kind, text, wanted):
    assert bodies(text, kind) == wanted


EVERYTHING = """
    total = 0.0
    for one, other in zip(x, y, strict=True):
        if one > 0 and not other:
            total += one * f(other, "word", axis=1).clamp(0, 3)
        elif one < -1:
            raise ValueError(f"{one + 1} is too small")
    print("done", 1 + 1)
    return [v - 1 for v in (total, total) if v != 2][:-1]
"""


def test_every_mutant_compiles_and_differs_and_has_a_name_of_its_own():
    found = mutants.mutants(source(EVERYTHING), "q", "cell")
    assert len(found) > 30
    unchanged = ast.unparse(ast.parse(source(EVERYTHING)))
    for one in found:
        assert one.source != unchanged
        compile(one.source, one.name, "exec")
    assert len({one.name for one in found}) == len({one.source for one in found}) == len(found)
    assert {one.kind for one in found} == {mutator.__name__ for mutator in mutants.MUTATORS}
    assert found == mutants.mutants(source(EVERYTHING), "q", "cell")


def test_one_fault_at_a_time_leaves_the_tree_as_it_was():
    last = mutants.mutants(source("x = 1\nreturn x + y"))[-1]
    assert "x = 1\n" in last.source
    assert last.source.endswith("return x - y")


def test_given_code_messages_and_docstrings_are_left_alone():
    for one in mutants.mutants(source(EVERYTHING)):
        assert "y=2" in one.source
        assert '"""Do not touch 1 > 0."""' in one.source
        assert "raise" not in one.source or "{one + 1} is too small" in one.source
        assert "print('done', 1 + 1)" in one.source
        assert "strict=True" in one.source or "for one" not in one.source


def test_names_say_where_and_what_and_survive_formatting():
    text = "return f(x,\n         axis=1) + 0.5  # a remark"
    names = [one.name for one in mutants.mutants(source(text), "ps9.q", "q_answer")]
    assert "ps9.q:number:answer:return f(x, axis=1) + 0.5->return f(x, axis=1) + 1.0" in names
    again = mutants.mutants("\n\n" + source("return (f(x, axis=1)\n        + 0.5)"), "ps9.q", "q_answer")
    assert [one.name for one in again] == names
    twice = [one.name for one in mutants.mutants(source("f(0)\nf(0)"), "ps9.q") if one.kind == "number"]
    assert twice == ["ps9.q:number:answer:f(0)->f(1)", "ps9.q:number:answer:f(0)->f(1) #2"]


def test_cells_without_marks_and_outside_functions():
    found = mutants.mutants("values = [1]", "ps9.q", "q_answer")
    assert [one.name for one in found if one.kind == "number"] == [
        "ps9.q:number:q_answer:values = [1]->values = [2]",
        "ps9.q:number:q_answer:values = [1]->values = [0]",
    ]


def test_questions_of_a_set_hold_the_cells_before_and_the_answer():
    found = {question.check.id: question for question in mutants.questions(ROOT, "ps0_start")}
    shares = found["ps0.shares"]
    assert [cell.name for cell in shares.cells] == ["shares_answer"]
    assert "other_seed" in [cell.name for cell in shares.before]
    assert "### BEGIN SOLUTION" in shares.cells[0].source


# ---------------------------------------------------------------------------------------------- running them

POSITIVE = "def count(x):\n    ### BEGIN SOLUTION\n    return (x > 0).sum()\n    ### END SOLUTION\n"


def question(*inputs, right=lambda x: (x > 0).sum()):
    """How many elements are positive, asked of given inputs."""
    asked = AskedQuestion(
        "ps9.count", "", (Group("all", 1.0, ""),),
        lambda rng: [Case("all", f"case {n}", call("count", np.array(x))) for n, x in enumerate(inputs)],
        {"count": right}, within=Tolerance(0, 0, ""), tensors=False,
    )  # fmt: skip
    return Question(asked, (), (Cell("count_answer", True, POSITIVE),))


def test_a_good_check_kills_all_mutants_and_a_weak_one_does_not():
    assert run_question(question([3, -1, 0, 1, 1, 0, 0]), {}).survivors == []
    weak = run_question(question([3.0, 5.0, -1.0]), {})
    assert weak.survivors == [
        "ps9.count:comparison:count:return (x > 0).sum()->return (x >= 0).sum()",
        "ps9.count:number:count:return (x > 0).sum()->return (x > 1).sum()",
    ]


def test_the_reference_must_get_all_points_and_is_left_in_the_namespace():
    namespace = {}
    report = run_question(question([1, 0]), namespace)
    assert namespace["count"](np.array([1, 1, 0])) == 2
    assert report.outcomes[0].killed
    with pytest.raises(CourseError, match=r"ps9\.count.*all: case 0"):
        run_question(question([1, 0], right=lambda x: np.array(2)), {})


def test_what_ends_a_mutant_is_said_and_touches_nothing_here():
    here = []
    assert apart(lambda: here.append(1) or "all: case 1") == "all: case 1"
    assert here == []
    assert apart(lambda: "") == ""
    assert apart(lambda: str(1 / 0)) == "raises ZeroDivisionError"
    assert apart(lambda: str(sys.exit(3))) == "raises SystemExit"
    assert apart(lambda: os._exit(0)) == "ended early"
    assert apart(lambda: str(len(bytearray(1 << 30))), memory=1 << 28) == "raises MemoryError"
    begun = time.perf_counter()
    assert apart(lambda: time.sleep(60) or "", seconds=0.3) == "time"
    assert time.perf_counter() - begun < 5


# ------------------------------------------------------------------------------------------------- the lists


def reported(*survivors):
    report = Report("ps9_nothing", questions=1)
    for name in ("a", "b", "c"):
        one = mutants.Mutant(name, "number", "cell", "")
        report.outcomes.append(Outcome(one, "" if name in survivors else "all: case 0", 0.0))
    return report


@pytest.mark.parametrize(
    ("survivors", "listed", "status", "line"),
    [
        ("ab", {"a": "same", "b": "same"}, 0, ""),
        ("ab", {"a": "same"}, 1, "ps9_nothing: survives and is not listed: b"),
        ("a", {"a": "same", "b": "same"}, 1, "ps9_nothing: listed, and killed or gone: b"),
        ("a", {"a": "same", "z": "same"}, 1, "ps9_nothing: listed, and killed or gone: z"),
        ("ab", {"a": "same", "b": "either way: at the bar"}, 0, ""),
        ("a", {"a": "same", "b": "either way: at the bar"}, 0, ""),
        ("a", {"a": "same", "z": "either way: at the bar"}, 1, "ps9_nothing: listed, and killed or gone: z"),
    ],
)
def test_a_list_must_be_exact(survivors, listed, status, line, monkeypatch, capsys):
    def run_set(root, problem_set, told):
        report = reported(*survivors)
        report.hold_against(listed)
        return report

    monkeypatch.setattr(mutants, "run_set", run_set)
    assert mutants.main(["ps9_nothing"]) == status
    printed = capsys.readouterr().out
    assert line in printed
    assert "ps9_nothing" in printed


def test_unknown_set_is_refused(capsys):
    assert mutants.main(["ps99_none"]) == 2
    assert "ps99_none" in capsys.readouterr().err


@pytest.mark.parametrize("problem_set", SETS)
def test_every_listed_survivor_has_a_reason(problem_set):
    text = (CORPUS / problem_set / "survivors.json").read_text(encoding="utf-8")
    for name, reason in json.loads(text).items():
        assert name.startswith(problem_set.split("_")[0])
        assert len(reason.split()) > 3


@pytest.mark.slow
@pytest.mark.parametrize("problem_set", SETS)
def test_no_mutant_survives_off_the_list(problem_set):
    done = subprocess.run(
        [sys.executable, "-m", "autograder.mutants", problem_set],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
