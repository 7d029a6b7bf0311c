"""How Hypothesis runs here: no stop-watch per example, because the machine is shared, and no database on disk."""

from hypothesis import settings

settings.register_profile("gudok-domain", deadline=None, database=None)
settings.load_profile("gudok-domain")
