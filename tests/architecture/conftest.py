"""import-linter's command sets up logging for a process of its own; here the process is everybody's."""

import logging
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def _logging_stays_as_it_was() -> Iterator[None]:
    before = {name: logger.disabled for name, logger in _loggers().items()}
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    for name, logger in _loggers().items():
        logger.disabled = before.get(name, False)
    root.handlers[:] = handlers
    root.setLevel(level)


def _loggers() -> dict[str, logging.Logger]:
    known = logging.Logger.manager.loggerDict.items()
    return {name: logger for name, logger in known if isinstance(logger, logging.Logger)}
