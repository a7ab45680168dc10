"""Malformed notebooks, damaged archives, strange names: each costs at most itself, and its row says why."""

from __future__ import annotations

import copy
import csv
import io
import json
import os
import random
import shutil
import stat
import struct
import unicodedata
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from autograder import notebook
from autograder.batch import Job
from autograder.cli import app
from autograder.collect import LARGEST_SUBMISSION, RefusedError, Submission, collect, sanitise
from autograder.course import CourseError, exercise_of
from autograder.naming import LONGEST_NAME, debris, identifier, printed
from autograder.notebook import Notebook, NotebookError, read
from autograder.proof import samples
from autograder.report import similar, store
from autograder.restoring import restore

PS = "ps0_start"
Data = dict[str, Any]


@pytest.fixture(scope="module")
def released(root: Path) -> bytes:
    return exercise_of(root, PS).read_bytes()


def place(content: Data, name: str) -> int:
    return next(
        at
        for at, cell in enumerate(content["cells"])
        if cell["metadata"].get("nbgrader", {}).get("grade_id") == name
    )


def own(**changes: Any) -> Data:
    cell = {
        "cell_type": "code",
        "id": "own",
        "metadata": {},
        "source": "1",
        "outputs": [],
        "execution_count": None,
    }
    return {**cell, **changes}


def of_answer(**changes: Any) -> Callable[[Data], None]:
    return lambda content: content["cells"][place(content, "spike_count_answer")].update(changes)


def extra(**changes: Any) -> Callable[[Data], None]:
    return lambda content: content["cells"].insert(3, own(**changes))


def dropped(key: str) -> Callable[[Data], None]:
    def change(content: Data) -> None:
        del content["cells"][3][key]

    return change


def text_before(text: str) -> Callable[[Data], bytes]:
    """JSON with something more in it, which ``json`` would not write."""
    return lambda content: json.dumps(content).replace('"nbformat": 4', f'{text}, "nbformat": 4').encode()


HALF = "x = '\ud800'"
DEEP = "[" * 400 + "]" * 400

#: How a notebook is damaged, and what is said; nothing where it is graded all the same.
MALFORMED: dict[str, tuple[Callable[[Data], Any], str]] = {
    "source null": (of_answer(source=None), "has no text"),
    "source a number": (of_answer(source=3), "has no text"),
    "source true": (of_answer(source=True), "has no text"),
    "source an object": (of_answer(source={"a": 1}), "has no text"),
    "source lists of lists": (of_answer(source=[["x"], None, 3]), "has no text"),
    "source absent": (dropped("source"), "cell 4 has no text"),
    "kind absent": (dropped("cell_type"), "cell 4 does not say whether it is code or text"),
    "kind a number": (extra(cell_type=3), "cell 4 does not say"),
    "kind a list": (extra(cell_type=["code"]), "cell 4 does not say"),
    "kind raw": (extra(cell_type="raw"), ""),
    "kind unknown": (extra(cell_type="heading"), ""),
    "half a character in an answer": (of_answer(source=HALF), "half a character"),
    "half a character in text": (extra(cell_type="markdown", source="a \udcff b"), "half a character"),
    "half a character in a locked cell": (
        lambda content: content["cells"][place(content, "setup")].update(source=HALF), "half a character",
    ),
    "mark a list": (extra(metadata={"nbgrader": [1]}), ""),
    "mark a word": (extra(metadata={"nbgrader": "x"}), ""),
    "mark empty": (extra(metadata={"nbgrader": {}}), ""),
    "name a list": (extra(metadata={"nbgrader": {"grade_id": ["a"]}}), ""),
    "name half a character": (extra(metadata={"nbgrader": {"grade_id": "\ud800"}}), ""),
    "metadata null": (extra(metadata=None), ""),
    "metadata a list": (extra(metadata=[]), "metadata of cell 4 is no table"),
    "metadata absent": (dropped("metadata"), ""),
    "points wild": (
        lambda content: content["cells"][place(content, "shares")]["metadata"]["nbgrader"].update(points="99"), "",
    ),
    "format 4.0": (lambda content: content.update(nbformat=4.0), ""),
    "format 3": (lambda content: content.update(nbformat=3), "save it again"),
    "format 5": (lambda content: content.update(nbformat=5), "save it again"),
    "minor format wild": (lambda content: content.update(nbformat_minor=[]), ""),
    "worksheets": (lambda content: json.dumps({"nbformat": 3, "worksheets": []}).encode(), "save it again"),
    "byte order mark": (lambda content: b"\xef\xbb\xbf" + json.dumps(content).encode(), ""),
    "UTF-16": (lambda content: json.dumps(content).encode("utf-16"), ""),
    "Latin-1": (lambda content: b'{"x": "\xe9",' + json.dumps(content).encode()[1:], "broken JSON"),
    "null bytes at the end": (lambda content: json.dumps(content).encode() + b"\0\0", "broken JSON"),
    "null byte in an answer": (of_answer(source="def spike_count(c, t):\n    return 1\n# \0"), ""),
    "not a number": (text_before('"x": NaN'), ""),
    "a number of 5000 digits": (text_before(f'"x": {"9" * 5000}'), "broken JSON"),
    "400 lists in each other": (text_before(f'"x": {DEEP}'), ""),
    "100000 lists in each other": (text_before(f'"x": {"[" * 100_000}'), "broken JSON"),
    "empty": (lambda content: b"", "broken JSON"),
    "a web page": (lambda content: b"<!doctype html><html>", "broken JSON"),
    "a pointer of git": (lambda content: b"version https://git-lfs.github.com/spec/v1\n", "broken JSON"),
    "compressed": (lambda content: b"\x1f\x8b\x08\0\0\0\0", "broken JSON"),
    "a conflict of git": (lambda content: b"<<<<<<< HEAD\n" + json.dumps(content).encode(), "broken JSON"),
    "cut off": (lambda content: json.dumps(content)[:9000].encode(), "broken JSON"),
    "cells null": (lambda content: content.update(cells=None), "no list of cells"),
    "cell null": (lambda content: content["cells"].insert(2, None), "cell 3 is none"),
    "cell a word": (lambda content: content["cells"].insert(2, "x"), "cell 3 is none"),
    "cells twice": (text_before('"cells": []'), "none of the questions"),
    "a list of notebooks": (lambda content: json.dumps([content]).encode(), "no list of cells"),
    "5000 cells": (lambda content: content["cells"].extend([own()] * 5000), ""),
    "20000 lines": (of_answer(source=["a\n"] * 20_000), ""),
    "outputs wild": (extra(outputs=3, execution_count="x"), ""),
    "attachments wild": (extra(cell_type="markdown", attachments=[3]), ""),
    "outputs of 51 MB": (extra(outputs=[{"output_type": "stream", "text": "x" * 51_000_000}]), ""),
    "source of 51 MB": (of_answer(source="#" * 51_000_000), "without its outputs"),
}  # fmt: skip


def damaged(released: bytes, name: str) -> bytes:
    content = json.loads(released)
    made = MALFORMED[name][0](content)
    return made if isinstance(made, bytes) else json.dumps(content).encode()


def treated(data: bytes, original: Notebook) -> str:
    """Everything that is done with one submission but running it; why it is refused, or nothing."""
    try:
        found = Submission("ada", data)
        handed_in, _ = sanitise(found, PS, original)
        notebook.write(handed_in)
    except (RefusedError, NotebookError) as error:
        return str(error)
    cells, remarks = restore(handed_in.cells, original.cells)
    assert all(remark.isprintable() for remark in remarks)
    wanted = sorted(cell.grade_id for cell in original.cells if cell.grade_id)
    assert sorted(cell.grade_id for cell in cells if cell.grade_id) == wanted
    assert sum(cell.points for cell in cells) == 4.0
    msgspec.json.encode(Job("ada", "key", tuple(Notebook(tuple(cells)).cells), 1))
    executed = notebook.write(Notebook(tuple(cells), original.rest), [[] for _ in cells])
    assert read(executed).cells
    similar.similar({"ada": notebook.write(handed_in), "bo": executed}, executed)
    return ""


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_notebook_is_graded_or_refused_with_words(
    name: str, released: bytes, tmp_path: Path
) -> None:
    said = MALFORMED[name][1]
    (tmp_path / "ada.ipynb").write_bytes(damaged(released, name))
    (found,) = collect(tmp_path, PS)
    if found.problem:
        assert said
        assert said in found.problem
        return
    assert len(found.content) <= LARGEST_SUBMISSION + 10_000 or said
    why = treated(found.content, read(released))
    assert said in why
    assert why.isprintable()
    assert bool(why) == bool(said)


VALUES = [None, True, 0, -1, 1.5, "", "x", "\ud800", [], {}, [[]], {"a": 1}, "\0", 10**30, ["a", 1],
          {"nbgrader": 1}, "code", "markdown", [None]]  # fmt: skip


def paths(content: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inside = (
        content.items()
        if isinstance(content, dict)
        else enumerate(content)
        if isinstance(content, list)
        else ()
    )
    return [here, *(path for name, value in inside for path in paths(value, (*here, name)))]


def mutated(content: Data, known: list[tuple[Any, ...]], draw: random.Random) -> Data:
    changed = copy.deepcopy(content)
    for _ in range(draw.choice((1, 1, 2))):
        *way, last = draw.choice(known)
        target: Any = changed
        try:
            for step in way:
                target = target[step]
            chance = draw.random()
            if chance < 0.6:
                target[last] = draw.choice(VALUES)
            elif chance < 0.8:
                del target[last]
            elif isinstance(target, list):
                target.insert(draw.randrange(len(target) + 1), draw.choice(VALUES))
            else:
                target[draw.choice(["x", "source", "nbgrader", "metadata", "\ud800"])] = draw.choice(VALUES)
        except (KeyError, IndexError, TypeError):
            pass
    return changed


def test_random_changes_of_a_notebook_never_stop_anything(released: bytes) -> None:
    content, draw, original = json.loads(released), random.Random(5), read(released)
    known = [path for path in paths(content) if path]
    refused = [treated(json.dumps(mutated(content, known, draw)).encode(), original) for _ in range(400)]
    assert all(why.isprintable() for why in refused)
    assert 10 < sum(map(bool, refused)) < 200  # some are refused, most are graded


def zipped(entries: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return made.getvalue()


def test_random_damage_of_an_archive_costs_what_it_hits(released: bytes, tmp_path: Path) -> None:
    students = {
        f"{name}/{PS}.ipynb": released.replace(b"Write your", name.encode()) for name in ("ada", "bo", "cy")
    }
    whole, draw, file = zipped(students), random.Random(7), tmp_path / "all.zip"
    expected = {name.split("/")[0]: content for name, content in students.items()}
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        directory = archive.start_dir
    hit = 0
    for _ in range(300):
        data = bytearray(whole)
        for _ in range(draw.choice((1, 2, 4))):
            data[draw.randrange(len(data))] = draw.randrange(256)
        file.write_bytes(data)
        try:
            found = collect(file, PS)
        except CourseError:
            sound = bytes(data[directory:]) == whole[directory:]
            assert not sound, "an archive whose list of entries is sound can be read"
            continue
        for one in found:
            assert one.problem.isprintable()
            hit += bool(one.problem)
        if bytes(data[directory:]) == whole[directory:]:  # only what students sent was hit
            got = {one.student: one for one in found}
            assert got.keys() == expected.keys()
            assert all(got[name].problem or got[name].content == expected[name] for name in expected)
    assert hit > 50


def patched(
    data: bytes, marks: tuple[tuple[bytes, int, int], ...], entry: bytes, value: Callable[[int], int]
) -> bytes:
    """An archive whose entry of this name has another number in its headers: (header, name's offset, field's offset)."""
    changed = bytearray(data)
    for header, name_at, field_at in marks:
        at = changed.find(header)
        while at >= 0:
            if changed[at + name_at :].startswith(entry):
                (old,) = struct.unpack_from("<H", changed, at + field_at)
                struct.pack_into("<H", changed, at + field_at, value(old))
            at = changed.find(header, at + 4)
    return bytes(changed)


FLAGS = ((b"PK\x03\x04", 30, 6), (b"PK\x01\x02", 46, 8))
METHOD = ((b"PK\x03\x04", 30, 8), (b"PK\x01\x02", 46, 10))
THEIRS = f"mallory/{PS}.ipynb"


def linked() -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(THEIRS)
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    return entry


def archive_with(name: Any, content: bytes) -> Callable[[bytes], bytes]:
    def make(good: bytes) -> bytes:
        made = io.BytesIO()
        with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(f"honest/{PS}.ipynb", good)
            archive.writestr(name, content or good)
        return made.getvalue()

    return make


def with_field(
    marks: tuple[tuple[bytes, int, int], ...], value: Callable[[int], int]
) -> Callable[[bytes], bytes]:
    return lambda good: patched(archive_with(THEIRS, b"")(good), marks, b"mallory", value)


def flipped(good: bytes) -> bytes:
    data = bytearray(archive_with(THEIRS, b"")(good))
    at = data.rfind(b"PK\x03\x04") + 200
    data[at : at + 40] = b"\xff" * 40
    return bytes(data)


#: An archive of an honest student's notebook and something else, and what is said of the other; None: no row.
ARCHIVES: dict[str, tuple[Callable[[bytes], bytes], str | None]] = {
    "encrypted": (with_field(FLAGS, lambda old: old | 1), "cannot be read: RuntimeError"),
    "method 99": (with_field(METHOD, lambda old: 99), "cannot be read: NotImplementedError"),
    "method lzma over deflate": (with_field(METHOD, lambda old: 14), "cannot be read"),
    "method bzip2 over deflate": (with_field(METHOD, lambda old: 12), "cannot be read"),
    "damaged": (flipped, "cannot be read"),
    "link": (archive_with(linked(), b"/etc/passwd"), "is a link"),
    "absolute": (archive_with("/etc/cron.d/x.ipynb", b""), "leads out of the folder"),
    "upwards": (archive_with("../../x.ipynb", b""), "leads out of the folder"),
    "backslashes": (archive_with("..\\..\\x.ipynb", b""), "leads out of the folder"),
    "slashes": (archive_with("//", b""), "leads out of the folder"),
    "dots": (archive_with("./.", b""), "leads out of the folder"),
    "of a Mac": (archive_with(f"__MACOSX/honest/._{PS}.ipynb", b""), None),
    "big picture": (archive_with("honest/film.mp4", bytes(60_000_000)), None),
    "picture": (archive_with("honest/plot.png", b"\x89PNG"), None),
    "only a picture": (archive_with("mallory/plot.png", b"\x89PNG"), "no notebook among the student's files (mallory/plot.png)"),
    "not a notebook": (archive_with(THEIRS, b"x"), ""),
    "blanks": (archive_with(THEIRS, b" " * 45_000_000), "not a notebook: broken JSON"),
}  # fmt: skip


@pytest.mark.parametrize("name", ARCHIVES)
def test_an_odd_entry_of_an_archive_is_its_own_row(name: str, released: bytes, tmp_path: Path) -> None:
    make, said = ARCHIVES[name]
    file = tmp_path / "all.zip"
    file.write_bytes(make(released))
    found = {one.student: one for one in collect(file, PS)}
    assert found.pop("honest").content == released
    assert len(found) == (said is not None)
    for one in found.values():
        assert str(said) in one.problem


def collected(folder: Path, files: dict[str, bytes]) -> dict[str, str]:
    """Students and their problems, or what their notebooks hold."""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return {one.student: one.problem or one.content.decode() for one in collect(folder, PS)}


EXPORTS: dict[str, tuple[dict[str, bytes], dict[str, str]]] = {
    "plain names that look like Canvas's": (
        {"lab_2026_12_ada.ipynb": b"A", "lab_2026_13_ben.ipynb": b"B"},
        {"lab_2026_12_ada": "A", "lab_2026_13_ben": "B"},
    ),
    "one plain name beside Canvas's": (
        {"lovelaceada_4711_815_x.ipynb": b"A", "ben.ipynb": b"B"},
        {"lovelaceada_4711_815_x": "A", "ben": "B"},
    ),
    "Canvas with a picture and a paper": (
        {
            "lovelaceada_4711_814_answers.pdf": b"-", "lovelaceada_4711_815_x.ipynb": b"A",
            "lovelaceada_4711_816_plot.png": b"-", "babbage_LATE_4712_820_x-1.ipynb": b"B",
        },
        {"lovelaceada_4711": "A", "babbage_4712": "B"},
    ),
    "Canvas with a paper only": (
        {"lovelaceada_4711_814_answers.pdf": b"-", "babbage_4712_820_x.ipynb": b"B"},
        {
            "lovelaceada_4711": "no notebook among the student's files (lovelaceada_4711_814_answers.pdf)",
            "babbage_4712": "B",
        },
    ),
    "Moodle without folders": (
        {
            "Ada L_4711_assignsubmission_file_answers.pdf": b"-",
            "Ada L_4711_assignsubmission_file_ps0_start.ipynb": b"A",
            "José M_12_assignsubmission_file_my work (1).ipynb": b"J",
        },
        {"Ada L_4711": "A", "José M_12": "J"},
    ),
    "Moodle with folders": (
        {
            "Ada L_4711_assignsubmission_file_/x.ipynb": b"A", "Ada L_4711_assignsubmission_file_/a.pdf": b"-",
            "Ada L_4711_assignsubmission_onlinetext_/onlinetext.html": b"-",
        },
        {"Ada L_4711": "A"},
    ),
    "names that browsers make": (
        {"ada/ps0_start.ipynb.txt": b"A", "bo/ps0_start (1).ipynb": b"B", "bo/draft.ipynb": b"-", "cy.ipynb.json": b"C",
         "di/ps0_start.IPYNB": b"D", "ed.json": b"E"},
        {"ada": "A", "bo": "B", "cy": "C", "di": "D", "ed": "E"},
    ),
    "debris": (
        {"README.md": b"-", "roster.csv": b"-", "Thumbs.db": b"-", "desktop.ini": b"-", ".DS_Store": b"-", "ada.ipynb": b"A",
         "bo/README.txt": b"-", "bo/x.ipynb": b"B"},
        {"ada": "A", "bo": "B"},
    ),
    "one folder around all": ({"hw/ada/ps0_start.ipynb": b"A", "hw/bo/x.ipynb": b"B"}, {"ada": "A", "bo": "B"}),
    "one folder around one": ({"hw/ada/ps0_start.ipynb": b"A"}, {"ada": "A"}),
    "a folder around one file": ({"submissions/ada.ipynb": b"A"}, {"ada": "A"}),
    "an exchange of one": ({"ada/ps0_start/ps0_start.ipynb": b"A"}, {"ada": "A"}),
    "one student with a draft": ({"ada/ps0_start.ipynb": b"A", "ada/draft.ipynb": b"-"}, {"ada": "A"}),
    "two notebooks of one student": (
        {"ada/x.ipynb": b"A", "ada/y.ipynb": b"-", "bo.ipynb": b"B"},
        {"ada": "2 notebooks, none of them the only ps0_start.ipynb (ada/x.ipynb, ada/y.ipynb)", "bo": "B"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", EXPORTS)
def test_what_systems_and_people_export_is_understood(name: str, tmp_path: Path) -> None:
    files, expected = EXPORTS[name]
    assert collected(tmp_path / "in", files) == expected
    (tmp_path / "in.zip").write_bytes(zipped(files))
    again = {one.student: one.problem or one.content.decode() for one in collect(tmp_path / "in.zip", PS)}
    assert again == expected


KEPT_NAMES = [
    "ada", "Ada L. 1", "José", "Nguyễn Thị", "अमित", "தமிழ்", "O’Brien", "O'Brien", "Gal·la", "Lee (Sam)", "Ana‑María",
    "李小龙", "محمد", "van der Berg, Jan", "x@example.org", "a_b-c+d", "Ö",
]  # fmt: skip


@pytest.mark.parametrize("name", KEPT_NAMES)
def test_people_keep_their_names(name: str, released: bytes, tmp_path: Path) -> None:
    for form in ("NFC", "NFD"):
        folder = tmp_path / form
        folder.mkdir()
        (folder / f"{unicodedata.normalize(form, name)}.ipynb").write_bytes(released)
        (found,) = collect(folder, PS)
        assert (found.student, found.problem, found.remarks) == (unicodedata.normalize("NFC", name), "", ())
        assert treated(found.content, read(released)) == ""


ODD_NAMES = [
    "a" * 243, "[bold]x[red] (1)", "new\nline", "\x1b]0;pwn\x07\x1b[31mred", "<img src=x onerror=alert(1)>", "*", "a[b]",
    "=HYPERLINK('x')", "-x", "a:b", 'a"b', "a\\b", "a|b", "a\u202eb", "\u200b", " ", "名" * 80, "+1", "@x", "a. ",
]  # fmt: skip


@pytest.mark.parametrize("name", ODD_NAMES)
def test_any_other_name_is_made_safe_and_the_original_told(
    name: str, released: bytes, tmp_path: Path
) -> None:
    folder = os.fsencode(tmp_path) + b"/" + name.encode()
    os.mkdir(folder)
    with open(folder + f"/{PS}.ipynb".encode(), "wb") as opened:
        opened.write(released)
    (tmp_path / "zoe.ipynb").write_bytes(released)
    found = {one.student: one for one in collect(tmp_path, PS)}
    assert found.pop("zoe").content == released
    ((student, one),) = found.items()
    assert one.content == released
    assert student == identifier(printed(name))
    assert student.isprintable()
    assert len(student.encode()) <= LONGEST_NAME
    assert not set(student) & set('/\\*?[]<>:"|\n\0')
    assert student[0] not in "=+-@."
    assert student == printed(name) or any(student in remark for remark in one.remarks)
    assert all(remark.isprintable() for remark in one.remarks)


def test_bytes_of_an_older_code_page_are_letters(released: bytes, tmp_path: Path) -> None:
    with open(os.fsencode(tmp_path) + b"/caf\xe9.ipynb", "wb") as opened:
        opened.write(released)
    assert [one.student for one in collect(tmp_path, PS)] == ["café"]


def test_names_that_differ_stay_apart() -> None:
    assert len({identifier(name) for name in ("a*b", "a?b", "a_b", "a b", "A*b")}) == 5
    assert identifier("a*b") == identifier("a*b")


@pytest.mark.parametrize(
    "name", ["ada.ipynb", "ada.pdf", "notes.txt", "Reade", "csv", "students_of_ada.ipynb"]
)
def test_what_may_be_an_answer_is_no_debris(name: str) -> None:
    assert not debris(name)


@pytest.mark.slow
@pytest.mark.xdist_group("batch")
def test_a_class_with_every_odd_submission_is_graded_to_the_end(
    root: Path, released: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two honest students among malformed notebooks and strange names: their scores are what they are alone."""
    monkeypatch.chdir(root)
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    written = samples.write_samples(root, PS)
    for student in ("ada", "zoe"):
        shutil.copy(written / "solution.ipynb", folder / f"{student}.ipynb")
    few = [name for name in MALFORMED if "MB" not in name and "5000 cells" not in name]
    for name in few:
        (folder / f"odd {name}.ipynb").write_bytes(damaged(released, name))
    for number, name in enumerate(ODD_NAMES):
        strange = os.fsencode(folder) + b"/" + name.encode() + str(number).encode()
        os.mkdir(strange)
        with open(strange + f"/{PS}.ipynb".encode(), "wb") as opened:
            opened.write(b"{")
    (folder / "nobody").mkdir()
    (folder / "link.ipynb").symlink_to(folder / "ada.ipynb")
    done = CliRunner().invoke(
        app, ["grade", PS, str(folder), "--out", str(out), "--unsafe", "--workers", "2"]
    )
    assert done.exit_code == 1, done.output
    assert "Traceback" not in done.output
    grades = {one.student: one for one in store.read(PS, out)}
    for student in ("ada", "zoe"):
        assert (grades[student].score, grades[student].pending, grades[student].problem) == (3.0, 1.0, "")
    for name in few:
        problem = grades[f"odd {name}"].problem
        assert bool(problem) == bool(MALFORMED[name][1]), name
        assert MALFORMED[name][1] in problem
    assert len(grades) == 2 + len(few) + len(ODD_NAMES) + 2
    rows = list(csv.reader((out / "grades.csv").read_text().splitlines()))
    assert len(rows) == len(grades) + 1
    assert (out / "instructor.html").is_file()
    assert len(list((out / "feedback").glob("*.html"))) == len(grades)
