"""Sphinx extension of the book: numbers as they are printed, and no line that begins with a comma.

What cells compute arrives as Python writes it (-0.5, 3e-13), and so does what is typed in the pages: both get a minus
sign and powers of ten. Browsers break a line between a formula and the punctuation behind it unless they are told not to.
"""

from __future__ import annotations

import re

from docutils import nodes
from sphinx.addnodes import desc_signature
from sphinx.application import Sphinx

#: Code and formulas stay as they are.
KEPT = (nodes.literal, nodes.FixedTextElement, nodes.math, nodes.math_block, nodes.raw, desc_signature)
HYPHEN = re.compile(r"(?<![\w.)\]–−-])-(?=\d)")
EXPONENT = re.compile(r"(?<=\d)e([+-])0*(\d+)\b")
BEHIND = re.compile(r"[.,;:!?)\]’”]+\S*")
BEFORE = re.compile(r"\S*[(\[‘“]$")
PER_CENT = re.compile(r"(?<=\d) %")
RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def printed(text: str) -> str:
    """The text with U+2212 before negative numbers, and 3e-13 as 3 × 10⁻¹³ and 65 % in one piece."""
    text = EXPONENT.sub(lambda m: f"\u00a0×\u00a010{(m[1].strip('+') + m[2]).translate(RAISED)}", text)
    return HYPHEN.sub("−", PER_CENT.sub("\u00a0%", text))


def typeset(document: nodes.document) -> None:
    """Set the numbers of a page as :func:`printed` does, but for those of code and formulas."""
    for node in list(document.findall(nodes.Text)):
        above = node.parent
        while above is not None and not isinstance(above, KEPT):
            above = above.parent
        if above is None and (text := printed(node)) != node:
            node.parent.replace(node, nodes.Text(text))


def keep_together(document: nodes.document) -> None:
    """Put each formula in a line of text into one piece with the punctuation that touches it."""
    for formula in list(document.findall(nodes.math)):
        parent = formula.parent
        place = parent.index(formula)
        before, behind = (
            text if isinstance(text, nodes.Text) else nodes.Text("")
            for text in (parent[place - 1] if place else None, *parent[place + 1 : place + 2], None)[:2]
        )
        opening, closing = BEFORE.search(before), BEHIND.match(behind)
        if not opening and not closing:
            continue
        piece = nodes.inline(classes=["one-piece"])
        # by place: of two equal texts, `replace` would take the first
        if closing:
            parent[place + 1] = nodes.Text(behind[closing.end() :])
        if opening:
            parent[place - 1] = nodes.Text(before[: opening.start()])
            piece += nodes.Text(opening[0])
        parent[place] = piece
        piece += formula
        if closing:
            piece += nodes.Text(closing[0])


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the extension; called by Sphinx."""
    app.connect("doctree-resolved", lambda app, document, name: typeset(document))
    app.connect("doctree-resolved", lambda app, document, name: keep_together(document))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
