"""What a limit of time stopped is graded again, alone and after all others; what is stopped twice is never final."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from autograder import batch
from autograder.batch import Cluster, Job, Played
from autograder.course import checkout
from autograder.grade import Execution, Grading, grade
from autograder.graded import Graded, Mark, Trouble, graded_again
from autograder.isolation.limits import Limits
from autograder.proof import samples
from autograder.result import Failure, GroupResult, Result

PS, ROOT = "ps0_start", checkout()
STOP = Failure("time", "your code was stopped: it used 31.2 s of 30 s of processor time", 0, "two")


def outcome(seconds: float, *, stopped: bool, student: str = "ada") -> Graded:
    group = GroupResult("all", "all", 2.0, 0.0 if stopped else 2.0, 3, STOP if stopped else None)
    result = Result("toy.rate", "rate", 2.0, group.score, 5, (group,), seconds=seconds, allowed=30.0)
    return Graded(student, {"rate": Mark(2.0, group.score, result=result)})


def test_the_second_outcome_counts_and_both_are_told() -> None:
    first, alone = outcome(31.2, stopped=True), outcome(28.4, stopped=False)
    found = graded_again(first, alone)
    assert (found.score, found.final) == (2.0, True)
    assert found.remarks == (
        "stopped by a limit of time at first: rate (31.2 s of 30 s of processor time); "
        "not so when it was graded again alone: rate (28.4 s)",
    )


def test_what_is_stopped_twice_is_not_final() -> None:
    found = graded_again(outcome(31.2, stopped=True), outcome(30.9, stopped=True))
    assert (found.score, found.final) == (0.0, False)
    assert found.remarks == (
        "stopped by a limit of time, and stopped again when it was graded alone: "
        "rate (30.9 s of 30 s of processor time); the next run grades it once more",
    )


def test_cells_are_named_too_and_the_list_is_short() -> None:
    cells = tuple(Trouble(f"cell {n}", "time", f"it used {n} s") for n in (4, 5, 6))
    stopped = replace(outcome(1.0, stopped=False), trouble=(*cells, Trouble("cell 7", "died", "it crashed")))
    assert list(stopped.stops) == ["cell 4", "cell 5", "cell 6"]
    (remark,) = graded_again(stopped, stopped).remarks
    assert "cell 4 (it used 4 s), cell 5 (it used 5 s), and 1 more; " in remark
    assert graded_again(stopped, Graded("ada", problem="killed")).remarks == ()


def test_they_come_after_all_others_and_one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[list[str], int]] = []

    def as_they_come(client: Any, jobs: list[Job], common: Any, ahead: int) -> Iterator[tuple[Job, Played]]:
        asked.append(([job.owner for job in jobs], ahead))
        for job in jobs:
            slow = job.owner in ("bo", "di") and not job.key.endswith("alone")
            yield job, Played(outcome(31.2 if slow else 3.0, stopped=slow, student=job.owner), [])

    class Client:
        def scheduler_info(self) -> dict[str, Any]:
            return {"workers": {"one": 1, "two": 2}}

    monkeypatch.setattr(batch, "_as_they_come", as_they_come)
    jobs = [Job(name, f"key of {name}", (), 1) for name in ("ada", "bo", "cy", "di", "ed")]
    found = list(batch._results(Client(), jobs, None))  # type: ignore[arg-type]
    assert [one.graded.student for one in found] == ["ada", "cy", "ed", "bo", "di"]
    assert asked == [(["ada", "bo", "cy", "di", "ed"], 2 * batch.AHEAD), (["bo"], 1), (["di"], 1)]
    assert all(one.graded.score == 2.0 and one.graded.final for one in found)
    assert [len(one.graded.remarks) for one in found] == [0, 0, 0, 1, 1]


@pytest.mark.slow
@pytest.mark.xdist_group("batch")
def test_a_loop_is_told_and_graded_again_by_the_next_run(root: Any, tmp_path: Any) -> None:
    released = samples.released_notebook(root, PS)
    right = samples.build(root, PS, samples.sample(root, PS, samples.SOLUTION), released)
    looping = json.loads(right)
    for cell in looping["cells"]:
        if cell["metadata"].get("nbgrader", {}).get("grade_id") == "shares_answer":
            cell["source"] = "def shares(counts):\n    while True: pass"
    handed_in = tmp_path / "in"
    handed_in.mkdir()
    (handed_in / "ada.ipynb").write_text(json.dumps(looping))
    (handed_in / "bo.ipynb").write_bytes(right)
    few = Limits(cell_seconds=1.0, memory_mb=700)
    heard: list[str] = []

    def hears(done: int, of: int, student: str) -> None:
        heard.append(student)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Execution, "limits", property(lambda self: few))
        plan = Grading(ROOT, PS, tmp_path / "out", Execution(unsafe=True), Cluster(workers=1))
        ada, bo = grade(plan, handed_in, progress=hears)
        assert (ada.score, ada.final, bo.score, bo.final) == (2.0, False, 3.0, True)
        assert "shares (1." in ada.remarks[0]
        assert heard == ["bo", "ada"]
        again, _ = grade(plan, handed_in, progress=hears)
    assert heard == ["bo", "ada", "ada"]
    assert again.score == 2.0
