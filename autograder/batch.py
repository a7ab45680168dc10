"""Many submissions in isolation on a Dask cluster: this machine's processes, or a cluster that is already there.

A piece of work is a pure function of plain data: the cells of a submission, the problem set, a seed and the limits go
in, what its questions got comes out, both as JSON of one schema. Its key is a hash of those, so a worker that dies loses
nothing: the work goes to another.
On this machine all workers share one warm parent (see :mod:`autograder.isolation.source`), which gets ready while
the cluster starts; on a cluster that is already there each worker has its own, started with its first piece.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from autograder.catalogue import BrokenQuestionError, Catalogue, UnknownQuestionError
from autograder.course import CourseError, code_version
from autograder.graded import Graded, graded_again
from autograder.isolation import runner
from autograder.isolation.limits import Limits
from autograder.isolation.outputs import Output
from autograder.isolation.sandbox import IsolationError
from autograder.isolation.source import Door, GoneError, WarmParent, WorkerSource, shared_warm_parent, visit
from autograder.naming import printed
from autograder.notebook import Cell

#: How many workers may die on the same piece of work before it is given up.
ALLOWED_FAILURES = 10
#: Pieces of work that wait on the cluster, for each worker.
AHEAD = 4
#: Seconds without a result after which the workers are counted.
PATIENCE_S = 5
#: How often a cluster of this machine is started while nothing comes of it.
STARTS = 5


class _LostError(Exception):
    """The cluster did not start, or has no worker any more."""


@dataclass(frozen=True)
class Cluster:
    """Where the work is done.

    Args:
        workers: processes on this machine; 0 for as many as it has processors.
        scheduler: address of a running Dask scheduler (``tcp://host:8786``); then ``workers`` does not count.
    """

    workers: int = 0
    scheduler: str = ""

    def size(self, jobs: int) -> int:
        """Processes to start on this machine."""
        return max(1, min(self.workers or len(os.sched_getaffinity(0)), jobs))


#: All processors of this machine.
THIS_MACHINE = Cluster()


@dataclass(frozen=True)
class Job:
    """One piece of work: whose it is, the key of its result, the cells in order, the seed of the inputs."""

    owner: str
    key: str
    cells: tuple[Cell, ...]
    seed: int


@dataclass(frozen=True)
class JobSettings:
    """What all jobs of a run have in common; sent to the workers as plain data."""

    checks: str
    problem_set: str
    limits: Limits
    unsafe: bool
    version: str
    door: Door | None


class Played(msgspec.Struct, frozen=True, tag=True):
    """What came of a job: what the questions got, and each cell's outputs by position."""

    graded: Graded
    outputs: list[list[Output]]


class Refused(msgspec.Struct, frozen=True, tag=True):
    """This worker cannot grade, and why."""

    why: str


class Gone(msgspec.Struct, frozen=True, tag=True):
    """What this worker depends on has ended, and how."""

    why: str


JobReply = Played | Refused | Gone


@cache
def _own_version(checks: str) -> str:
    return code_version(Path(checks))


def work(job: bytes, settings: bytes) -> bytes:
    """Grade one submission (runs in a Dask worker): a :class:`Job` and :class:`JobSettings` give a reply, as JSON."""
    # torch says at its import that it has no Triton, which nobody here can do anything about
    logging.getLogger("torch._library.triton").setLevel(logging.ERROR)
    wanted = msgspec.json.decode(job, type=Job)
    try:
        return msgspec.json.encode(_reply(wanted, msgspec.json.decode(settings, type=JobSettings)))
    except Exception as error:  # what one submission does to the grader is a line about that submission
        why = printed(f"{type(error).__name__}: {error}")[:300]
        problem = f"the grader failed on it ({why}), not the student; grade it again"
        return msgspec.json.encode(Played(Graded(wanted.owner, problem=problem), []))


def _reply(job: Job, common: JobSettings) -> JobReply:
    if common.version != _own_version(common.checks):
        return Refused("a worker of the cluster has another version of the course installed")
    try:
        questions = Catalogue(Path(common.checks)).questions(common.problem_set)
    except (BrokenQuestionError, UnknownQuestionError) as error:
        return Refused(str(error))
    try:
        graded, outputs = runner.play(
            job.cells,
            questions,
            job.seed,
            common.limits,
            workers=_workers(common),
            student=job.owner,
        )
    except GoneError as error:
        return Gone(str(error))
    except IsolationError as error:
        return Refused(str(error))
    return Played(replace(graded, version=common.version), outputs)


def _workers(common: JobSettings) -> WorkerSource:
    """The warm parent that all workers of this machine share, otherwise this worker's own."""
    if common.door is not None:
        return visit(common.door)
    from distributed import get_worker

    return shared_warm_parent(Path(get_worker().local_directory) / "snngrade", unsafe=common.unsafe)


@contextlib.contextmanager
def _client(cluster: Cluster, jobs: int, private: Path) -> Iterator[Any]:
    """A client of the running scheduler, or of a cluster of this machine that ends with it.

    Raises:
        CourseError: the scheduler does not answer, or has no worker.
        _LostError: a cluster of this machine does not start.
    """
    import dask
    from distributed import Client, LocalCluster

    os.environ["OMP_NUM_THREADS"] = "1"  # inherited by the workers
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    with dask.config.set(
        {
            "distributed.scheduler.allowed-failures": ALLOWED_FAILURES,
            "distributed.worker.daemon": False,
            "distributed.worker.profile.enabled": False,
            "distributed.comm.timeouts.connect": "20s",
            "distributed.diagnostics.nvml": False,
        }
    ):
        if cluster.scheduler:
            try:
                client = Client(cluster.scheduler, timeout=10, name="snngrade")
            except (OSError, ValueError) as error:
                raise CourseError(f"no Dask scheduler answers at {cluster.scheduler}: {error}") from None
            with client:
                if not client.scheduler_info()["workers"]:
                    raise CourseError(f"the Dask scheduler at {cluster.scheduler} has no workers yet")
                yield client
            return
        try:
            local = LocalCluster(
                n_workers=cluster.size(jobs),
                threads_per_worker=1,
                processes=True,
                memory_limit=0,
                dashboard_address="127.0.0.1:0",  # the scheduler serves its state in any case: here only, on a free port
                worker_dashboard_address=None,
                local_directory=str(private),
                silence_logs=logging.CRITICAL,
            )
        except (RuntimeError, OSError) as error:
            raise _LostError(f"a Dask cluster could not be started on this machine: {error}") from None
        with local, Client(local) as client:
            yield client


def run(
    jobs: Sequence[Job],
    catalogue: Catalogue,
    problem_set: str,
    limits: Limits,
    private: Path,
    *,
    unsafe: bool = False,
    cluster: Cluster = THIS_MACHINE,
) -> Iterator[Played]:
    """Do all jobs; what came of them comes as it is ready, in no order.

    A cluster of this machine that cannot start or has lost all its workers is started again. A submission that a limit of
    time stopped is graded once more, alone, after all others.

    Args:
        jobs: the work.
        catalogue: the course's questions.
        problem_set: its name.
        limits: what a submission may use.
        private: folder for caches and the workers' files.
        unsafe: go on where files, network or processes cannot be isolated.
        cluster: where.

    Raises:
        CourseError: the cluster cannot be reached, does not stay alive, or has a worker that cannot isolate.
    """
    if not jobs:
        return
    checks = str(catalogue.checks.resolve())
    left = {job.owner: job for job in jobs}
    failed = 0
    with _parent_of_this_machine(private, unsafe, cluster) as parent:
        while left:
            try:
                door = parent.door if parent else None
                common = JobSettings(checks, problem_set, limits, unsafe, _own_version(checks), door)
                for done in _run_once(list(left.values()), common, private, cluster, parent):
                    del left[done.graded.student]
                    failed = 0
                    yield done
            except _LostError as error:
                failed += 1
                if cluster.scheduler or failed == STARTS:
                    raise CourseError(
                        f"{error}; what was graded is kept, run the same command to go on"
                    ) from None
            except IsolationError as error:
                raise CourseError(str(error)) from None


@contextlib.contextmanager
def _parent_of_this_machine(private: Path, unsafe: bool, cluster: Cluster) -> Iterator[WarmParent | None]:
    """The warm parent that the workers of this machine share, not yet started; None for a cluster elsewhere."""
    if cluster.scheduler:
        yield None
    else:
        with WarmParent(private / "copies", cache=private / "warm", unsafe=unsafe) as parent:
            yield parent


def _run_once(
    jobs: list[Job], common: JobSettings, private: Path, cluster: Cluster, parent: WarmParent | None
) -> Iterator[Played]:
    """Do jobs on one cluster, a few ahead of its workers; the warm parent starts while the cluster does.

    Raises:
        _LostError: the cluster did not start, or no worker or no warm parent is left.
        CourseError: a worker refuses.
        IsolationError: the warm parent does not start.
    """
    with ThreadPoolExecutor(1) as aside:
        warm = aside.submit(parent.start) if parent is not None else None
        with _client(cluster, len(jobs), private) as client:
            if warm is not None:
                warm.result()
            yield from _results(client, jobs, common)


def _results(client: Any, jobs: list[Job], common: JobSettings) -> Iterator[Played]:
    """Results of jobs as they come; what a limit of time stopped is done again after all others, one at a time."""
    ahead = AHEAD * len(client.scheduler_info()["workers"])
    stopped: list[tuple[Job, Graded]] = []
    for job, played in _as_they_come(client, jobs, common, ahead):
        if played.graded.stops:
            stopped.append((job, played.graded))
        else:
            yield played
    for job, first in stopped:
        for _, played in _as_they_come(client, [replace(job, key=f"{job.key}-alone")], common, 1):
            yield msgspec.structs.replace(played, graded=graded_again(first, played.graded))


def _as_they_come(
    client: Any, jobs: list[Job], common: JobSettings, ahead: int
) -> Iterator[tuple[Job, Played]]:
    """Jobs with their results, ``ahead`` of them on the cluster at once; see :func:`_run_once`."""
    from distributed import wait

    waiting = iter(jobs)
    running: dict[Any, Job] = {}
    settings = msgspec.json.encode(common)

    def submit(count: int) -> None:
        for job in islice(waiting, count):
            key = f"snngrade-{job.key}"
            future = client.submit(work, msgspec.json.encode(job), settings, key=key, pure=False)
            running[future] = job

    submit(ahead)
    silent = 0
    while running:
        try:
            ready = wait(list(running), timeout=PATIENCE_S, return_when="FIRST_COMPLETED").done
        except TimeoutError:
            silent = 0 if client.scheduler_info()["workers"] else silent + 1
            if silent == 3:
                raise _LostError("all workers of the Dask cluster are gone") from None
            continue
        for future in ready:
            job = running.pop(future)
            yield job, _done(future, job.owner)
        submit(len(ready))


def _done(future: Any, owner: str) -> Played:
    """What came of a job that is over.

    Raises:
        CourseError: its worker refuses.
        _LostError: the warm parent that it needs is gone.
    """
    from distributed import KilledWorker

    try:
        reply = msgspec.json.decode(future.result(), type=JobReply)
    except KilledWorker:
        problem = (
            f"{ALLOWED_FAILURES} processes of the grader were killed while they worked on it; grade it again"
        )
        return Played(Graded(owner, problem=problem), [])
    if isinstance(reply, Refused):
        raise CourseError(reply.why)
    if isinstance(reply, Gone):
        raise _LostError(reply.why)
    return reply
