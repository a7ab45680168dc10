"""Slips that exceptions, types and the source tell: nothing returned, ``if`` on a tensor, a renamed argument, ...

A detector looks at all failing cases and gives a sentence where each of them says the same, otherwise nothing.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Callable

from autograder.result import Said

from .evidence import Evidence, calls_of, every_says
from .from_form import (
    helper_returns_nothing,
    key_renamed,
    keyword_renamed,
    missing_super,
    nothing_returned,
    number_of_results,
    return_in_loop,
)
from .from_returns import not_a_tensor, written_through

Detector = Callable[[Evidence], Said | None]


def if_on_tensor(evidence: Evidence) -> Said | None:
    """One question asked of a whole tensor."""
    if not evidence.all_say(
        r"Boolean value of Tensor with|truth value of an array with|bool value of Tensor|ambiguous"
    ):
        return None
    return Said(
        "if_on_tensor",
        "An `if` (or `and`, `or`, `while`, `max(a, b)`) asks one question of a whole tensor. `torch.where(condition, a, b)` "
        "asks it of each element; so does multiplying by the condition.",
    )


_METHODS = frozenset(
    [
        "sum",
        "mean",
        "item",
        "max",
        "min",
        "abs",
        "sqrt",
        "exp",
        "float",
        "numel",
        "dim",
        "clone",
        "detach",
        "size",
        "any",
        "all",
        "numpy",
        "tolist",
        "argmax",
        "square",
    ]
)


def not_called(evidence: Evidence) -> Said | None:
    """A method that is named and not called."""
    if not every_says(
        evidence,
        r"builtin_function_or_method|'method'|'function'|is (a )?(function|method|builtin)|\(a (function|method|builtin)",
    ):
        return None
    called = {id(node.func) for node in ast.walk(evidence.tree) if isinstance(node, ast.Call)}
    for node in ast.walk(evidence.tree):
        if isinstance(node, ast.Attribute) and node.attr in _METHODS and id(node) not in called:
            said = f"A method is named and not called: `.{node.attr}` in line {node.lineno} needs `()`."
            return Said("not_called", said)
    return None


def name_error(evidence: Evidence) -> Said | None:
    """A name that is not known."""
    wrong = evidence.all_say(r"(?:NameError: name|UnboundLocalError: cannot access local variable) '(\w+)'")
    if not wrong or not all(wrong[1] in case.text for case in evidence.failing):
        return None
    nodes = list(ast.walk(evidence.tree))
    own = {
        node.attr for node in nodes if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "self"
    }
    if wrong[1] in own:
        return Said("missing_self", f"`{wrong[1]}` is not known here: it is `self.{wrong[1]}`.")
    if "UnboundLocalError" in wrong[0]:
        said = (
            f"`{wrong[1]}` is read before it has a value: it is assigned further down, or only in some cases."
        )
        return Said("name_error", said)
    return Said(
        "name_error", f"Nothing is called `{wrong[1]}` here: a slip of the pen, or a line that is missing."
    )


def list_for_tensor(evidence: Evidence) -> Said | None:
    """A list, a tuple or a number stands where a tensor is needed."""
    attribute = evidence.all_say(
        r"AttributeError: '(list|tuple|float|int|bool)' object has no attribute '(\w+)'"
    )
    if attribute:
        kind = {"list": "list_for_tensor", "tuple": "list_for_tensor"}.get(attribute[1], "number_for_tensor")
        article = "an" if attribute[1] == "int" else "a"
        said = (
            f"`.{attribute[2]}` is asked of {article} {attribute[1]}, which has none: for that it must be a tensor. "
            "`torch.stack` makes one of a list of tensors; without `.item()` and `float()` it stays one."
        )
        return Said(kind, said)
    if evidence.all_say(
        r"list indices must be|can't multiply sequence|unsupported operand type\(s\) for .*'list'|not list|'list'|"
        r"can only concatenate list|only integer tensors of a single element|tuple indices must be|\bis a list\b|"
        r"got \((list|tuple)\b"
    ) or every_says(
        evidence,
        r"is a (list|tuple), where|\(a (list|tuple)\) cannot be used(?!: (KeyError|IndexError|ValueError))",
    ):
        said = "A list stands where a tensor is needed: `torch.stack(...)` or `torch.tensor(...)` makes one of it."
        return Said("list_for_tensor", said)
    if every_says(
        evidence,
        r"expected np\.ndarray|got numpy\.ndarray|not numpy\.ndarray|'numpy\.\w+' object has no attribute|"
        r"an array of NumPy's|a float(64|32), where",
    ):
        return Said("numpy_for_tensor", "A NumPy array stands where a tensor is needed: stay in torch.")
    return None


def number_for_tensor(evidence: Evidence) -> Said | None:
    """A number is handed to a function for tensors, or a whole tensor made one number."""
    given = evidence.all_say(r"(\w+)\(\): argument .* must be Tensor, not (float|int|bool)")
    if given:
        instead = f"`math.{given[1]}` is for numbers" if hasattr(math, given[1]) else "make it a tensor"
        return Said(
            "number_for_tensor", f"`torch.{given[1]}` needs a tensor and was given {given[2]}: {instead}."
        )
    if every_says(
        evidence,
        r"is (a float|an int|True or False), where|\((a float|an int|True or False)\) cannot be used",
    ):
        said = "A Python number comes back where a tensor is asked for: no `.item()`, `float(...)` or `int(...)` on the way."
        return Said("number_for_tensor", said)
    if evidence.all_say(
        r"only one element tensors can be converted|a Tensor with \d+ elements cannot be converted to Scalar|"
        r"only (size-1|length-1|0-dimensional) arrays can be converted"
    ):
        said = "A whole tensor is turned into one number (`float(...)`, `int(...)`, `.item()`, `math....`): keep it a tensor."
        return Said("number_for_tensor", said)
    return None


def one_hot_without_classes(evidence: Evidence) -> Said | None:
    """``one_hot`` that counts the classes of the batch."""
    for call in calls_of(evidence.tree, "one_hot"):
        if len(call.args) + len(call.keywords) < 2:
            said = (
                f"`one_hot` in line {call.lineno} is not told the number of classes: it makes only as many columns as the "
                "largest label of this batch needs."
            )
            sizes = evidence.all_say(r"size|shape|broadcast|dimension") is not None
            return Said("one_hot_without_classes", said, sizes)
    return None


def in_place_on_leaf(evidence: Evidence) -> Said | None:
    """What a gradient needs is changed in place."""
    if not evidence.all_say(
        r"leaf Variable that requires grad|modified by an inplace operation|in-place operation"
    ):
        return None
    hit = next(
        (
            node
            for node in ast.walk(evidence.tree)
            if isinstance(node, ast.AugAssign)
            or (isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript))
            or (isinstance(node, ast.Call) and re.search(r"\w[a-z]_$", ast.unparse(node.func)))
        ),
        None,
    )
    where = f" (`{ast.unparse(hit)}` in line {hit.lineno})" if hit is not None else ""
    return Said(
        "in_place_on_leaf",
        f"A tensor that a gradient needs is changed in place{where}: `v = v + ...` makes a new one, `v += ...` does not.",
    )


_CUTS = frozenset(
    [
        "detach",
        "data",
        "item",
        "numpy",
        "tolist",
        "no_grad",
        "tensor",
        "as_tensor",
        "from_numpy",
        "inference_mode",
    ]
)
_OFF = (
    "torch.no_grad()",
    "torch.inference_mode()",
    "torch.set_grad_enabled(False)",
    "torch.enable_grad(False)",
)
_NO_GRADIENT = (
    r"does not require grad|does not have a grad_fn|appears to not have been used in the graph|"
    r"grad can be implicitly created|'NoneType' object has no attribute 'grad'"
)


def detached(evidence: Evidence) -> Said | None:
    """Values are right, and no gradient comes back."""
    if evidence.all_say(r"[Cc]an't call numpy\(\) on Tensor that requires grad"):
        return Said(
            "no_gradient",
            "NumPy cannot take a tensor that carries a gradient: stay in torch, or `.detach()` it where none is asked for.",
        )
    if not evidence.all_say(_NO_GRADIENT):
        return None
    for function in evidence.functions:
        off = (
            [node for node in ast.walk(function) if isinstance(node, ast.Call) and ast.unparse(node) in _OFF]
            if function.name == "backward"
            else []
        )
        if off and evidence.all_say(r"your code raised.*does not require grad"):
            said = f"Inside `backward` gradients are switched off by `no_grad` in line {off[0].lineno}, and one is asked for."
            return Said("gradients_off", said)
    for node in ast.walk(evidence.tree):
        if isinstance(node, ast.Attribute) and node.attr in _CUTS:
            name = ast.unparse(node) if node.attr in ("tensor", "no_grad") else f".{node.attr}"
            return Said("no_gradient", f"No gradient comes back: `{name}` in line {node.lineno} cuts it off.")
    return None


def types_meet(evidence: Evidence) -> Said | None:
    """Tensors of different types."""
    if evidence.all_say(
        r"must have the same dtype|expected .* but (?:found|got) (?:Float|Double|Long|Int|Half|Bool|Byte)|Found dtype \w+ but"
    ):
        said = "Tensors of different types (float32, float64, whole numbers) meet: make them alike with `.to(x.dtype)`."
        return Said("types_meet", said)
    if evidence.all_say(
        r"Only Tensors of floating point|only .* floating point .* can require gradients|not implemented for '(Long|Int|Bool)'|"
        r"could not infer output dtype|result type Float can't be cast"
    ):
        said = "Whole numbers (or True and False) stand where fractions are needed: `.to(x.dtype)` or `.float()` turns them."
        return Said("whole_numbers", said)
    return None


def index(evidence: Evidence) -> Said | None:
    """An index or an axis that is not there."""
    far = evidence.all_say(r"index (-?\d+) is out of (?:bounds|range)")
    beyond = [
        re.search(r"index (\d+) is out of bounds for (?:axis|dimension) \d+ with size (\d+)", case.text)
        for case in evidence.failing
    ]
    if far and all(one is not None and int(one[1]) > int(one[2]) for one in beyond):
        said = (
            f"Index {far[1]} is taken along an axis that is shorter than that: is it the axis that is meant, and is the array "
            "to be flattened first?"
        )
        return Said("other_axis", said)
    if far or evidence.all_say(r"IndexError: (?:list |tuple )?index out of range"):
        return Said("one_too_far", "An index goes too far: n entries are numbered from 0 to n - 1.")
    if evidence.all_say(r"Dimension out of range|AxisError|axis \d+ is out of bounds|too many indices"):
        return Said(
            "no_such_axis",
            "There is no such axis: the array has fewer dimensions than the index or `dim=` says.",
        )
    return None


def shapes_do_not_meet(evidence: Evidence) -> Said | None:
    """Two shapes that do not fit together."""
    if evidence.all_say(
        r"size of tensor a \(\d+\) must match|shapes cannot be multiplied|could not be broadcast|not broadcastable|"
        r"expanded size of the tensor|not aligned|mismatch"
    ):
        said = (
            "Two arrays do not fit together: one was summed or averaged over another axis, or without `keepdim=True`, or its "
            "axes are exchanged."
        )
        return Said("shapes_do_not_meet", said, False)
    if evidence.all_say(
        r"size of tensor a|out of bounds for (axis|dimension)|Tensor with \d+ elements cannot be converted|"
        r"only (one|0-dim|size-1)|too many indices|shape mismatch"
    ):
        said = (
            "An array has other axes than this code counts on: flattened or not, or time and batch exchanged."
        )
        return Said("shapes_do_not_meet", said, False)
    return None


def recursion(evidence: Evidence) -> Said | None:
    """A function that calls itself without end."""
    if evidence.all_say(r"RecursionError"):
        return Said(
            "recursion",
            "A function calls itself without end: is a name of yours the same as one that it calls?",
        )
    return None


DETECTORS: tuple[Detector, ...] = (
    nothing_returned,
    return_in_loop,
    missing_super,
    keyword_renamed,
    key_renamed,
    not_a_tensor,
    helper_returns_nothing,
    if_on_tensor,
    not_called,
    name_error,
    in_place_on_leaf,
    detached,
    number_of_results,
    one_hot_without_classes,
    list_for_tensor,
    number_for_tensor,
    types_meet,
    index,
    recursion,
    shapes_do_not_meet,
    written_through,
)
