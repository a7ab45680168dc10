"""The student's copy of the library: the package without the definitions that a problem set withholds.

The source of each withheld name is replaced by a stub of the same name, so that every import of it, inside the package
and outside, goes on working; calling, instantiating or using it raises ``WithheldError``, which says so in plain
words. The rest of the package is copied as it is. Beside it lies an ``autograder`` whose ``check`` does nothing, so
that a notebook's first cell runs, and those references that its cells ask for, none by itself.

What this does not see: code that does the withheld work under another name. The list of names is the place for it;
it may hold private names.
"""

from __future__ import annotations

import ast
import contextlib
import os
import py_compile
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from autograder.files import digest

__all__ = ["Definition", "resolve", "student_copy", "with_references", "withhold"]

_VERSION = b"7"
_HELPER = "_withheld"
_STANDIN = Path(__file__).resolve().parent / "standin"
_REFERENCE = Path(__file__).resolve().parents[1] / "reference.py"
_NONE: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Definition:
    """Where a name is defined: module file and the names on the way inside it (a class and its method)."""

    path: Path
    names: tuple[str, ...]


def _module_path(package: Path, parts: list[str]) -> Path | None:
    base = package.joinpath(*parts)
    for path in (base / "__init__.py", base.with_suffix(".py")):
        if path.is_file():
            return path
    return None


def _binds(node: ast.stmt, name: str) -> bool:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return node.name == name
    targets = (
        node.targets
        if isinstance(node, ast.Assign)
        else [node.target]
        if isinstance(node, ast.AnnAssign)
        else []
    )
    return any(isinstance(target, ast.Name) and target.id == name for target in targets)


def _imported_from(tree: ast.Module, name: str, package: Path, path: Path) -> tuple[list[str], str] | None:
    """Where a module imports ``name`` from within the package: the parts of the module below it, the name there."""
    here = list(path.relative_to(package).with_suffix("").parts)
    inside = here[:-1]
    for node in ast.walk(tree):
        if not isinstance(node, ast.ImportFrom):
            continue
        for alias in node.names:
            if (alias.asname or alias.name) != name:
                continue
            module = node.module.split(".") if node.module else []
            if node.level:
                return inside[: len(inside) - node.level + 1] + module, alias.name
            if module[:1] == [package.name]:
                return module[1:], alias.name
    return None


def resolve(package: Path, name: str) -> Definition:
    """Follow a dotted name, such as ``snnkit.surrogate.Sine``, through re-exports to its definition.

    Args:
        package: folder of the package.
        name: dotted name that begins with the package's.

    Raises:
        LookupError: the package defines no such name.
    """
    parts = name.split(".")
    if parts[0] != package.name or len(parts) < 2:
        raise LookupError(
            f"{name!r} names nothing inside {package.name}; expected {package.name}.module.name"
        )
    rest = parts[1:]
    for cut in range(len(rest) - 1, -1, -1):
        path = _module_path(package, rest[:cut])
        if path is None:
            continue
        names = rest[cut:]
        for _ in range(10):
            tree = ast.parse(path.read_text())
            node = next((node for node in tree.body if _binds(node, names[0])), None)
            if node is not None:
                if len(names) > 1 and not (
                    isinstance(node, ast.ClassDef)
                    and len(names) == 2
                    and any(_binds(part, names[1]) for part in node.body)
                ):
                    raise LookupError(f"{name!r}: {names[0]} has no {'.'.join(names[1:])}")
                return Definition(path, tuple(names))
            found = _imported_from(tree, names[0], package, path)
            module = _module_path(package, found[0]) if found else None
            if found is None or module is None:
                break
            path, names = module, [found[1], *names[1:]]
    raise LookupError(
        f"{name!r} is defined nowhere in {package.name}; the list of withheld names is out of date"
    )


def _statements(text: str) -> list[ast.stmt]:
    return ast.parse(text).body


def _stub(node: ast.stmt, name: str, full: str) -> ast.stmt:
    """The statement that binds ``name`` to something of the same kind that refuses."""
    if isinstance(node, ast.ClassDef):
        made = f"_withheld.class_of({full!r}, __name__, {_bases(node)}, {_methods(node)!r})"
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        made = f"_withheld.function({full!r})"
    else:
        made = f"_withheld.Withheld({full!r})"
    return _statements(f"{name} = {made}")[0]


def _bases(node: ast.ClassDef) -> str:
    """A class's bases as the source of a tuple, without those that would make something of the stub."""
    bases = [ast.unparse(base) for base in node.bases]
    makers = ("NamedTuple", "TypedDict", "Protocol", "Generic", "Enum", "IntEnum")
    return f"({''.join(f'{base}, ' for base in bases if base.split('[')[0].split('.')[-1] not in makers)})"


def _methods(node: ast.ClassDef) -> tuple[str, ...]:
    return tuple(
        dict.fromkeys(
            part.name for part in node.body if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef)
        )
    )


def _method_stub(node: ast.stmt, name: str, full: str) -> ast.stmt:
    stub = _stub(node, name, full)
    if isinstance(stub, ast.Assign) and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        stub.value = ast.Call(ast.Name("staticmethod", ast.Load()), [stub.value], [])
    return stub


def _rewrite(source: str, places: list[tuple[tuple[str, ...], str]], package: str) -> str:
    """A module's source with stubs in the places given as (names, full name)."""
    tree = ast.parse(source)
    for names, full in places:
        for index, node in enumerate(tree.body):
            if not _binds(node, names[0]):
                continue
            if len(names) == 1:
                tree.body[index] = _stub(node, names[0], full)
            elif isinstance(node, ast.ClassDef):
                for place, part in enumerate(node.body):
                    if _binds(part, names[1]):
                        node.body[place] = _method_stub(part, names[1], full)
    first = 1 if ast.get_docstring(tree) is not None else 0
    while first < len(tree.body) and isinstance(tree.body[first], ast.ImportFrom):
        node = tree.body[first]
        if not (isinstance(node, ast.ImportFrom) and node.module == "__future__"):
            break
        first += 1
    tree.body[first:first] = _statements(f"import {package}.{_HELPER} as {_HELPER}")
    return ast.unparse(ast.fix_missing_locations(tree)) + "\n"


def withhold(package: Path, names: Iterable[str], target: Path) -> None:
    """Write the copy of ``package`` without the definitions of ``names`` to ``target/<package>``.

    Args:
        package: folder of the package.
        names: dotted names, of functions, classes, methods or constants; re-exports are followed.
        target: an empty folder.

    Raises:
        LookupError: a name is defined nowhere.
    """
    wanted: dict[Path, list[tuple[tuple[str, ...], str]]] = {}
    for name in dict.fromkeys(names):
        place = resolve(package, name)
        wanted.setdefault(place.path, []).append((place.names, name))
    copy = target / package.name
    shutil.copytree(package, copy, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
    shutil.copyfile(_STANDIN / "withheld.py", copy / f"{_HELPER}.py")
    for path, places in wanted.items():
        inside = copy / path.relative_to(package)
        inside.write_text(_rewrite(path.read_text(), places, package.name))
    (target / "autograder").mkdir()
    shutil.copyfile(_STANDIN / "check.py", target / "autograder" / "__init__.py")
    shutil.copyfile(_REFERENCE, target / "autograder" / "reference.py")
    (target / "autograder" / "references").mkdir()
    (target / "autograder" / "elsewhere").touch()
    for path in sorted(target.rglob("*.py")):
        py_compile.compile(
            str(path),
            dfile=path.name,
            doraise=True,
            invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
        )
    for path in target.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    target.chmod(0o755)


def _files(folder: Path) -> Iterator[bytes]:
    """Names and contents of a folder's files, in order."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            yield str(path.relative_to(folder)).encode()
            yield path.read_bytes()


def _key(package: Path, names: list[str]) -> str:
    ours = [*_files(_STANDIN), _REFERENCE.read_bytes()]
    return digest([_VERSION, *_files(package), *ours, *(name.encode() for name in names)])[:24]


def _made_once(final: Path, make: Callable[[Path], None]) -> Path:
    """A folder that is there as a whole or not at all, whoever else makes the same."""
    if final.is_dir():
        return final
    final.parent.mkdir(parents=True, exist_ok=True)
    making = Path(tempfile.mkdtemp(dir=final.parent, prefix=".new-"))
    try:
        make(making)
        with contextlib.suppress(OSError):  # another process was faster; its copy is the same
            os.rename(making, final)
    finally:
        shutil.rmtree(making, ignore_errors=True)
    return final


def student_copy(package: Path, names: Iterable[str], folder: Path) -> Path:
    """The copy for a list of withheld names, made once: a folder to put on the path.

    Args:
        package: folder of the package.
        names: withheld dotted names.
        folder: where copies are kept, one for each content of the package and list of names.

    Raises:
        LookupError: a name is defined nowhere.
    """
    wanted = sorted(set(names))
    return _made_once(folder / _key(package, wanted), lambda making: withhold(package, wanted, making))


def with_references(copy: Path, references: Mapping[str, str], elsewhere: Iterable[str] = ()) -> Path:
    """A student's copy with references in it, made once, beside the one without.

    Args:
        copy: see :func:`student_copy`.
        references: texts of modules, by the id of their question.
        elsewhere: the names, with their questions before them, of references that exist and are not in it.
    """
    absent = "\n".join(sorted(elsewhere))
    parts = [part.encode() for one in sorted(references.items()) for part in one]

    def make(making: Path) -> None:
        shutil.copytree(copy, making, dirs_exist_ok=True)
        (making / "autograder" / "elsewhere").write_text(absent)
        for question, text in references.items():
            file = making / "autograder" / "references" / question
            file.write_text(text, encoding="utf-8")
            file.chmod(0o644)

    return _made_once(copy.with_name(digest([copy.name.encode(), absent.encode(), *parts])[:24]), make)
