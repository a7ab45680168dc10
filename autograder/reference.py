"""The course's own helpers, to go on with: what ``use_reference`` gives out, and what stands in for a wrong one.

``checks/<set>/<question>_reference.py`` holds the functions and classes that an answer gives to later questions; its public
definitions are the references. This module stands alone (the standard library): the sandbox has a copy of it.
"""

from __future__ import annotations

import ast
import contextlib
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from types import CellType, CodeType, FunctionType, ModuleType
from typing import Any

Names = dict[str, Any]

_ASKED: list[str] = []
_TAKEN: dict[str, list[str]] = {}


class NotYourOwnError(RuntimeError):
    """A reference was used as the answer to its own question."""

    says_all = True


# ----------------------------------------------------------------------------------------------- what there is


def names_in(text: str) -> tuple[str, ...]:
    """The public functions and classes that a module defines."""
    return tuple(node.name for node in _public(ast.parse(text)))


def _public(tree: ast.Module) -> list[ast.FunctionDef | ast.ClassDef]:
    return [
        node
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")
    ]


@cache
def _names(file: Path) -> tuple[str, ...]:
    return names_in(file.read_text(encoding="utf-8"))


def helpers(files: Mapping[str, Path]) -> dict[str, str]:
    """Each reference's name and its question, for the references of one set."""
    return {name: question for question, file in files.items() for name in _names(file)}


def _defined(tree: ast.Module, label: str, **more: Any) -> Names:
    """The public definitions of a module, made anew, with more names for it to use."""
    module = ModuleType("reference")
    module.__dict__.update(more)
    exec(compile(tree, label, "exec", dont_inherit=True), module.__dict__)
    return {node.name: module.__dict__[node.name] for node in _public(tree)}


def load(file: Path) -> Names:
    """The references in a file, made anew."""
    return _defined(ast.parse(file.read_text(encoding="utf-8")), str(file))


def reduced(text: str, names: Iterable[str]) -> str:
    """A module with these of its functions and classes, and those that they use, alone."""
    tree = ast.parse(text)
    definitions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    kept, waiting = set[str](), [*names]
    waiting += [one for node in tree.body if node not in definitions.values() for one in _read(node)]
    while waiting:
        name = waiting.pop()
        if name in definitions and name not in kept:
            kept.add(name)
            waiting += _read(definitions[name])
    left = [
        node for node in tree.body if getattr(node, "name", None) in kept or node not in definitions.values()
    ]
    return ast.unparse(ast.Module(left, [])) + "\n"


def _read(node: ast.AST) -> list[str]:
    return [one.id for one in ast.walk(node) if isinstance(one, ast.Name)]


# ------------------------------------------------------------------------------------------------- given out


@contextlib.contextmanager
def asking(question: str) -> Iterator[None]:
    """While a question is asked, its own references refuse."""
    _ASKED.append(question)
    try:
        yield
    finally:
        _ASKED.remove(question)


def _begun_with(function: ast.FunctionDef, statement: str) -> None:
    """Put a statement before the first of a function, behind its docstring."""
    first = 0 if ast.get_docstring(function) is None else 1
    function.body[first:first] = ast.parse(statement).body


@cache
def _given_out(question: str, file: Path) -> Names:
    """The references in a file, each of which refuses by its own first line while its question is asked."""

    def refuse(name: str) -> None:
        if question in _ASKED:
            raise NotYourOwnError(
                f"this is the course's own `{name}`, from use_reference: go on with it, but as the answer to "
                f"{question} it gets 0 points. Write your own there"
            )

    tree = ast.parse(file.read_text(encoding="utf-8"))
    for node in _public(tree):
        for part in [node] if isinstance(node, ast.FunctionDef) else node.body:
            if isinstance(part, ast.FunctionDef):
                _begun_with(part, f"_refuse({node.name!r})")
    return _defined(tree, f"<reference of {question}>", _refuse=refuse)


def plain_text_only(name: str) -> ValueError:
    """The refusal of a reference that no cell names as plain text: so grading finds out which ones to have there."""
    return ValueError(
        f'write use_reference("{name}") in a cell, with its name as plain text and the function called '
        "use_reference: grading has only the references that cells ask for in this way"
    )


def place_of(name: str, files: Mapping[str, Path], elsewhere: Iterable[str] = ()) -> tuple[str, str]:
    """A reference's question and its name there; see :func:`taken`."""
    absent = [(question, own) for question, _, own in (one.rpartition(".") for one in elsewhere)]
    there = [(question, own) for question, file in files.items() for own in _names(file)] + absent
    found = [(question, own) for question, own in there if name in (own, f"{question}.{own}")]
    if len(found) > 1:
        ways = " or ".join(f'use_reference("{question}.{own}")' for question, own in found)
        raise ValueError(f"several questions ask for {name!r}; write {ways}")
    if not found:
        owns = [own for _, own in there]
        known = ", ".join(own if owns.count(own) == 1 else f"{question}.{own}" for question, own in there)
        raise ValueError(f"there is no reference {name!r}; there are: {known or 'none'}")
    if found[0] in absent:
        raise plain_text_only(name)
    return found[0]


def taken(name: str, files: Mapping[str, Path], elsewhere: Iterable[str] = ()) -> Any:
    """The reference of this name: ``"clip_floor"``, or with its question where several sets have one of the name.

    Args:
        name: of the reference.
        files: of references, by question.
        elsewhere: references, with their questions before them, that exist and are not there.

    Raises:
        ValueError: there is none, or there are several, as the message lists; or it is elsewhere.
    """
    question, own = place_of(name, files, elsewhere)
    _TAKEN.setdefault(question, []).append(own)
    return _given_out(question, files[question])[own]


def taken_of(question: str) -> tuple[str, ...]:
    """Which references of a question were given out in this process."""
    return tuple(dict.fromkeys(_TAKEN.get(question, ())))


# ------------------------------------------------------------------------------------------------ standing in


def _template(*args: Any, **kwargs: Any) -> Any:
    target: Any = "TARGET"
    return target(*args, **kwargs)


def _trampoline(target: Any, like: CodeType) -> CodeType:
    """Code that hands its arguments to ``target``, for a function with the free variables of ``like``.

    The target is a constant of the code, so no name of the student's stands in its way.
    """
    code = _template.__code__
    constants = tuple(target if one == "TARGET" else one for one in code.co_consts)
    return code.replace(co_consts=constants, co_freevars=like.co_freevars, co_name=like.co_name)


def put_function(back: contextlib.ExitStack, old: Any, new: Any) -> None:
    """The same function object, whoever holds it, does what another does."""
    while hasattr(old, "__wrapped__"):
        if hasattr(old, "cache_clear"):
            old.cache_clear()
            back.callback(old.cache_clear)
        old = old.__wrapped__
    if not isinstance(old, FunctionType) or old is new:
        return
    was = old.__code__, old.__defaults__, old.__kwdefaults__

    def give_back() -> None:
        old.__code__, old.__defaults__, old.__kwdefaults__ = was

    back.callback(give_back)
    old.__code__, old.__defaults__, old.__kwdefaults__ = _trampoline(new, old.__code__), None, None


_KEPT = frozenset(
    [
        "__dict__",
        "__weakref__",
        "__module__",
        "__doc__",
        "__qualname__",
        "__name__",
        "__abstractmethods__",
        "_abc_impl",
        "_backward_cls",
        "__firstlineno__",
        "__static_attributes__",
    ]
)


def _rebound(value: Any, old: type) -> Any:
    """``super()`` without arguments looks into the cell ``__class__``: a copy of the function with this class there."""
    function = value.__func__ if isinstance(value, staticmethod | classmethod) else value
    if not isinstance(function, FunctionType) or "__class__" not in function.__code__.co_freevars:
        return value
    names, cells = function.__code__.co_freevars, function.__closure__ or ()
    closure = tuple(
        CellType(old) if name == "__class__" else cell for name, cell in zip(names, cells, strict=True)
    )
    copy = FunctionType(
        function.__code__, function.__globals__, function.__name__, function.__defaults__, closure
    )
    copy.__kwdefaults__ = function.__kwdefaults__
    return type(value)(copy) if isinstance(value, staticmethod | classmethod) else copy


def _put_class(back: contextlib.ExitStack, old: type, new: type) -> None:
    """The same class object has another's methods, for its subclasses and instances as well."""
    was, theirs = ({key: part for key, part in vars(one).items() if key not in _KEPT} for one in (old, new))

    def replace(parts: Names) -> None:
        for key in [key for key in vars(old) if key not in _KEPT]:
            delattr(old, key)
        for key, part in parts.items():
            setattr(old, key, part)

    back.callback(replace, was)
    replace({key: _rebound(part, old) for key, part in theirs.items()})


def _put_name(back: contextlib.ExitStack, space: Names, name: str, new: Any) -> None:
    if name in space:
        back.callback(space.__setitem__, name, space[name])
    else:
        back.callback(space.pop, name, None)
    space[name] = new


def _of_the_student(value: Any, space: Names) -> bool:
    """Whether a name's value was made in the notebook, or in a module that the student wrote."""
    module = getattr(value, "__module__", None)
    return isinstance(module, str) and (module == space.get("__name__") or _written_here(module))


def _written_here(module: str) -> bool:
    """Whether a module is a file that is neither the course's nor Python's nor an installed package's."""
    file = getattr(sys.modules.get(module), "__file__", None)
    if not isinstance(file, str) or module.partition(".")[0] in ("snnkit", "autograder"):
        return False
    path = Path(file).resolve()
    installed = [Path(folder).resolve() for folder in sysconfig.get_paths().values()]
    return not {"site-packages", "dist-packages"} & set(path.parts) and not any(
        folder in path.parents for folder in installed
    )


def put(back: contextlib.ExitStack, references: Names, spaces: Iterable[Names]) -> None:
    """Put references into the place of the student's, by name and in place; ``back`` gives everything back.

    What comes from a module that is not the student's, the library's own function for instance, is replaced by name only.
    """
    done: set[int] = set()
    for space in spaces:
        for name, new in references.items():
            old = space.get(name)
            if id(old) not in done and _of_the_student(old, space):
                done.add(id(old))
                if isinstance(old, type) and isinstance(new, type):
                    _put_class(back, old, new)
                else:
                    put_function(back, old, new)
            _put_name(back, space, name, new)


@contextlib.contextmanager
def standing_in(references: Names, spaces: Iterable[Names]) -> Iterator[None]:
    """The student's helpers do what the references do, whoever holds them."""
    with contextlib.ExitStack() as back:
        put(back, references, spaces)
        yield


def install(text: str, names: Iterable[str], space: Names) -> None:
    """Put references of a module into the place of the student's for good: in a session of which nothing is kept."""
    found = _defined(ast.parse(text), "<reference>")
    put(contextlib.ExitStack(), {name: found[name] for name in names}, (space,))
