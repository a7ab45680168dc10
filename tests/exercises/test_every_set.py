"""Every problem set without the isolated grader: unmodified nbgrader grades it, and its Validate agrees."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import nbformat
import pytest

from autograder.course import problem_sets, questions_of
from autograder.grade import Execution, Grading, grade
from autograder.proof import samples
from autograder.proof.settings import settings, shorten
from tests.support import ROOT

SETS = problem_sets(ROOT)


def once(*names):
    """Every set: these in each run, the others in a soak."""
    return [name if name in names else pytest.param(name, marks=pytest.mark.soak) for name in SETS]


#: What is dear and done elsewhere too: ps1 in tests/autograder/test_grade.py, ps2 in JupyterLab (tests/browser).
GRADED = once(*(name for name in SETS if not name.startswith(("ps1", "ps2"))))
#: The button asks the same checks in every set.
VALIDATED = once("ps0_start", "ps1_neurons")
TWO = ("solution", "untouched")

pytestmark = pytest.mark.slow


def handed_in(root, problem_set, name):
    sample = samples.sample(root, problem_set, name)
    return samples.build(root, problem_set, sample, samples.released_notebook(root, problem_set))


@pytest.mark.parametrize("problem_set", GRADED)
def test_unmodified_nbgrader_gives_the_solution_all_points_and_the_release_none(root, problem_set, tmp_path):
    """In kernels, without data and without the course's folder; no cell of the solution's notebook raises."""
    place = tmp_path / "in"
    place.mkdir()
    for name in TWO:
        (place / f"{name}.ipynb").write_bytes(handed_in(root, problem_set, name))
    plan = Grading(ROOT, problem_set, tmp_path, Execution(isolated=False))
    grades = {one.student: one for one in grade(plan, place)}
    for name in TWO:
        assert grades[name].problem == ""
        got = {part: one.score for part, one in grades[name].questions.items() if not one.manual}
        sample = samples.sample(root, problem_set, name)
        assert got == {one.id.split(".")[1]: sample.points(one) for one in questions_of(ROOT, problem_set).values()}
    executed = tmp_path / "course" / "autograded" / "solution" / problem_set / f"{problem_set}.ipynb"
    cells = [cell for cell in nbformat.read(executed, as_version=4).cells if cell.cell_type == "code"]
    assert all(cell.execution_count for cell in cells if cell.source.strip())
    assert [out.evalue for cell in cells for out in cell.outputs if out.output_type == "error"] == []


@pytest.mark.parametrize("accepted", [True, False], ids=TWO)
@pytest.mark.parametrize("problem_set", VALIDATED)
def test_validate_accepts_the_solution_and_not_the_release(root, problem_set, accepted, tmp_path):
    """What JupyterLab's Validate button runs; given cells that take long are shortened."""
    name = TWO[0 if accepted else 1]
    brief = settings(root, problem_set).brief
    content = json.loads(shorten(handed_in(root, problem_set, name), brief))
    for cell in content["cells"]:
        if cell["metadata"].get("nbgrader", {}).get("grade_id") in brief:
            del cell["metadata"]["nbgrader"]
    (tmp_path / "answers.ipynb").write_text(json.dumps(content))
    config = (root / "nbgrader_config.py").read_text().replace("__file__", repr(str(tmp_path / "x.py")))
    (tmp_path / "nbgrader_config.py").write_text(config)
    variables = {**os.environ, "OMP_NUM_THREADS": "1"}
    variables.pop("SNNKIT_DATA", None)
    done = subprocess.run(
        [sys.executable, "-m", "nbgrader", "validate", "answers.ipynb"],
        cwd=tmp_path,
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )
    said = done.stdout + done.stderr
    assert ("Success! Your notebook passes all the tests." in said) == accepted, said
    assert ("VALIDATION FAILED ON" in said) != accepted, said
