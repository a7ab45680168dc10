"""Sphinx extension of the book: a table of the problem sets, made from their sources each time they change."""

from __future__ import annotations

from pathlib import Path

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from autograder.proof.overview import SetRow, sources_of_table, table_of_sets
from autograder.result import number


def row_text(row: SetRow) -> str:
    """One set as a row of a Markdown table."""
    questions = f"{row.checked} + {row.read}"
    points = f"{number(row.checked_points)} + {number(row.read_points)}"
    seconds = [f"{value:.0f} s" if value is not None else "–" for value in (row.reference_s, row.grading_s)]
    counts = [str(count or "–") for count in (row.misconceptions, row.correct, row.wrong, row.mutants)]
    cells = (
        row.title.replace("Problem set ", ""), questions, points, row.objectives_text or "–", row.time or "–",
        *seconds, *counts,
    )  # fmt: skip
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


class ProblemSets(SphinxDirective):
    """The table of the problem sets."""

    def run(self) -> list[nodes.Node]:
        """Return the table."""
        root = Path(self.env.srcdir)
        for source in sources_of_table(root):
            self.env.note_dependency(str(source))
        rows = [
            "| set | questions | points | objectives | a student's time | reference | grading | misconceptions "
            "| correct | wrong | mutants |",
            "|---|---|---|---|---|---|---|---|---|---|---|",
            *map(row_text, table_of_sets(root)),
        ]
        holder = nodes.container()
        self.state.nested_parse(StringList(rows, self.get_source_info()[0]), self.content_offset, holder)
        return list(holder.children)


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the extension; called by Sphinx."""
    app.add_directive("problem-sets", ProblemSets)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
