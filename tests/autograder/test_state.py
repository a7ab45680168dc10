"""The global state as the course ships it: each way to change it touches no probe and is given back."""

from __future__ import annotations

import builtins
import gc
import math
import os
import random
import subprocess
import sys
import warnings

import matplotlib as mpl
import numpy as np
import pytest
import torch

mpl.use("Agg")
import matplotlib.pyplot as plt

from autograder.state import Baseline
from tests.autograder.apart import apart
from tests.autograder.global_changes import CHANGES, seeds

BASE = Baseline()


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


@pytest.mark.parametrize("fault", CHANGES)
def test_no_change_reaches_what_runs_inside_and_each_is_given_back(fault, wanted):
    def both():
        torch.set_num_threads(1)
        CHANGES[fault]()
        seeds()
        without = state()
        seeds()
        found = repr(probed()[0])
        return repr([found, [(a, b) for a, b in zip(without, state(), strict=True) if a != b]])

    assert apart(both) == repr([wanted, []])


def test_what_torch_wraps_by_itself_is_no_change():
    """An optimiser loads torch's compiler, which wraps a function of torch: nobody has patched anything."""
    code = """
import torch
from autograder.state import Baseline
base = Baseline()
before = torch.manual_seed
import torch._dynamo
torch.optim.Adam([torch.nn.Parameter(torch.ones(1))]).step()
assert torch.manual_seed is not before
with base.shipped() as changed:
    assert "torch.manual_seed" not in changed, changed
torch.manual_seed = lambda seed: None
with base.shipped() as changed:
    assert "torch.manual_seed" in changed, changed
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
