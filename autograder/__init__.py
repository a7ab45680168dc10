"""Checks, grading and reports of the course."""
