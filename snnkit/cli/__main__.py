"""``python -m snnkit.cli`` is the command ``snnkit``."""

from snnkit.cli import app

app()
