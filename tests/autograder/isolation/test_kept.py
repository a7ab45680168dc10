"""What a cell prints and shows is kept up to a number of bytes and of pieces, as it would be seen."""

from __future__ import annotations

import pytest

from autograder.isolation.kept import PIECES, Outputs, plain_text
from autograder.isolation.messages import Display, Stream
from autograder.isolation.session import Session

pytestmark = pytest.mark.xdist_group("isolation")


def test_text_in_turn_is_cut_at_a_number_of_pieces() -> None:
    kept = Outputs(1 << 20)
    for number in range(PIECES):
        kept.write("stdout", f"{number}\n")
        kept.write("stderr", f"{number}\n")
    *shown, note = kept.finished()
    assert PIECES <= len(shown) <= PIECES + 1
    assert isinstance(note, Stream)
    assert note.text == "\n[output beyond 2,000 pieces was dropped]\n"


def test_displays_are_cut_at_a_number_of_pieces() -> None:
    kept = Outputs(1 << 20)
    for number in range(3 * PIECES):
        kept.show(Display, {"text/plain": str(number)})
    assert len(kept.finished()) <= PIECES + 2


def test_bytes_are_cut_with_a_note() -> None:
    kept = Outputs(1024)
    kept.write("stdout", "é" * 2000)
    kept.write("stdout", "more")
    text, note = kept.finished()
    assert isinstance(text, Stream)
    assert text.text == "é" * 1024
    assert isinstance(note, Stream)
    assert note.text == "\n[output beyond 1 kB was dropped]\n"


@pytest.mark.parametrize(
    ("pieces", "seen"),
    [
        (("\r 1 %", "\r 2 %", "\r100 %", "\n"), "100 %\n"),
        (("1\r", "2\r", "\n", "3"), "2\n3"),
        (("one\r\n", "two\rTWO\n"), "one\nTWO\n"),
        (("a", "b", "\rc", "d"), "cd"),
        (("a\r", "\r\n"), "a\n"),
        (("first\n\rsecond", "\n"), "first\nsecond\n"),
    ],
)
def test_what_is_written_over_is_not_kept(pieces: tuple[str, ...], seen: str) -> None:
    kept = Outputs(1 << 10)
    for piece in pieces:
        kept.write("stderr", piece)
    assert kept.finished() == [Stream("stderr", seen)]
    assert kept.limit - kept.left == len(seen)


def test_a_progress_bar_does_not_use_up_the_room() -> None:
    kept = Outputs(1 << 10)
    for number in range(10_000):
        kept.write("stderr", f"\r{number:6d} of 10000")
    assert kept.finished() == [Stream("stderr", "  9999 of 10000")]
    assert not kept.cut


def test_what_is_cleared_gives_its_room_back() -> None:
    kept = Outputs(1 << 10)
    for _ in range(5):
        kept.clear()
        kept.write("stdout", "x" * 1000)
    assert kept.finished() == [Stream("stdout", "x" * 1000)]


def test_control_characters_and_colours_are_left_out() -> None:
    assert plain_text("\x00a\x1b[31mred\x1b[0m\x07\tb\n\ud800") == "ared\tb\n?"


@pytest.mark.parametrize(
    "source",
    [
        "import sys\nfor i in range(8000):\n    print(i)\n    print(i, file=sys.stderr)",
        "from tqdm import tqdm\nfor i in tqdm(range(6000), mininterval=0): print(i)",
        "import warnings\nwarnings.simplefilter('always')\nfor i in range(5000):\n    warnings.warn('w'); print(i)",
        "for i in range(12000): display(i)",
        "from IPython.display import clear_output\nfor i in range(3000):\n    clear_output(wait=True)\n    print(i)",
    ],
)
def test_many_outputs_end_no_process(session: Session, source: str) -> None:
    assert session.run_cell(f"def f(x): return x\n{source}").status == "ok"
    assert session.run_cell("print(f(3))").outputs[0]["text"] == "3\n"
    assert session.restarts == 0
