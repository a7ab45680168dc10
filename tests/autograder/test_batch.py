"""Grading on a cluster: results as nbgrader reads them, one writer, groups, lateness, regrading, killed processes."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import nbformat
import pytest

from autograder import batch, gradebook
from autograder.batch import Cluster, Job
from autograder.catalogue import OWN, Catalogue
from autograder.course import COURSE_ID, CourseError, checkout
from autograder.deadlines import Deadline
from autograder.grade import Execution, Grading, grade
from autograder.graded import Graded, Mark
from autograder.groups import Groups
from autograder.isolation.limits import Limits
from autograder.message import plain
from autograder.proof.samples import write_samples
from autograder.report import store
from tests.support import initdb

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("batch")]

PS, ROOT = "ps0_start", checkout()
HERE = Execution(unsafe=True)


@pytest.fixture(scope="module")
def samples(root, tmp_path_factory):
    """A few samples of the practice set as notebooks named by sample."""
    folder = tmp_path_factory.mktemp("samples")
    written = write_samples(root, PS)
    for name in ("solution", "untouched", "first_step"):
        shutil.copy(written / f"{name}.ipynb", folder)
    return folder


@pytest.fixture(scope="module")
def graded(samples, tmp_path_factory):
    """The samples, graded once on a cluster, and the folder of the results."""
    out = tmp_path_factory.mktemp("graded")
    return grade(Grading(ROOT, PS, out, HERE, Cluster(workers=1)), samples), out


def scores(grades):
    return {one.student: (one.score, one.pending, one.penalty, one.group) for one in grades}


def rows(url):
    """Every graded cell in a gradebook: (student, cell) to (automatic, manual, wants a person)."""
    from nbgrader.api import Gradebook

    with Gradebook(url, COURSE_ID) as book:
        return {
            (submission.student.id, one.name): (one.auto_score, one.manual_score, one.needs_manual_grade)
            for submission in book.assignment_submissions(PS)
            for notebook in submission.notebooks
            for one in notebook.grades
        }


def test_the_gradebook_and_the_notebook_say_what_nbgrader_would(graded):
    """nbgrader's own reading of each executed notebook gives the scores in the results and in the gradebook."""
    from nbgrader.utils import determine_grade, is_grade

    grades, out = graded
    found = rows(f"sqlite:///{out / 'course' / 'gradebook.db'}")
    assert {one.student for one in grades} == {"solution", "untouched", "first_step"}
    for one in grades:
        path = out / "course" / "autograded" / one.student / PS / f"{PS}.ipynb"
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
        read = {
            cell.metadata.nbgrader.grade_id: determine_grade(cell)
            for cell in notebook.cells
            if is_grade(cell)
        }
        assert read == {name: (part.score, part.points) for name, part in one.questions.items()}
        for name, part in one.questions.items():
            assert found[one.student, name] == (part.score, None, part.score is None)
    assert [
        cell.source for cell in notebook.cells if "raise NotImplementedError" in cell.source
    ]  # untouched, last
    assert found["untouched", "discussion_green"] == (0.0, None, False)
    # nobody has given anything: what was not answered stays 0
    grades = store.add_manual(grades, out, PS)
    pending = {one.student: one.pending for one in grades}
    assert pending == {"solution": 1.0, "first_step": 1.0, "untouched": 0.0}


def test_messages_are_comments_on_the_answer_cells(graded):
    from nbgrader.api import Gradebook

    grades, out = graded
    by_name = {one.student: one for one in grades}
    with Gradebook(f"sqlite:///{out / 'course' / 'gradebook.db'}", COURSE_ID) as book:
        comment = book.find_comment("longest_silence_answer", PS, PS, "first_step").comment
    result = by_name["first_step"].questions["longest_silence"].result
    assert result.hints
    assert comment == plain(replace(result, hints=()))
    assert "longest" in comment


def test_a_group_shares_one_grade_and_lateness_costs(samples, tmp_path):
    place = tmp_path / "in"
    for student, sample, stamp in (
        ("ada", "solution", "2026-12-02 01:00:00 UTC"),  # for the group red, two hours late
        ("bo", "untouched", "2026-12-01 22:00:00 UTC"),  # of the same group: the group has one already
        ("cy", "first_step", "2026-12-01 22:00:00 UTC"),
    ):
        folder = place / student / PS
        folder.mkdir(parents=True)
        shutil.copy(samples / f"{sample}.ipynb", folder / f"{PS}.ipynb")
        (folder / "timestamp.txt").write_text(stamp)
    out = tmp_path / "out"
    deadline = Deadline(datetime(2026, 12, 1, 23, tzinfo=UTC), 0.5)
    groups = Groups({"red": ("ada", "bo", "di")})
    plan = Grading(ROOT, PS, out, HERE, Cluster(workers=1), deadline, groups)
    grades = grade(plan, place)
    assert scores([one for one in grades if not one.problem]) == {
        "ada": (2.5, 1.0, 0.5, "red"),
        "bo": (2.5, 1.0, 0.5, "red"),
        "cy": (2.5, 1.0, 0.0, ""),
        "di": (2.5, 1.0, 0.5, "red"),
    }
    (refused,) = [one for one in grades if one.problem]
    assert refused.student == "bo, second of red"
    assert refused.problem == "the group 'red' has a submission already, from 'ada'"
    assert len({one.student for one in grades}) == len(grades)
    from nbgrader.api import Gradebook

    with Gradebook(f"sqlite:///{out / 'course' / 'gradebook.db'}", COURSE_ID) as book:
        late = {
            one.student.id: (one.notebooks[0].late_submission_penalty, one.timestamp, one.total_seconds_late)
            for one in book.assignment_submissions(PS)
        }
    assert late["di"] == (0.5, datetime(2026, 12, 2, 1), 7200.0)
    assert late["cy"][2] == 0.0
    again = grade(plan, place)
    assert scores(again) == scores(grades)
    with Gradebook(f"sqlite:///{out / 'course' / 'gradebook.db'}", COURSE_ID) as book:
        book.grant_extension(PS, "di", hours=3)  # for one member; the others stay late
    longer = {one.student: one for one in grade(plan, place) if not one.problem}
    assert [longer[name].penalty for name in ("ada", "bo", "cy", "di")] == [0.5, 0.5, 0.0, 0.0]


def check_regrade(url, samples, tmp_path):
    """Grade, give points by hand, change one answer, grade again: what a person gave is kept and marked for a look."""
    from nbgrader.api import Gradebook

    place, out = tmp_path / "in", tmp_path / "out"
    shutil.copytree(samples, place)
    plan = Grading(ROOT, PS, out, HERE, Cluster(workers=1), db_url=url)
    grade(plan, place)
    with Gradebook(url, COURSE_ID) as book:
        for student in ("solution", "first_step"):
            one = book.find_grade("discussion_green", PS, PS, student)
            one.manual_score, one.needs_manual_grade = 0.75, False
        book.db.commit()
    shutil.copy(samples / "solution.ipynb", place / "first_step.ipynb")
    before = rows(url)
    grade(plan, place)
    after = rows(url)
    assert after["solution", "discussion_green"] == (None, 0.75, False)
    assert after["first_step", "discussion_green"] == (None, 0.75, True)
    assert before["first_step", "longest_silence"][0] == 0.5
    assert after["first_step", "longest_silence"] == (1.0, None, False)
    assert before.keys() == after.keys()


def test_a_regrade_keeps_what_a_person_gave(samples, tmp_path):
    check_regrade(f"sqlite:///{tmp_path / 'grades.db'}?timeout=60", samples, tmp_path)


@pytest.fixture
def postgres(tmp_path_factory):
    """Address of a database in a PostgreSQL server of its own that listens on a socket in a folder only."""
    psycopg = pytest.importorskip("psycopg")
    first = initdb()
    assert first is not None
    server = first.with_name("postgres")
    account = {}
    if os.geteuid() == 0:  # PostgreSQL does not run as root
        try:
            account = {"user": pwd.getpwnam("postgres").pw_uid, "group": pwd.getpwnam("postgres").pw_gid}
        except KeyError:
            pytest.skip("PostgreSQL does not run as root, and there is no account called postgres")
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    if account:
        os.chown(folder, account["user"], account["group"])
    subprocess.run(
        [str(first), "-D", str(folder / "data"), "-U", "postgres", "-A", "trust", "--no-sync"],
        check=True, capture_output=True, cwd=folder, **account,
    )  # fmt: skip
    process = subprocess.Popen(
        [str(server), "-D", str(folder / "data"), "-k", str(folder), "-c", "listen_addresses=", "-F"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder, **account,
    )  # fmt: skip
    try:
        while True:
            assert process.poll() is None, "the server has ended"
            with contextlib.suppress(psycopg.OperationalError):
                psycopg.connect(f"host={folder} user=postgres dbname=postgres").close()
                break
            time.sleep(0.1)
        yield f"postgresql+psycopg://postgres@/postgres?host={folder}"
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.postgres
def test_a_regrade_keeps_what_a_person_gave_in_postgresql(samples, tmp_path, postgres):
    check_regrade(postgres, samples, tmp_path)


def test_a_running_scheduler_grades_and_one_that_is_not_is_one_line(samples, tmp_path):
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=1,
        threads_per_worker=1,
        dashboard_address="127.0.0.1:0",
        local_directory=str(tmp_path / "dask"),
        memory_limit=0,
    ) as local:
        running = Cluster(scheduler=local.scheduler_address)
        there = grade(Grading(ROOT, PS, tmp_path / "out", HERE, running), samples)
    assert scores(there)["solution"] == (3.0, 1.0, 0.0, "")
    with pytest.raises(CourseError, match=r"no Dask scheduler answers at tcp://127.0.0.1:9"):
        grade(Grading(ROOT, PS, tmp_path / "other", HERE, Cluster(scheduler="tcp://127.0.0.1:9")), samples)


def test_a_worker_with_other_code_refuses():
    settings = batch.JobSettings(str(OWN), PS, Limits(), unsafe=True, version="other", door=None)
    reply = batch.work(msgspec.json.encode(Job("ada", "key", (), 1)), msgspec.json.encode(settings))
    refused = msgspec.json.decode(reply, type=batch.JobReply)
    assert isinstance(refused, batch.Refused)
    assert "another version" in refused.why


def test_no_work_starts_no_cluster(monkeypatch, tmp_path):
    monkeypatch.setattr(batch, "_client", None)
    assert list(batch.run([], Catalogue(OWN), PS, Limits(), tmp_path)) == []
    assert Job("ada", "key", (), 1).owner == "ada"


def test_a_gradebook_that_cannot_be_written_is_one_line(samples, tmp_path):
    grades = [Graded("ada", {"spike_count": Mark(1.0, 1.0)})]

    def nothing(graded):
        return {}

    with pytest.raises(CourseError, match="the gradebook does not hold ps0_start"):
        gradebook.write_gradebook(f"sqlite:///{tmp_path / 'empty.db'}", PS, grades, nothing)
    with pytest.raises(CourseError, match=r"the gradebook could not be written: .*; the results are kept"):
        gradebook.write_gradebook("sqlite:////nowhere/grades.db", PS, grades, nothing)


def test_killed_workers_and_coordinators_lose_nothing(tmp_path):
    from tools.soak import soak

    outcome = soak(24, seed=1, folder=tmp_path / "soak", pause=0.5)
    assert outcome.graded == 24
    assert outcome.clean, outcome
    assert outcome.workers_killed + outcome.coordinators_killed > 0
