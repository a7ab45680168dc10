"""Mistakes that authors make: each is one sentence that names the thing, before a student meets it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from autograder.asking import ask
from autograder.catalogue import OWN, Catalogue
from autograder.cli import app
from autograder.dry_run import faults
from autograder.judging import run
from autograder.light_form import light
from autograder.question import Case, Group, Question, Slip, call


def question(*, right=lambda x: 2 * x, argument=lambda rng: rng.normal(size=3), **changes):
    fields = dict(
        id="toy.double",
        title="Twice",
        groups=(Group("values", 1.0, "values"),),
        cases=lambda rng: [Case("values", "three numbers", call("double", argument(rng)))],
        right={"double": right},
        tensors=False,
        slips=(Slip("square", "This is the square.", lambda x: x**2),),
    )
    return Question(**{**fields, **changes})


LAMBDA = lambda answer, x: {"double": answer["double"](x)}


def nothing(x):
    raise NameError("name 'gaps' is not defined")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"right": nothing}, "the right answer fails: NameError: name 'gaps' is not defined"),
        ({"right": lambda x: "text"}, "the right answer fails: FormError: str, where a tensor"),
        ({"right": lambda x: x * np.nan}, "the right double is not a number, which no answer equals"),
        ({"argument": lambda rng: torch.zeros(3)}, "a torch.Tensor cannot be handed to an answer"),
        ({"argument": lambda rng: np.sin}, "a numpy.ufunc cannot be handed"),
        ({"argument": lambda rng: np.array(["a"])}, "an array of dtype <U1 cannot be handed"),
        (
            {"cases": lambda rng: [Case("vaules", "", call("double", 1.0))]},
            "in the group 'vaules'; there are: values",
        ),
        ({"cases": lambda rng: []}, "the group 'values' has no case, so any answer would get its points"),
        ({"cases": lambda rng: [rng.nothing]}, "the cases cannot be drawn: AttributeError"),
        ({"cases": lambda rng: [Case("values", "one", call("treble", 1.0))]}, "asks for treble"),
        (
            {"cases": lambda rng: [Case("values", "one", call(LAMBDA, x=1.0))]},
            "its probe cannot be sent to the sandbox",
        ),
        (
            {"slips": (Slip("same", "No.", lambda x: x + x),)},
            "the slip 'same' gives what is right in every case",
        ),
        ({"slips": (Slip("broken", "No.", nothing),)}, "the slip 'broken' fails in every case: NameError"),
        ({"slips": (Slip("mute", " ", lambda x: x),)}, "the slip 'mute' has no sentence"),
    ],
)
def test_a_fault_is_one_sentence(changes, said):
    found = faults(question(**changes))
    assert len([line for line in found if said in line]) >= 1, found


def test_a_sound_question_has_none():
    assert faults(question()) == []


@pytest.mark.slow
def test_no_question_of_the_course_has_any():
    assert {one.id: found for one in Catalogue(OWN) if (found := faults(one))} == {}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"groups": ()}, "it has no group"),
        ({"groups": (Group("a", 1.0, ""), Group("a", 1.0, ""))}, "two groups are called 'a'"),
        ({"groups": (Group("a", 0, ""),)}, "points=0; expected more than 0"),
        ({"groups": (Group("a", "2", ""),)}, "points='2'"),
        ({"hints": ("only one")}, "hints is one text"),
    ],
)
def test_what_cannot_be_a_question_is_refused_when_it_is_made(changes, said):
    with pytest.raises(ValueError, match=said):
        question(**changes)


def test_a_slip_of_the_light_form_needs_its_sentence():
    @light("Twice", points=1)
    def twice(x):
        return 2 * x

    with pytest.raises(ValueError, match="the slip squared has no docstring"):

        @twice.slip
        def squared(x):
            return x**2


def test_arguments_of_a_second_call_are_looked_at_and_results_need_not_be():
    class Adder:
        def __call__(self, x):
            x += 1
            return [x, x[:1]]  # no array, which is another group's concern

    asked = question(
        groups=(Group("kept", 1.0, "the argument stays", unchanged=True),),
        cases=lambda rng: [Case("kept", "", call("Adder").on(np.zeros(2)))],
        right={"Adder": Adder},
        slips=(),
    )
    assert run(asked, {"Adder": Adder}).groups[0].failure.sentence == "x is no longer what it was"
    assert run(asked, {"Adder": lambda: lambda x: [x + 1, x[:1]]}).score == 1


class BrokenSession:
    """A session that nothing reaches."""

    def probe(self, names, cases, modules=()):
        raise AssertionError("not reached")


def test_a_question_that_cannot_be_put_costs_nobody_the_other_questions():
    broken = question(cases=lambda rng: [Case("vaules", "", call("double", 1.0))])
    result, fault = ask(BrokenSession(), broken, seed=1)
    assert (result.score, result.points) == (0.0, 1.0)
    assert "a case is in the group 'vaules'" in fault


def snngrade(*arguments):
    with pytest.raises(SystemExit) as ended:
        app(list(arguments))
    return ended.value.code


@pytest.fixture
def course(tmp_path):
    """A course whose one question has a mistake in its right answer."""
    for place, text in {
        "checks/mine/twice.py": "from autograder import light\n\n@light('Twice', points=1)\ndef twice(x):\n    return 2 * y\n"
        "twice.case('one', lambda rng: [1.0])\n",
        "solutions/mine/notebook.py": '# %% answer="twice"\ndef twice(x):\n    return 2 * x\n\n# %% check="twice"\n',
    }.items():
        (tmp_path / place).parent.mkdir(parents=True)
        (tmp_path / place).write_text(text)
    return tmp_path


def test_a_broken_question_is_not_released(course, capsys):
    assert snngrade("release", "--course", str(course)) == 2
    said = capsys.readouterr().err
    assert (
        f"{course}/checks/mine/twice.py: case 'one' of group 'values' (seed 1): the right answer fails"
        in said
    )
    assert not (course / "exercises").exists()


def test_sets_that_are_not_there_are_told(course, capsys):
    assert snngrade("questions", "yours", "--course", str(course)) == 2
    assert "no problem set is called 'yours'; with questions there are: mine" in capsys.readouterr().err
    (course / "solutions" / "mine" / "notebook.py").unlink()
    assert snngrade("release", "--course", str(course)) == 2
    assert "the set 'mine' has questions and no notebook" in capsys.readouterr().err


def test_one_broken_file_does_not_break_the_others(course, monkeypatch):
    from autograder.in_notebook import find

    (course / "checks" / "mine" / "broken.py").write_text("import nowhere")
    monkeypatch.chdir(course)
    assert find("mine.twice").id == "mine.twice"
    assert find("ps0.spike_count").id == "ps0.spike_count"
