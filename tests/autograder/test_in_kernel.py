"""``check`` in a live kernel, whatever was done to the kernel: one kernel for all of it, its global state put back."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from jupyter_client.manager import start_new_kernel

pytestmark = pytest.mark.slow

RIGHT = """
import torch
from autograder import check, failing
import snnkit.dynamics

def euler_step(v, current, dt, tau, resistance):
    return v + dt / tau * (resistance * current - v)

def exact_step(v, current, dt, tau, resistance):
    steady = resistance * current
    return steady + (v - steady) * torch.exp(torch.tensor(-dt / tau, dtype=v.dtype))
"""
#: What is done to the kernel, and how it is undone.
HOSTILE = {
    "float64": ("torch.set_default_dtype(torch.float64)", "torch.set_default_dtype(torch.float32)"),
    "gradients off": ("torch.set_grad_enabled(False)", "torch.set_grad_enabled(True)"),
    "default device": ("torch.set_default_device('meta')", "torch.set_default_device(None)"),
    "inference mode": ("mode = torch.inference_mode(); mode.__enter__()", "mode.__exit__(None, None, None)"),
    "numpy raises": ("import numpy as np; np.seterr(all='raise')", "np.seterr(all='warn')"),
    "allclose": ("import numpy as np; kept = np.allclose; np.allclose = lambda *a, **k: True", "np.allclose = kept"),
    "Tensor.sum": ("torch.Tensor.sum = lambda *a, **k: torch.tensor(1.0)", "del torch.Tensor.sum"),
    "builtins.sum": ("import builtins, numpy; kept = sum; builtins.sum = numpy.sum", "builtins.sum = kept"),
    "no folder": ("import os, tempfile; d = tempfile.mkdtemp(); h = os.getcwd(); os.chdir(d); os.rmdir(d)", "os.chdir(h)"),
    "warnings": ("import warnings; warnings.simplefilter('error')", "warnings.resetwarnings()"),
    "no path": ("import sys; kept = list(sys.path); sys.path.clear()", "sys.path[:] = kept"),
    "profile": ("sys.setprofile(lambda *a: None)", "sys.setprofile(None)"),
}  # fmt: skip


class Kernel:
    def __init__(self, client):
        self.client = client

    def run(self, code, *, live=True):
        """Outputs of a cell, as a notebook keeps them."""
        outputs = []

        def keep(message):
            if message["msg_type"] in ("stream", "display_data", "execute_result", "error"):
                outputs.append((message["msg_type"], message["content"]))

        self.client.execute_interactive(
            code, output_hook=keep, allow_stdin=live, stdin_hook=lambda _: None, timeout=300
        )
        return outputs

    def check(self, code="check('ps1.lapicque')", *, live=True):
        """The result that a check shows, and the kinds of all outputs."""
        outputs = self.run(code, live=live)
        shown = [content for kind, content in outputs if kind == "display_data"]
        return (
            shown[0]["metadata"].get("autograder", {}),
            [kind for kind, _ in outputs],
            shown[0]["data"]["text/plain"],
        )


@pytest.fixture(scope="module")
def kernel() -> Iterator[Kernel]:
    manager, client = start_new_kernel(kernel_name="python3")
    try:
        one = Kernel(client)
        one.run(RIGHT)
        yield one
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


@pytest.mark.parametrize("change", HOSTILE)
def test_a_right_answer_has_full_points_and_nothing_is_raised(change, kernel):
    do, undo = HOSTILE[change]
    assert kernel.run(f"{do};") == []
    try:
        result, kinds, _ = kernel.check()
    finally:
        assert kernel.run(f"{undo};") == []
    assert result["score"] == result["points"] == 3.0
    assert kinds == ["display_data"]


def test_the_dtype_is_remarked_and_still_there(kernel):
    kernel.run("torch.set_default_dtype(torch.float64)")
    _, _, text = kernel.check()
    (_, found), *_ = kernel.run("print(torch.get_default_dtype())")
    kernel.run("torch.set_default_dtype(torch.float32)")
    assert "torch's default dtype is float64 in this notebook" in text
    assert found["text"] == "torch.float64\n"
    assert "default dtype" not in kernel.check()[2]


def test_the_score_is_shown_twice_only_where_a_grader_reads_it(kernel):
    assert kernel.check(live=True)[1] == ["display_data"]
    assert kernel.check(live=False)[1] == ["display_data", "execute_result"]
    (_, value), *_ = kernel.run("print(check('ps1.lapicque') + 1)")[1:]
    assert value["text"] == "4.0\n"


def test_the_library_gets_no_points_however_it_is_held(kernel):
    own = "own = euler_step, exact_step\n"
    kernel.run(
        own + "euler_step, exact_step = snnkit.dynamics.lapicque_euler, snnkit.dynamics.lapicque_exact"
    )
    result, kinds, text = kernel.check()
    assert (result["score"], kinds) == (0.0, ["display_data"])
    assert (
        "this uses `snnkit.dynamics.lapicque_euler`, which this problem set asks you to write: 0 points"
        in text
    )
    kernel.run(
        "def exact_step(v, current, dt, tau, resistance):\n    try:\n        return "
        "snnkit.dynamics.lapicque_exact(v, current, dt, tau, resistance)\n    except Exception:\n        return v"
    )
    text = kernel.check()[2]
    assert "This uses `snnkit.dynamics.lapicque_exact`, which" in text
    kernel.run("euler_step, exact_step = own")
    assert kernel.check()[0]["score"] == 3.0
    assert kernel.run(
        "float(snnkit.dynamics.lapicque_exact(torch.ones(1), torch.ones(1), dt=1.0, tau=2.0, resistance=3.0)[0]) > 0"
    )[0][0] == ("execute_result")


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("check('ps1.nope')", "no question is called 'ps1.nope'; there are: "),
        ("check(3)", "no question is called 3; there are: "),
        ("check('ps1.lapicque', hint=4)", "hint must be 0, 1, 2 or 3; got 4"),
        ("check('ps1.lapicque', hint=[1])", "hint must be 0, 1, 2 or 3; got [1]"),
        ("check('ps1.lapicque', seed=-1)", "seed must be a whole number from 0; got -1"),
        (
            "check('ps1.lapicque', namespace=3)",
            "namespace must hold objects by name, such as globals(); got int",
        ),
        ("failing('ps1.never')", 'run check("ps1.never") first'),
    ],
)
def test_what_cannot_be_asked_is_said_in_words_alone(code, said, kernel):
    ((kind, error),) = kernel.run(code)
    assert kind == "error"
    (words,) = error["traceback"]
    assert words.startswith(said)


def test_a_fault_of_the_checker_is_told_as_such(kernel):
    kernel.run(
        "import autograder.in_notebook as own; kept = own.run\ndef own_run(*a, **k): raise IndexError('no such thing')\nown.run = own_run"
    )
    (kind, content), *rest = kernel.run("score = check('ps1.lapicque')")
    kernel.run("own.run = kept")
    assert (kind, rest) == ("display_data", [])
    text = content["data"]["text/plain"]
    assert text.startswith(
        "Our mistake, not yours: the check of ps1.lapicque did not finish (IndexError: no such thing)."
    )
    assert content["metadata"] == {"autograder_fault": text}


def test_an_interrupt_ends_with_words_and_the_kernel_is_as_it_was(kernel):
    kernel.run("torch.set_default_dtype(torch.float64)")
    kernel.run(
        "own = exact_step\ndef exact_step(v, current, dt, tau, resistance):\n    import _thread\n    _thread.interrupt_main()\n"
        "    while True: pass"
    )
    ((kind, error),) = kernel.run("check('ps1.lapicque')")
    dtype = kernel.run(
        "print(torch.get_default_dtype()); torch.set_default_dtype(torch.float32); exact_step = own"
    )
    assert (kind, error["ename"]) == ("error", "StoppedError")
    (words,) = error["traceback"]
    assert words.startswith("You stopped the check of ps1.lapicque")
    assert dtype[0][1]["text"] == "torch.float64\n"
    assert kernel.check()[0]["score"] == 3.0


def test_the_failing_case_is_what_the_check_saw(kernel):
    """With the state put aside and the library refusing, as there."""
    kernel.run(
        "own = exact_step; exact_step = snnkit.dynamics.lapicque_exact; torch.set_default_dtype(torch.float64)"
    )
    kernel.check()
    (_, case), *rest = kernel.run(
        "case = failing('ps1.lapicque'); print(case.got, torch.get_default_dtype())"
    )
    kernel.run("exact_step = own; torch.set_default_dtype(torch.float32)")
    assert rest == []
    assert case["text"] == "{} torch.float64\n"
    kernel.check()
    assert kernel.run("print(failing('ps1.lapicque'))")[0][1]["text"] == "None\n"


def test_the_result_is_plain_data(kernel):
    json.dumps(kernel.check()[0])
