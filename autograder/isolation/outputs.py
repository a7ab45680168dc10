"""What came of a notebook's cells, and what stands below them: outputs as plain data, in nbformat's words."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from autograder.message import html, plain
from autograder.notebook import Cell
from autograder.result import Result

from .session import CellResult

__all__ = ["CellOutcome", "Output", "of_cell"]

Output = dict[str, Any]


@dataclass(frozen=True)
class CellOutcome:
    """What came of one cell: of a question its result, of any other code cell its outputs.

    ``problem`` is what went wrong on this side.
    """

    cell: Cell
    result: Result | None = None
    run: CellResult | None = None
    problem: str = ""
    seconds: float = 0.0


def _of_result(result: Result) -> list[Output]:
    """A question's message and its score, as the notebook's own ``check`` shows them."""
    shown = {"text/plain": plain(result), "text/html": html(result)}
    score = {"text/plain": repr(result.score)}
    return [
        {"output_type": "display_data", "data": shown, "metadata": {"autograder": asdict(result)}},
        {"output_type": "execute_result", "execution_count": None, "data": score, "metadata": {}},
    ]


def _error(name: str, text: str) -> Output:
    return {"output_type": "error", "ename": name, "evalue": text, "traceback": [f"{name}: {text}"]}


def _of_run(run: CellResult) -> list[Output]:
    numbered = {"execute_result": {"execution_count": None}}
    kept = [{key: part for key, part in output.items() if key != "line"} for output in run.outputs]
    outputs = [{**output, **numbered.get(output["output_type"], {})} for output in kept]
    if run.status in ("died", "not run") or (run.status == "time" and not outputs):
        outputs.append(_error("Stopped", run.reason or "the time of this cell is over"))
    return outputs


def of_cell(outcome: CellOutcome) -> list[Output]:
    """Outputs of one code cell; a graded cell that no check grades gets an error.

    Without an output nbgrader would give such a cell full points.
    """
    if outcome.result is not None:
        return _of_result(outcome.result)
    if outcome.run is not None:
        return _of_run(outcome.run)
    return [_error("NoCheck", f"no check grades this cell ({outcome.cell.grade_id})")]
