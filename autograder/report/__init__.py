"""What grading leaves behind: a table in the terminal, results.json, CSV files, pages for students and the instructor."""
