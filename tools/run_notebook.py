"""Run the code of a notebook from its top to its end in this process: ``python tools/run_notebook.py FILE``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl

from autograder.notebook import read


def run(notebook: bytes) -> None:
    """Run all code cells in one namespace; figures are drawn and not shown."""
    mpl.use("Agg")
    import matplotlib.pyplot as plt

    space: dict[str, Any] = {"__name__": "__main__"}
    for cell in read(notebook).cells:
        if cell.code:
            exec(compile(cell.source, "<cell>", "exec"), space)
            plt.close("all")


if __name__ == "__main__":
    run(Path(sys.argv[1]).read_bytes())
