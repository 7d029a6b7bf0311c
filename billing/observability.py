"""Logs and metrics of every process: what is said, in which form, and what is counted.

Labels name kinds of things, never a customer, an order or an address.
"""

import logging
import sys
from typing import TextIO

import structlog
from prometheus_client import Counter, Gauge, Histogram, start_http_server
from structlog.typing import Processor

from billing.redaction import redact_event
from billing.settings import Settings

WEBHOOKS = Counter("gudok_webhooks", "Webhooks of PortOne, by what became of them.", ["disposition"])
PORTONE_CALLS = Counter("gudok_portone_calls", "Calls to PortOne, by call and outcome.", ["call", "outcome"])
PORTONE_CALL_SECONDS = Histogram(
    "gudok_portone_call_seconds",
    "How long PortOne took to answer.",
    ["call"],
    # A card network answers in one to five seconds; 30 s is where the client gives up.
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 20, 30),
)
CHARGES = Counter("gudok_charges", "Charges, by outcome.", ["outcome"])
EVENT_DELIVERIES = Counter(
    "gudok_event_deliveries", "Attempts to deliver an event, by what they left it as.", ["outcome"]
)
ACTIVITY_ERRORS = Counter(
    "gudok_activity_errors", "Activities that raised, by activity and error.", ["activity", "error"]
)
DIFFERENCES = Counter("gudok_differences", "Differences that reconciliation found and opened, by kind.", ["kind"])

OVERDUE_PERIODS = Gauge(
    "gudok_overdue_periods", "Periods that are due, neither paid nor parked, and waited for by nobody; should be 0."
)
OVERDUE_LOOKED_AT = Gauge(
    "gudok_overdue_looked_at_seconds", "When overdue periods were last looked for, in seconds since 1970."
)

# Their lines carry whole addresses, and addresses carry tokens; an engine's echo carries parameters.
_QUIET = ("httpcore", "httpx", "aiohttp.access", "sqlalchemy.engine", "uvicorn.access")
# Started by their own command they bring handlers of their own, which would print past the redaction.
_TAKEN_OVER = ("alembic", "temporalio", "uvicorn", "uvicorn.error")


def configure_logging(settings: Settings, stream: TextIO | None = None) -> None:
    """Send every log line of this process, structlog's and the standard library's, through one redacting handler.

    Lines go to standard error unless another stream is given; calling it again replaces what it set up.
    A uvicorn server must be started with `log_config=None`, or it sets up its own handlers again.
    """
    stream = stream or sys.stderr
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                redact_event,
                _renderer(settings, stream),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level)
    for name in _TAKEN_OVER:
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True
    for name in _QUIET:
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).setLevel(logging.WARNING)


def _renderer(settings: Settings, stream: TextIO) -> Processor:
    if settings.log_format == "json":
        return structlog.processors.JSONRenderer(default=str, ensure_ascii=False)
    # The plain traceback: the rich one prints local variables, and a local variable may be a card.
    return structlog.dev.ConsoleRenderer(
        colors=stream.isatty(), exception_formatter=structlog.dev.plain_traceback, pad_event_to=0
    )


def serve_metrics(settings: Settings) -> None:
    """Serve `/metrics` of this process from a thread of its own, if a port is set."""
    if settings.metrics_port is not None:
        start_http_server(settings.metrics_port, addr=settings.metrics_host)
