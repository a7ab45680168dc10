"""What came back held against what is right: the first difference, in words."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from autograder.perform import Seen
from autograder.question import Array, Arrays, Asked, Case, Tolerance
from autograder.result import Failure, Place, kept
from autograder.wording import PLAIN, Vocabulary, of_place, of_shape


def close(got: Array, wanted: Array, within: Tolerance) -> bool:
    """Whether two arrays agree in shape and, within the tolerance, in value; infinities are values."""
    return got.shape == wanted.shape and bool(_near(got, wanted, within).all())


def _near(got: Array, wanted: Array, within: Tolerance) -> Array:
    return np.isclose(got.astype(np.float64), wanted.astype(np.float64), rtol=within.rtol, atol=within.atol)


def _place(key: str, got: Array, wanted: Array, within: Tolerance) -> Place:
    lost = ~np.isfinite(got.astype(np.float64)) & np.isfinite(wanted.astype(np.float64))
    far = lost if lost.any() else ~_near(got, wanted, within)
    at = tuple(int(i) for i in np.argwhere(far)[0]) if got.ndim else ()
    return Place(key, at, kept(float(got[at])), kept(float(wanted[at])), int(far.sum()), far.size)


class Difference(NamedTuple):
    """The first difference: a failure's kind and sentence, the arrays that differ, and where."""

    kind: str
    sentence: str
    wrong: tuple[str, ...]
    place: Place | None = None


def compare(
    got: Arrays, wanted: Arrays, asked: Asked, within: Tolerance, known: Vocabulary = PLAIN
) -> Difference | None:
    """None when every wanted array is there and right, otherwise the first difference, with numbers.

    A number that is none comes first: it often explains the rest.
    """
    absent = [key for key in wanted if key not in got]
    if absent:
        return Difference("form", f"nothing came back for {absent[0]}", tuple(absent))
    wrong = tuple(key for key in wanted if not close(got[key], wanted[key], within))
    if not wrong:
        return None
    lost = [
        key
        for key in wrong
        if got[key].shape == wanted[key].shape
        and (~np.isfinite(got[key].astype(np.float64)) & np.isfinite(wanted[key].astype(np.float64))).any()
    ]
    key = (lost or list(wrong))[0]
    found, right = got[key], wanted[key]
    if found.shape != right.shape:
        return Difference("form", of_shape(key, found, right), wrong)
    place = _place(key, found, right, within)
    return Difference("form" if lost else "value", of_place(place, asked, right, known), wrong, place)


def other_dtype(asked: Asked, arrays: Arrays) -> bool:
    """Whether a result has another dtype than the arguments."""
    kinds = [
        value.dtype for value in asked.values() if isinstance(value, np.ndarray) and value.dtype.kind == "f"
    ]
    return bool(kinds) and any(array.dtype != kinds[0] for array in arrays.values())


def not_whole(arrays: Arrays) -> str:
    """The first result that is not of an integer dtype, or nothing."""
    return next((name for name, array in arrays.items() if array.dtype.kind not in "iu"), "")


def written(at: int, case: Case, seen: Seen, asked: Asked) -> Failure | None:
    """The failure of who writes into an argument."""
    if not seen.changed:
        return None
    names = [*list(asked)[: len(case.call.args)], *case.call.kwargs, *["x"] * len(case.call.then)]
    name = names[seen.changed[0]] if seen.changed[0] < len(names) else "an argument"
    return Failure("argument", f"{name} is no longer what it was", at, case.label, (name,))
