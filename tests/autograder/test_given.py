"""What becomes of a given cell that a student changed: nothing of ours is lost, what was added runs, both are said."""

from __future__ import annotations

import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st

from autograder.given import LONGEST, Merge, merge, names_of

RELEASED = '''import math
import torch
from snnkit import data, plot
from snnkit.layers import LIF, IF

torch.manual_seed(0)
COLOURS = ["k", "r"]

def figure(x, *, width=3):
    """A figure."""
    return plot.line(x, width=width)
'''


def changed(old: str, new: str) -> str:
    assert old in RELEASED
    return RELEASED.replace(old, new)


#: A change, and how many statements are kept, put back, and not run; and whether there is a note.
CHANGES = {
    "nothing": (RELEASED, (0, 0, 0, False)),
    "layout, comments, quotes": (
        changed('"k"', "'k'").replace("\n\n", "\n\n\n# mine\n").replace("\n", "\r\n"),
        (0, 0, 0, False),
    ),
    "import at the top": ("import numpy as np\n" + RELEASED, (1, 0, 0, False)),
    "imports at the end": (RELEASED + "\nimport numpy as np\nfrom scipy import special\n", (2, 0, 0, False)),
    "name added to our import": (changed("LIF, IF", "LIF, IF, Sine"), (1, 0, 0, False)),
    "name added to our import, renamed": (changed("data, plot", "data, plot, neuron as n"), (1, 0, 0, False)),
    "helper": (RELEASED + "\ndef helper(x):\n    return 2 * x\n", (1, 0, 0, False)),
    "class with decorator": (
        RELEASED + "\nfrom dataclasses import dataclass\n@dataclass\nclass P:\n    x: int = 0\n",
        (2, 0, 0, False),
    ),
    "line deleted": (changed("torch.manual_seed(0)\n", ""), (0, 1, 0, False)),
    "line commented out": (changed("torch.manual_seed(0)", "# torch.manual_seed(0)"), (0, 1, 0, False)),
    "call changed": (changed("manual_seed(0)", "manual_seed(1)"), (0, 1, 1, False)),
    "constant changed": (changed('["k", "r"]', '["b", "g"]'), (0, 1, 1, False)),
    "function changed": (changed("width=3", "width=9"), (0, 1, 1, False)),
    "function shadowed": (RELEASED + "\nfigure = print\n", (0, 0, 1, False)),
    "constant extended": (RELEASED + "\nCOLOURS += ['b']\n", (0, 0, 1, False)),
    "imports in another order": (
        "import torch\nimport math\n" + RELEASED.split("import torch\n")[1],
        (0, 0, 0, False),
    ),
    "import split": (
        changed("from snnkit import data, plot", "from snnkit import data\nfrom snnkit import plot"),
        (0, 0, 0, False),
    ),
    "alias": (changed("import torch\n", "import torch\nimport torch as th\n"), (1, 0, 0, False)),
    "answer": (RELEASED + "\ndef exact_step(v):\n    return v\n", (1, 0, 0, False)),
    "emptied": ("", (0, 9, 0, False)),
    "no syntax": (RELEASED + "\nimport numpy as\n", (0, 0, 0, True)),
    "magic": ("%matplotlib widget\n" + RELEASED, (1, 0, 0, False)),
    "cell magic": ("%%time\n" + RELEASED, (0, 0, 0, False)),
    "shell and import": ("!pip install tqdm\n" + RELEASED + "from tqdm import tqdm\n", (2, 0, 0, False)),
    "captured shell": (RELEASED + "files = !ls\n", (1, 0, 0, False)),
    "help": (RELEASED + "torch.zeros?\n", (0, 0, 0, False)),
    "future": ("from __future__ import annotations\n" + RELEASED, (1, 0, 0, False)),
    "print in between": (changed("COLOURS", "print('hello')\nCOLOURS"), (1, 0, 0, False)),
    "our name imported": (RELEASED + "\nfrom mine import plot\n", (0, 0, 1, False)),
    "switch": (RELEASED + "\ntorch.set_default_dtype(torch.float64)\n", (1, 0, 0, False)),
    "null byte": (RELEASED + "\0", (0, 0, 0, True)),
    "tabs": (changed("    ", "\t"), (0, 0, 0, False)),
    "two on a line": (changed("import math\nimport torch", "import math; import torch"), (0, 0, 0, False)),
    "two new ones on a line": (RELEASED + "a = 1; b = 2\n", (2, 0, 0, False)),
    "loop over our name": (RELEASED + "\nfor i in range(3):\n    torch = None\n", (0, 0, 1, False)),
    "await": (RELEASED + "import asyncio\nawait asyncio.sleep(0)\n", (2, 0, 0, False)),
    "deep": (RELEASED + "x = " + "(" * 3000 + ")" * 3000, (0, 0, 0, True)),
    "long": (RELEASED + "#" * LONGEST, (0, 0, 0, True)),
    "strange escape": (RELEASED + "pattern = '\\d'\n", (1, 0, 0, False)),
}


def counts(merged: Merge) -> tuple[int, int, int, bool]:
    kept = merged.before + merged.behind
    return len(kept), len(merged.back), len(merged.left), bool(merged.note)


@pytest.mark.parametrize("name", CHANGES)
def test_each_change_is_sorted(name: str) -> None:
    submitted, expected = CHANGES[name]
    merged = merge(RELEASED, submitted)
    assert counts(merged) == expected
    assert bool(merged.said("setup")) == any(expected)


def test_what_is_said_names_the_lines() -> None:
    both = changed('COLOURS = ["k", "r"]', "import numpy as np")
    assert merge(RELEASED, both).said("setup") == (
        "the given cell `setup` was changed: your line `import numpy as np` was kept; "
        'our line `COLOURS = ["k", "r"]` was put back'
    )
    assert "your line `torch.manual_seed(1)` was not run: it stands for something of the course's" in (
        merge(RELEASED, changed("manual_seed(0)", "manual_seed(1)")).said("setup")
    )
    assert "and 5 more were put back" in merge(RELEASED, "").said("setup")


def test_what_was_added_stands_before_ours_or_behind_as_it_was_written() -> None:
    merged = merge(
        RELEASED, "import numpy as np\n" + RELEASED + "@np.vectorize\ndef twice(x):  # mine\n    return 2 * x"
    )
    assert merged.before == ("import numpy as np",)
    assert merged.behind == ("@np.vectorize\ndef twice(x):  # mine\n    return 2 * x",)
    assert "`def twice(x):  # mine`" in merged.said("setup")


def test_a_check_called_in_another_way_is_nothing_to_speak_of() -> None:
    assert merge('check("a.b")', 'check("a.b", hint=1)') == Merge()
    assert merge('check("a.b")', 'def b():\n    return 1\n\ncheck("a.b")').before == (
        "def b():\n    return 1",
    )


@drawn(st.text(st.characters(exclude_categories=["Cs"]), max_size=60), st.integers(0, len(RELEASED)))
def test_any_change_is_taken(text: str, place: int) -> None:
    merged = merge(RELEASED, RELEASED[:place] + text + RELEASED[place:])
    for kept in (*merged.before, *merged.behind, *merged.left):
        assert kept
    names_of(text)


def test_names_are_those_that_the_cell_defines() -> None:
    assert names_of("import a.b as c, d.e\nf = lambda g: g\nfor h in []:\n    i: int = 1\ndef j(k): l = 1") == {
        "f", "h", "i", "j",
    }  # fmt: skip
    assert names_of("!ls\nx = 1") == {"x"}
    assert names_of("def broken(") == frozenset()


DEEP = {
    "minus": "x = " + "-" * 3000 + "1",
    "calls": "x = f" + "()" * 3000,
    "sum": "x = " + "+".join(["a"] * 3000),
    "elif": "if a:\n    x = 1\n" + "elif a:\n    x = 1\n" * 3000,
    "lists": "x = " + "[" * 3000 + "]" * 3000,
    "names": "x = " * 3000 + "1",
}


@pytest.mark.parametrize("name", DEEP)
def test_what_is_nested_without_end_is_put_back_or_kept_and_stops_nothing(name):
    merged = merge(RELEASED, f"{RELEASED}\n{DEEP[name]}")
    assert merged.note or merged.behind == (DEEP[name].strip(),)
    names_of(DEEP[name])
