"""Slips in the form of functions and classes: no ``return``, no ``super().__init__()``, another ``def`` line."""

from __future__ import annotations

import ast
import difflib
import re

from autograder.result import Said

from .evidence import Evidence, calls_of, every_says


def _own_returns(function: ast.FunctionDef) -> list[ast.Return]:
    """Return statements of a function itself, not of those inside it."""
    found: list[ast.Return] = []
    left: list[ast.AST] = list(function.body)
    while left:
        node = left.pop()
        if isinstance(node, ast.Return):
            found.append(node)
        if not isinstance(node, ast.FunctionDef | ast.Lambda | ast.ClassDef):
            left += ast.iter_child_nodes(node)
    return found


def _arguments(function: ast.FunctionDef) -> list[str]:
    return [
        one.arg for one in (*function.args.args, *function.args.kwonlyargs) if one.arg not in ("self", "ctx")
    ]


def nothing_returned(evidence: Evidence) -> Said | None:
    """None came back, or was used as if something had."""
    if not every_says(evidence, r"NoneType|is None|\bNone, where|\(None\)"):
        return None
    for function in evidence.functions:
        returns = _own_returns(function)
        if function.name == "__init__" or function.name.startswith("reset"):
            continue
        if not any(one.value is not None for one in returns):
            if any(calls_of(function, "print")):
                said = f"`{function.name}` prints its result and returns nothing: write `return` for `print`."
                return Said("nothing_returned", said)
            if function.name in evidence.names or function.name in ("forward", "backward", "__call__"):
                said = f"`{function.name}` returns nothing: a function without `return` gives None."
                return Said("nothing_returned", said)
    for function in evidence.functions:
        if function.name in evidence.names and not isinstance(function.body[-1], ast.Return | ast.Raise):
            return Said("nothing_returned", f"One way through `{function.name}` ends without `return`.")
    return None


def helper_returns_nothing(evidence: Evidence) -> Said | None:
    """A function beside those asked for that has no ``return`` and whose value is used; sure where an error tells of None."""
    if any(case.kind != "error" for case in evidence.failing):
        return None
    alone = {id(node.value) for node in ast.walk(evidence.tree) if isinstance(node, ast.Expr)}
    for function in evidence.functions:
        if any(one.value is not None for one in _own_returns(function)) or _yields(function):
            continue
        used = [call for call in calls_of(evidence.tree, function.name) if id(call) not in alone]
        if used and not function.name.startswith("__"):
            said = (
                f"`{function.name}` returns nothing, and line {used[0].lineno} uses what it returns: a function without "
                "`return` gives None."
            )
            return Said("nothing_returned", said, every_says(evidence, r"NoneType|\bNone\b"))
    return None


def _yields(function: ast.FunctionDef) -> bool:
    return any(isinstance(node, ast.Yield | ast.YieldFrom) for node in ast.walk(function))


def missing_super(evidence: Evidence) -> Said | None:
    """A class whose base class was not made, or made without its arguments."""
    classes = [node for node in ast.walk(evidence.tree) if isinstance(node, ast.ClassDef) and node.bases]
    for one in classes:
        made = [f for f in one.body if isinstance(f, ast.FunctionDef) and f.name == "__init__"]
        calls = [call for function in made for call in calls_of(function, "__init__")]
        if made and not calls:
            if evidence.all_say(r"__init__\(\) call|super\(\)|has no attribute '\w+'"):
                said = f"`{one.name}.__init__` does not call `super().__init__(...)`, and so its base class is not made."
                return Said("missing_super", said)
        elif (
            calls
            and not calls[0].args
            and not calls[0].keywords
            and not ast.unparse(one.bases[0]).endswith("Module")
        ):
            missing = evidence.all_say(r"(\w+)\(\) missing \d+ required positional arguments?: ([^(,]*)")
            if missing and missing[1] not in evidence.names:
                needed = missing[2].strip()
                said = f"`super().__init__()` in `{one.name}` is called without what the base class needs: {needed}."
                return Said("super_arguments", said)
        of_module = ast.unparse(one.bases[0]).endswith("Module")
        if calls and not of_module and (named := _not_handed_on(evidence, made[0], calls[0])):
            said = (
                f"`super().__init__(...)` in `{one.name}` is not handed {named}, and so the base class does not know it; "
                f"hand it on as `{named}={named}`."
            )
            return Said("super_arguments", said)
    return None


def _not_handed_on(evidence: Evidence, made: ast.FunctionDef, call: ast.Call) -> str:
    """An argument of ``__init__`` that the base class is not given, and that each error misses."""
    missing = evidence.all_say(
        r"\w+\(\) missing \d+ required positional arguments?: '(\w+)'(?!.*so the question)"
    )
    if missing is None or any(one.arg is None for one in call.keywords):
        return ""
    name = missing[1]
    given = {part.id for part in ast.walk(call) if isinstance(part, ast.Name)}
    known = name in _arguments(made) and name not in given | {one.arg for one in call.keywords}
    return name if known and all(f"'{name}'" in case.text for case in evidence.failing) else ""


def keyword_renamed(evidence: Evidence) -> Said | None:
    """The ``def`` line is not the question's."""
    wrong = evidence.all_say(r"(\w+)\(\) got an unexpected keyword argument '(\w+)'")
    if wrong:
        function = next((one for one in evidence.functions if one.name == wrong[1]), None)
        if function is None:
            return None
        own = _arguments(function)
        guess = difflib.get_close_matches(wrong[2], own, 1, 0.3)
        yours = (
            f"yours is called `{guess[0]}`"
            if guess
            else f"`{function.name}` takes {', '.join(own) or 'none'}"
        )
        return Said("other_arguments", f"An argument must be called `{wrong[2]}`; {yours}.")
    count = evidence.all_say(
        r"(\w+)\(\) takes (?:from \d+ to )?(\d+) positional arguments? but (\d+) (?:was|were) given"
    )
    if count and any(one.name == count[1] for one in evidence.functions):
        said = (
            f"`{count[1]}` is called with {count[3]} arguments and takes {count[2]}: compare its `def` line with the "
            "question's."
        )
        return Said("other_arguments", said)
    more = evidence.all_say(
        r"(\w+)\(\) missing \d+ required (?:positional|keyword-only) arguments?: ([^(,]*)"
    )
    if more and any(one.name == more[1] for one in evidence.functions):
        said = f"`{more[1]}` asks for {more[2].strip()}, which it is not given here: compare its `def` line with the question's."
        return Said("other_arguments", said)
    return None


def key_renamed(evidence: Evidence) -> Said | None:
    """An entry of what came back is asked for by a name that none has."""
    wrong = evidence.all_say(r"cannot be used: KeyError: '(\w+)'")
    if wrong is None or not all(f"KeyError: '{wrong[1]}'" in case.text for case in evidence.failing):
        return None
    own = [
        key
        for node in ast.walk(evidence.tree)
        for key in (
            [one.value for one in node.keys if isinstance(one, ast.Constant) and isinstance(one.value, str)]
            if isinstance(node, ast.Dict)
            else [one.arg for one in node.keywords if one.arg]
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "dict"
            else []
        )
    ]
    if wrong[1] in own:
        return None
    yours = f"; yours are {', '.join(f'`{one}`' for one in dict.fromkeys(own))}" if own else ""
    return Said("keyword_renamed", f"An entry called `{wrong[1]}` is asked for, and there is none{yours}.")


def number_of_results(evidence: Evidence) -> Said | None:
    """One result for two, or two for one."""
    if every_says(
        evidence,
        r"(\d+) values?, where|not enough values to unpack|too many values to unpack|cannot unpack non-iter",
    ):
        wanted = evidence.failing[0].text
        asked = re.search(r"where (\d+) were asked for: (.*)|expected (\d+)", wanted)
        many = f"{asked[1] or asked[3]} results" if asked else "several results"
        names = f" ({asked[2]})" if asked and asked[2] else ""
        return Said(
            "number_of_results",
            f"Not as many results come back as are asked for: {many}{names}, as `return a, b`.",
        )
    if every_says(
        evidence,
        r"cannot be used: TypeError: .*'(float|int|numpy\.float64)' object is not (subscriptable|iterable)",
    ):
        said = "A single number stands where several are asked for, as a pair `(a, b)`."
        return Said("number_of_results", said)
    return None


def return_in_loop(evidence: Evidence) -> Said | None:
    """A loop that ends after its first round, as nothing in it goes on to the next."""
    for function in evidence.functions:
        if function.name not in {case.of for case in evidence.failing} & {*evidence.names} and all(
            case.of in evidence.names for case in evidence.failing
        ):
            continue
        for loop in ast.walk(function):
            if not isinstance(loop, ast.For | ast.While) or not isinstance(loop.body[-1], ast.Return):
                continue
            goes_on = any(isinstance(part, ast.Continue) for part in ast.walk(loop))
            if not goes_on and not isinstance(function.body[-1], ast.Return):
                said = (
                    f"The `return` in line {loop.body[-1].lineno} stands inside the loop, which therefore ends after its "
                    "first round."
                )
                return Said("return_in_loop", said)
    return None
