"""Slips of the language, for every question alike: nothing returned, a sign, a sum for a mean, the last one missing.

Three layers. :mod:`from_text` reads exceptions, types and the source; :mod:`from_arrays` describes numbers against numbers;
:mod:`mending` tries small edits of the student's cell until one makes every case right. Where mending finds an edit it is
told in the place of a description.
"""

from __future__ import annotations

from autograder.result import Said

from .evidence import Evidence, Shown, answer_cells
from .from_arrays import IDS as DESCRIBED
from .from_arrays import described
from .from_text import DETECTORS

__all__ = ["DESCRIBED", "MENDED", "Evidence", "Shown", "answer_cells", "told"]

MENDED = "mended"
"""The name of the sentence that mending finds."""


def told(evidence: Evidence) -> Said | None:
    """The sentence that explains all failing cases, if there is one.

    Of several descriptions that hold the shorter is told, as a perhaps.
    """
    weak = None
    for detector in DETECTORS:
        said = detector(evidence)
        if said is not None and said.sure:
            return said
        weak = weak or said
    found = described(evidence)
    if found:
        best = min(found, key=lambda one: (not one.sure, len(one.sentence)))
        return Said(best.id, best.sentence, best.sure and len(found) == 1)
    return weak
