"""Grade a folder of submissions without doing anything twice, and write nbgrader's gradebook once.

Each submission's cells run in isolation on a Dask cluster (:mod:`autograder.batch`); results are written, each as a
whole, as soon as they are there, under a key that is a hash of the submission, the released notebook, the grading code,
the limits and the seed: what has not changed is not graded again, whatever was killed in between. At the end the one
writer of the gradebook writes what is new (:mod:`autograder.gradebook`). A submission that cannot be graded is a line
in the results, and the others are graded.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

from autograder.batch import THIS_MACHINE, Cluster, Done, Job, run
from autograder.collect import Submission, collect, sanitise
from autograder.course import (
    CELL_TIMEOUT,
    CourseError,
    checkout,
    code_version,
    default_gradebook,
    source_of,
)
from autograder.executed import answers_before, executed_notebook, manual_score
from autograder.files import digest, write_if_changed
from autograder.gradebook import Entry, extensions, write_gradebook
from autograder.isolation.limits import Limits
from autograder.isolation.runner import Cell, course_secret, read_cells, restore, student_seed
from autograder.results import QuestionGrade, StudentGrade, keep, kept
from autograder.rules import NO_RULES, Rules

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Execution:
    """How the cells of a submission are run.

    Args:
        cell_timeout: seconds that one cell may run.
        isolated: False leaves the cells to nbgrader, in a kernel with the rights of this account.
        unsafe: go on where files, network or processes cannot be isolated.
    """

    cell_timeout: int = CELL_TIMEOUT
    isolated: bool = True
    unsafe: bool = False

    @property
    def limits(self) -> Limits:
        """What one submission may use."""
        return Limits(cell_seconds=self.cell_timeout, notebook_seconds=max(900, 2 * self.cell_timeout))

    def require(self) -> str:
        """Refuse where isolation is asked for and cannot be had; otherwise one line that names the active layers.

        Raises:
            CourseError: names what is missing and the ways out.
        """
        if not self.isolated:
            return "Isolation: none (--stock): cells run in kernels with the rights of this account"
        from autograder.isolation import sandbox

        layers = sandbox.probe()
        try:
            sandbox.require(layers, self.unsafe)
        except sandbox.IsolationError as error:
            raise CourseError(str(error)) from None
        return f"Isolation: {', '.join(layers.active) or 'none'}"


def _assignment(root: Path, problem_set: str, course: Path, db_url: str) -> bytes:
    """Make the assignment in the course folder where it is not up to date; the released notebook's bytes."""
    from autograder.release import generate

    released = course / "release" / problem_set / f"{problem_set}.ipynb"
    stamp = course / f"{problem_set}.stamp"
    key = digest([source_of(root, problem_set).read_bytes(), code_version().encode(), db_url.encode()])
    if not (released.is_file() and stamp.is_file() and stamp.read_text() == key):
        try:
            generate(root, problem_set, course, db_url)
        except CourseError as error:
            if "Cannot add or remove cells" in str(error):
                raise CourseError(
                    f"the questions of {problem_set} are not those that {course.parent} was begun with; "
                    "give another --out"
                ) from error
            raise
        write_if_changed(stamp, key.encode())
    return released.read_bytes()


@cache
def graded_cells(released: bytes) -> Mapping[str, float]:
    """Points of each graded cell of a notebook, by grade_id, in order."""
    found = {}
    for cell in json.loads(released)["cells"]:
        marked = cell["metadata"].get("nbgrader", {})
        if marked.get("grade"):
            found[marked["grade_id"]] = float(marked["points"])
    return found


@cache
def _cells_of(released: bytes) -> list[Cell]:
    return read_cells(released)


@dataclass(frozen=True)
class _Work:
    """One submission to grade: the job, the notebook's bytes, and what was put right in it."""

    job: Job
    content: bytes
    remarks: list[str]


def grade(
    problem_set: str,
    submissions: Path,
    out: Path,
    *,
    execution: Execution = Execution(),
    cluster: Cluster = THIS_MACHINE,
    rules: Rules = NO_RULES,
    db_url: str = "",
    anew: bool = False,
    announce: Callable[[str], None] | None = None,
    progress: Progress | None = None,
) -> list[StudentGrade]:
    """Grade submissions; what was graded before and has not changed is read back.

    Args:
        problem_set: its name.
        submissions: folder or zip.
        out: folder for the results and for nbgrader's files.
        execution: how the cells are run.
        cluster: where.
        rules: when the set is due, what lateness costs, who works together.
        db_url: of the gradebook; by default an SQLite file in ``out``.
        anew: grade everything again.
        announce: called, before anything is graded, with a line that names the active layers of isolation.
        progress: called with (done, of, student).

    Returns:
        The grades of every student, by name; those of a group's members are the same.

    Raises:
        CourseError: unknown problem set, no submissions, a course folder that does not fit, a cluster or gradebook
            that cannot be reached, or no isolation.
    """
    if not execution.isolated and (rules != NO_RULES or db_url or cluster != THIS_MACHINE):
        raise CourseError(
            "--stock leaves everything to nbgrader: due times, groups, another gradebook or cluster are not for it"
        )
    root = checkout()
    source_of(root, problem_set)
    collected = collect(submissions, problem_set)
    course = out.resolve() / "course"
    released = _assignment(root, problem_set, course, db_url)
    version = digest([released, code_version().encode(), repr(execution).encode()])
    secret = course_secret(out.resolve() / "isolation" / "secret")
    finished: dict[str, StudentGrade] = {}
    waiting: dict[str, _Work] = {}
    moments: dict[str, datetime | None] = {}
    for submission in _one_for_each(collected, rules):
        owner = submission.student
        cleaned, remarks = sanitise(submission, problem_set, set(graded_cells(released)))
        moments[owner] = submission.handed_in
        if cleaned.problem:
            finished[owner] = StudentGrade(owner, problem=cleaned.problem)
            continue
        cells = restore(read_cells(cleaned.content), _cells_of(released))
        seed = student_seed(secret, owner)
        key = digest([cleaned.content, version.encode(), str(seed).encode()])
        found = None if anew else kept(out, owner, key)
        if found is not None:
            finished[owner] = found
        else:
            waiting[owner] = _Work(Job(owner, key, tuple(cells), seed), cleaned.content, remarks)
    if waiting:
        layers = execution.require()
        if announce is not None:
            announce(layers)
    for owner, work in waiting.items():
        for student in _members(owner, rules):
            staged = course / "submitted" / student / problem_set / f"{problem_set}.ipynb"
            write_if_changed(staged, work.content)
    if execution.isolated:
        results = _isolated(waiting, problem_set, released, out.resolve(), execution, cluster, rules)
    else:
        results = _stock(waiting, problem_set, course, execution)
    for number, result in enumerate(results, start=1):
        finished[result.student] = result
        if not result.problem:
            keep(out, waiting[result.student].job.key, result)
        if progress is not None:
            progress(number, len(waiting), result.student)
    book = db_url or default_gradebook(course)
    extra = extensions(book, problem_set) if rules.due is not None else {}
    grades = [
        grade
        for owner in sorted(finished)
        for grade in _with_rules(finished[owner], moments[owner], rules, extra)
    ]
    if execution.isolated:
        entries = [
            Entry(
                one,
                _comments(one, released),
                moments.get(one.group or one.student),
                (one.group or one.student) in waiting,
            )
            for one in grades
            if not one.problem
        ]
        write_gradebook(book, problem_set, entries, due=rules.due)
    return sorted(grades, key=lambda one: one.student)


def _members(owner: str, rules: Rules) -> tuple[str, ...]:
    return rules.groups.get(owner, (owner,))


def _one_for_each(collected: Sequence[Submission], rules: Rules) -> Iterator[Submission]:
    """Submissions named by group where there is one; a second one of a group is a problem of who handed it in."""
    seen: dict[str, str] = {}
    for submission in collected:
        group = rules.group_of(submission.student)
        if not group:
            yield submission
        elif group in seen:
            yield Submission(  # not by the student's name alone, under which the group's grade stands
                f"{submission.student}, second of {group}",
                problem=f"the group {group!r} has a submission already, from {seen[group]!r}",
            )
        else:
            seen[group] = submission.student
            yield replace(submission, student=group)


def _with_rules(
    grade: StudentGrade, handed_in: datetime | None, rules: Rules, extra: Mapping[str, timedelta]
) -> Iterator[StudentGrade]:
    """The grade of each student that it is for, with what lateness costs; an extension is one student's own."""
    for student in _members(grade.student, rules):
        group = grade.student if grade.student in rules.groups else ""
        late = rules.late_s(handed_in, extra.get(student, timedelta(0)))
        yield replace(grade, student=student, group=group, late_s=late, penalty=rules.penalty(late))


def _comments(grade: StudentGrade, released: bytes) -> dict[str, str]:
    messages = {name: one.message for name, one in grade.questions.items() if one.message}
    said: dict[str, list[str]] = {}
    for answer, message in answers_before(_cells_of(released), messages):
        said.setdefault(answer, []).append(message)
    return {answer: "\n\n".join(parts) for answer, parts in said.items()}


def _isolated(
    works: Mapping[str, _Work], problem_set: str, released: bytes, out: Path, execution: Execution,
    cluster: Cluster, rules: Rules,
) -> Iterator[StudentGrade]:  # fmt: skip
    """Grade on the cluster; the notebook that a person reads is written before the result is handed on."""
    jobs = [work.job for work in works.values()]
    private = out / "isolation"
    for done in run(jobs, problem_set, execution.limits, private, unsafe=execution.unsafe, cluster=cluster):
        work = works[done.owner]
        if done.problem:
            yield StudentGrade(done.owner, problem=done.problem)
            continue
        notebook = executed_notebook(work.job.cells, done.outputs, released)
        for student in _members(done.owner, rules):
            folder = out / "course" / "autograded" / student / problem_set
            write_if_changed(folder / f"{problem_set}.ipynb", notebook)
        yield _result(work, done, released)


def _result(work: _Work, done: Done, released: bytes) -> StudentGrade:
    handed_out = {cell.grade_id: cell for cell in _cells_of(released) if cell.grade_id}
    handed_in = {cell.grade_id: cell for cell in work.job.cells if cell.grade_id}
    questions = {}
    for name, points in graded_cells(released).items():
        entry = done.report["questions"].get(name)
        if entry is None and handed_out[name].answer:
            score = manual_score(handed_in.get(name), handed_out[name])
            questions[name] = QuestionGrade(score, points, True)
        elif entry is None:
            questions[name] = QuestionGrade(0.0, points, False, "No check grades this question.")
        else:
            questions[name] = QuestionGrade(
                entry["score"], points, False, entry["message"], entry["misconceptions"], entry["hint"],
                entry["failed"], entry["seconds"],
            )  # fmt: skip
    return StudentGrade(
        done.owner, questions, remarks=work.remarks, seed=work.job.seed, seconds=done.report["seconds"],
        restarts=done.report["restarts"], peak_mb=done.report["peak_mb"], trouble=done.report["trouble"],
    )  # fmt: skip


def _stock(
    works: Mapping[str, _Work], problem_set: str, course: Path, execution: Execution
) -> Iterator[StudentGrade]:
    from autograder.stock import autograde_with_nbgrader

    for grade in autograde_with_nbgrader(course, problem_set, list(works), execution.cell_timeout):
        yield replace(grade, remarks=works[grade.student].remarks)
