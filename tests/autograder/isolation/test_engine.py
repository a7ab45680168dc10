"""Cells and probes in isolation: outputs, arrays, death and replay."""

from __future__ import annotations

import math
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from autograder.isolation.limits import Limits
from autograder.isolation.session import Session
from autograder.isolation.source import GoneError, Visitor, WarmParent
from autograder.isolation.wire import FrameLimits

from .calls import CALL_F, call, probe, text_of
from .conftest import NORMAL

pytestmark = pytest.mark.xdist_group("isolation")


def alive(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def test_outputs_are_those_of_a_notebook(session: Session) -> None:
    result = session.run_cell(
        "import sys, warnings\nprint('one')\nprint('two', file=sys.stderr)\ndisplay(3)\nwarnings.warn('four')\n[5]"
    )
    assert result.status == "ok"
    kinds = [(item["output_type"], item.get("name")) for item in result.outputs]
    assert kinds[:3] == [("stream", "stdout"), ("stream", "stderr"), ("display_data", None)]
    assert result.outputs[2]["data"] == {"text/plain": "3"}
    assert "UserWarning: four" in result.outputs[3]["text"]
    assert result.outputs[-1]["output_type"] == "execute_result"
    assert result.outputs[-1]["data"] == {"text/plain": "[5]"}


def test_figures_and_magics_work(session: Session) -> None:
    result = session.run_cell(
        "%matplotlib inline\nimport matplotlib.pyplot as plt\nplt.plot([1, 2]); plt.show()"
    )
    images = [item["data"] for item in result.outputs if "image/png" in item.get("data", {})]
    assert len(images) == 1
    assert images[0]["image/png"].startswith("iVBORw0KGgo")


def test_markup_that_could_run_is_dropped(session: Session) -> None:
    result = session.run_cell(
        "from IPython.display import HTML, Javascript, SVG\n"
        "display(HTML('<script>1</script>')); display(Javascript('1')); display(SVG('<svg xmlns=\"x\"/>'))"
    )
    assert result.status == "ok"
    assert {name for item in result.outputs for name in item["data"]} == {"text/plain"}
    assert "script>" not in str(result.outputs)


def test_errors_keep_their_text(session: Session) -> None:
    result = session.run_cell("def f():\n    raise ValueError('wrong \\ud800 side')\nf()")
    assert result.status == "error"
    (error,) = result.outputs
    assert (error["ename"], error["evalue"]) == ("ValueError", "wrong ? side")
    assert "raise ValueError" in "".join(error["traceback"])
    assert session.run_cell("1 +").status == "error"
    assert session.run_cell("import sys; sys.exit(3)").status == "error"
    assert session.run_cell("exit()").status == "ok"
    assert text_of(session.run_cell("print(f.__name__)")) == "f\n"


def test_arrays_come_back_as_they_are(session: Session) -> None:
    session.run_cell("import torch\ndef f(x):\n    return {'t': torch.tensor(x), 'n': x[0], 'b': x > 0}")
    source = "def p(answer, data):\n    return answer['f'](data)\n"
    data = np.array([math.nan, -math.inf, 1e-310, 2.5])
    (reply,) = probe(session, source, "p", ["f"], [data]).replies
    assert reply.kind == ""
    np.testing.assert_array_equal(reply.arrays["t"], data)
    assert reply.arrays["n"].shape == ()
    assert reply.arrays["b"].dtype == bool


def test_gradients_are_taken_inside(session: Session) -> None:
    session.run_cell("def f(x):\n    return x ** 3")
    source = (
        "def slope(answer, data):\n    import torch\n    x = torch.tensor(data, requires_grad=True)\n"
        "    (g,) = torch.autograd.grad(answer['f'](x).sum(), x)\n    return {'g': g}\n"
    )
    (reply,) = probe(session, source, "slope", ["f"], [np.array([1.0, -2.0])]).replies
    np.testing.assert_allclose(reply.arrays["g"], [3.0, 12.0])


def test_what_goes_wrong_in_an_answer_is_told_per_case(session: Session) -> None:
    session.run_cell(
        "def f(x):\n"
        "    if x == 1: raise ValueError('one')\n"
        "    if x == 2: raise NotImplementedError\n"
        "    if x == 3: return 'text'\n"
        "    if x == 4: raise SystemExit\n"
        "    print('called')\n"
        "    return x"
    )
    result = call(session, 0, 1, 2, 3, 4, 5)
    assert [reply.kind for reply in result.replies] == ["", "error", "unanswered", "form", "error", ""]
    assert "ValueError: one" in result.replies[1].text
    assert "`if x == 1: raise ValueError('one')`" in result.replies[1].text
    assert result.printed == "called\ncalled\n"
    (missing,) = probe(session, CALL_F, "call", ["g"], [1]).replies
    assert (missing.kind, missing.name) == ("missing", "f")


def test_probes_get_plain_data_unchanged(session: Session) -> None:
    session.run_cell(
        "import numpy as np\nf = lambda d: [type(d['t']) is tuple, d[3] == 'x', np.isnan(d['nan']), d['big'] == 2**70]"
    )
    (reply,) = call(session, {"t": (1, 2), 3: "x", "nan": math.nan, "big": 2**70}).replies
    assert reply.arrays["y"].tolist() == [True] * 4


def test_after_a_death_earlier_cells_run_again(session: Session) -> None:
    session.run_cell("log = ['a']\ndef f(x): return x")
    assert session.run_cell("log.append('b'); raise ValueError").status == "error"
    died = session.run_cell("log.append('c'); import os; os._exit(0)")
    assert (died.status, died.reason) == ("died", "it ended the Python process (exit code 0)")
    assert text_of(session.run_cell("print(log)")) == "['a', 'b']\n"
    assert session.restarts == 1
    assert call(session, 2).replies[0].arrays["y"] == 2


def test_a_question_that_kills_keeps_what_was_answered_before(session: Session) -> None:
    session.run_cell("import os\ndef f(x):\n    return os._exit(1) if x == 2 else x")
    result = call(session, 0, 1, 2, 3)
    assert [reply.kind for reply in result.replies] == ["", "", "died", "died"]
    assert "exit code 1" in result.replies[2].text
    assert call(session, 5).replies[0].arrays["y"] == 5


def test_restarts_are_bounded(warm_parent: WarmParent, library: Path) -> None:
    limits = Limits(cell_seconds=2, memory_mb=300, restarts=2)
    with Session(warm_parent, library / "one", limits) as session:
        results = [session.run_cell("import os; os._exit(0)") for _ in range(5)]
    assert [result.status for result in results] == ["died"] * 3 + ["not run"] * 2
    assert "replaced 2 times" in results[-1].reason


def test_a_cell_that_only_fails_when_run_again_is_left_out(session: Session) -> None:
    """Its second run ends the worker; the questions after it are graded all the same."""
    session.run_cell("def f(x): return x")
    first = text_of(session.run_cell("import os, time\nborn = time.time_ns()\nprint(born)")).strip()
    session.run_cell(f"if born != {first}: os._exit(0)")
    session.run_cell("import os; os._exit(0)")
    assert call(session, 4).replies[0].arrays["y"] == 4
    assert session.restarts == 2


def test_submissions_do_not_see_each_other(warm_parent: WarmParent, library: Path) -> None:
    with (
        Session(warm_parent, library / "one", NORMAL) as one,
        Session(warm_parent, library / "one", NORMAL) as two,
    ):
        one.run_cell("x = 1\nopen('note.txt', 'w').write('from one')\nimport torch; torch.allclose = None")
        seen = two.run_cell(
            "import os, torch\nprint('x' in globals(), os.listdir('.'), torch.allclose is None)"
        )
    assert text_of(seen) == "False [] False\n"


def test_random_numbers_are_the_same_in_every_run(warm_parent: WarmParent, library: Path) -> None:
    code = "import random, numpy, torch\nprint(random.random(), numpy.random.rand(), torch.rand(1).item(), hash('a'))"
    seen = []
    for _ in range(2):
        with Session(warm_parent, library / "one", NORMAL) as session:
            seen.append(text_of(session.run_cell(code)))
    assert seen[0] == seen[1]


def test_output_is_kept_up_to_its_limit(session: Session) -> None:
    result = session.run_cell("for _ in range(100000): print('x' * 100)")
    assert result.status == "ok"
    assert len(str(result.outputs)) < 2 * NORMAL.output_kb * 1024
    assert "beyond 64 kB was dropped" in text_of(result)
    assert text_of(session.run_cell("print('\\x00' * 9_000_000)")) == "\n"


def test_an_answer_beyond_the_frame_is_refused(warm_parent: WarmParent, library: Path) -> None:
    small = FrameLimits(elements=1000)
    with Session(warm_parent, library / "one", NORMAL, frame_limits=small) as session:
        session.run_cell("import numpy as np\nf = lambda n: np.zeros(int(n))")
        result = call(session, 10, 2000, 10)
        assert [reply.kind for reply in result.replies] == ["", "died", "died"]
        assert "elements" in result.replies[1].text
        assert call(session, 10).replies[0].kind == ""


@pytest.mark.slow
def test_the_warm_parent_is_started_again(library: Path, layers: Any, warm_parent: WarmParent) -> None:
    with WarmParent(library, layers=layers, preload=("numpy",)) as own:
        with Session(own, library / "one", NORMAL) as session:
            assert session.run_cell("1").status == "ok"
            first = own.pid
            assert first is not None
            family = psutil.Process(first).children(recursive=True)
            psutil.Process(first).kill()
            end = time.monotonic() + 60
            while any(map(alive, family)) and time.monotonic() < end:
                time.sleep(0.01)
            assert session.run_cell("2").status == "died"
            assert session.run_cell("3").status == "ok"
            assert own.pid != first
        last = own.pid
    assert last is not None
    assert not psutil.pid_exists(last)


@pytest.mark.slow
def test_nothing_is_left_when_the_grader_is_killed(library: Path, tmp_path: Path) -> None:
    """A grader that is killed takes its warm parent and its worker, busy in an endless loop, along."""
    import subprocess
    import sys

    code = f"""
from pathlib import Path
from autograder.isolation.session import Session
from autograder.isolation.source import WarmParent
from autograder.isolation.limits import Limits
warm_parent = WarmParent(Path({str(library)!r}), preload=("numpy",), cache=Path({str(tmp_path)!r}))
session = Session(warm_parent, Path({str(library / "one")!r}), Limits())
session.run_cell("x = 1")
print(warm_parent.pid, flush=True)
session.run_cell("while True:\\n    try:\\n        while True: pass\\n    except BaseException: pass")
"""
    grader = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[3]
    )
    assert grader.stdout is not None
    line = grader.stdout.readline()
    time.sleep(0.2)
    warm = psutil.Process(int(line))
    family = [warm, *warm.children(recursive=True)]
    assert len(family) >= 2
    grader.kill()
    grader.wait()
    gone, alive = psutil.wait_procs(family, timeout=60)
    assert not alive
    assert len(gone) == len(family)
    grader.stdout.close()


@pytest.mark.slow
def test_processes_share_a_warm_parent_through_its_door(library: Path, tmp_path: Path) -> None:
    """Another process of this account runs a submission with it; when it has gone, the visitor says so."""
    import dataclasses
    import json
    import stat
    import subprocess
    import sys

    code = """
import json, sys
from pathlib import Path
from autograder.isolation.session import Session
from autograder.isolation.source import Door, visit
from autograder.isolation.limits import Limits
door = Door(**json.loads(sys.argv[1]))
with Session(visit(door), Path(sys.argv[2]), Limits()) as session:
    print(session.run_cell("import os; print(6 * 7)").outputs[0]["text"].strip())
"""
    with WarmParent(library, preload=("numpy",), cache=tmp_path) as own:
        own.start()
        first = own.pid
        assert stat.S_IMODE(Path(own.door.socket).stat().st_mode) == 0o600
        visitors = [
            subprocess.Popen(
                [sys.executable, "-c", code, json.dumps(dataclasses.asdict(own.door)), str(library / "one")],
                stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[3],
            )
            for _ in range(2)
        ]  # fmt: skip
        assert [visitor.communicate(timeout=600)[0] for visitor in visitors] == ["42\n", "42\n"]
        with Session(own, library / "one", NORMAL) as session:  # and it serves its own process as before
            assert session.run_cell("1").status == "ok"
        assert own.pid == first
        door = own.door
    with (
        Session(Visitor(door), library / "one", NORMAL) as session,
        pytest.raises(GoneError, match="is gone"),
    ):
        session.run_cell("1")


def test_a_warm_parent_keeps_no_file_open_for_a_worker_that_has_ended(
    warm_parent: WarmParent, library: Path
) -> None:
    """Hundreds of submissions later it has as many open files as before."""

    def opened() -> int:
        assert warm_parent.pid is not None
        warm = psutil.Process(warm_parent.pid)
        inner = next(iter(warm.children()), warm) if warm_parent.layers.has("pid") else warm
        return max(warm.num_fds(), inner.num_fds())

    for count in (3, 20):
        for _ in range(count):
            with Session(warm_parent, library / "one", NORMAL) as session:
                session.run_cell("1")
        if count == 3:
            before = opened()
    assert opened() - before < 10  # the last ones may not have been closed yet


def test_nothing_of_the_grader_is_in_the_environment(session: Session) -> None:
    os.environ["GRADER_SECRET"] = "canary"
    try:
        seen = text_of(
            session.run_cell("import os, sys\nprint(sorted(os.environ), sys.argv, sys.path, os.getcwd())")
        )
    finally:
        del os.environ["GRADER_SECRET"]
    assert "GRADER_SECRET" not in seen
    assert str(Path(__file__).parents[3] / "autograder") not in seen


def test_the_library_is_the_students_copy(session: Session) -> None:
    seen = session.run_cell(
        "import tiny\nprint(tiny.double(2))\ntry:\n    import autograder.checks\nexcept ImportError: print('none')"
    )
    assert text_of(seen) == "4\nnone\n"
    assert session.run_cell("import snnkit").status == "error"
