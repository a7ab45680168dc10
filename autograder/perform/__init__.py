"""Beside the student's code: puts one call to an answer, and makes plain arrays of what comes back.

The only part of the question layer that runs there. It stands alone (the standard library and NumPy, and torch where
tensors are asked for), because the sandbox loads it from its files.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import FunctionType, SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import (
    FormError,
    MissingError,
    NoGradientError,
    UnusableError,
    line_of,
    raised,
    students,
    unanswered,
)
from .silence import quiet

__all__ = [
    "FormError", "MissingError", "Seen", "answered", "attempt", "handed", "line_of", "materialise", "own_random_state",
    "perform", "quiet",
]  # fmt: skip

Array = NDArray[Any]

LARGEST_ARRAY = 10_000_000


@dataclass(frozen=True)
class Seen:
    """What came of a call: arrays by name and the places of arguments that were written into (keywords last).

    Where nothing came, ``trouble`` is missing, unanswered, error or form (a sandbox adds time, died and unrun), ``text``
    says more, and ``name`` is the name that it is about.
    """

    arrays: dict[str, Array] = field(default_factory=dict)
    changed: tuple[int, ...] = ()
    trouble: str = ""
    text: str = ""
    name: str = ""


class _Named(dict[str, Any]):
    """An answer whose missing names say so: no question has to declare which names a case needs."""

    def __missing__(self, name: str) -> Any:
        raise MissingError(name)


class _Heard(_Named):
    """An answer that notes, in words, what was taken of it last, for a probe that cannot go on with that."""

    last = ""

    def __getitem__(self, name: str) -> Any:
        function = super().__getitem__(name)
        self.last = f"{name} ({a_kind_of(function)})"
        if not isinstance(function, FunctionType):
            return function

        @functools.wraps(function)
        def heard(*args: Any, **kwargs: Any) -> Any:
            found = function(*args, **kwargs)
            self.last = f"what {name} returns ({a_kind_of(found)})"
            return found

        return heard


# --------------------------------------------------------------------------------------------- arrays, in and out


def handed(value: Any, *, tensors: bool, double: bool = False) -> Any:
    """A copy of an argument as the answer gets it: arrays as tensors where tensors are asked for."""
    if isinstance(value, np.ndarray):
        copy = value.astype(np.float64 if double and value.dtype.kind == "f" else value.dtype)
        if tensors:
            import torch

            return torch.from_numpy(copy)
        return copy
    if isinstance(value, (list, tuple)):
        return type(value)(handed(item, tensors=tensors, double=double) for item in value)
    if isinstance(value, Mapping):
        return {key: handed(item, tensors=tensors, double=double) for key, item in value.items()}
    return value


def materialise(value: Any, name: str = "") -> Array:
    """A plain NumPy copy of a tensor, array, number, or nested list of numbers.

    Exact types only, so that no method of a student's class takes part.

    Raises:
        FormError: anything else, or more than ``LARGEST_ARRAY`` elements.
    """
    torch = sys.modules.get("torch")
    if torch is not None and type(value) in (torch.Tensor, torch.nn.Parameter):
        if torch.Tensor.numel(value) > LARGEST_ARRAY:
            raise FormError(f"a tensor with more than {LARGEST_ARRAY:,} elements", name)
        return np.array(torch.Tensor.detach(value).cpu().resolve_conj().resolve_neg().numpy(), copy=True)
    if type(value) is np.ndarray or isinstance(value, np.generic):
        array = np.array(value, copy=True)
    elif type(value) in (bool, int, float):
        array = np.array(value)
    elif type(value) in (list, tuple):
        parts = [materialise(item, name) for item in value]
        if len({part.shape for part in parts}) > 1:
            raise FormError("a list whose parts differ in shape", name)
        array = np.array(parts)
    else:
        raise FormError(f"{type(value).__name__}, where a tensor, an array or a number was expected", name)
    if array.dtype.kind not in "biuf":
        raise FormError(f"an array of dtype {array.dtype}, where numbers were expected", name)
    if array.size > LARGEST_ARRAY:
        raise FormError(f"an array with more than {LARGEST_ARRAY:,} elements", name)
    return array


def _arrays(found: Mapping[str, Any]) -> dict[str, Array]:
    arrays = {}
    for key, value in found.items():
        try:
            arrays[key] = materialise(value, key)
        except FormError:
            raise
        except Exception as error:  # a tensor that cannot become an array (sparse, on another device, ...)
            raise FormError(
                f"something that cannot be read as an array: {type(error).__name__}: {error}", key
            ) from error
    return arrays


# ------------------------------------------------------------------------------------------------------ one call


def _unchanged(was: Array, now: Any) -> bool:
    torch = sys.modules.get("torch")
    try:
        now = now.detach().numpy() if torch is not None and isinstance(now, torch.Tensor) else now
        return was.shape == now.shape and np.array_equal(was, now, equal_nan=was.dtype.kind == "f")
    except Exception:  # made into something that holds no numbers any more
        return False


def a_kind_of(value: Any) -> str:
    """What a value is, in words: ``a list``, ``None``."""
    torch, kind = sys.modules.get("torch"), type(value)
    if value is None:
        return "None"
    if torch is not None and isinstance(value, torch.Tensor):
        return "a tensor"
    known = {
        np.ndarray: "an array of NumPy's",
        str: "text",
        bool: "True or False",
        FunctionType: "a function",
    }
    return known.get(kind, f"a{'n' * (kind.__name__[:1].lower() in 'aeio')} {kind.__name__}")


def _called(function: Any, name: str) -> Any:
    """The function, if it is one."""
    if not callable(function):
        raise FormError(f"{a_kind_of(function)}, where something to call is asked for", name)
    return function


def _gradient(found: Any, sources: Sequence[Any], upstream: Any, name: str) -> Any:
    """The gradient of a result by the first of ``sources``.

    Raises:
        FormError: it is no tensor, or one of another shape.
        NoGradientError: it has none, and not for an exception in a ``backward`` of the student's.
    """
    import torch

    if not isinstance(found, torch.Tensor):
        raise FormError(f"{a_kind_of(found)}, where a tensor is asked for, with its gradient", name)
    if found.shape != upstream.shape:
        raise FormError(f"of shape {list(found.shape)}, where {list(upstream.shape)} is asked for", name)
    try:
        return torch.autograd.grad(found, sources, upstream)[0]
    except Exception as error:
        if students(error):
            raise
        said = " ".join(str(error).split())
        raise NoGradientError(f"{name} has no gradient by what was handed in ({said})") from error


def _fits(function: Callable[..., Any], args: Any, kwargs: Any) -> bool:
    """Whether the function's own ``def`` line takes these arguments: an error from deeper inside is another matter."""
    try:
        inspect.signature(function).bind(*args, **kwargs)
    except TypeError:
        return False
    except Exception:  # it does not say what it takes
        return True
    return True


def _one_of(found: Any, call: Any) -> Any:
    """The result that is looked at."""
    if not isinstance(found, (tuple, list)) or len(found) <= call.result:
        wanted = f"a tuple of at least {call.result + 1} is asked for"
        raise FormError(f"{_count(found)}, where {wanted}", f"what {call.of} returns")
    return found[call.result]


def _count(found: Any) -> str:
    if found is None:
        return "None"
    count = len(found) if isinstance(found, (tuple, list)) else 1
    return f"{count} value{'s'[: count != 1]}"


def perform(
    answer: Mapping[str, Any], call: Any, results: tuple[str, ...], *, tensors: bool, double: bool = False
) -> tuple[Mapping[str, Any], list[int]]:
    """What a call gives, by name, and the places of the arguments that it changed; see ``question.Call``."""
    kwargs = handed(dict(call.kwargs), tensors=tensors, double=double)
    if callable(call.of):
        return _probed(call.of, _Heard(answer), kwargs), []
    answer, returned = _Named(answer), f"what {call.of} returns"
    args, then = (handed(tuple(given), tensors=tensors, double=double) for given in (call.args, call.then))
    sources = [(then or args)[place] for place in call.by]
    for source in sources:
        source.requires_grad_(True)
    function = _called(answer[call.of], call.of)
    try:
        found = function(*args, **kwargs)
    except TypeError as error:
        if _fits(function, args, kwargs):
            raise
        raise TypeError(f"{error} (so the question calls it)") from error
    if then:
        found = _called(found, returned)(*then)
    if call.result >= 0 and (isinstance(found, (tuple, list)) or not call.by):
        found = _one_of(found, call)
    if call.by:
        upstream = handed(call.upstream, tensors=True, double=double)
        return {"gradient": _gradient(found, sources, upstream, returned)}, []
    given = [*call.args, *call.kwargs.values(), *call.then]
    both = zip(given, [*args, *kwargs.values(), *then], strict=True)
    changed = [
        at for at, (was, now) in enumerate(both) if isinstance(was, np.ndarray) and not _unchanged(was, now)
    ]
    if len(results) == 1:
        return {results[0]: found}, changed
    if not isinstance(found, (tuple, list)) or len(found) != len(results):
        wanted = f"{len(results)} were asked for: {', '.join(results)}"
        raise FormError(f"{_count(found)}, where {wanted}", returned)
    return dict(zip(results, found, strict=True)), changed


def _probed(probe: Callable[..., Any], answer: _Heard, kwargs: Mapping[str, Any]) -> Any:
    """What a probe finds.

    Raises:
        UnusableError: it raised where no code of the student's ran.
        Exception: what the student's code raised.
    """
    try:
        return probe(answer, **kwargs)
    except (MissingError, FormError, NotImplementedError):
        raise
    except Exception as error:
        if students(error) or not answer.last or getattr(error, "says_all", False):
            raise
        raise UnusableError(f"{answer.last} cannot be used") from error


@contextlib.contextmanager
def own_random_state() -> Iterator[None]:
    """Give back torch's and NumPy's random states as they were found; inside, both start from a fixed seed.

    Only the processor's generator of torch: ``torch.manual_seed`` would note down, for every kind of accelerator, who
    called it, which takes longer than most calls.
    """
    torch = sys.modules.get("torch")
    generator = torch.default_generator if torch is not None else None
    before = generator.get_state() if generator is not None else None
    numbers = np.random.get_state()  # noqa: NPY002
    if generator is not None:
        generator.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002
    try:
        yield
    finally:
        if generator is not None:
            generator.set_state(before)
        np.random.set_state(numbers)  # noqa: NPY002


def attempt(
    answer: Mapping[str, Any], call: Any, results: tuple[str, ...], *, tensors: bool, double: bool = False
) -> Seen:
    """Perform a call on an answer; nothing is raised for anything that it does, except KeyboardInterrupt."""
    try:
        with own_random_state():
            found, changed = perform(answer, call, results, tensors=tensors, double=double)
        try:
            return Seen(_arrays(found), tuple(changed))
        except FormError as error:
            return Seen({}, tuple(changed), "form", f"{error.name} is {error}", error.name)
    except MissingError as error:
        text = f"{error} is not defined; run the cell that defines it, above this one"
        return Seen(trouble="missing", text=text, name=str(error))
    except FormError as error:
        return Seen(trouble="form", text=f"{error.name} is {error}", name=error.name)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        if unanswered(error):
            text = "not answered yet: a cell above still raises NotImplementedError"
            return Seen(trouble="unanswered", text=text)
        return Seen(trouble="error", text=raised(error))


def answered(
    answer: Mapping[str, Any], sent: Mapping[str, Any], modules: Sequence[Mapping[str, Any]]
) -> Seen:
    """:func:`attempt` for a call that came as data, see :func:`autograder.asking.as_data`.

    Args:
        answer: the student's objects by name.
        sent: the fields of a call, ``results``, ``tensors``, and ``module``, the place of the probe's (-1: no probe).
        modules: names of the modules that probes are in.
    """
    call = SimpleNamespace(**sent)
    if call.module >= 0:
        call.of = modules[call.module][call.of]
    return attempt(answer, call, tuple(call.results), tensors=call.tensors)
