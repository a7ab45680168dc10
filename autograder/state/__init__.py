"""The interpreter's global state as the course ships it: in place while a probe or a given cell runs, then given back.

It stands alone (the standard library, and of others what has been imported), because the sandbox loads it from its files.
"""

from .baseline import Baseline

__all__ = ["Baseline"]
