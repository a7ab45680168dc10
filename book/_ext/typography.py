"""Sphinx extension of the book: numbers in text as they are printed, with a minus sign and powers of ten.

What cells compute arrives as Python writes it (-0.5, 3e-13), and so does what is typed in the pages.
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
RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def printed(text: str) -> str:
    """The text with U+2212 before negative numbers, and 3e-13 as 3 × 10⁻¹³ in one piece."""
    text = EXPONENT.sub(lambda m: f"\u00a0×\u00a010{(m[1].strip('+') + m[2]).translate(RAISED)}", text)
    return HYPHEN.sub("−", text)


def typeset(document: nodes.document) -> None:
    """Set the numbers of a page as :func:`printed` does, but for those of code and formulas."""
    for node in list(document.findall(nodes.Text)):
        above = node.parent
        while above is not None and not isinstance(above, KEPT):
            above = above.parent
        if above is None and (text := printed(node)) != node:
            node.parent.replace(node, nodes.Text(text))


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the extension; called by Sphinx."""
    app.connect("doctree-resolved", lambda app, document, name: typeset(document))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
