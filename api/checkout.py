"""The checkout that this product stands in, where it does: what is not installed with it is run from there."""

import importlib.util
from pathlib import Path


def checkout_with(package: str) -> Path | None:
    """The folder in which a package stands beside this product; another package of that name is not it."""
    here = Path(__file__).parents[1]
    found = importlib.util.find_spec(package)
    return here if found is not None and found.origin == str(here / package / "__init__.py") else None
