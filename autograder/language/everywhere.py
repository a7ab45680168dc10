"""One edit made wherever the same code stands: a slip that was copied is mended as a whole."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator

from autograder.parsing import python_of
from autograder.proof import faults
from autograder.proof.faults import Mutant, Mutator, Spot, spots

from .edits import axis, bound, cut, factor, told, twin

ALIKE: tuple[Mutator, ...] = (
    faults.operator,
    faults.comparison,
    factor,
    twin,
    axis,
    cut,
    bound,
    faults.order,
)
"""Edits of pieces that may stand in several places alike."""
MOST = 60
"""Edits of one cell."""


def everywhere(source: str) -> Iterator[Mutant]:
    """Edits of all pieces of a cell with the same text, where there are several; ``line`` is that of the first."""
    try:
        tree = ast.parse(python_of(source)[0])
    except (SyntaxError, ValueError):
        return
    alike: defaultdict[tuple[str, str, str], list[tuple[Spot, ast.AST]]] = defaultdict(list)
    for spot in spots(tree):
        if isinstance(spot.node, ast.expr):
            for mutator in ALIKE:
                for new in mutator(spot.node):
                    kind = mutator.__name__
                    alike[kind, ast.unparse(spot.node), ast.unparse(new)].append((spot, new))
    several = [(key, some) for key, some in alike.items() if len(some) > 1]
    for (kind, was, now), some in several[:MOST]:
        for spot, new in some:
            spot.put(new)
        text = ast.unparse(tree)
        for spot, _ in some:
            spot.put(spot.node)
        first = min(getattr(spot.node, "lineno", 0) for spot, _ in some)
        yield Mutant("", kind, "", text, first, was, now)


def told_of_all(edit: Mutant, cell: str) -> str:
    """The sentence for such an edit after which every case is right."""
    return f"{told(edit, cell).removesuffix(' all is right.')} and wherever it stands again all is right."
