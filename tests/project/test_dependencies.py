"""What the code imports is declared, what is declared is used, and the citation names this version."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml

PROGRAMS = {
    "ipykernel": "runs the cells of a notebook",
    "jinja2": "the templates of nbconvert",
    "jupyterlab": "where a student works",
    "nbclient": "executes notebooks for nbconvert",
    "pandas": "what students look at tables with; their notebooks must run where they are graded",
    "nbconvert": "executes and shows notebooks for nbgrader",
}
"""Requirements that no file imports, and what they are for."""


def normal(name: str) -> str:
    """A distribution's name as package indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.fixture(scope="module")
def project(root: Path) -> dict[str, object]:
    return tomllib.loads((root / "pyproject.toml").read_text())["project"]


def declared(project, *extras: str) -> set[str]:
    lines = list(project["dependencies"])
    for extra in extras:
        lines += project["optional-dependencies"][extra]
    return {normal(re.split(r"[<>=!~\[ ;]", line, maxsplit=1)[0]) for line in lines}


def imported(folder: Path) -> dict[str, set[str]]:
    """Files by the top-level package of others that they import, anywhere in them."""
    found: dict[str, set[str]] = {}
    for path in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
                names = [node.module]
            for name in names:
                found.setdefault(name.split(".")[0], set()).add(path.name)
    return found


def distributions(modules: dict[str, set[str]], own: set[str]) -> dict[str, set[str]]:
    """Files by the distribution that they need; one that is not installed goes by its module's name."""
    known = packages_distributions()
    outside = {name: files for name, files in modules.items() if name not in sys.stdlib_module_names | own}
    return {normal(known.get(name, [name])[0]): files for name, files in outside.items()}


OWN = {"snnkit", "autograder", "book", "experiments", "benchmarks", "solutions", "tests", "tools"}
EXTENSIONS = {"contents", "course_map", "course_pages", "typography"}  # of the book, found by their names


@pytest.mark.parametrize(
    ("room", "extras"),
    [
        ("snnkit", ()),
        ("autograder", ("grading", "postgres")),
        ("solutions", ("grading", "dev")),
        ("experiments", ()),
        ("book", ("book",)),
        ("benchmarks", ("grading", "bench")),
        ("tools", ("book", "grading", "dev")),
        ("tests", ("book", "grading", "dev", "bench")),
    ],
)
def test_every_import_is_declared(root, project, room, extras):
    needed = distributions(imported(root / room), OWN | EXTENSIONS)
    assert {"torch", "numpy", "rich", "pyyaml"} & set(needed)  # found something to look at
    missing = {name: files for name, files in needed.items() if name not in declared(project, *extras)}
    assert missing == {}


@pytest.mark.slow
def test_every_requirement_is_used(root, project):
    used = {name for room in ("snnkit", "autograder") for name in distributions(imported(root / room), OWN)}
    assert declared(project, "grading") - used - set(PROGRAMS) == set()


def test_the_citation_names_this_version_and_licence(root, project):
    citation = yaml.safe_load((root / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == project["version"]
    assert citation["license"] == project["license"]
    assert [author["name"] for author in citation["authors"]] == [one["name"] for one in project["authors"]]
