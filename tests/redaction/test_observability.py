"""What a process prints and counts."""

import io
import json
import logging
import urllib.request
from collections.abc import Iterator

import pytest
import structlog
from prometheus_client import REGISTRY, start_http_server

from billing import observability
from billing.observability import configure_logging
from billing.redaction import MASK
from billing.settings import Settings

CARD = "4111111111111111"


@pytest.fixture(autouse=True)
def _leave_logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def logged(**settings: object) -> io.StringIO:
    stream = io.StringIO()
    configure_logging(Settings(mode="test", **settings), stream)
    return stream


def rows(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_production_logs_one_json_object_per_event_with_its_context() -> None:
    stream = logged(log_format="json")
    with structlog.contextvars.bound_contextvars(merchant_uid="s1"):
        structlog.get_logger("billing").info("charged", amount=9900, name="구독")
    (row,) = rows(stream)
    assert row.items() >= {"event": "charged", "level": "info", "logger": "billing", "amount": 9900}.items()
    assert (row["merchant_uid"], row["name"]) == ("s1", "구독")
    assert str(row["timestamp"]).endswith("Z")


def test_the_standard_library_logs_through_the_same_net() -> None:
    stream = logged(log_format="json")
    error = ValueError(f"card_number={CARD}")
    logging.getLogger("temporalio.activity").warning("failed for %s", CARD, exc_info=error, extra={"cvc": "123"})
    (row,) = rows(stream)
    assert row["event"] == f"failed for {MASK}"
    assert row["cvc"] == MASK
    assert "ValueError" in str(row["exception"])
    assert CARD not in stream.getvalue()


def test_the_console_shows_a_traceback_without_local_variables() -> None:
    stream = logged(log_format="console")
    hidden = "held-in-a-local-variable"
    try:
        int(f"card {CARD} {hidden[:0]}")
    except ValueError:
        structlog.get_logger().exception("failed", url="/webhooks/portone/token-1")
    assert "ValueError" in stream.getvalue()
    assert CARD not in stream.getvalue()
    assert hidden not in stream.getvalue()
    assert "token-1" not in stream.getvalue()
    assert "\x1b[" not in stream.getvalue()


@pytest.mark.parametrize("name", ["httpx", "httpcore", "uvicorn.access", "aiohttp.access", "sqlalchemy.engine.Engine"])
def test_loggers_that_print_addresses_or_parameters_are_silent(name: str) -> None:
    stream = logged(log_format="json", log_level="DEBUG")
    logging.getLogger(name).info("GET https://example.com/secret")
    assert stream.getvalue() == ""


def test_a_library_cannot_print_past_the_redaction_and_setting_up_twice_prints_once() -> None:
    past = io.StringIO()
    logging.getLogger("uvicorn").addHandler(logging.StreamHandler(past))
    logged(log_format="json")
    stream = logged(log_format="json")
    logging.getLogger("uvicorn.error").info("started")
    assert past.getvalue() == ""
    assert [row["event"] for row in rows(stream)] == ["started"]


def test_the_level_is_honoured() -> None:
    stream = logged(log_format="json", log_level="WARNING")
    structlog.get_logger().info("unheard")
    logging.getLogger("any").info("unheard")
    structlog.get_logger().warning("heard")
    assert [row["event"] for row in rows(stream)] == ["heard"]


def test_no_metric_has_a_label_that_names_a_person_or_an_order() -> None:
    ours = [metric for metric in vars(observability).values() if hasattr(metric, "_labelnames")]
    assert {label for metric in ours for label in metric._labelnames} == {
        "activity",
        "call",
        "disposition",
        "kind",
        "error",
        "outcome",
    }


def test_metrics_are_counted_under_their_public_names() -> None:
    observability.PORTONE_CALLS.labels(call="again", outcome="unknown").inc()
    observability.WEBHOOKS.labels(disposition="applied").inc()
    observability.CHARGES.labels(outcome="paid").inc()
    assert REGISTRY.get_sample_value("gudok_portone_calls_total", {"call": "again", "outcome": "unknown"}) >= 1
    assert REGISTRY.get_sample_value("gudok_webhooks_total", {"disposition": "applied"}) >= 1
    assert REGISTRY.get_sample_value("gudok_charges_total", {"outcome": "paid"}) >= 1


def test_a_worker_serves_its_metrics_only_where_a_port_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    started = []
    monkeypatch.setattr(
        observability, "start_http_server", lambda port, addr: started.append(start_http_server(port, addr))
    )
    observability.serve_metrics(Settings(mode="test"))
    assert started == []
    observability.serve_metrics(Settings(mode="test", metrics_port=0))
    ((server, thread),) = started
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}/metrics") as answer:
            assert b"gudok_charges_total" in answer.read()
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
