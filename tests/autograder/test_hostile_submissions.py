"""Whole submissions that attack the grader, or are merely unlucky, graded together in one run.

Each is a notebook of the practice set with an expected score for each question. A hostile one has no right answer but
where it says so, and gains nothing; an unlucky one has right answers and loses nothing, or only what the accident hit.
"""

from __future__ import annotations

import copy
import json
import socket
import threading
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from autograder.batch import Cluster
from autograder.course import COURSE_ID, checkout
from autograder.grade import Execution, Grading, grade
from autograder.isolation.limits import Limits
from autograder.isolation.sandbox import BOOT
from autograder.proof import samples

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("batch")]

PS, ROOT = "ps0_start", checkout()
QUESTIONS = ("spike_count", "longest_silence", "shares")
NOTHING, ALL = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
RIGHT_COUNT = "def spike_count(charge, threshold):\n    return int((charge >= threshold).sum())\n"

Notebook = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """``change`` is applied to a notebook with right answers where ``right``, otherwise to the untouched release."""

    change: Callable[[Notebook], None]
    scores: tuple[float, float, float] = NOTHING
    right: bool = False


def own(source: str) -> Notebook:
    return {
        "cell_type": "code",
        "id": "own",
        "metadata": {},
        "source": source,
        "outputs": [],
        "execution_count": None,
    }


def place(notebook: Notebook, name: str) -> int:
    return next(
        at
        for at, cell in enumerate(notebook["cells"])
        if cell["metadata"].get("nbgrader", {}).get("grade_id") == name
    )


def cell(notebook: Notebook, name: str) -> Notebook:
    found: Notebook = notebook["cells"][place(notebook, name)]
    return found


def first(source: str) -> Callable[[Notebook], None]:
    """A cell of the student's own behind the imports."""
    return lambda notebook: notebook["cells"].insert(place(notebook, "setup") + 1, own(source))


def last(source: str) -> Callable[[Notebook], None]:
    return lambda notebook: notebook["cells"].append(own(source))


def answers(**sources: str) -> Callable[[Notebook], None]:
    """Answers put in the place of those that are there."""

    def change(notebook: Notebook) -> None:
        for name, source in sources.items():
            cell(notebook, f"{name}_answer")["source"] = source

    return change


def edit(name: str, **parts: Any) -> Callable[[Notebook], None]:
    return lambda notebook: cell(notebook, name).update(copy.deepcopy(parts))


def marks(name: str, **parts: Any) -> Callable[[Notebook], None]:
    return lambda notebook: cell(notebook, name)["metadata"]["nbgrader"].update(parts)


def delete(*names: str) -> Callable[[Notebook], None]:
    def change(notebook: Notebook) -> None:
        for name in names:
            del notebook["cells"][place(notebook, name)]

    return change


def twice(name: str) -> Callable[[Notebook], None]:
    return lambda notebook: notebook["cells"].insert(
        place(notebook, name), copy.deepcopy(cell(notebook, name))
    )


def into(name: str, behind: bool = False) -> Callable[[Notebook], None]:
    """The answer to the first question in a cell of the course's; its own cell is gone."""

    def change(notebook: Notebook) -> None:
        delete("spike_count_answer")(notebook)
        parts = [RIGHT_COUNT, cell(notebook, name)["source"]]
        cell(notebook, name)["source"] = "\n".join(parts[::-1] if behind else parts)

    return change


def elsewhere(where: Callable[[Notebook], int]) -> Callable[[Notebook], None]:
    """The answer to the first question in a cell of the student's own; its own cell is as it was handed out."""

    def change(notebook: Notebook) -> None:
        stub = 'def spike_count(charge, threshold):\n    """Number of elements of the array `charge` that reach the '
        stub += 'threshold."""\n    # your code here\n    raise NotImplementedError'
        cell(notebook, "spike_count_answer")["source"] = stub
        notebook["cells"].insert(where(notebook), own(RIGHT_COUNT))

    return change


def unmarked(notebook: Notebook) -> None:
    """All metadata and ids dropped, as some editors do."""
    for number, one in enumerate(notebook["cells"]):
        one.update(metadata={}, id=f"cell-{number}")


def both(*changes: Callable[[Notebook], None]) -> Callable[[Notebook], None]:
    def change(notebook: Notebook) -> None:
        for one in changes:
            one(notebook)

    return change


def everywhere(source: str) -> Callable[[Notebook], None]:
    """A cell of the student's own before each cell."""

    def change(notebook: Notebook) -> None:
        notebook["cells"] = [part for one in notebook["cells"] for part in (own(source), one)]

    return change


def claim(notebook: Notebook) -> None:
    """A cell of the student's own that says it is graded and worth 100 points."""
    mine = own("100.0")
    mine["metadata"]["nbgrader"] = {
        "grade": True, "grade_id": "extra", "locked": True, "points": 100.0, "schema_version": 3, "solution": False,
        "task": False,
    }  # fmt: skip
    mine["outputs"] = [
        {
            "output_type": "execute_result",
            "data": {"text/plain": "100.0"},
            "metadata": {},
            "execution_count": 1,
        }
    ]
    notebook["cells"].append(mine)


SOLUTIONS = """
import glob
for place in ('../../../source', '../../source', '/tmp', {course!r} + '/source', {root!r} + '/solutions'):
    for file in glob.glob(place + '/**/*.py', recursive=True) + glob.glob(place + '/**/*.ipynb', recursive=True):
        text = open(file).read()
        exec(text)
"""
FRAMES = """
import sys
def spike_count(charge, threshold):
    frame = sys._getframe()
    while frame is not None:
        for name, value in frame.f_locals.items():
            if 'expect' in name or 'wanted' in name:
                return value
            if isinstance(value, dict) and 'expected' in value:
                return value['expected']
        frame = frame.f_back
    return -1
"""
TRACE = """
import sys
def spy(frame, event, argument):
    for name in ('expected', 'wanted'):
        if name in frame.f_locals:
            frame.f_globals['found'] = frame.f_locals[name]
    return spy
sys.settrace(spy)
"""
LIAR = """
class Liar(float):
    def __eq__(self, other): return True
    def __sub__(self, other): return Liar(0)
    def __abs__(self): return 0.0
    def tolist(self): return 1
    def __array__(self, *a, **k): return self
def spike_count(charge, threshold): return Liar(1)
def longest_silence(train): return Liar(2)
"""
DISPLAYED = """
from IPython.display import display
display({'text/plain': '3.0'}, raw=True, metadata={'autograder': {'question': 'ps0.spike_count', 'misconceptions': []}})
3.0
"""

HOSTILE = {
    "rewrites every cell": Case(
        first("get_ipython().input_transformers_post.append(lambda lines: ['pass\\n'])")
    ),
    "shows minus one before every cell": Case(
        first("get_ipython().events.register('pre_run_cell', lambda *a: print(-1) or -1)")
    ),
    "shows a score": Case(first(DISPLAYED)),
    "runs the solutions": Case(first(SOLUTIONS)),
    "replaces comparisons": Case(
        first(
            "import torch\ntorch.allclose = np.allclose = np.isclose = np.array_equal = lambda *a, **k: True\n"
            "np.ndarray.__eq__ if True else None"
        )
    ),
    "drops asserts": Case(
        first(
            "import ast\nclass Drop(ast.NodeTransformer):\n    def visit_Assert(self, node): return ast.Pass()\n"
            "get_ipython().ast_transformers.append(Drop())"
        )
    ),
    "lies with methods": Case(first(LIAR)),
    "answers with a float of its own": Case(
        answers(spike_count="class F(float):\n    __eq__ = lambda *a: True\ndef spike_count(charge, threshold): return F(3)")
    ),
    "writes to the gradebook": Case(
        first("import sqlite3\nfor f in ({book!r}, '../../../gradebook.db'):\n"
              "    sqlite3.connect(f).execute('update grade set auto_score = 99')")
    ),
    "reads the notebook beside it": Case(
        first("import glob, json\nprint([json.load(open(f)) for f in glob.glob('*.ipynb') + glob.glob('../**/*.ipynb')][0])")
    ),
    "connects to a listener": Case(first("import socket\nsocket.create_connection(('127.0.0.1', {port}), 1)")),
    "leaves a daemon": Case(
        first("import os, time\nif os.fork() == 0:\n    os.setsid()\n    time.sleep(600)\n    os._exit(0)")
    ),
    "starts a program": Case(first("import subprocess\nsubprocess.run(['sleep', '600'])")),
    "edits a question": Case(edit("spike_count", source="1.0")),
    "edits every question": Case(
        lambda notebook: [edit(name, source="1.0")(notebook) for name in QUESTIONS] and None  # type: ignore[func-returns-value]
    ),
    "raises a question's points": Case(marks("spike_count", points=100.0)),
    "says that a question is an answer": Case(marks("spike_count", solution=True, locked=False)),
    "turns a question into text": Case(edit("shares", cell_type="markdown")),
    "deletes the questions": Case(delete(*QUESTIONS)),
    "repeats a question": Case(twice("shares")),
    "claims points": Case(claim),
    "takes another question's name": Case(marks("spike_count_answer", grade_id="spike_count")),
    "replaces check": Case(first("check = lambda *a, **k: 1.0")),
    "replaces the grader's functions": Case(
        first("import autograder, autograder.in_notebook\nautograder.check = autograder.in_notebook.find = lambda *a, **k: 1.0")
    ),
    "asks the checks for what is expected": Case(
        answers(
            spike_count="def spike_count(charge, threshold):\n    from autograder.in_notebook import find\n"
            "    return find('ps0.spike_count').answer['spike_count'](charge, threshold)"
        )
    ),
    "looks through the frames": Case(answers(spike_count=FRAMES)),
    "traces": Case(first(TRACE)),
    "replaces builtins": Case(
        first("import builtins\nbuiltins.isinstance = lambda *a: True\nbuiltins.len = lambda *a: 1\nbuiltins.float = lambda *a: 1.0")
    ),
    "replaces modules": Case(
        first("import sys, types\nfor name in list(sys.modules):\n    if name.startswith(('autograder', 'json')):\n"
              "        sys.modules[name] = types.ModuleType(name)")
    ),
    "removes everything": Case(
        first("import shutil, os\nfor place in ({course!r}, '/', os.path.expanduser('~')):\n    shutil.rmtree(place, ignore_errors=True)")
    ),
    "fills the disk": Case(first("open('big', 'wb').write(bytes(10**9))")),
    "forks without end": Case(first("import os\nwhile True: os.fork()")),
    "takes all memory": Case(first("x = []\nwhile True: x.append(bytearray(10**8))")),
    "prints without end": Case(first("while True: print('x' * 10**5)")),
    "sleeps in every cell": Case(everywhere("import time\ntime.sleep(1.5)")),
    "ends the process in one answer": Case(
        answers(longest_silence="import os\ndef longest_silence(train): os._exit(0)"), (1.0, 0.0, 1.0), right=True
    ),
    "ends the process between the answers": Case(
        lambda notebook: notebook["cells"].insert(place(notebook, "shares"), own("import os\nos._exit(0)")), ALL, right=True
    ),
    "loops in one answer": Case(
        answers(spike_count="def spike_count(charge, threshold):\n    while True: pass"), (0.0, 1.0, 1.0), right=True
    ),
    "loops and swallows every exception": Case(
        answers(
            spike_count="def spike_count(charge, threshold):\n    while True:\n        try:\n            while True: pass\n"
            "        except BaseException: pass"
        ),
        (0.0, 1.0, 1.0),
        right=True,
    ),
    "loops and ignores interrupts": Case(
        answers(
            shares="import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\ndef shares(counts):\n    while True: pass"
        ),
        (1.0, 1.0, 0.0),
        right=True,
    ),
    "exits": Case(answers(shares="def shares(counts): raise SystemExit"), (1.0, 1.0, 0.0), right=True),
    "interrupts": Case(answers(shares="def shares(counts): raise KeyboardInterrupt"), (1.0, 1.0, 0.0), right=True),
    "recurses": Case(answers(shares="def shares(counts): return shares(counts)"), (1.0, 1.0, 0.0), right=True),
    "writes a syntax error": Case(answers(shares="def shares(counts:\n    return counts"), (1.0, 1.0, 0.0), right=True),
}  # fmt: skip

UNLUCKY = {
    "warns": Case(
        answers(spike_count="import warnings\ndef spike_count(charge, threshold):\n    warnings.warn('careful')\n"
                "    return int((charge >= threshold).sum())"), ALL, right=True,
    ),
    "prints to standard error": Case(
        answers(spike_count="import sys\ndef spike_count(charge, threshold):\n    print('debugging', file=sys.stderr)\n"
                "    return int((charge >= threshold).sum())"), ALL, right=True,
    ),
    "logs": Case(first("import logging\nlogging.basicConfig(level=0)\nlogging.warning('here')"), ALL, right=True),
    "imports a module of its own": Case(
        answers(spike_count="import math\ndef spike_count(charge, threshold):\n"
                "    return int(math.fsum(map(float, (charge >= threshold).reshape(-1))))"), ALL, right=True,
    ),
    "plots and calls magics": Case(
        first("%matplotlib inline\nimport matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()\n%time 1 + 1"), ALL, right=True
    ),
    "uses a shell escape": Case(last("!ls"), ALL, right=True),
    "changes folder": Case(first("import os\nos.chdir('/')"), ALL, right=True),
    "deletes check": Case(first("del check"), ALL, right=True),
    "seeds and sets a default": Case(first("import torch\ntorch.manual_seed(1)\ntorch.set_default_dtype(torch.float64)"), ALL, right=True),
    "has an error in a cell of its own": Case(first("1 / 0"), ALL, right=True),
    "has lists for sources": Case(
        lambda notebook: [one.update(source=one["source"].splitlines(True)) for one in notebook["cells"]] and None,  # type: ignore[func-returns-value]
        ALL, right=True,
    ),
    "has Windows line ends": Case(
        lambda notebook: [one.update(source=one["source"].replace("\n", "\r\n")) for one in notebook["cells"]] and None,  # type: ignore[func-returns-value]
        ALL, right=True,
    ),
    "imports into the setup what an answer needs": Case(
        lambda notebook: cell(notebook, "setup").update(source="import math\n" + cell(notebook, "setup")["source"])
        or answers(spike_count="def spike_count(charge, threshold):\n"
                      "    return int(math.fsum(map(float, (charge >= threshold).reshape(-1))))")(notebook), ALL, right=True,
    ),
    "writes an answer into the setup": Case(into("setup", behind=True), ALL, right=True),
    "writes an answer above the check": Case(into("spike_count"), ALL, right=True),
    "writes an answer below the check": Case(into("spike_count", behind=True), ALL, right=True),
    "writes an answer at the end": Case(elsewhere(lambda notebook: len(notebook["cells"])), ALL, right=True),
    "writes an answer at the top": Case(elsewhere(lambda notebook: 1), ALL, right=True),
    "has lost all marks": Case(unmarked, ALL, right=True),
    "has lost all marks and one answer's cell": Case(both(into("setup", behind=True), unmarked), ALL, right=True),
    "has a check twice": Case(twice("spike_count"), ALL, right=True),
    "has an answer twice": Case(twice("spike_count_answer"), ALL, right=True),
    "has lost the given cells": Case(delete("setup", "memorised", "other_seed"), ALL, right=True),
    "exits at the end": Case(last("exit()"), ALL, right=True),
    "leaves a thread behind": Case(
        last("import threading, time\nthreading.Thread(target=lambda: time.sleep(600)).start()"), ALL, right=True
    ),
}  # fmt: skip

CASES = {**HOSTILE, **UNLUCKY}
FEW = Limits(
    cell_seconds=2.0, notebook_seconds=20.0, memory_mb=700, grace_seconds=1.0, file_mb=16, output_kb=256
)


@dataclass
class Run:
    """What a run over all cases left."""

    grades: dict[str, Any]
    out: Path
    reached: list[Any]
    before: set[int]


def slug(name: str) -> str:
    return name.replace(" ", "-").replace("'", "")


@pytest.fixture(scope="module")
def run(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """All submissions, and an honest one at the end, graded in one go with tight limits."""
    folder, out = tmp_path_factory.mktemp("in"), tmp_path_factory.mktemp("out")
    course = out / "course"
    released = samples.released_notebook(root, PS)
    notebooks = {
        right: json.loads(samples.build(root, PS, samples.sample(root, PS, name), released))
        for right, name in ((True, samples.SOLUTION), (False, samples.RELEASE))
    }
    for notebook in notebooks.values():
        for one in notebook["cells"]:
            one["source"] = "".join(one["source"])
    reached: list[Any] = []
    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=lambda: reached.append(listener.accept()), daemon=True).start()
    words = {
        "course": str(course),
        "book": str(course / "gradebook.db"),
        "root": str(root),
        "port": listener.getsockname()[1],
    }
    for name, case in CASES.items():
        notebook = copy.deepcopy(notebooks[case.right])
        case.change(notebook)
        for one in notebook["cells"]:
            for word, value in words.items():
                if isinstance(one["source"], str):
                    one["source"] = (
                        one["source"]
                        .replace("{" + word + "!r}", repr(value))
                        .replace("{" + word + "}", str(value))
                    )
        (folder / f"{slug(name)}.ipynb").write_text(json.dumps(notebook))
    (folder / "zz-honest.ipynb").write_text(json.dumps(notebooks[True]))
    (out / "canary").write_text("canary")
    before = set(psutil.pids())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Execution, "limits", property(lambda self: FEW))
        found = grade(Grading(ROOT, PS, out, Execution(unsafe=True), Cluster(workers=2)), folder)
    listener.close()
    return Run({one.student: one for one in found}, out, reached, before)


@pytest.mark.parametrize("name", CASES)
def test_nothing_is_gained_and_nothing_honest_is_lost(name: str, run: Run) -> None:
    got = run.grades[slug(name)]
    assert got.problem == ""
    assert tuple(got.questions[question].score for question in QUESTIONS) == CASES[name].scores, {
        question: got.questions[question].result for question in QUESTIONS
    }
    assert list(got.questions) == [*QUESTIONS, "discussion_green"]
    assert sum(one.points for one in got.questions.values()) == 4.0


def test_the_submission_after_all_of_them_is_graded(run: Run) -> None:
    assert [run.grades["zz-honest"].questions[question].score for question in QUESTIONS] == [1.0, 1.0, 1.0]


def test_files_gradebook_network_and_processes_are_untouched(run: Run) -> None:
    from nbgrader.api import Gradebook

    assert (run.out / "canary").read_text() == "canary"
    assert not [one for one in run.reached if one is not None]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Gradebook(f"sqlite:///{run.out / 'course' / 'gradebook.db'}", COURSE_ID) as book:
            stored = {
                (submission.student.id, one.name): one.auto_score
                for submission in book.assignment_submissions(PS)
                for notebook in submission.notebooks
                for one in notebook.grades
            }
    assert stored == {
        (student, name): part.score
        for student, one in run.grades.items()
        for name, part in one.questions.items()
    }
    # A student's process has the warm parent's command line. The warm parent was this process's child and has ended; what
    # outlived it would be another child of this process, or nobody's. (Other tests have warm parents of their own.)
    end = time.monotonic() + 60
    while (left := outlived(run.before)) and time.monotonic() < end:
        time.sleep(0.1)
    assert left == []


def outlived(before: set[int]) -> list[Any]:
    """Processes of a submission that are there still."""
    mine = {process.pid for process in psutil.Process().children(recursive=True)}
    return [
        process.info
        for process in psutil.process_iter(["pid", "ppid", "cmdline"])
        if process.pid not in before
        and (process.pid in mine or process.info["ppid"] == 1)
        and {"sleep", str(BOOT)} & set(process.info["cmdline"] or [])
    ]
