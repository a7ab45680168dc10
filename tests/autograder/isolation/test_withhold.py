"""The student's copy: withheld names refuse in plain words, everything else works and imports."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import snnkit
from autograder.isolation.withhold import resolve, student_copy, withhold

SECRET = "91827364"
PACKAGE = {
    "__init__.py": '"""Demo."""\nfrom demo.shapes import area\n',
    "shapes.py": f'''"""Shapes.

More text.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

SCALE = {SECRET}
TABLE: dict[str, int] = {{"a": {SECRET}}}


def area(r: float) -> float:
    """Uses {SECRET}."""
    return math.pi * r * r * {SECRET}


def twice(x):
    return 2 * x


class Base:
    def hello(self):
        return "hello"


@dataclass
class Circle(Base):
    """A circle {SECRET}."""

    r: float = {SECRET}

    def area(self):
        return {SECRET}

    @property
    def width(self):
        return {SECRET}

    @staticmethod
    def unit():
        return {SECRET}


class Square(Base):
    def area(self):
        return {SECRET}

    def name(self):
        return "square"


class Colour(Enum):
    RED = {SECRET}
''',
    "user.py": """from demo.shapes import Circle, area as surface
from demo import shapes


def draw(shape=Circle(2.0)):
    return shape.area()


class Ring(Circle):
    pass


FAMILY = {"circle": Circle}


def total(r):
    return surface(r)
""",
    "rooms/__init__.py": "from demo.rooms._inside import hidden as shown\nfrom .deep import lower\n",
    "rooms/_inside.py": f"def hidden():\n    return {SECRET}\n",
    "rooms/deep.py": f"async def lower():\n    return {SECRET}\n",
}
WITHHELD = [
    "demo.area", "demo.shapes.SCALE", "demo.shapes.TABLE", "demo.shapes.Circle", "demo.shapes.Square.area",
    "demo.shapes.Colour", "demo.rooms.shown", "demo.rooms.lower",
]  # fmt: skip


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("source") / "demo"
    for name, text in PACKAGE.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.fixture(scope="module")
def copy(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return student_copy(package, WITHHELD, tmp_path_factory.mktemp("copies"))


def outcomes(copy: Path, setup: str, expressions: list[str]) -> dict[str, str]:
    """What each expression gives in a fresh interpreter that sees the copy only."""
    code = f"""
import json, sys
sys.path.insert(0, {str(copy)!r})
{setup}
found = {{}}
for text in {expressions!r}:
    try:
        found[text] = repr(eval(text))
    except Exception as error:
        found[text] = f"{{type(error).__name__}}: {{error}}"
print(json.dumps(found))
"""
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def test_withheld_names_refuse_in_plain_words(copy: Path) -> None:
    expected = {
        "demo.area(1.0)": "demo.area",
        "demo.shapes.area(1.0)": "demo.area",
        "demo.user.total(1.0)": "demo.area",
        "demo.shapes.SCALE + 1": "demo.shapes.SCALE",
        "2 * demo.shapes.SCALE": "demo.shapes.SCALE",
        "float(demo.shapes.SCALE)": "demo.shapes.SCALE",
        "demo.shapes.TABLE['a']": "demo.shapes.TABLE",
        "demo.shapes.TABLE.items()": "demo.shapes.TABLE",
        "list(demo.shapes.TABLE)": "demo.shapes.TABLE",
        "demo.shapes.Circle()": "demo.shapes.Circle",
        "demo.user.Ring(3)": "demo.shapes.Circle",
        "demo.shapes.Circle.unit()": "demo.shapes.Circle.unit",
        "demo.user.draw()": "demo.shapes.Circle.area",
        "demo.user.draw.__defaults__[0].r": "demo.shapes.Circle",
        "demo.user.draw.__defaults__[0]()": "demo.shapes.Circle",
        "demo.shapes.Square().area()": "demo.shapes.Square.area",
        "demo.shapes.Colour(1)": "demo.shapes.Colour",
        "demo.rooms.shown()": "demo.rooms.shown",
        "demo.rooms._inside.hidden()": "demo.rooms.shown",
        "demo.rooms.lower()": "demo.rooms.lower",
    }
    found = outcomes(copy, "import demo, demo.user, demo.shapes, demo.rooms", list(expected))
    for text, name in expected.items():
        assert found[text].startswith(f"WithheldError: {name} is withheld in this question"), (
            text,
            found[text],
        )


def test_the_rest_works(copy: Path) -> None:
    expected = {
        "demo.shapes.twice(4)": "8",
        "demo.shapes.Square().name()": "'square'",
        "demo.shapes.Square().hello()": "'hello'",
        "issubclass(demo.shapes.Circle, demo.shapes.Base)": "True",
        "demo.user.FAMILY['circle'] is demo.shapes.Circle": "True",
        "demo.__doc__": "'Demo.'",
        "autograder.check('ps1.any', hint=2)": "0.0",
    }
    assert outcomes(copy, "import demo, demo.user, demo.shapes, autograder", list(expected)) == expected


def test_nothing_of_the_withheld_source_is_left(copy: Path) -> None:
    files = [path for path in copy.rglob("*") if path.is_file()]
    assert len(files) >= 2 * len(PACKAGE)
    for path in files:
        assert SECRET.encode() not in path.read_bytes(), path
        assert int(SECRET).to_bytes(4, "little") not in path.read_bytes(), path


def test_names_are_followed_to_their_definition(package: Path) -> None:
    for name, file, names in (
        ("demo.area", "shapes.py", ("area",)),
        ("demo.rooms.shown", "rooms/_inside.py", ("hidden",)),
        ("demo.rooms.lower", "rooms/deep.py", ("lower",)),
        ("demo.user.surface", "shapes.py", ("area",)),
        ("demo.shapes.Circle.area", "shapes.py", ("Circle", "area")),
    ):
        place = resolve(package, name)
        assert (place.path, place.names) == (package / file, names)


@pytest.mark.parametrize(
    "name",
    [
        "demo.shapes.nothing",
        "demo.nowhere.x",
        "other.shapes.area",
        "demo",
        "demo.shapes.Circle.no",
        "demo.shapes.area.x",
    ],
)
def test_a_name_that_is_not_there_is_an_error(package: Path, name: str, tmp_path: Path) -> None:
    with pytest.raises(LookupError, match=r"names nothing|defined nowhere|has no"):
        student_copy(package, [name], tmp_path / "copies")
    assert not [path for path in (tmp_path / "copies").iterdir()]


def test_copies_are_made_once_per_content(package: Path, tmp_path: Path) -> None:
    first = student_copy(package, WITHHELD, tmp_path)
    stamp = (first / "demo" / "shapes.py").stat().st_mtime_ns
    assert student_copy(package, reversed(WITHHELD), tmp_path) == first
    assert (first / "demo" / "shapes.py").stat().st_mtime_ns == stamp
    assert student_copy(package, WITHHELD[:1], tmp_path) != first
    changed = tmp_path / "changed" / "demo"
    withhold(package, [], tmp_path / "changed")
    (changed / "user.py").write_text("x = 1\n")
    assert student_copy(changed, [], tmp_path) != student_copy(package, [], tmp_path)
    assert sorted(path.name for path in tmp_path.glob(".new-*")) == []


@pytest.mark.slow
def test_every_module_of_snnkit_imports_with_names_withheld(tmp_path: Path) -> None:
    source = Path(snnkit.__file__).parent
    copy = student_copy(
        source, ["snnkit.surrogate.Sine", "snnkit.surrogate.ATan", "snnkit.dynamics.lif_step"], tmp_path
    )
    modules = [
        ".".join(("snnkit", *path.relative_to(source).with_suffix("").parts)).removesuffix(".__init__")
        for path in sorted(source.rglob("*.py"))
        if path.name not in ("cli.py", "__main__.py")
    ]
    setup = f"import importlib, torch, snnkit\nfor name in {modules!r}:\n    importlib.import_module(name)\n"
    found = outcomes(
        copy,
        setup,
        [
            "snnkit.surrogate.Sine()",
            "snnkit.surrogate.ATan(1.0).derivative(torch.zeros(1))",
            "snnkit.dynamics.lif_step(0, 0, decay=1)",
            "snnkit.surrogate.Triangle()(torch.zeros(2)).tolist()",
            f"snnkit.__file__.startswith({str(copy)!r})",
        ],
    )
    refused = list(found.values())[:3]
    assert all("withheld" in text for text in refused), refused
    assert list(found.values())[3:] == ["[1.0, 1.0]", "True"]
