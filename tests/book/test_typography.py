"""Text of the site: a minus sign, powers of ten, code as it was, and punctuation that stays with its formula."""

import sys
from pathlib import Path

import pytest
from docutils import nodes
from docutils.utils import new_document

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "book" / "_ext"))

from typography import keep_together, printed, typeset


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("from -0.58 to 1.58", "from −0.58 to 1.58"),
        ("(-1, -2)", "(−1, −2)"),
        ("3e-13 mV", "3\u00a0×\u00a010⁻¹³ mV"),
        ("-2e+05", "−2\u00a0×\u00a010⁵"),
        ("39 %, 65 % and % 5", "39\u00a0%, 65\u00a0% and % 5"),
        (
            "ResNet-20, 2026-01-05, ps0-1, 12-15, x-1, [1]-2",
            "ResNet-20, 2026-01-05, ps0-1, 12-15, x-1, [1]-2",
        ),
        ("the 1er, e-13, 7a12e45", "the 1er, e-13, 7a12e45"),
    ],
)
def test_numbers_as_they_are_printed(typed, shown):
    assert printed(typed) == shown
    assert printed(shown) == shown


def test_code_and_formulas_stay_as_they_are():
    document = new_document("a page")
    paragraph = nodes.paragraph()
    paragraph += nodes.Text("it is -1, ")
    paragraph += nodes.strong("", "-2")
    kept = [nodes.literal("", "x = -3"), nodes.math("", "-4"), nodes.raw("", "-5", format="html")]
    paragraph += kept
    document += [paragraph, nodes.literal_block("", "1e-6"), nodes.math_block("", "-7")]
    typeset(document)
    assert paragraph.astext() == "it is −1, −2x = -3-4-5"
    assert [node.astext() for node in document[1:]] == ["1e-6", "-7"]


def test_a_formula_and_its_punctuation_are_one_piece():
    document = new_document("a page")
    first, second = nodes.math("", "x"), nodes.math("", "y")
    third, last = nodes.math("", "z"), nodes.math("", "w")
    paragraph = nodes.paragraph()
    paragraph += [nodes.Text("so ("), first, nodes.Text("), then "), second, nodes.Text(" of "), third]
    paragraph += [nodes.strong("", "."), nodes.Text(" and "), last, nodes.Text(".")]
    document += paragraph
    before = paragraph.astext()
    keep_together(document)
    assert paragraph.astext() == before == "so (x), then y of z. and w."
    pieces = [node.astext() for node in paragraph.findall(nodes.inline) if "one-piece" in node["classes"]]
    assert pieces == ["(x),", "w."]
    assert second.parent is third.parent is paragraph


def test_formulas_that_touch_are_kept_once():
    paragraph = nodes.paragraph()
    paragraph += [nodes.math("", "a"), nodes.Text(","), nodes.math("", "b"), nodes.Text(", c")]
    paragraph += [nodes.strong("", "d"), nodes.Text(", c"), nodes.math("", "e"), nodes.Text(", c")]
    document = new_document("a page")
    document += paragraph
    keep_together(document)
    assert paragraph.astext() == "a,b, cd, ce, c"
    assert [node.astext() for node in paragraph.findall(nodes.inline)] == ["a,", "b,", "e,"]
