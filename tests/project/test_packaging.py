"""The distribution: declared versions agree, the wheel works outside the checkout, imports stay cheap."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path

import pytest
import yaml

EXTRAS_FOR_READERS = ("book", "grading")


def normal(name: str) -> str:
    """A distribution's name as package indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def name_of(requirement: str) -> str:
    return normal(re.split(r"[<>=!~\[ ;]", requirement, maxsplit=1)[0])


def pins(text: str) -> dict[str, str]:
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return {normal(name): version for name, version in (line.split("==") for line in lines)}


@pytest.fixture(scope="module")
def project(root: Path) -> dict[str, object]:
    return tomllib.loads((root / "pyproject.toml").read_text())["project"]


@pytest.fixture(scope="module")
def constraints(root: Path) -> dict[str, str]:
    return pins((root / "constraints.txt").read_text())


def test_environment_yml_names_what_pyproject_names(root, project, constraints):
    spec = yaml.safe_load((root / "environment.yml").read_text())
    (pip,) = (item["pip"] for item in spec["dependencies"] if isinstance(item, dict))
    listed = pins("\n".join(line for line in pip if not line.startswith("-")))
    wanted = list(project["dependencies"])
    for extra in EXTRAS_FOR_READERS:
        wanted += project["optional-dependencies"][extra]
    assert set(listed) == {name_of(requirement) for requirement in wanted}
    assert listed == {name: constraints[name] for name in listed}
    assert "-e ." in pip
    assert any(str(item).startswith("python>=3.11") for item in spec["dependencies"])
    assert project["requires-python"] == ">=3.11"


def test_every_direct_dependency_is_pinned_and_allowed(project, constraints):
    from packaging.requirements import Requirement

    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    for requirement in map(Requirement, (line for group in groups for line in group)):
        assert requirement.specifier.contains(constraints[normal(requirement.name)]), requirement


def test_installed_versions_are_the_pinned_ones(constraints):
    from importlib.metadata import distributions

    # Only what pip installed: setuptools puts copies of its own on the path once something has imported them.
    found = distributions(path=[sysconfig.get_path("purelib")])
    installed = {normal(dist.metadata["Name"]): dist.version.split("+")[0] for dist in found}
    wrong = {
        name: (installed[name], version)
        for name, version in constraints.items()
        if name in installed and installed[name] != version
    }
    assert "torch" in installed
    assert not wrong


@pytest.fixture(scope="module")
def wheel_site(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built wheel, unpacked into an otherwise empty folder."""
    work = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "-q"]
    source = work / "source"
    source.mkdir()
    tracked = ["pyproject.toml", "README.md", "LICENSE", "snnkit", "autograder"]
    subprocess.run(["cp", "-r", *(str(root / name) for name in tracked), str(source)], check=True)
    subprocess.run(
        [*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", str(work), str(source)],
        check=True,
        capture_output=True,
    )
    (wheel,) = work.glob("snnkit-*.whl")
    site = work / "site"
    subprocess.run(
        [*pip, "install", "--no-deps", "--target", str(site), str(wheel)], check=True, capture_output=True
    )
    return site


def run_outside(site: Path, tmp_path: Path, code: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(site)}
    environment.pop("SNNKIT_DATA", None)
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_wheel_works_outside_the_checkout(wheel_site, tmp_path):
    out = run_outside(
        wheel_site,
        tmp_path,
        "import snnkit, autograder, torch\n"
        "from snnkit import dynamics\n"
        "spike, v = dynamics.if_step(torch.zeros(3), torch.tensor([0.5, 1.0, 2.0]))\n"
        "print(snnkit.__file__); print(spike.tolist(), v.tolist())\n"
        "from autograder.catalogue import OWN, Catalogue\n"
        "print(len(list(Catalogue(OWN))) > 0)\n",
    )
    where, values, checks = out.strip().splitlines()
    assert Path(where).is_relative_to(wheel_site)
    assert values == "[0.0, 1.0, 1.0] [0.5, 0.0, 1.0]"
    assert checks == "True"
    assert (wheel_site / "snnkit" / "py.typed").exists()


@pytest.mark.slow
def test_the_wheel_holds_nothing_of_the_instructors(root, wheel_site):
    """No sample, no recorded outcome and no solution, under whatever name; the library has its own form of each method."""
    held = {path.relative_to(wheel_site).as_posix() for path in wheel_site.rglob("*") if path.is_file()}
    ours = [path for path in (root / "solutions").rglob("*") if path.is_file()]
    assert not [name for name in held if name.startswith(("solutions", "tests", "exercises"))]
    secret = {path.read_bytes() for path in ours if path.suffix in (".py", ".toml") and path.stat().st_size}
    assert not [name for name in held if (wheel_site / name).read_bytes() in secret]
    answers = {
        line.strip()
        for path in ours
        if path.name == "notebook.py"
        for block in path.read_text().split("### BEGIN SOLUTION")[1:]
        for line in [" ".join(block.split("### END SOLUTION")[0].split())]
        if len(line) > 120
    }
    texts = " ".join(
        " ".join((wheel_site / name).read_text().split())
        for name in held
        if name.startswith("autograder/") and name.endswith(".py")
    )
    assert answers
    assert not [answer for answer in answers if answer in texts]


def test_the_engine_names_no_set_and_no_question(root):
    """What is about a set stands in its checks and its home; the grader knows none."""
    from autograder.catalogue import OWN, Catalogue

    names = {
        name
        for problem_set in Catalogue(OWN).sets()
        for name in (problem_set, problem_set.split("_")[0] + ".")
    }
    engine = [path for path in (root / "autograder").rglob("*") if path.is_file() and OWN not in path.parents]
    texts = {path: path.read_text() for path in engine if path.suffix in (".py", ".j2", ".css")}
    assert [(path.name, name) for path, text in texts.items() for name in names if name in text] == []


@pytest.mark.slow
def test_the_wheel_grades_a_course_of_ones_own(root, wheel_site, tmp_path):
    """Outside of any checkout: a folder with one question, its notebook handed in as it was released."""
    page = (root / "book" / "write_a_question.md").read_text()
    for place, text in re.findall(r"```\{code-block\} python\n:caption: (\S+)\n(.*?)```", page, re.DOTALL)[
        :2
    ]:
        (tmp_path / place).parent.mkdir(parents=True)
        (tmp_path / place).write_text(text)
    steps = (
        "from autograder.cli import app",
        "def snngrade(*words):",
        "    try: app([*words, '--course', 'COURSE'])",
        "    except SystemExit as ended: assert ended.code == 0, ended.code",
        "snngrade('release')",
        "import shutil; shutil.copytree('COURSE/exercises/trains', 'COURSE/in')",
        "snngrade('grade', 'trains', 'COURSE/in')",
    )
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    out = run_outside(wheel_site, elsewhere, "\n".join(steps).replace("COURSE", str(tmp_path)))
    assert re.search(r"trains *│ *0 │ *0 │", out), out


@pytest.mark.slow
@pytest.mark.parametrize("module", ["snnkit.cli", "autograder.cli"])
def test_commands_of_the_wheel_answer_help(wheel_site, tmp_path, module):
    out = run_outside(
        wheel_site,
        tmp_path,
        f"from typer.testing import CliRunner; from {module} import app; "
        "done = CliRunner().invoke(app, ['--help']); print(done.output); raise SystemExit(done.exit_code)",
    )
    assert "Usage" in out


@pytest.mark.slow
def test_import_of_snnkit_loads_no_heavy_module():
    """``import snnkit`` defers everything: the cheap import is a property of what it loads, not of a clock."""
    code = "import sys, torch; before = set(sys.modules); import snnkit; print(sorted(set(sys.modules) - before))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    loaded = {name.split(".")[0] for name in eval(out)}
    assert loaded <= {"snnkit", "__future__", "pkgutil", "zipimport"}, loaded


def test_the_container_installs_what_make_env_installs(root, project):
    """One install command, ``make env``, on a Python that the project allows, and nothing local is copied over it."""
    from packaging.specifiers import SpecifierSet

    lines = [line for line in (root / "Containerfile").read_text().splitlines() if not line.startswith("#")]
    (base,) = [line for line in lines if line.startswith("FROM ")]
    version = re.search(r"python:(\d+\.\d+)", base)
    assert version is not None
    assert SpecifierSet(project["requires-python"]).contains(version[1])
    runs = " ".join(line for line in lines if line.startswith("RUN "))
    assert "make env" in runs
    assert not re.search(r"\b(pip|conda|uv)\b", runs)
    ignored = (root / ".containerignore").read_text().split()
    assert {".venv", "build"} <= set(ignored)
    assert lines[-1] == 'ENTRYPOINT [".venv/bin/snngrade"]'
