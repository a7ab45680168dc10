"""What the source says of results and arguments: a list or an array of NumPy's is returned, an argument written through."""

from __future__ import annotations

import ast

from autograder.result import Said

from .evidence import Evidence, Shown, every_says, near

_LISTS = frozenset({"list", "sorted", "tolist"})
_OF_NUMPY = frozenset({"numpy", "astype"})
_SAYS_SO = (
    r"\((a list|a tuple|an array of NumPy's)\) cannot be used: (TypeError|AttributeError)|is an? (list|tuple|array of NumPy's)|"
    r"not float64|\bno tensor\b|a list whose parts differ"
)
_VIEWS = frozenset({"detach", "data", "view", "T", "reshape", "flatten", "view_as"})


def _kind(node: ast.expr, bound: dict[str, list[ast.expr]], depth: int = 3) -> str:
    """``list`` or ``array`` where an expression is certainly one, else nothing."""
    if isinstance(node, ast.List | ast.ListComp):
        return "list"
    if isinstance(node, ast.Name) and bound.get(node.id) and depth:
        kinds = {_kind(one, bound, depth - 1) for one in bound[node.id]}
        return kinds.pop() if len(kinds) == 1 else ""
    if not isinstance(node, ast.Call):
        return ""
    called = ast.unparse(node.func)
    if called.split(".")[-1] in _LISTS:
        return "list"
    if called.split(".")[0] in ("np", "numpy") or called.split(".")[-1] in _OF_NUMPY:
        return "array"
    return ""


def _bound(function: ast.FunctionDef) -> dict[str, list[ast.expr]]:
    """What each name of a function is made, by plain assignments."""
    found: dict[str, list[ast.expr]] = {}
    for node in ast.walk(function):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    found.setdefault(target.id, []).append(node.value)
    return found


def _returned(function: ast.FunctionDef) -> tuple[str, int]:
    """What kind of thing is certainly returned, and in which line."""
    bound = _bound(function)
    for node in ast.walk(function):
        if isinstance(node, ast.Return) and node.value is not None:
            parts = node.value.elts if isinstance(node.value, ast.Tuple) else [node.value]
            kinds = {_kind(part, bound) for part in parts} - {""}
            if kinds:
                return kinds.pop(), node.lineno
    return "", 0


def _only_shape(case: Shown) -> bool:
    """Whether the numbers are right and an axis is lost, as in a flat list."""
    return case.kind in ("value", "form") and all(
        key in case.got
        and key in case.wanted
        and case.got[key].ndim == 1 != case.wanted[key].ndim
        and case.got[key].size == case.wanted[key].size
        and case.wanted[key].dtype.kind in "biuf"
        and near(
            case.got[key].astype(float).reshape(case.wanted[key].shape),
            case.wanted[key].astype(float),
            case.within,
        )
        for key in case.wrong
    )


def not_a_tensor(evidence: Evidence) -> Said | None:
    """A list, or an array of NumPy's, is returned, and each failing case is about that."""
    alone = Evidence((), evidence.names, evidence.cells)
    for function in alone.functions:
        kind, line = _returned(function) if function.name in evidence.names else ("", 0)
        own = [case for case in evidence.failing if case.of == function.name or case.of not in evidence.names]
        if not kind or not own or len(own) < len(evidence.failing):
            continue
        if all((kind == "list" and _only_shape(case) and case.wrong) or _says_so(case) for case in own):
            at = f"in line {line}"
            said = (
                f"`{function.name}` returns a list {at}, where a tensor or an array is asked for: `torch.tensor(...)`, "
                "`torch.stack(...)` or `np.array(...)` makes one."
                if kind == "list"
                else f"`{function.name}` returns an array of NumPy's {at}, where a tensor is asked for: "
                "`torch.from_numpy(...)` makes one."
            )
            return Said(f"{kind}_returned", said)
    return None


def _says_so(case: Shown) -> bool:
    return every_says(Evidence((case,), (), ()), _SAYS_SO)


def _behind(node: ast.expr) -> str:
    """The name whose memory an expression shares, or nothing."""
    while True:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _VIEWS:
            node = node.func.value
        elif (isinstance(node, ast.Attribute) and node.attr in _VIEWS) or isinstance(node, ast.Subscript):
            node = node.value
        else:
            return node.id if isinstance(node, ast.Name) else ""


def written_through(evidence: Evidence) -> Said | None:
    """An argument is written into, by itself or by a name that shares its memory; a perhaps."""
    for function in evidence.functions:
        arguments = {one.arg for one in (*function.args.args, *function.args.kwonlyargs)} - {"self", "ctx"}
        bound = _bound(function)
        shared = {name for name, made in bound.items() if all(_behind(one) in arguments for one in made)}
        fresh = {name for name in bound if name not in shared}
        for node in ast.walk(function):
            if not isinstance(node, ast.Assign):
                continue
            for target in node.targets:
                name = _behind(target) if isinstance(target, ast.Subscript) else ""
                if name in (arguments | shared) - fresh and not _plain_container(target):
                    said = (
                        f"Line {node.lineno} writes into `{name}`, which shares its memory with what was handed in; "
                        "`.clone()` makes a copy, `.detach()` and `.view()` do not."
                    )
                    return Said("in_place", said, False)
    return None


def _plain_container(target: ast.expr) -> bool:
    """Whether a text is the index, as of a dictionary."""
    return isinstance(target, ast.Subscript) and (
        isinstance(target.slice, ast.Constant) and isinstance(target.slice.value, str)
    )
