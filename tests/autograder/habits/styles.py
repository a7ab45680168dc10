"""Habits of Python: how an answer and what stands around it are written."""

from __future__ import annotations

from .making import (
    COUNT,
    DECODING,
    LIF,
    RATE,
    RIGHT,
    SHARES,
    SILENCE,
    Habit,
    after,
    answer,
    below,
    loses,
    within,
)

AROUND: dict[str, Habit] = {
    "imports twice": within("import numpy as np\nimport numpy as np\nimport numpy\nfrom numpy import *"),
    "everything of torch": within(
        "from torch import *\nfrom torch.nn import *\nfrom math import *", DECODING
    ),
    "under other names": within("import numpy as N\nimport torch as th\nimport torch.nn.functional as F"),
    "annotations of the future": answer(
        "from __future__ import annotations\nimport numpy as np\ndef spike_count(charge: np.ndarray, threshold: float) -> int | None:\n    return int((charge >= threshold).sum())"
    ),
    "only when it is the program": below(
        "if __name__ == '__main__':\n    print(spike_count(np.array([1.0, 2.0]), 1.5))"
    ),
    "a main": below("def main():\n    print(spike_count(np.ones(3), 1.0))\n\nmain()"),
    "asserts": below("assert spike_count(np.array([1.0, 2.0]), 1.0) == 2, 'wrong'"),
    "tests of one's own": below(
        "import unittest\nclass T(unittest.TestCase):\n    def test_one(self): self.assertEqual(spike_count(np.ones(2), 1.0), 2)\nunittest.main(argv=[''], exit=False)"
    ),
    "examples in the text": below("import doctest\ndoctest.testmod()"),
    "a test that fails": below("assert spike_count(np.array([1.0]), 1.0) == 7"),
    "an error at the end on purpose": after("raise RuntimeError('stop here')"),
    "a half-done cell below": after("def later(:\n    pass"),
    "deletes": below("x = 3\ndel x\nfor name in ('a', 'b'): globals()[name] = 1; del globals()[name]"),
    "code in a text": within("exec('theta = 1')\nprint(eval('theta + 1'))"),
    "commented code": within("# def spike_count(charge, threshold):\n#     return 0\n'''\nreturn 3\n'''"),
    "a very long line": within(f"numbers = [{', '.join(map(str, range(9000)))}]"),
    "names with accents": within("θ = 1.0\nfuß, naïve, 数 = 1, 2, 3\nprint(θ + fuß)"),
    "emoji and arrows": within("print('🧠 → ⚡', 'naïve', '한글')"),
    "tabs": answer(
        "def spike_count(charge, threshold):\n\tn = 0\n\tfor m in charge:\n\t\tif m >= threshold:\n\t\t\tn += 1\n\treturn n"
    ),
    "windows' line ends": answer(
        "def spike_count(charge, threshold):\r\n    return int((charge >= threshold).sum())\r\n"
    ),
    "blanks at the ends": answer(
        "\n\n   \ndef spike_count(charge, threshold):   \n    return int((charge >= threshold).sum())   \n\n\n"
    ),
    "indented cell": answer(
        "    def spike_count(charge, threshold):\n        return int((charge >= threshold).sum())"
    ),
    "copied prompts": answer(
        ">>> def spike_count(charge, threshold):\n...     return int((charge >= threshold).sum())\n"
    ),
    "the cell twice": Habit(COUNT, (RIGHT[COUNT], RIGHT[COUNT])),
    "an older try above": Habit(
        COUNT,
        ("def spike_count(charge, threshold):\n    return int((charge > threshold).sum())", RIGHT[COUNT]),
    ),
    "an older try in the same cell": answer(
        "def spike_count(charge, threshold):\n    return 0\n\ndef spike_count(charge, threshold):\n    return int((charge >= threshold).sum())"
    ),
    "its own source": below("import inspect\nprint(inspect.getsource(spike_count))"),
    "counts its calls": answer(
        "calls = 0\ndef spike_count(charge, threshold):\n    global calls\n    calls += 1\n    return int((charge >= threshold).sum())"
    ),
    "keeps what it was given": answer(
        "history = []\ndef spike_count(charge, threshold):\n    history.append((charge, threshold))\n    return int((charge >= threshold).sum())"
    ),
    "scipy and sympy": within(
        "from scipy import ndimage, signal, stats\nimport sympy\nprint(sympy.sqrt(8), stats.norm.cdf(0))"
    ),
    "numba": answer(
        "from numba import njit\n@njit\ndef _count(m, t):\n    n = 0\n    for x in m:\n        if x >= t: n += 1\n    return n\ndef spike_count(charge, threshold):\n    return _count(charge, threshold)"
    ),
    "waits in the answer": answer(
        "import asyncio\nasync def add(a): return a\ndef spike_count(charge, threshold):\n    loop = asyncio.new_event_loop()\n    return loop.run_until_complete(add(int((charge >= threshold).sum())))"
    ),
    "a context of its own": within(
        "from contextlib import contextmanager\n@contextmanager\ndef timer():\n    import time\n    t = time.time()\n    yield\n    print(time.time() - t)\nwith timer(): pass"
    ),
    "types of one's own": within(
        "from typing import NamedTuple, TypeVar, Protocol, TypedDict\nfrom enum import Enum\nclass Reset(Enum):\n    SOFT = 1\nclass P(NamedTuple):\n    x: int = 0"
    ),
    "a module that does not exist": loses(
        within("import snn_toolkit_of_mine"),
        "ModuleNotFoundError: No module named 'snn_toolkit_of_mine'",
        "it is not in the course's environment",
    ),
    "the grader's inside": loses(
        within("from autograder.checks import core"),
        "ModuleNotFoundError: No module named 'autograder.checks'",
        "the student's copy has no checks",
    ),
}

ANSWERS: dict[str, Habit] = {
    "a lambda": answer("spike_count = lambda charge, threshold: int((charge >= threshold).sum())"),
    "a partial": answer("from functools import partial\ndef _count(compare, charge, threshold): return int(compare(charge, threshold).sum())\nspike_count = partial(_count, np.greater_equal)"),
    "an object that is called": answer("class Counter:\n    def __init__(self): self.n = 0\n    def __call__(self, charge, threshold):\n        self.n += 1\n        return int((charge >= threshold).sum())\nspike_count = Counter()"),
    "a method": answer("class Neuron:\n    def count(self, charge, threshold): return int((charge >= threshold).sum())\nspike_count = Neuron().count"),
    "a static method": answer("class Tools:\n    @staticmethod\n    def count(charge, threshold): return int((charge >= threshold).sum())\nspike_count = Tools.count"),
    "a closure": answer("def make(compare):\n    def inner(charge, threshold): return int(compare(charge, threshold).sum())\n    return inner\nspike_count = make(np.greater_equal)"),
    "a decorator": answer("import functools\ndef logged(f):\n    @functools.wraps(f)\n    def g(*a, **k):\n        print('called')\n        return f(*a, **k)\n    return g\n@logged\ndef spike_count(charge, threshold): return int((charge >= threshold).sum())"),
    "a decorator without wraps": answer("def timed(f):\n    def g(*a, **k): return f(*a, **k)\n    return g\n@timed\ndef spike_count(charge, threshold): return int((charge >= threshold).sum())"),
    "a memory": answer("from functools import lru_cache\n@lru_cache(None)\ndef _step(now, spike): return 0 if spike else now + 1\ndef longest_silence(train):\n    now = best = 0\n    for s in train:\n        now = _step(now, int(s))\n        best = max(best, now)\n    return best", SILENCE),
    "a generator": answer("def spike_count(charge, threshold):\n    def fired():\n        for m in charge:\n            if m >= threshold: yield m\n    return sum(1 for _ in fired())"),
    "itertools": answer("from itertools import groupby\ndef longest_silence(train): return max((len(list(g)) for s, g in groupby(train) if not s), default=0)", SILENCE),
    "accumulate": answer("from itertools import accumulate\ndef longest_silence(train):\n    return max(accumulate(train, lambda n, s: 0 if s else n + 1, initial=0))", SILENCE),
    "a dataclass": answer("from dataclasses import dataclass\n@dataclass\nclass Run:\n    now: int = 0\n    best: int = 0\n    def see(self, s):\n        self.now = 0 if s else self.now + 1\n        self.best = max(self.best, self.now)\ndef longest_silence(train):\n    run = Run()\n    for s in train: run.see(s)\n    return run.best", SILENCE),
    "match": answer("def longest_silence(train):\n    now = best = 0\n    for s in train:\n        match int(s):\n            case 0: now += 1\n            case _: now = 0\n        best = max(best, now)\n    return best", SILENCE),
    "a walrus": answer("def longest_silence(train):\n    now = 0\n    return max([0, *((now := 0 if s else now + 1) for s in train)])", SILENCE),
    "recursion": answer("def longest_silence(train, now=0, best=0):\n    if len(train) == 0: return best\n    now = 0 if train[0] else now + 1\n    return longest_silence(train[1:], now, max(best, now))", SILENCE),
    "everything in a try": answer("def longest_silence(train):\n    try:\n        best = now = 0\n        for s in train:\n            now = 0 if s else now + 1\n            best = max(best, now)\n        return best\n    except Exception as error:\n        print(error)\n        return None", SILENCE),
    "prints in the answer": answer("def spike_count(charge, threshold):\n    for k, m in enumerate(charge): print(k, m, m >= threshold)\n    return int((charge >= threshold).sum())"),
    "megabytes printed in the answer": answer("def spike_count(charge, threshold):\n    print('x' * 2_000_000)\n    return int((charge >= threshold).sum())"),
    "plots in the answer": answer("import matplotlib.pyplot as plt\ndef spike_count(charge, threshold):\n    plt.figure(); plt.plot(charge); plt.axhline(threshold); plt.show()\n    return int((charge >= threshold).sum())"),
    "shows in the answer": answer("from IPython.display import display\ndef spike_count(charge, threshold):\n    display(charge)\n    return int((charge >= threshold).sum())"),
    "a bar in the answer": answer("from tqdm.auto import tqdm\ndef spike_count(charge, threshold): return sum(int(m >= threshold) for m in tqdm(charge))"),
    "logs and warns in the answer": answer("import logging, warnings\ndef spike_count(charge, threshold):\n    logging.error('here'); warnings.warn('there')\n    return int((charge >= threshold).sum())"),
    "asks in the answer": answer("def spike_count(charge, threshold):\n    input('go on?')\n    return int((charge >= threshold).sum())"),
    "asserts in the answer": answer("def spike_count(charge, threshold):\n    assert charge.ndim == 1, charge.shape\n    assert isinstance(threshold, float)\n    return int((charge >= threshold).sum())"),
    "sleeps in the answer": answer("import time\ndef spike_count(charge, threshold):\n    time.sleep(0.01)\n    return int((charge >= threshold).sum())"),
    "draws in the answer": answer("import random\ndef spike_count(charge, threshold):\n    np.random.rand(3); random.random(); np.random.seed(3)\n    return int((charge >= threshold).sum())"),
    "files in the answer": answer("def spike_count(charge, threshold):\n    np.save('charge.npy', charge)\n    return int((np.load('charge.npy') >= threshold).sum())"),
    "threads in the answer": answer("from concurrent.futures import ThreadPoolExecutor\ndef spike_count(charge, threshold):\n    with ThreadPoolExecutor(4) as pool: return sum(pool.map(lambda m: int(m >= threshold), charge))"),
    "a pool in the answer": answer("import multiprocessing\ndef over(m): return int(m)\ndef spike_count(charge, threshold):\n    with multiprocessing.Pool(2) as pool: return sum(pool.map(over, charge >= threshold))"),
    "pandas in the answer": answer("import pandas as pd\ndef spike_count(charge, threshold): return int(pd.Series(charge).ge(threshold).sum())"),
    "torch in the answer": answer("import torch\ndef spike_count(charge, threshold): return (torch.from_numpy(charge) >= threshold).sum()"),
    "more arguments with defaults": answer("def spike_count(charge, threshold=1.0, *, verbose=False, **options): return int((charge >= threshold).sum())"),
    "any arguments": answer("def spike_count(*args, **kwargs):\n    charge, threshold = args\n    return int((charge >= threshold).sum())"),
    "a whole number as a float": answer("def spike_count(charge, threshold): return float((charge >= threshold).sum())"),
    "a number of NumPy": answer("def spike_count(charge, threshold): return np.sum(charge >= threshold, dtype=np.int16)"),
    "an array with one number": answer("def spike_count(charge, threshold): return np.array((charge >= threshold).sum())"),
    "a comprehension": answer("def spike_count(charge, threshold): return len([m for m in charge.tolist() if m >= threshold])"),
    "while": answer("def spike_count(charge, threshold):\n    k = n = 0\n    while k < len(charge):\n        n = n + 1 if charge[k] >= threshold else n\n        k += 1\n    return n"),
    "rows as lists": loses(answer("def shares(counts): return [[float(c) / max(sum(row), 1) for c in row] for row in counts.tolist()]", SHARES), "shares has shape [0]; expected [0, 3]", "a list without rows has no columns; an array of the same shape is asked for"),
    "lists of NumPy's numbers": loses(answer("def shares(counts): return [list(row / max(row.sum(), 1)) for row in counts]", SHARES), "shares has shape [0]; expected [0, 3]", "a list without rows has no columns; an array of the same shape is asked for"),
    "a mask that is filled": answer("def shares(counts):\n    total = counts.sum(1, keepdims=True)\n    with np.errstate(all='ignore'):\n        return np.ma.masked_invalid(counts / total).filled(0)", SHARES),
    "not a number, mended": answer("def shares(counts):\n    with np.errstate(invalid='ignore'):\n        return np.nan_to_num(counts / counts.sum(1)[:, None])", SHARES),
    "not a number, mended, with warnings": answer("def shares(counts): return np.nan_to_num(counts / counts.sum(1)[:, None])", SHARES),
    "row by row": answer("def shares(counts):\n    out = np.zeros_like(counts, dtype=float)\n    for k, row in enumerate(counts):\n        if row.sum() > 0: out[k] = row / row.sum()\n    return out", SHARES),
    "along an axis": loses(answer("def shares(counts): return np.apply_along_axis(lambda row: row / max(row.sum(), 1), 1, counts)", SHARES), "Cannot apply_along_axis when any iteration dimensions are 0", "it fails for a table without rows, in the kernel as well"),
    "einsum": answer("def shares(counts): return counts / np.clip(np.einsum('nc->n', counts), 1, None)[:, None]", SHARES),
    "a copy first": answer("import copy\ndef shares(counts):\n    counts = copy.deepcopy(counts).astype(np.float64)\n    counts /= np.maximum(counts.sum(1, keepdims=True), 1)\n    return counts", SHARES),
    "a table of pandas": answer("import pandas as pd\ndef shares(counts): return pd.DataFrame(counts).apply(lambda r: r / max(r.sum(), 1), axis=1).to_numpy()", SHARES),
    "a table of pandas, as it is": loses(
        answer("import pandas as pd\ndef shares(counts): return pd.DataFrame(counts / np.maximum(counts.sum(1, keepdims=True), 1))", SHARES),
        "DataFrame", "an array is asked for, and the sentence names the type",
    ),
    "a fraction": loses(
        answer("from fractions import Fraction\ndef spike_count(charge, threshold): return Fraction(int((charge >= threshold).sum()))"),
        "Fraction", "a number of Python or NumPy is asked for, and the sentence names the type",
    ),
    "a network for a step": answer("import torch\nfrom torch import nn\nclass Cell(nn.Module):\n    def forward(self, v, x, decay, threshold, reset):\n        m = decay * v + x\n        s = (m >= threshold).type_as(m)\n        return s, m - s * threshold if reset == 'soft' else m * (1 - s)\nlif_step = Cell()\ndef run(currents, decay, threshold, reset, v0=0.0):\n    v = torch.zeros_like(currents[0]) + v0\n    S, V = torch.empty_like(currents), torch.empty_like(currents)\n    for t, x in enumerate(currents): S[t], V[t] = s, v = lif_step(v, x, decay, threshold, reset)\n    return S, V", LIF),
    "in evaluation mode of torch": answer("import torch\n@torch.no_grad()\ndef rate_decode(spikes):\n    n = spikes.sum(dim=0)\n    best = torch.argmax(n, dim=-1)\n    best[n.max(-1).values == 0] = -1\n    return best\n@torch.inference_mode()\ndef latency_decode(spikes):\n    T = len(spikes)\n    when = torch.where(spikes > 0, torch.arange(T).view(-1, *[1] * (spikes.dim() - 1)), T).amin(0)\n    first = when.argmin(-1)\n    first[when.amin(-1) == T] = -1\n    return first", DECODING),
    "a named tuple": answer("from collections import namedtuple\nOut = namedtuple('Out', 'spikes potentials')\nimport torch\n" + RIGHT[LIF].replace("return torch.stack(spikes), torch.stack(potentials)", "return Out(torch.stack(spikes), torch.stack(potentials))"), LIF),
    "a list of two": answer("import torch\n" + RIGHT[LIF].replace("return torch.stack(spikes), torch.stack(potentials)", "return [torch.stack(spikes), torch.stack(potentials)]"), LIF),
    "bernoulli": answer("import torch\ndef rate_encode(values, steps, generator):\n    return torch.bernoulli(values.repeat(steps, *[1] * values.dim()), generator=generator)", RATE),
    "step by step": answer("import torch\ndef rate_encode(values, steps, generator):\n    return torch.stack([(torch.rand(values.shape, generator=generator, dtype=values.dtype) < values).to(values) for _ in range(steps)])", RATE),
}  # fmt: skip
