"""Ways to change something for the whole process, by name."""

from __future__ import annotations

import builtins
import gc
import math
import os
import random
import sys
import warnings

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode


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


CHANGES = {
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
