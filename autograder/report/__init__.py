"""What grading leaves behind: a table in the terminal, results.json, CSV files, pages for students and the instructor."""

from autograder.report.feedback import feedback
from autograder.report.store import add_manual, gradebook_url, read, write
from autograder.report.terminal import notes, table

__all__ = ["add_manual", "feedback", "gradebook_url", "notes", "read", "table", "write"]
