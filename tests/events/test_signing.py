"""What an endpoint verifies: the signature of the specification, in our hands and in those of the documentation."""

import json
import re
import shutil
import subprocess
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from billing.signing import event_body, new_secret, signed_headers
from tests.patience import PATIENCE_SECONDS

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "events.md").read_text()
# The vector that the libraries of Standard Webhooks share.
SECRET, ID, AT = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330
BODY, SIGNATURE = '{"test": 2432232314}', "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def block(language):
    return re.search(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)[1]


def test_an_instant_of_another_zone_is_never_signed():
    with pytest.raises(ValueError, match="UTC"):
        signed_headers(ID, BODY, [SECRET], datetime.now(timezone(timedelta(hours=9))))
    with pytest.raises(ValueError, match="UTC"):
        event_body("charge.paid", datetime(2026, 1, 1), {})  # noqa: DTZ001 - what is refused


def test_the_published_vector_is_signed_as_published():
    headers = signed_headers(ID, BODY, [SECRET], datetime.fromtimestamp(AT, UTC))
    assert (headers["webhook-id"], headers["webhook-timestamp"]) == (ID, str(AT))
    assert headers["webhook-signature"] == SIGNATURE


def test_the_body_is_type_timestamp_and_data_in_utc():
    body = event_body("charge.paid", datetime(2026, 1, 31, 0, 0, 1, 5000, tzinfo=UTC), {"이름": "월간", "amount": 9900})
    assert json.loads(body) == {
        "type": "charge.paid",
        "timestamp": "2026-01-31T00:00:01.005000Z",
        "data": {"이름": "월간", "amount": 9900},
    }


def test_a_secret_is_256_random_bits_in_the_form_of_the_specification():
    assert len({new_secret() for _ in range(100)}) == 100
    assert re.fullmatch(r"whsec_[A-Za-z0-9+/]{43}=", new_secret())


def test_while_two_secrets_sign_either_verifies_and_no_other():
    old, new = new_secret(), new_secret()
    headers = signed_headers(ID, BODY, [new, old], datetime.now(UTC))
    assert len(headers["webhook-signature"].split(" ")) == 2
    assert Webhook(old).verify(BODY, headers) == Webhook(new).verify(BODY, headers) == json.loads(BODY)
    with pytest.raises(WebhookVerificationError):
        Webhook(new_secret()).verify(BODY, headers)


def test_the_python_of_the_documentation_verifies_and_refuses():
    documented: dict = {}
    exec(block("python"), documented)  # noqa: S102 - our own page
    headers = signed_headers(ID, BODY, [SECRET], datetime.now(UTC))
    assert documented["verified"](SECRET, headers, BODY.encode()) == json.loads(BODY)
    with pytest.raises(WebhookVerificationError):
        documented["verified"](SECRET, headers, BODY.encode() + b" ")


@pytest.mark.parametrize("change", ["none", "body", "secret", "old"])
def test_the_node_of_the_documentation_verifies_and_refuses(change, tmp_path):
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node here")
    # Six minutes are too old; the call comes at once, and has five minutes even on a machine that is busy.
    at = datetime.now(UTC) - timedelta(minutes=6 if change == "old" else 0)
    headers = signed_headers(ID, BODY, [new_secret(), SECRET], at)
    body = BODY + " " if change == "body" else BODY
    secret = new_secret() if change == "secret" else SECRET
    call = f"console.log(JSON.stringify(verified({json.dumps(secret)}, {json.dumps(headers)}, {json.dumps(body)})))"
    script = tmp_path / "verify.mjs"
    script.write_text(f"{block('javascript')}\n{call}\n")
    run = subprocess.run(  # noqa: S603 - the page's own code
        [node, script], capture_output=True, text=True, check=False, timeout=PATIENCE_SECONDS
    )
    assert (run.returncode == 0) is (change == "none"), run.stderr
    if change == "none":
        assert json.loads(run.stdout) == json.loads(BODY)
