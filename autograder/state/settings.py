"""Values of the interpreter and of libraries that code can change, by the module that they come with."""

from __future__ import annotations

import gc
import os
import sys
import warnings
from collections.abc import Callable
from types import ModuleType
from typing import Any, NamedTuple

AS_FOUND: Any = object()


def _ours(ours: Any, found: Any) -> Any:
    return ours


class Setting(NamedTuple):
    """A value that code can change.

    Args:
        name: as a sentence names it.
        get, put: read it, set it.
        ours: what the course ships, where that is not what the start found.
        wanted: ``(ours, found)`` to what is put in place.
    """

    name: str
    get: Callable[[], Any]
    put: Callable[[Any], object]
    ours: Any = AS_FOUND
    wanted: Callable[[Any, Any], Any] = _ours


def _of_python(_: ModuleType) -> list[Setting]:
    def with_more(ours: list[str], found: list[str]) -> list[str]:
        """Ours come first; what was added, such as a folder of helpers, is still there."""
        return [*ours, *(place for place in found if place not in ours)]

    def put_path(path: list[str]) -> None:
        sys.path[:] = path

    def put_filters(was: tuple[list[Any], Any]) -> None:
        filters: Any = warnings.filters
        filters[:], warnings.showwarning = was
        warnings._filters_mutated()  # type: ignore[attr-defined]

    def profile() -> Any:
        """A profiler of C's, which cannot be set from here, is left alone."""
        found = sys.getprofile()
        return found if callable(found) else None

    def put_collector(on: bool) -> None:
        (gc.enable if on else gc.disable)()

    return [
        Setting("the recursion limit", sys.getrecursionlimit, sys.setrecursionlimit),
        Setting("the working folder", os.getcwd, os.chdir),
        Setting("sys.path", lambda: list(sys.path), put_path, wanted=with_more),
        Setting("filters of warnings", lambda: (list(warnings.filters), warnings.showwarning), put_filters),
        Setting("the garbage collector", gc.isenabled, put_collector),
        Setting("the trace function", sys.gettrace, sys.settrace),
        Setting("the profile function", profile, sys.setprofile),
    ]


def _of_numpy(np: ModuleType) -> list[Setting]:
    put_errors, put_shown = np.seterr, np.set_printoptions  # ours, whatever is patched later
    return [
        Setting("NumPy's handling of errors", np.geterr, lambda was: put_errors(**was)),
        Setting("NumPy's print options", np.get_printoptions, lambda was: put_shown(**was)),
    ]


def _of_torch(torch: ModuleType) -> list[Setting]:
    c, device, shown = torch._C, torch._GLOBAL_DEVICE_CONTEXT, vars(torch._tensor_str.PRINT_OPTS)

    def determinism() -> tuple[bool, bool]:
        warns = torch.is_deterministic_algorithms_warn_only_enabled()
        return torch.are_deterministic_algorithms_enabled(), warns

    def put_determinism(was: tuple[bool, bool]) -> None:
        torch.use_deterministic_algorithms(was[0], warn_only=was[1])

    def put_autocast(was: tuple[bool, Any]) -> None:
        torch.set_autocast_enabled("cpu", was[0])
        torch.set_autocast_dtype("cpu", was[1])

    return [
        Setting("torch's default dtype", torch.get_default_dtype, torch.set_default_dtype, torch.float32),
        Setting("torch's gradients", torch.is_grad_enabled, c._set_grad_enabled, ours=True),
        Setting(
            "torch's default device",
            lambda: getattr(device, "device_context", None),
            lambda was: setattr(device, "device_context", was),
            ours=None,
        ),
        _stack(
            "torch's function modes", c._len_torch_function_stack, c._get_function_stack_at,
            c._pop_torch_function_stack, c._push_on_torch_function_stack,
        ),
        _stack(
            "torch's dispatch modes", c._len_torch_dispatch_stack, c._get_dispatch_stack_at,
            lambda: c._pop_torch_dispatch_stack(None), c._push_on_torch_dispatch_stack,
        ),
        Setting("torch's threads", torch.get_num_threads, torch.set_num_threads),
        Setting("torch's determinism", determinism, put_determinism, ours=(False, False)),
        Setting(
            "torch's search for anomalies",
            lambda: (torch.is_anomaly_enabled(), torch.is_anomaly_check_nan_enabled()),
            lambda was: torch.autograd.set_detect_anomaly(*was),
            ours=(False, True),
        ),
        Setting(
            "torch's autocast",
            lambda: (torch.is_autocast_enabled("cpu"), torch.get_autocast_dtype("cpu")),
            put_autocast,
        ),
        Setting(
            "torch's precision of products",
            torch.get_float32_matmul_precision,
            torch.set_float32_matmul_precision,
        ),
        Setting("torch's print options", lambda: dict(shown), shown.update),
        _global_hooks(sys.modules["torch.nn.modules.module"]),
    ]  # fmt: skip


def _stack(
    name: str,
    length: Callable[[], int],
    at: Callable[[int], Any],
    pop: Callable[[], Any],
    push: Callable[[Any], object],
) -> Setting:
    """A stack of modes, such as the one that a default device is on."""

    def put(modes: list[Any]) -> None:
        while length():
            pop()
        for mode in modes:
            push(mode)

    return Setting(name, lambda: [at(place) for place in range(length())], put, ours=[])


def _global_hooks(module: ModuleType) -> Setting:
    """The hooks that every module of torch calls."""
    ending = "_hooks"
    hooks = [value for name, value in vars(module).items() if name[:7] == "_global" and name.endswith(ending)]

    def put(was: list[dict[Any, Any]]) -> None:
        for one, then in zip(hooks, was, strict=True):
            one.clear()
            one.update(then)

    return Setting("torch's global hooks", lambda: [dict(one) for one in hooks], put)


def _of_matplotlib(matplotlib: ModuleType) -> list[Setting]:
    """Past the dictionary's own setter, which checks each value and warns of some."""
    values = matplotlib.rcParams
    return [Setting("rcParams", lambda: dict(dict.items(values)), lambda was: dict.update(values, was))]


SETTINGS: dict[str, Callable[[Any], list[Setting]]] = {
    "sys": _of_python,
    "numpy": _of_numpy,
    "torch": _of_torch,
    "matplotlib": _of_matplotlib,
}
