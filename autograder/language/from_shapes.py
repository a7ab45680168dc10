"""Slips that the shapes tell: an axis too many or lost, a sum still to be taken, another axis, a sum for a mean."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from autograder.question import Array
from autograder.result import Said

from .evidence import Pair, near


def shapes(pairs: Sequence[Pair]) -> Said | None:
    """An axis too many or too few, or one element."""
    if any(one.got.shape == one.wanted.shape for one in pairs):
        return None
    if all(one.got.size == one.wanted.size == 0 for one in pairs):
        said = "What came back is empty and has lost its shape, as an empty list does: a tensor or an array is asked for."
        return Said("list_for_tensor", said, False)
    same_size = all(one.got.size == one.wanted.size for one in pairs)
    if same_size and all(
        near(one.got.reshape(one.wanted.shape), one.wanted, one.case.within) for one in pairs
    ):
        if all(one.got.ndim > one.wanted.ndim for one in pairs):
            return Said(
                "extra_axis", "There is an axis of length 1 too many, as from `unsqueeze` or `keepdim=True`."
            )
        return Said(
            "lost_axis", "The numbers are right and an axis is lost, as by `squeeze`, an index or `flatten`."
        )
    if all(_among(one) for one in pairs):
        said = f"{len(pairs[0].got)} results came back, as from `return a, b`, where one of them alone is asked for."
        return Said("number_of_results", said)
    for axis in range(min(max(one.got.ndim, one.wanted.ndim) for one in pairs)):
        for name, reduce in (("sum", np.sum), ("mean", np.mean), ("maximum", np.max)):
            if all(_reduces(one.got, one.wanted, axis, reduce, one) for one in pairs):
                return Said("not_reduced", f"The {name} over axis {axis} is still to be taken.")
            if all(_reduces(one.wanted, one.got, axis, reduce, one) for one in pairs):
                return Said("reduced", f"A {name} over axis {axis} was taken, and none is asked for.")
        for place, where in ((-1, "end"), (0, "beginning")):
            if all(
                one.got.ndim == one.wanted.ndim > axis
                and one.got.shape[axis] > 1
                and near(np.delete(one.got, place, axis), one.wanted, one.case.within)
                for one in pairs
            ):
                return Said("one_extra", f"There is one element too many at the {where} of axis {axis}.")
    return None


def _reduces(large: Array, small: Array, axis: int, reduce: Callable[..., Array], pair: Pair) -> bool:
    if large.ndim != small.ndim + 1 or axis >= large.ndim or not large.shape[axis]:
        return False
    return near(np.asarray(reduce(large, axis=axis)), small, pair.case.within)


def _among(pair: Pair) -> bool:
    """Whether what is asked for is one of a few things that came back."""
    if pair.got.ndim != pair.wanted.ndim + 1 or pair.got.shape[1:] != pair.wanted.shape or len(pair.got) > 4:
        return False
    return any(near(one, pair.wanted, pair.case.within) for one in pair.got)


def other_axis(pairs: Sequence[Pair]) -> Said | None:
    """A result as long as another axis of an argument; a perhaps."""
    found = [_longs(one) for one in pairs]
    if not found or not all(found):
        return None
    common = set.intersection(*({(name, at) for name, at, _ in some} for some in found))
    for name, at in sorted(common):
        right = set.intersection(*({to for one, of, to in some if (one, of) == (name, at)} for some in found))
        if right:
            said = f"What came back runs along axis {at} of `{name}`, where it is to run along axis {min(right)}."
            return Said("other_axis", said, False)
    return None


def _longs(pair: Pair) -> list[tuple[str, int, int]]:
    """Arguments with the axis that the result is as long as, and the axis that it should be as long as."""
    got, wanted = pair.got.shape, pair.wanted.shape
    differ = [at for at in range(len(got)) if got[at] != wanted[at]] if len(got) == len(wanted) else []
    if len(differ) != 1:
        return []
    length, right = got[differ[0]], wanted[differ[0]]
    return [
        (name, at, to)
        for name, value in pair.case.asked.items()
        if isinstance(value, np.ndarray)
        for at, one in enumerate(value.shape)
        for to, other in enumerate(value.shape)
        if (one, other) == (length, right)
    ]


def many_fold(pairs: Sequence[Pair]) -> Said | None:
    """All numbers are the same whole number of times too large or too small; a perhaps."""
    if any(one.got.shape != one.wanted.shape for one in pairs):
        return None
    got, wanted = (
        np.concatenate([getattr(one, which).ravel() for one in pairs]) for which in ("got", "wanted")
    )
    there = np.isfinite(got) & np.isfinite(wanted) & (got != 0) & (wanted != 0)
    if there.sum() < 2 or ((got == 0) != (wanted == 0)).any():
        return None
    for id, ratio, words in (
        ("sum_for_mean", got[there] / wanted[there], "too large: a sum, where a mean is asked for"),
        ("mean_for_sum", wanted[there] / got[there], "too small: a mean, where a sum is asked for"),
    ):
        times = round(float(ratio[0]))
        if times > 2 and np.allclose(ratio, times, rtol=1e-5):
            return Said(id, f"Each number is {times} times {words}.", False)
    return None
