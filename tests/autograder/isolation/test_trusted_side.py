"""What the trusted side must not do: rebuild an object, or run a text, that a student may have written."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from autograder.isolation import wire

PACKAGE = Path(wire.__file__).parent
#: They run beside the student's code; every other module is on the trusted side.
STUDENT = ("everyday.py", "kept.py", "layer_tests.py", "shell.py", "worker.py")
TRUSTED = sorted(path for path in PACKAGE.glob("*.py") if path.name not in STUDENT)
FORBIDDEN_CALLS = {"eval", "exec", "compile", "__import__", "literal_eval", "loads_pickle"}
FORBIDDEN_MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "marshal", "shelve", "joblib"}
#: Not the built-in functions; nor is the ``eval`` of a module, which takes no arguments. To write a pickle is safe.
HARMLESS = {"re.compile", "py_compile.compile", "pickle.dumps"}
#: By file: the proving tools and references run the course's own code, and never a student's; what is only compiled or
#: read as a literal is not run; the second try and the mended copy run beside the student's code, in a kernel.
ALLOWED = {
    "proof/play.py": ["exec", "compile"],
    "proof/mutants.py": ["exec", "compile", "exec"],
    "proof/second_order.py": ["exec", "compile"],
    "proof/slips.py": ["exec"],
    "reference.py": ["exec", "compile"],
    "follow_on.py": ["compile"],
    "given.py": ["compile", "compile"],
    "language/edits.py": ["ast.literal_eval"],
    "language/mending.py": ["exec", "compile"],
    "second_try.py": ["compile"],
}


def forbidden(source: str) -> list[str]:
    """What a module does that could run or rebuild what a student sent."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names if alias.name.split(".")[0] in FORBIDDEN_MODULES]
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in FORBIDDEN_MODULES:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            found += [name for name in names if name not in HARMLESS]
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            evaluating = isinstance(node.func, ast.Attribute) and node.func.attr == "eval" and not node.args
            if name.split(".")[-1] in FORBIDDEN_CALLS and name not in HARMLESS and not evaluating:
                found.append(name)
            if name in ("np.load", "numpy.load", "torch.load", "torch.jit.load", "np.lib.format.read_array"):
                found.append(name)
            found += ["allow_pickle" for key in node.keywords if key.arg == "allow_pickle"]
    return found


@pytest.mark.parametrize("path", TRUSTED, ids=lambda path: path.stem)
def test_trusted_side_never_evaluates(path: Path) -> None:
    assert forbidden(path.read_text(encoding="utf-8")) == []


AROUND = sorted(path for path in PACKAGE.parent.rglob("*.py") if PACKAGE not in path.parents)


@pytest.mark.parametrize("path", AROUND, ids=lambda path: path.relative_to(PACKAGE.parent).as_posix())
def test_what_is_around_the_isolation_never_evaluates(path: Path) -> None:
    place = path.relative_to(PACKAGE.parent).as_posix()
    assert forbidden(path.read_text(encoding="utf-8")) == ALLOWED.get(place, [])


def test_the_scan_sees_what_it_looks_for() -> None:
    for line in (
        "import pickle", "from pickle import loads", "from pickle import dumps, load", "eval('1')", "builtins.exec(x)", "torch.load(f)",
        "np.load(f, allow_pickle=True)", "ast.literal_eval(text)", "frame.eval('1')",
    ):  # fmt: skip
        assert forbidden(line), line
    assert not forbidden("model.eval()")
    assert not forbidden("from pickle import dumps")


def test_the_worker_is_what_unpickles() -> None:
    """What is sent as a pickle is read on the student's side, which is not on the list of the trusted one."""
    assert "pickle" in forbidden((PACKAGE / "worker.py").read_text(encoding="utf-8"))
    assert all((PACKAGE / name).exists() for name in STUDENT)
