"""Grade a folder of submissions without doing anything twice, and write nbgrader's gradebook once.

Each submission's cells run in isolation on a Dask cluster (:mod:`autograder.batch`); results are written, each as a
whole, as soon as they are there, under a key that is a hash of the submission, the released notebook, the grading code,
the limits and the seed: what has not changed is not graded again, whatever was killed in between. At the end the one
writer of the gradebook writes what is new (:mod:`autograder.gradebook`). A submission that cannot be graded is a line
in the results, and the others are graded.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from autograder import notebook
from autograder.batch import THIS_MACHINE, Cluster, Job, run
from autograder.collect import RefusedError, Submission, collect, sanitise
from autograder.course import (
    CELL_TIMEOUT,
    CourseError,
    catalogue_of,
    code_version,
    default_gradebook,
    source_of,
)
from autograder.deadlines import NO_DEADLINE, Deadline
from autograder.files import digest, write_if_changed
from autograder.gradebook import extensions, write_gradebook
from autograder.graded import Graded, Mark, keep, kept
from autograder.groups import ALONE, Groups
from autograder.isolation.limits import Limits
from autograder.message import plain
from autograder.naming import printed
from autograder.notebook import Cell, Notebook, NotebookError, answers_before, read
from autograder.restoring import restore, written_answers
from autograder.seeds import course_secret, student_seed

#: Hears of each submission that was graded: how many are done, of how many, and whose it is.
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Execution:
    """How the cells of a submission are run.

    Args:
        cell_timeout: seconds of processor time that one cell, or one question, may use.
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


@dataclass(frozen=True)
class Grading:
    """What is graded, how, and where its results go.

    Args:
        root: folder of the course.
        problem_set: its name.
        out: folder for the results and for nbgrader's files.
        execution: how the cells are run.
        cluster: where.
        deadline: when the set is due, and what lateness costs.
        groups: who works together.
        db_url: of the gradebook; by default an SQLite file in ``out``.

    Raises:
        CourseError: stock nbgrader is asked for what it does not do.
    """

    root: Path
    problem_set: str
    out: Path
    execution: Execution = Execution()
    cluster: Cluster = THIS_MACHINE
    deadline: Deadline = NO_DEADLINE
    groups: Groups = ALONE
    db_url: str = ""

    def __post_init__(self) -> None:
        asked = (self.deadline, self.groups, self.db_url, self.cluster)
        if not self.execution.isolated and asked != (NO_DEADLINE, ALONE, "", THIS_MACHINE):
            raise CourseError(
                "--stock leaves everything to nbgrader: due times, groups, another gradebook or cluster are not for it"
            )

    @property
    def version(self) -> str:
        """Of all code that decides a grade."""
        return code_version(catalogue_of(self.root).checks)

    @property
    def course(self) -> Path:
        """nbgrader's folder."""
        return self.out.resolve() / "course"

    @property
    def private(self) -> Path:
        """Folder for the secret, the students' copies of the library, and caches."""
        return self.out.resolve() / "isolation"

    @property
    def gradebook(self) -> str:
        """Address of the gradebook."""
        return self.db_url or default_gradebook(self.course)

    def notebook(self, stage: str, student: str) -> Path:
        """nbgrader's place for a student's notebook in one of its stages, ``submitted`` or ``autograded``."""
        return self.course / stage / student / self.problem_set / f"{self.problem_set}.ipynb"


@dataclass(frozen=True)
class Work:
    """A submission that waits to be graded.

    Args:
        key: of its outcome.
        seed: of the student's inputs.
        handed_in: its notebook.
        cells: to run, with what is not the student's restored.
        waiting: what is known of it before.
    """

    key: str
    seed: int
    handed_in: Notebook
    cells: tuple[Cell, ...]
    waiting: Graded

    @property
    def job(self) -> Job:
        """What a worker needs of it."""
        bare = tuple(replace(cell, rest={}) for cell in self.cells)
        return Job(self.waiting.student, self.key, bare, self.seed)


def grade(
    plan: Grading,
    submissions: Path,
    *,
    anew: bool = False,
    announce: Callable[[str], None] = lambda line: None,
    progress: Progress = lambda done, of, student: None,
) -> list[Graded]:
    """Grade submissions; what was graded before and has not changed is read back.

    Args:
        plan: what, how and where.
        submissions: folder or zip.
        anew: grade everything again.
        announce: called, before anything is graded, with a line that names the active layers of isolation.
        progress: called after each submission.

    Returns:
        The grades of every student, by name; those of a group's members are the same.

    Raises:
        CourseError: unknown problem set, no submissions, a course folder that does not fit, a cluster or gradebook
            that cannot be reached, or no isolation.
    """
    source_of(plan.root, plan.problem_set)
    collected = collect(submissions, plan.problem_set)
    data = _released(plan)
    released = read(data)
    finished, works = _sorted_out(plan, collected, data, released, anew)
    if works:
        announce(plan.execution.require())
    _stage(plan, works, submissions, released)
    for number, graded in enumerate(_graded(plan, works, released), start=1):
        finished[graded.student] = graded
        if not graded.problem and graded.final:
            keep(plan.out, works[graded.student].key, graded)
        progress(number, len(works), graded.student)
    grades = list(_of_students(plan, finished.values()))
    if plan.execution.isolated:
        fresh = {student for owner in works for student in plan.groups.students(owner)}
        _enter(plan, grades, released, fresh)
    return sorted(grades, key=lambda one: one.student)


def _stage(plan: Grading, works: Mapping[str, Work], submissions: Path, released: Notebook) -> None:
    """Put the submissions where nbgrader looks for them: as handed in, and for stock nbgrader as they are to be run.

    What was collected there already is left as it is.
    """
    isolated = plan.execution.isolated
    if isolated and submissions.resolve().is_relative_to(plan.course / "submitted"):
        return
    for owner, work in works.items():
        staged = work.handed_in if isolated else Notebook(work.cells, released.rest)
        for student in plan.groups.students(owner):
            write_if_changed(plan.notebook("submitted", student), notebook.write(staged))


def _released(plan: Grading) -> bytes:
    """Make the assignment in the course folder where it is not up to date; the released notebook's bytes."""
    from autograder.release import generate

    root, name, course = plan.root, plan.problem_set, plan.course
    released = course / "release" / name / f"{name}.ipynb"
    stamp = course / f"{name}.stamp"
    key = digest([source_of(root, name).read_bytes(), plan.version.encode(), plan.db_url.encode()])
    if not (released.is_file() and stamp.is_file() and stamp.read_text() == key):
        try:
            generate(root, name, course, plan.db_url)
        except CourseError as error:
            if "Cannot add or remove cells" in str(error):
                raise CourseError(
                    f"the questions of {name} are not those that {course.parent} was begun with; give another --out"
                ) from error
            raise
        write_if_changed(stamp, key.encode())
    return released.read_bytes()


def _sorted_out(
    plan: Grading, collected: Sequence[Submission], data: bytes, released: Notebook, anew: bool
) -> tuple[dict[str, Graded], dict[str, Work]]:
    """What need not or cannot be graded, and what waits for it, by owner."""
    version = digest([data, plan.version.encode(), repr(plan.execution).encode()])
    secret = course_secret(plan.private / "secret")
    finished: dict[str, Graded] = {}
    works: dict[str, Work] = {}
    for submission in _one_for_each(collected, plan.groups):
        owner = submission.student
        try:
            work = _prepared(submission, plan.problem_set, released, version, student_seed(secret, owner))
        except (RefusedError, NotebookError) as error:
            finished[owner] = Graded(owner, problem=str(error), handed_in=submission.handed_in)
            continue
        except (
            Exception
        ) as error:  # one submission, whatever is wrong with it, is one line and stops no other
            finished[owner] = _failed(owner, error, submission.handed_in)
            continue
        before = None if anew else kept(plan.out, owner, work.key)
        if before is not None:
            finished[owner] = replace(before, handed_in=submission.handed_in)
        else:
            works[owner] = work
    return finished, works


def _prepared(submission: Submission, problem_set: str, released: Notebook, version: str, seed: int) -> Work:
    """A submission made ready.

    Raises:
        RefusedError, NotebookError: it cannot be graded.
    """
    handed_in, remarks = sanitise(submission, problem_set, released)
    cells, more = restore(handed_in.cells, released.cells)
    key = digest([notebook.write(handed_in), version.encode(), str(seed).encode()])
    waiting = Graded(submission.student, remarks=(*remarks, *more), handed_in=submission.handed_in)
    return Work(key, seed, handed_in, tuple(cells), waiting)


def _failed(owner: str, error: Exception, handed_in: datetime | None) -> Graded:
    why = printed(f"{type(error).__name__}: {error}")[:300]
    return Graded(owner, problem=f"the grader failed on it ({why}), not the student", handed_in=handed_in)


def _one_for_each(collected: Sequence[Submission], groups: Groups) -> Iterator[Submission]:
    """Submissions named by group where there is one; a second one of a group is a problem of who handed it in."""
    seen: dict[str, str] = {}
    for submission in collected:
        group = groups.of(submission.student)
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


def _graded(plan: Grading, works: Mapping[str, Work], released: Notebook) -> Iterator[Graded]:
    """Grade what waits; the notebook that a person reads is written before the outcome is handed on."""
    if not plan.execution.isolated:
        yield from _by_nbgrader(plan, works, released)
        return
    jobs = [work.job for work in works.values()]
    limits, unsafe = plan.execution.limits, plan.execution.unsafe
    catalogue, name = catalogue_of(plan.root), plan.problem_set
    for played in run(jobs, catalogue, name, limits, plan.private, unsafe=unsafe, cluster=plan.cluster):
        work = works[played.graded.student]
        try:
            if not played.graded.problem:
                executed = notebook.write(Notebook(work.cells, released.rest), played.outputs)
                for student in plan.groups.students(played.graded.student):
                    write_if_changed(plan.notebook("autograded", student), executed)
            graded = _complete(work, played.graded, released)
        except (ValueError, TypeError, LookupError, RecursionError) as error:
            graded = _failed(work.waiting.student, error, work.waiting.handed_in)
        yield graded


def _complete(work: Work, graded: Graded, released: Notebook) -> Graded:
    """A graded submission with every graded cell of the notebook, and with what was known before."""
    remarks = (*work.waiting.remarks, *graded.remarks)
    known = replace(graded, remarks=remarks, handed_in=work.waiting.handed_in)
    if graded.problem:
        return known
    written, more = written_answers(work.cells, released.cells)
    questions = {
        cell.grade_id: _mark(cell, graded.questions.get(cell.grade_id), cell.grade_id in written)
        for cell in released.cells
        if cell.graded
    }
    return replace(known, questions=questions, remarks=(*known.remarks, *more))


def _mark(released: Cell, checked: Mark | None, written: bool) -> Mark:
    """What a graded cell gets; an answer that a person reads gets nothing where nothing was written."""
    if checked is not None:
        return replace(checked, points=released.points)
    if released.manual:
        return Mark(released.points, None if written else 0.0, manual=True)
    return Mark(released.points, 0.0, fault="no check grades this question")


def _by_nbgrader(plan: Grading, works: Mapping[str, Work], released: Notebook) -> Iterator[Graded]:
    """Grade what waits with unmodified nbgrader."""
    from autograder.stock import autograde_with_nbgrader

    timeout = plan.execution.cell_timeout
    for graded in autograde_with_nbgrader(plan.course, plan.problem_set, list(works), timeout):
        work = works[graded.student]
        written, more = written_answers(work.cells, released.cells)
        marks = {
            name: replace(mark, auto=None) if mark.manual and name in written and not mark.auto else mark
            for name, mark in graded.questions.items()
        }
        remarks = (*work.waiting.remarks, *more)
        yield replace(graded, questions=marks, remarks=remarks, handed_in=work.waiting.handed_in)


def _of_students(plan: Grading, outcomes: Iterable[Graded]) -> Iterator[Graded]:
    """The grade of each student that a submission is for, with what lateness costs; an extension is one student's own."""
    extra = extensions(plan.gradebook, plan.problem_set) if plan.deadline.due is not None else {}
    for graded in outcomes:
        owner = graded.student
        group = owner if owner in plan.groups.members else ""
        for student in plan.groups.students(owner):
            own = replace(graded, student=student, group=group)
            yield plan.deadline.applied(own, extra.get(student, timedelta(0)))


def _enter(plan: Grading, grades: Sequence[Graded], released: Notebook, fresh: Container[str]) -> None:
    """Write the grades into the gradebook, with what the checks say as comments on the answer cells."""
    place = answers_before(released.cells)

    def said(graded: Graded) -> dict[str, str]:
        comments: dict[str, list[str]] = {}
        for name, mark in graded.questions.items():
            if name in place and mark.result is not None:
                comments.setdefault(place[name], []).append(plain(replace(mark.result, hints=())))
        return {answer: "\n\n".join(parts) for answer, parts in comments.items()}

    known = [one for one in grades if not one.problem]
    write_gradebook(plan.gradebook, plan.problem_set, known, said, fresh=fresh, due=plan.deadline.due)
