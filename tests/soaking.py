"""Which variants of a test `make test` lives through, and which are left to `make soak`."""

from collections.abc import Collection, Iterable
from typing import Any

import pytest


def soaking(variants: Iterable[Any], beside: Collection[Any]) -> list[Any]:
    """The variants as parameters: those `beside` in every run, the others in `make soak` alone."""
    return [each if each in beside else pytest.param(each, marks=pytest.mark.soak) for each in variants]
