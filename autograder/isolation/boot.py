"""Started by its path, ``python -I boot.py MODULE ARGUMENTS``: runs a module of this folder without the rest.

The folder is loaded as a package of another name, so that nothing else of the grader comes with it.
"""

import importlib
import importlib.util
import os
import sys


def load() -> None:
    """Make this folder the package ``isolation``."""
    sys.dont_write_bytecode = True
    folder = os.path.dirname(os.path.abspath(__file__))
    specification = importlib.util.spec_from_file_location(
        "isolation", os.path.join(folder, "__init__.py"), submodule_search_locations=[folder]
    )
    if specification is None or specification.loader is None:
        raise ImportError(f"{folder} cannot be loaded as a package")
    package = importlib.util.module_from_spec(specification)
    sys.modules["isolation"] = package
    specification.loader.exec_module(package)


if __name__ == "__main__":
    load()
    importlib.import_module(f"isolation.{sys.argv[1]}").main(sys.argv[2:])
