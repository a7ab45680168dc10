"""What a check is, and how it is run: cases in, arrays out, compared, explained.

A :class:`Check` defines a question once. ``probe(answer, data)`` is the only part that touches the student's
objects; it is self-contained (it imports what it needs and uses no other name of its module), because its source
may run in another process. Everything else works on plain NumPy arrays.
Convention: a case holds plain data only (numbers, strings, arrays), and belongs to one group; a group's points
are given when all of its cases are right.
"""

from __future__ import annotations

import contextlib
import copy
import io
import logging
import os
import re
import sys
import traceback
import warnings
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:  # this file is also read alone, beside the student's code, which judges nothing
    from autograder.result import GroupResult, Place, Result

Array = NDArray[Any]
Arrays = dict[str, Array]
Data = dict[str, Any]
Judge = Callable[[Arrays, Data], str | None]

PUBLIC_SEED = 20231214
LARGEST_ARRAY = 10_000_000
LONGEST_PRINT = 100_000


@dataclass(frozen=True)
class Tolerance:
    """Largest accepted difference ``atol + rtol * |expected|``, and why it is that."""

    rtol: float
    atol: float
    reason: str


@dataclass(frozen=True)
class Group:
    """Cases that share points. ``judge`` replaces the comparison with ``expected`` where a bar is the rule.

    Args:
        id: short name, unique within the check.
        points: points of the group.
        title: what it tests, as the student reads it.
        names: the names of the student's that it needs; empty means all of the check's names.
        judge: ``(arrays, data) -> None`` when right, or the sentence that says what is wrong.
    """

    id: str
    points: float
    title: str
    names: tuple[str, ...] = ()
    judge: Judge | None = None


@dataclass(frozen=True)
class Case:
    """One input: ``data`` is what ``probe`` and ``expected`` receive."""

    group: str
    label: str
    data: Data


@dataclass(frozen=True)
class Misconception:
    """A named wrong hypothesis, recognised by what it produces.

    Exactly one of the three: ``arrays`` gives the arrays (all or some of the keys) that the mistake produces,
    ``error`` is a pattern that its exception's text matches, ``when`` tells it from the arrays that came back.
    """

    id: str
    message: str
    arrays: Callable[[Data], Arrays] | None = None
    error: str | None = None
    when: Callable[[Arrays, Data], bool] | None = None


@dataclass(frozen=True)
class Flaw:
    """What is wrong with one case: see :class:`autograder.result.Failure`, and the arrays that came back."""

    kind: str
    text: str
    wrong: tuple[str, ...] = ()
    arrays: Arrays | None = None
    place: Place | None = None


@dataclass(frozen=True)
class Check:
    """A question: its points, its inputs, what runs on the answer, what is right, and what to say otherwise.

    Args:
        id: ``<set>.<question>``.
        title: what the question asks, in a few words.
        names: names taken from the student's namespace.
        groups: how the points are given.
        cases: cases drawn from a seed, with fixed edge cases among them.
        probe: ``(answer, data) -> {key: tensor, array or number}``, where ``answer`` maps each name to the
            student's object. Self-contained.
        expected: ``data -> arrays``; not needed for groups that have a judge.
        tolerance: how close is right.
        misconceptions: named wrong hypotheses, the most specific first.
        hints: three levels.
        withheld: names of the library that do this work, not to be used in a graded answer.
    """

    id: str
    title: str
    names: tuple[str, ...]
    groups: tuple[Group, ...]
    cases: Callable[[np.random.Generator], list[Case]]
    probe: Callable[[Mapping[str, Any], Data], Mapping[str, Any]]
    expected: Callable[[Data], Arrays]
    tolerance: Tolerance
    misconceptions: tuple[Misconception, ...]
    hints: tuple[str, str, str]
    withheld: tuple[str, ...] = ()
    points: float = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "points", float(sum(group.points for group in self.groups)))

    def draw(self, seed: int) -> list[Case]:
        """The cases for a seed; the same seed gives the same cases."""
        return self.cases(np.random.default_rng([seed, zlib.crc32(self.id.encode())]))


Observer = Callable[[Group, Case], "Arrays | Flaw"]


class NotPlainError(TypeError):
    """The answer returned something else than tensors, arrays or numbers."""


def materialise(value: Any) -> Array:
    """A plain NumPy copy of a tensor, array, number, or nested list of numbers.

    Exact types only, so that no method of a student's class takes part.

    Raises:
        NotPlainError: anything else, or more than ``LARGEST_ARRAY`` elements.
    """
    torch = sys.modules.get("torch")
    if torch is not None and type(value) in (torch.Tensor, torch.nn.Parameter):
        if torch.Tensor.numel(value) > LARGEST_ARRAY:
            raise NotPlainError(f"a tensor with more than {LARGEST_ARRAY:,} elements")
        return np.array(torch.Tensor.detach(value).cpu().resolve_conj().resolve_neg().numpy(), copy=True)
    if type(value) is np.ndarray or isinstance(value, np.generic):
        array = np.array(value, copy=True)
    elif type(value) in (bool, int, float):
        array = np.array(value)
    elif type(value) in (list, tuple):
        parts = [materialise(item) for item in value]
        if len({part.shape for part in parts}) > 1:
            raise NotPlainError("a list whose parts differ in shape")
        array = np.array(parts)
    else:
        raise NotPlainError(f"{type(value).__name__}, where a tensor, an array or a number was expected")
    if array.dtype.kind not in "biuf":
        raise NotPlainError(f"an array of dtype {array.dtype}, where numbers were expected")
    if array.size > LARGEST_ARRAY:
        raise NotPlainError(f"an array with more than {LARGEST_ARRAY:,} elements")
    return array


def same(got: Array, wanted: Array, tolerance: Tolerance) -> bool:
    """Whether two arrays agree in shape and, within the tolerance, in value."""
    return got.shape == wanted.shape and bool(
        np.allclose(
            got.astype(np.float64), wanted.astype(np.float64), rtol=tolerance.rtol, atol=tolerance.atol
        )
    )


def number(value: Any) -> str:
    """A number as it is shown to a student; rounding noise about 0 is shown as 0."""
    return f"{0.0 if abs(float(value)) < 1e-12 else float(value):.6g}"


def _place(key: str, got: Array, wanted: Array, far: Array) -> Place:
    """The first place where ``far`` is true, of arrays of one shape."""
    from autograder.result import Place, kept

    at = tuple(int(index) for index in np.argwhere(far)[0]) if got.ndim else ()
    return Place(key, at, kept(float(got[at])), kept(float(wanted[at])), int(far.sum()), far.size)


def _at(data: Data, place: tuple[int, ...], shape: tuple[int, ...]) -> str:
    """The input at a place, where there is one of the same shape."""
    x = data.get("x")
    return f" at x = {number(x[place])}" if isinstance(x, np.ndarray) and x.shape == shape else ""


def _unequal(wrong: tuple[str, ...], got: Arrays, wanted: Arrays, data: Data, tolerance: Tolerance) -> Flaw:
    """What is said of the first array that differs."""
    key = wrong[0]
    one, other = got[key], wanted[key]
    if one.shape != other.shape:
        return Flaw("form", f"{key} has shape {list(one.shape)}; expected {list(other.shape)}", wrong, got)
    far = ~np.isclose(
        one.astype(np.float64), other.astype(np.float64), rtol=tolerance.rtol, atol=tolerance.atol
    )
    place = _place(key, one, other, far)
    where = f"[{', '.join(map(str, place.index))}]" if place.index else ""
    rest = f" ({place.wrong} of {place.size} elements differ)" if place.size > 1 else ""
    if key == "dtype kept":
        said = "the result has another dtype than what was handed in, such as float64 for float32; keep it"
    else:
        said = (
            f"{key}{where}{_at(data, place.index, one.shape)} is {number(one[place.index])}; "
            f"expected {number(other[place.index])}{rest}"
        )
    return Flaw("value", said, wrong, got, place)


def compare(got: Arrays, wanted: Arrays, data: Data, tolerance: Tolerance) -> Flaw | None:
    """None when every wanted array is there and right, otherwise the first difference, with numbers."""
    absent = [key for key in wanted if key not in got]
    if absent:
        return Flaw("form", f"nothing came back for {absent[0]}", tuple(absent), got)
    for key in wanted:
        bad = ~np.isfinite(got[key].astype(np.float64))
        if bad.any():
            at = tuple(int(index) for index in np.argwhere(bad)[0]) if got[key].ndim else ()
            said = f"{key}{_at(data, at, bad.shape)} is {float(got[key][at])}; expected a number"
            place = _place(key, got[key], wanted[key], bad) if bad.shape == wanted[key].shape else None
            return Flaw("form", said, (key,), got, place)
    wrong = tuple(key for key in wanted if not same(got[key], wanted[key], tolerance))
    return _unequal(wrong, got, wanted, data, tolerance) if wrong else None


def _line_of(error: BaseException) -> str:
    """The student's line that raised, where one can be named."""
    own = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.line and ("site-packages" not in frame.filename) and ("autograder" not in frame.filename)
    ]
    return f", in the line `{own[-1].line.strip()}`" if own and own[-1].line else ""


class _Printed(io.StringIO):
    """The beginning of what was printed; the rest is dropped."""

    def write(self, text: str) -> int:
        super().write(text[: max(LONGEST_PRINT - self.tell(), 0)])
        return len(text)


@contextlib.contextmanager
def quiet() -> Iterator[io.StringIO]:
    """Keep warnings, logs, prints and the file descriptor of standard error away from the notebook.

    A grade cell that writes to standard error loses its points, whoever wrote. Yields what was printed.
    """
    printed = _Printed()
    level = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    saved = None
    with contextlib.suppress(OSError):
        saved = os.dup(2)
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 2)
        os.close(null)
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(printed),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            warnings.simplefilter("ignore")
            yield printed
    finally:
        if saved is not None:
            os.dup2(saved, 2)
            os.close(saved)
        logging.disable(level)


@contextlib.contextmanager
def own_random_state() -> Iterator[None]:
    """Give back torch's and NumPy's random states as they were found; inside, both start from a fixed seed.

    Only the processor's generator of torch: ``torch.manual_seed`` would note down, for every kind of accelerator, who
    called it, which takes longer than most probes.
    """
    import torch

    generator = torch.default_generator
    before, numbers = generator.get_state(), np.random.get_state()  # noqa: NPY002
    generator.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002
    try:
        yield
    finally:
        generator.set_state(before)
        np.random.set_state(numbers)  # noqa: NPY002


def observe(check: Check, group: Group, case: Case, namespace: Mapping[str, Any]) -> Arrays | Flaw:
    """Run the probe on one case: the arrays that came back, or why none did."""
    names = group.names or check.names
    absent = [name for name in names if name not in namespace]
    if absent:
        return Flaw(
            "missing",
            f"{absent[0]} is not defined; run the cell that defines it, above this one",
            (absent[0],),
        )
    answer = {name: namespace[name] for name in check.names if name in namespace}
    try:
        with own_random_state():
            returned = check.probe(answer, copy.deepcopy(case.data))
    except NotImplementedError:
        return Flaw("unanswered", "not answered yet: a cell above still raises NotImplementedError")
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        text = " ".join(str(error).split())
        text = text if len(text) <= 300 else f"{text[:300]} ..."
        return Flaw("error", f"your code raised {type(error).__name__}: {text}{_line_of(error)}")
    arrays: Arrays = {}
    for key, value in returned.items():
        try:
            arrays[key] = materialise(value)
        except NotPlainError as error:
            return Flaw("form", f"{key} is {error}", (key,))
        except Exception as error:  # a tensor that cannot become an array (sparse, on another device, ...)
            return Flaw("form", f"{key} cannot be read as an array: {type(error).__name__}: {error}", (key,))
    return arrays


def _explains(found: Misconception, failure: Flaw, data: Data, tolerance: Tolerance) -> bool:
    if found.error is not None:
        return failure.kind == "error" and re.search(found.error, failure.text) is not None
    if failure.arrays is None:
        return False
    try:
        if found.when is not None:
            return found.when(failure.arrays, data)
        if found.arrays is None or not failure.wrong:
            return False
        wrong = found.arrays(data)
    except (KeyError, IndexError, ValueError):  # made for another kind of case of the same question
        return False
    return all(
        key in wrong and key in failure.arrays and same(failure.arrays[key], wrong[key], tolerance)
        for key in failure.wrong
    )


def _flaw(check: Check, group: Group, case: Case, seen: Arrays | Flaw) -> Flaw | None:
    """What is wrong with what was seen of a case, or None."""
    if isinstance(seen, Flaw):
        return seen
    if group.judge is not None:
        sentence = group.judge(seen, case.data)
        return None if sentence is None else Flaw("rule", sentence, tuple(seen), seen)
    return compare(seen, check.expected(case.data), case.data, check.tolerance)


def _judge_group(check: Check, group: Group, cases: list[tuple[int, Case]], see: Observer) -> GroupResult:
    """The outcome of a group, from its cases and their places in the draw."""
    from autograder.result import Failure, GroupResult, Said

    failed: list[tuple[int, Case, Flaw]] = []
    for at, case in cases:
        flaw = _flaw(check, group, case, see(group, case))
        if flaw is not None:
            failed.append((at, case, flaw))
            if flaw.kind in ("missing", "unanswered"):
                break
    right = GroupResult(group.id, group.title, group.points, group.points, len(cases))
    if not failed:
        return right
    explained = (
        Said(found.id, found.message)
        for found in check.misconceptions
        if all(_explains(found, flaw, case.data, check.tolerance) for _, case, flaw in failed)
    )
    at, case, flaw = failed[0]
    failure = Failure(flaw.kind, flaw.text, at, case.label, flaw.wrong, flaw.place)
    return replace(right, score=0.0, failure=failure, slip=next(explained, None))


def judge(
    check: Check, cases: list[Case], see: Observer, *, seed: int, hint: int = 0, printed: str = ""
) -> Result:
    """Compare what was seen of an answer with what is expected; nothing of the student's is called.

    Args:
        check: the question.
        cases: its cases, as :meth:`Check.draw` gave them.
        see: gives what came back for a case, or why nothing did.
        seed: that they were drawn from.
        hint: how many of the three hints to add to the result.
        printed: what the answer printed.
    """
    from autograder.result import Result

    groups = tuple(
        _judge_group(check, group, [one for one in enumerate(cases) if one[1].group == group.id], see)
        for group in check.groups
    )
    return Result(
        question=check.id,
        title=check.title,
        points=check.points,
        score=float(sum(group.score for group in groups)),
        seed=seed,
        groups=groups,
        hints=check.hints[:hint],
        printed=printed,
    )


def run(check: Check, namespace: Mapping[str, Any], *, seed: int = PUBLIC_SEED, hint: int = 0) -> Result:
    """Grade one answer in this process.

    Args:
        check: the question.
        namespace: the student's names.
        seed: seed of the drawn cases.
        hint: how many of the three hints to add to the result.

    Returns:
        The result; nothing is raised for anything that the answer does, except KeyboardInterrupt.
    """
    with quiet() as printed:
        result = judge(
            check,
            check.draw(seed),
            lambda group, case: observe(check, group, case, namespace),
            seed=seed,
            hint=hint,
        )
    return replace(result, printed=printed.getvalue())
