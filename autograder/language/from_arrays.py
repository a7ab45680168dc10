"""Slips that the numbers tell: a sign, a reciprocal, twice, one step late, a sum for a mean, the last one missing, ...

Each sentence describes what came back against what is right; it is told where the description holds for all that differs,
and where a right case would have been wrong by it, not at all.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from autograder.question import Array
from autograder.result import Said

from .evidence import Evidence, Pair, Shown, near
from .from_shapes import many_fold, other_axis, shapes

Change = Callable[[Shown, Array], Array]


class Described(NamedTuple):
    """A description: what the slip makes of what is right."""

    id: str
    change: Change
    sentence: str


def _plain(id: str, change: Callable[[Array], Array], sentence: str) -> Described:
    return Described(id, lambda case, right: change(right), sentence)


PLAIN = (
    _plain(
        "sign",
        np.negative,
        "Each number is minus what it should be: look at the signs, and at what is taken from what.",
    ),
    _plain(
        "reciprocal",
        np.reciprocal,
        "This is one over what is asked for: numerator and denominator are exchanged.",
    ),
    _plain("factor_two", lambda x: 2 * x, "Each number is twice what it should be."),
    _plain("factor_two", lambda x: x / 2, "Each number is half of what it should be."),
    _plain("complement", lambda x: 1 - x, "This is one minus what is asked for."),
    _plain(
        "variance_for_deviation",
        np.square,
        "This is the square of what is asked for, as a variance is of a deviation.",
    ),
    _plain(
        "deviation_for_variance",
        np.sqrt,
        "This is the root of what is asked for, as a deviation is of a variance.",
    ),
    _plain(
        "whole_numbers",
        np.trunc,
        "Only the whole part came back: `int`, `//` or `.long()` cuts the rest off.",
    ),
    _plain("rounded", np.round, "The numbers came back rounded."),
    _plain("absolute", np.abs, "The sign is lost, as by `abs` or a square."),
    _plain("clipped", lambda x: np.maximum(x, 0), "What is negative was cut to 0."),
    _plain("one_too_many", lambda x: x + 1, "Each number is one too large."),
    _plain("one_too_few", lambda x: x - 1, "Each number is one too small."),
)


def _axes(ndim: int) -> Iterator[Described]:
    """Descriptions along each axis."""
    for axis in range(ndim):
        along = "" if ndim == 1 else f" along axis {axis}"
        yield _plain(
            "last_missing",
            partial(np.delete, obj=-1, axis=axis),
            f"The last element{along} is missing: a `range` or a slice ends one too early.",
        )
        yield _plain(
            "first_missing",
            partial(np.delete, obj=0, axis=axis),
            f"The first element{along} is missing: a `range` or a slice begins one too late.",
        )
        yield _plain("reversed", partial(np.flip, axis=axis), f"The order{along} is turned round.")
        cumulated = f"The numbers are added up{along}, as by `cumsum`."
        yield _plain("accumulated", partial(np.cumsum, axis=axis), cumulated)
    for order in itertools.permutations(range(ndim)):
        if order != tuple(range(ndim)):
            first = order[:2] == (1, 0)
            what = "The first two axes (time and batch, or rows and columns)" if first else "Two axes"
            id = "batch_time_exchanged" if first else "transposed"
            yield _plain(id, partial(np.transpose, axes=order), f"{what} are exchanged.")


def _sizes(case: Shown) -> dict[str, float]:
    return {
        f"the length of axis {axis} of `{name}`": length
        for name, value in case.asked.items()
        if isinstance(value, np.ndarray)
        for axis, length in enumerate(value.shape)
    } | {
        f"the number of elements of `{name}`": value.size
        for name, value in case.asked.items()
        if isinstance(value, np.ndarray) and value.ndim > 1
    }


def _numbers(case: Shown) -> dict[str, float]:
    return {
        f"`{name}`": float(value)
        for name, value in case.asked.items()
        if isinstance(value, (int, float)) and not isinstance(value, bool) and value not in (0, 1)
    }


def _times(case: Shown, right: Array, *, of: Callable[[Shown], dict[str, float]], name: str) -> Array:
    return right * of(case)[name]


def _by(case: Shown, right: Array, *, of: Callable[[Shown], dict[str, float]], name: str) -> Array:
    return right / of(case)[name]


def _common(cases: Sequence[Shown], of: Callable[[Shown], dict[str, float]]) -> list[str]:
    return sorted(set.intersection(*(set(of(case)) for case in cases)))


def _with_arguments(cases: Sequence[Shown]) -> Iterator[Described]:
    """Descriptions in which a length or a number that was handed in takes part."""
    for name in _common(cases, _sizes):
        if {_sizes(case)[name] for case in cases} - {1}:
            times, by = partial(_times, of=_sizes, name=name), partial(_by, of=_sizes, name=name)
            yield Described(
                "sum_for_mean", times, f"This is a sum where the mean is asked for: too large by {name}."
            )
            yield Described(
                "mean_for_sum", by, f"This is a mean where the sum is asked for: too small by {name}."
            )
    for name in _common(cases, _numbers):
        times, by = partial(_times, of=_numbers, name=name), partial(_by, of=_numbers, name=name)
        yield Described("factor_argument", times, f"A factor {name} is too much.")
        yield Described("factor_argument", by, f"A factor {name} is missing.")


def _holds(evidence: Evidence, pairs: Sequence[Pair], described: Described) -> bool:
    """Whether a description explains all that differs and no right case contradicts it."""
    told = 0
    for case, _, got, wanted in ((one.case, one.key, one.got, one.wanted) for one in pairs):
        made = _made(described, case, wanted)
        if made is None:
            return False
        if made.shape == got.shape == wanted.shape:
            there = np.isfinite(wanted) | (got != wanted)
            made, got = made[there], got[there]
        if not near(got, made, case.within):
            return False
        told += int(np.any(got != 0)) if got.size else wanted.size > 0
    return told > 0 and not any(_contradicts(case, described, pairs) for case in evidence.right)


def _made(described: Described, case: Shown, right: Array) -> Array | None:
    try:
        with np.errstate(all="ignore"):
            return np.asarray(described.change(case, right), dtype=float)
    except (ValueError, IndexError, KeyError):  # an axis, an element or an argument that there is not
        return None


def _contradicts(case: Shown, described: Described, pairs: Sequence[Pair]) -> bool:
    """Whether a right case of the same function and result would not be so."""
    keys = {one.key for one in pairs if one.case.of == case.of and one.case.gradient == case.gradient}
    for key in keys & set(case.wanted):
        right = case.wanted[key]
        if right.dtype.kind not in "biuf" or not right.size or not np.isfinite(right.astype(float)).all():
            continue
        made = _made(described, case, right.astype(float))
        if made is not None and not near(made, right.astype(float), case.within):
            return True
    return False


def _shifted(pairs: Sequence[Pair]) -> Said | None:
    """Everything one step late or early."""
    for axis in range(min(one.wanted.ndim for one in pairs)):
        along = "" if axis == 0 else f" along axis {axis}"
        if any(one.got.shape != one.wanted.shape for one in pairs):
            return None
        long = [one for one in pairs if one.wanted.shape[axis] > 1]
        if not long or max(one.wanted.shape[axis] for one in long) < 4:
            continue
        if len({round(float(x), 9) for one in long for x in one.wanted.ravel()[:50]}) < 3:
            continue
        for late in (True, False):
            if all(_one_off(one, axis, late) for one in long):
                when = "late" if late else "early"
                return Said("one_step_off", f"Everything comes one step too {when}{along}.")
    return None


def _one_off(pair: Pair, axis: int, late: bool) -> bool:
    length = pair.wanted.shape[axis]
    head, tail = range(length - 1), range(1, length)
    got, wanted = (tail, head) if late else (head, tail)
    return near(np.take(pair.got, got, axis), np.take(pair.wanted, wanted, axis), pair.case.within)


def _swapped(evidence: Evidence) -> Said | None:
    """Two results in each other's place, in each failing case that gives two."""
    two = [case for case in evidence.failing if len(case.wanted) == 2 and len(case.got) == 2]
    if not two or any(case.kind not in ("value", "form") for case in two):
        return None
    for case in two:
        (a, b) = case.wanted
        turned = {a: case.wanted[b], b: case.wanted[a]}
        if not all(
            near(case.got[key].astype(float), turned[key].astype(float), case.within) for key in turned
        ):
            return None
    # other cases look at one of the two, or follow from them: one that is right speaks against it
    functions = {case.of for case in two}
    if any(case.of in functions and not _same_two(case) for case in evidence.right):
        return None
    rest = [case for case in evidence.failing if case not in two]
    sure = all(case.of in functions and len(case.wanted) < 2 for case in rest)
    return Said(
        "swapped_pair",
        f"The two results are in the wrong order: {' first, then '.join(two[0].wanted)}.",
        sure,
    )


def _same_two(case: Shown) -> bool:
    if len(case.wanted) != 2:
        return True
    one, other = (value.astype(float) for value in case.wanted.values())
    return near(one, other, case.within)


def _argument_itself(pairs: Sequence[Pair]) -> Said | None:
    """What was handed in came back."""
    names = set.intersection(
        *({k for k, v in one.case.asked.items() if isinstance(v, np.ndarray)} for one in pairs)
    )
    for name in sorted(names):
        if all(
            one.got.size and near(one.got, np.asarray(one.case.asked[name], float), one.case.within)
            for one in pairs
        ):
            return Said("argument_itself", f"What came back is `{name}` as it was handed in.")
    return None


def described(evidence: Evidence) -> list[Said]:
    """The descriptions that hold; none where only one number could speak for it is sure."""
    if swapped := _swapped(evidence):
        return [swapped]
    pairs = evidence.pairs
    if not pairs:
        return []
    ndim = max(one.wanted.ndim for one in pairs)
    every = [*PLAIN, *_axes(min(ndim, 4)), *_with_arguments([one.case for one in pairs])]
    found = [Said(one.id, one.sentence) for one in every if _holds(evidence, pairs, one)]
    others = _shifted(pairs), shapes(pairs), _argument_itself(pairs)
    found += [one for one in others if one is not None]
    if not found:
        found = [one for one in (other_axis(pairs), many_fold(pairs)) if one is not None]
    numbers = sum(int((one.got != 0).sum()) for one in pairs)
    sure = numbers > 1 or len(pairs) > 1
    return [Said(one.id, one.sentence, one.sure and sure) for one in {one.id: one for one in found}.values()]


IDS = frozenset(
    [
        "sign",
        "reciprocal",
        "factor_two",
        "complement",
        "variance_for_deviation",
        "deviation_for_variance",
        "whole_numbers",
        "rounded",
        "absolute",
        "clipped",
        "one_too_many",
        "one_too_few",
        "last_missing",
        "first_missing",
        "reversed",
        "accumulated",
        "batch_time_exchanged",
        "transposed",
        "sum_for_mean",
        "mean_for_sum",
        "factor_argument",
        "one_step_off",
        "swapped_pair",
        "extra_axis",
        "lost_axis",
        "not_reduced",
        "reduced",
        "one_extra",
        "argument_itself",
        "other_axis",
    ]
)
"""Names of the descriptions."""
