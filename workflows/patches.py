"""The ids of `workflow.patched`, oldest first, with a sentence each; none since the histories were recorded.

A run that began before one goes on in its old way until it continues as new (docs/runbooks/deploy.md).
"""

from collections.abc import Mapping
from types import MappingProxyType

PATCHES: Mapping[str, str] = MappingProxyType({})
"""Every id that the workflows ask for: what has been different since it."""
