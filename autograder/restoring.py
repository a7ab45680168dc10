"""What was handed in, made ready to be graded: doubled cells, changed ones and missing ones.

What is not the student's is put back, what the student wrote is kept wherever it stands, and each is told. A question is
asked where its answer is known: an answer in a cell of the student's own is an answer.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from autograder.given import merge, names_of
from autograder.notebook import Cell, Data, Notebook, answers_before, by_name

#: Characters of a notebook that are looked into, and copies of one cell.
_READ, _COPIES = 1_000_000, 50
_PICTURES = ("image/png", "image/jpeg", "image/gif", "image/webp", "image/bmp")


def untouched(cell: Cell, released: Cell) -> bool:
    """Whether an answer is as it was handed out, or blank, without a picture."""
    blank = "".join(cell.source.split())
    return blank in ("", "".join(released.source.split())) and not _pictures(cell)


def _pictures(cell: Cell) -> Data:
    """The pictures that were pasted into a text cell, as a part of its JSON."""
    given = cell.rest.get("attachments")
    if cell.code or not isinstance(given, dict):
        return {}
    found = {
        name: {kind: data for kind, data in one.items() if kind in _PICTURES and isinstance(data, str)}
        for name, one in given.items()
        if isinstance(one, dict)
    }
    kept = {name: one for name, one in found.items() if one}
    return {"attachments": kept} if kept else {}


def clean(notebook: Notebook, released: Notebook) -> tuple[Notebook, list[str]]:
    """A submission in which each name of the release stands once and no other does, and remarks.

    Args:
        notebook: what was handed in.
        released: what was handed out.
    """
    known = by_name(released.cells)
    places: dict[str, list[int]] = defaultdict(list)
    for at, cell in enumerate(notebook.cells):
        places[cell.grade_id].append(at)
    marked: dict[int, Cell] = {}
    dropped: set[int] = set()
    remarks = []
    for name in known.keys() & places.keys():
        copies = [notebook.cells[at] for at in places[name]]
        joined = "\n".join(one.source for one in copies)
        at = places[name][_counts(copies, known[name])]
        marked[at] = notebook.cells[at]
        locked = not (known[name].graded or known[name].answer)
        if len(copies) > 1 and locked and not merge(known[name].source, joined).restores:  # split in two
            marked[at] = replace(copies[0], source=joined)
            dropped |= set(places[name][1:])
        elif len(copies) > 1:
            remarks.append(f"`{name}` is there more than once: {_what_counts(known[name])}")
    cells = tuple(
        marked.get(at) or Cell(cell.source, cell.code, rest=cell.rest)
        for at, cell in enumerate(notebook.cells)
        if at not in dropped
    )
    missing = [name for name in known if name not in places]
    if missing:
        one = len(missing) == 1
        remarks.append(
            f"the cell{'' if one else 's'} {_and(missing)} {'was' if one else 'were'} missing and "
            f"{'was' if one else 'were'} put back"
        )
    return replace(notebook, cells=cells), sorted(remarks)


def _and(names: Sequence[str]) -> str:
    shown = [f"`{name}`" for name in names[:8]]
    rest = [f"{len(names) - 8} more"] if len(names) > 8 else []
    *first, last = shown + rest
    return f"{', '.join(first)} and {last}" if first else last


def _counts(copies: Sequence[Cell], released: Cell) -> int:
    """Which of several cells with one name keeps it: of answers the last one that answers, of checks the last."""
    if released.answer:
        wanted = names_of(released.source)
        first = max(0, len(copies) - _COPIES)
        return max(
            range(first, len(copies)),
            key=lambda at: (not untouched(copies[at], released), wanted <= names_of(copies[at].source), at),
        )
    return len(copies) - 1 if released.graded else 0


def _what_counts(released: Cell) -> str:
    if released.manual:
        return "a person reads all of them"
    return "the last one counts" if released.graded else "all are run, and what the last one defines counts"


def restore(cells: Iterable[Cell], released: Sequence[Cell]) -> tuple[list[Cell], list[str]]:
    """A submission's cells with everything that was not the student's to change put back, and remarks.

    What the student added to a locked cell runs in cells of its own around it; of a cell that is there twice the first
    one counts; one that was deleted comes back behind the marked cell that it followed, or first. An untouched answer
    stands before, and a check behind, the student's own cell that holds the answer.

    Args:
        cells: of the submission.
        released: of the notebook that was handed out.
    """
    known = by_name(released)
    kept: list[Cell] = []
    remarks: list[str] = []
    seen: set[str] = set()
    for cell in cells:
        original = known.get(cell.grade_id)
        if original is None:
            kept.append(Cell(cell.source, cell.code, rest=_pictures(cell)))
        elif cell.grade_id not in seen:
            seen.add(cell.grade_id)
            around, said = _one(cell, original)
            kept += around
            remarks += [said] if said else []
    before = ""
    for cell in released:
        if cell.grade_id and cell.grade_id not in seen:
            behind = (at for at, one in enumerate(kept, start=1) if one.grade_id == before)
            kept.insert(next(behind, len(kept)) if before else 0, cell)
        before = cell.grade_id or before
    return kept, [*remarks, *_in_reach(kept, known, answers_before(released))]


def _one(cell: Cell, original: Cell) -> tuple[list[Cell], str]:
    """What stands in the place of one marked cell, and what there is to say about it."""
    if original.answer:
        return [replace(original, source=cell.source, rest={**original.rest, **_pictures(cell)})], ""
    if not (cell.code and original.code):
        return [original], ""
    merged = merge(original.source, cell.source)
    before, behind = ([Cell(source) for source in part] for part in (merged.before, merged.behind))
    return [*before, original, *behind], merged.said(original.grade_id)


def _in_reach(cells: list[Cell], known: Mapping[str, Cell], place: Mapping[str, str]) -> list[str]:
    """Move untouched answers and early checks so that each question meets the answer that is there; remarks.

    Args:
        cells: of the submission, which are put into another order here.
        known: the released cells, by name.
        place: for each question its answer cell.
    """
    remarks = []
    theirs = {cell.source.strip() for cell in known.values() if cell.code}
    defined = _defined(cells)

    def holders(names: frozenset[str], answer: str) -> list[int]:
        """Places of the student's cells that define one of these names."""
        return [
            at
            for at, one in enumerate(cells)
            if one.code and one.grade_id in ("", answer) and one.source.strip() not in theirs
            if names & defined[one.source]
        ]

    def index(name: str) -> int:
        return next(at for at, one in enumerate(cells) if one.grade_id == name)

    for question, answer in place.items():
        names = names_of(known[answer].source) if known[answer].code else frozenset()
        holding = holders(names, answer) if names and known[question].question else []
        if not holding:
            continue
        stub, ask = index(answer), index(question)
        first = holding[0]
        if first < stub and cells[stub].source.strip() in theirs:
            cells.insert(first, cells.pop(stub))
            remarks.append(f"`{answer}` was left as it was; the answer in a cell of your own counts")
        elif ask < first:
            cells.insert(first, cells.pop(ask))  # behind it, as everything moves up by one
            remarks.append(f"the answer to `{question}` stands below its check; it was asked there")
    return remarks


def _defined(cells: Iterable[Cell]) -> dict[str, frozenset[str]]:
    """What each code cell defines, by its source; as far as :data:`_READ` characters go."""
    left, found = _READ, dict[str, frozenset[str]]()
    for cell in cells:
        if cell.code and cell.source not in found:
            left -= len(cell.source)
            found[cell.source] = names_of(cell.source) if left >= 0 else frozenset()
    return found


def written_beside(cells: Sequence[Cell], released: Sequence[Cell], name: str) -> bool:
    """Whether the student wrote something between the marked cells around an answer, in cells of their own."""
    at = next(at for at, cell in enumerate(cells) if cell.grade_id == name)
    theirs = {"".join(cell.source.split()) for cell in released} | {""}
    near: list[Cell] = []
    for part in (cells[at + 1 :], cells[:at][::-1]):
        for cell in part:
            if cell.grade_id:
                break
            near.append(cell)
    return any("".join(cell.source.split()) not in theirs or _pictures(cell) for cell in near)


def written_answers(cells: Sequence[Cell], released: Sequence[Cell]) -> tuple[frozenset[str], list[str]]:
    """Names of the answers that a person has to read, as something was written there or near, and remarks.

    Args:
        cells: of the submission, see :func:`restore`.
        released: of the notebook that was handed out.
    """
    found = by_name(cells)
    manual = [cell for cell in released if cell.manual]
    here = {cell.grade_id for cell in manual if not untouched(found[cell.grade_id], cell)}
    near = [
        cell.grade_id
        for cell in manual
        if cell.grade_id not in here and written_beside(cells, released, cell.grade_id)
    ]
    said = [
        f"`{name}` was left as it was, but something stands near it: a person reads that" for name in near
    ]
    return frozenset((*here, *near)), said
