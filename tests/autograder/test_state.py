"""The global state as the course ships it: each way to change it touches no probe and is given back."""

from __future__ import annotations

import builtins
import gc
import math
import os
import random
import sys
import warnings

import matplotlib as mpl
import numpy as np
import pytest
import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

mpl.use("Agg")
import matplotlib.pyplot as plt

from autograder.state import Baseline
from tests.autograder.apart import apart

BASE = Baseline()


class Zero(TorchFunctionMode):
    def __torch_function__(self, function, types, args=(), kwargs=None):
        found = function(*args, **(kwargs or {}))
        return found * 0 if isinstance(found, torch.Tensor) and found.is_floating_point() else found


class ZeroBelow(TorchDispatchMode):
    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        found = function(*args, **(kwargs or {}))
        return found * 0 if isinstance(found, torch.Tensor) and found.is_floating_point() else found


KEPT = []


def entered(context):
    KEPT.append(context)
    context.__enter__()


def replaced(holder, name, value):
    return lambda: setattr(holder, name, value)


def seeds():
    torch.manual_seed(7)
    np.random.seed(7)  # noqa: NPY002
    random.seed(7)


def figure():
    plt.figure(7)
    plt.plot([0, 1])


#: Each changes something for the whole process.
FAULTS = {
    "default dtype": lambda: torch.set_default_dtype(torch.float64),
    "default device": lambda: torch.set_default_device("meta"),
    "gradients off": lambda: torch.set_grad_enabled(False),
    "inference mode": lambda: entered(torch.inference_mode()),
    "function mode": lambda: entered(Zero()),
    "dispatch mode": lambda: entered(ZeroBelow()),
    "autocast": lambda: entered(torch.autocast("cpu")),
    "threads": lambda: torch.set_num_threads(2),
    "determinism": lambda: torch.use_deterministic_algorithms(True),
    "anomalies": lambda: torch.autograd.set_detect_anomaly(True),
    "seeds": seeds,
    "numpy raises": lambda: np.seterr(all="raise"),
    "print options": lambda: (np.set_printoptions(precision=1), torch.set_printoptions(precision=1)),
    "working folder": lambda: os.chdir("/"),
    "path": lambda: sys.path.clear(),
    "warnings": lambda: warnings.simplefilter("error"),
    "rcParams": lambda: plt.rcParams.update({"figure.dpi": 10, "text.usetex": True}),
    "open figure": figure,
    "recursion limit": lambda: sys.setrecursionlimit(sys.getrecursionlimit() // 4),
    "collector": lambda: gc.disable(),
    "profile": lambda: sys.setprofile(lambda *_: None),
    "global hook": lambda: torch.nn.modules.module.register_module_forward_hook(lambda *_: torch.zeros(1)),
    "torch.allclose": replaced(torch, "allclose", lambda *_, **__: True),
    "np.array_equal": replaced(np, "array_equal", lambda *_, **__: True),
    "np.clip gone": lambda: delattr(np, "clip"),
    "math.exp": replaced(math, "exp", lambda x: 0.0),
    "random.random": replaced(random, "random", lambda: 0.5),
    "builtins.sum": replaced(builtins, "sum", lambda *_: 42),
    "builtins.max": replaced(builtins, "max", lambda *_: 42),
    "Tensor.sum": replaced(torch.Tensor, "sum", lambda *_, **__: torch.tensor(1.0)),
    "Tensor.__add__": replaced(torch.Tensor, "__add__", lambda a, b: a),
    "relu": replaced(torch.nn.functional, "relu", lambda x: x * 0),
    "Module.__call__": replaced(torch.nn.Module, "__call__", lambda *_, **__: None),
    "Adam.step": replaced(torch.optim.Adam, "step", lambda *_, **__: None),
}


def probe():
    """Something of everything that a question computes."""
    linear, x = torch.nn.Linear(3, 2), torch.ones(4, 3)
    y = torch.relu(linear(x))
    y.sum().backward()
    torch.optim.Adam(linear.parameters(), lr=0.1).step()
    ratio = np.array([1.0]) / np.array([0.0])
    warnings.warn("seen", stacklevel=1)
    numbers = [float(linear.weight.sum()), random.random(), float(np.random.rand()), math.exp(1.0)]  # noqa: NPY002
    numbers += [sum([1, 2]), max([1, 2]), ratio[0], float((torch.ones(2) + 1).sum()), float(np.clip(3, 0, 1))]
    numbers += [float(torch.nn.functional.relu(torch.tensor(2.0))), plt.rcParams["figure.dpi"]]
    facts = [torch.allclose(x, x + 1), np.array_equal([1], [2]), torch.get_num_threads(), gc.isenabled()]
    texts = [str(y.dtype), os.getcwd(), str(np.array([1.23456])), str(torch.tensor([1.23456])), sys.path[:1]]
    return [numbers, facts, texts, len(plt.get_fignums()), sys.getrecursionlimit(), sys.getprofile()]


def probed():
    with warnings.catch_warnings(), BASE.shipped() as changed:
        warnings.simplefilter("ignore")
        return probe(), changed


def state():
    """What can be told of the global state from outside."""
    torch_state = [
        torch.get_default_dtype(),
        torch.is_grad_enabled(),
        torch.get_num_threads(),
        torch.get_rng_state().sum(),
    ]
    torch_state += [
        torch.is_inference_mode_enabled(),
        torch._C._len_torch_function_stack(),
        torch.allclose,
        torch.Tensor.sum,
    ]
    torch_state += [
        torch._C._len_torch_dispatch_stack(),
        torch.are_deterministic_algorithms_enabled(),
        torch.optim.Adam.step,
    ]
    torch_state += [torch.is_autocast_enabled("cpu"), torch.is_anomaly_enabled(), torch.nn.functional.relu]
    others = [
        np.geterr(),
        os.getcwd(),
        list(sys.path),
        list(warnings.filters),
        dict(plt.rcParams),
        plt.get_fignums(),
    ]
    others += [
        sys.getrecursionlimit(),
        gc.isenabled(),
        sys.getprofile(),
        hasattr(np, "clip"),
        math.exp,
        random.random,
    ]
    drawn = [np.random.rand(), random.random()]  # noqa: NPY002
    return [str(one) for one in [*torch_state, *others, builtins.sum, builtins.max, *drawn]]


@pytest.fixture(scope="module")
def wanted():
    probed()  # torch wraps the method ``step`` when the first optimiser of a class is made
    return apart(lambda: repr(probed()[0]))


@pytest.mark.parametrize("fault", FAULTS)
def test_no_change_reaches_what_runs_inside_and_each_is_given_back(fault, wanted):
    def both():
        torch.set_num_threads(1)
        FAULTS[fault]()
        seeds()
        without = state()
        seeds()
        found = repr(probed()[0])
        return repr([found, [(a, b) for a, b in zip(without, state(), strict=True) if a != b]])

    assert apart(both) == repr([wanted, []])
