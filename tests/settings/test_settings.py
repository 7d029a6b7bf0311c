"""What a process may start with, and what it must refuse to start with."""

import base64
import re
from ipaddress import ip_network
from pathlib import Path

import pytest

from billing import settings as module
from billing.domain.money import MAX_AMOUNT
from billing.settings import (
    LOCAL_API_KEY,
    LOCAL_EVENT_KEY,
    LOCAL_IMP_SECRET,
    LOCAL_VAULT_KEY,
    LOCAL_WEBHOOK_SECRET,
    InvalidSettingsError,
    Mode,
    Settings,
    load_settings,
    variable,
)

KEY = bytes(range(32))
BASE64_KEY = base64.b64encode(KEY).decode()

PRODUCTION = {
    "GUDOK_MODE": "production",
    "GUDOK_PORTONE_URL": "https://api.iamport.kr",
    "GUDOK_PORTONE_IMP_KEY": "1234567890123456",
    "GUDOK_PORTONE_IMP_SECRET": "a-secret-from-the-console-" + "x" * 40,
    "GUDOK_PUBLIC_URL": "https://billing.example.com/",
    "GUDOK_API_KEYS": "first-api-key-0123456789, second-api-key-0123456789",
    "GUDOK_WEBHOOK_SECRET": "newer-webhook-secret,older-webhook-secret",
    "GUDOK_VAULT_KEY": BASE64_KEY,
    "GUDOK_EVENT_KEY": BASE64_KEY,
    "GUDOK_DATABASE_URL": "postgresql://gudok:a-database-password@db/gudok",
}


@pytest.fixture(autouse=True)
def _only_the_variables_of_the_test(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(module, "SECRET_FILES", tmp_path / "none")


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name, value in PRODUCTION.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORTONE_IMP_KEY", "imp_apikey"),
        ("PORTONE_IMP_SECRET", LOCAL_IMP_SECRET),
        ("API_KEYS", f"another-key-0123456789,{LOCAL_API_KEY}"),
        ("WEBHOOK_SECRET", f"another-secret-0123456789,{LOCAL_WEBHOOK_SECRET}"),
        ("VAULT_KEY", f"{BASE64_KEY},{LOCAL_VAULT_KEY}"),
        ("EVENT_KEY", f"{BASE64_KEY},{LOCAL_EVENT_KEY}"),
        ("EVENT_LOOPBACK", "true"),
        ("PUBLIC_URL", "http://billing.example.com"),
        ("PORTONE_URL", "http://api.iamport.kr"),
        ("API_KEYS", "short-key"),
        ("WEBHOOK_SECRET", "short-secret"),
    ],
)
def test_production_refuses_a_default_or_weak_setting_by_name_and_never_shows_it(
    environment: pytest.MonkeyPatch, name: str, value: str
) -> None:
    environment.setenv(f"GUDOK_{name}", value)
    with pytest.raises(InvalidSettingsError) as refused:
        load_settings()
    assert {line.partition(":")[0] for line in str(refused.value).splitlines()} == {f"GUDOK_{name}"}
    assert value not in str(refused.value)
    with pytest.raises(ValueError, match=f"GUDOK_{name}") as raw:
        Settings()
    assert value not in str(raw.value)


def test_production_without_settings_names_everything_that_is_missing_at_once(environment: pytest.MonkeyPatch) -> None:
    for name in PRODUCTION:
        environment.delenv(name)
    environment.setenv("GUDOK_MODE", "production")
    with pytest.raises(InvalidSettingsError) as refused:
        load_settings()
    assert set(re.findall(r"^GUDOK_\w+", str(refused.value), re.MULTILINE)) == set(PRODUCTION) - {
        "GUDOK_MODE",
        "GUDOK_DATABASE_URL",
    }


def test_a_secret_that_repeats_the_key_is_refused(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("GUDOK_PORTONE_IMP_SECRET", PRODUCTION["GUDOK_PORTONE_IMP_KEY"])
    with pytest.raises(InvalidSettingsError, match="GUDOK_PORTONE_IMP_SECRET: is the same as GUDOK_PORTONE_IMP_KEY"):
        load_settings()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("VAULT_KEY", "bm90LTMyLWJ5dGVz"),
        ("VAULT_KEY", "!" * 44),
        ("VAULT_KEY", "ab" * 31),
        ("VAULT_KEY", "가" * 44),
        ("PAYLOAD_KEYS", BASE64_KEY),
        ("PAYLOAD_KEYS", f"a b:{BASE64_KEY}"),
        ("PAYLOAD_KEYS", f"k1:{BASE64_KEY},k1:{BASE64_KEY}"),
        ("PAYLOAD_KEYS", "k1:c2hvcnQ="),
        ("DATABASE_URL", "mysql://u:hidden-password@h/n"),
        ("PUBLIC_URL", "billing.example.com"),
        ("PUBLIC_URL", "https://u:hidden-password@example.com"),
        ("PUBLIC_URL", "https://example.com/?a=b"),
        ("PORTONE_URL", "ftp://api.iamport.kr"),
        ("PORTONE_TIER", "a/../b"),
        ("TRUSTED_PROXIES", "10.0.0.0/33"),
        ("TRUSTED_PROXIES", "*"),
        ("WEBHOOK_ALLOWED_IPS", "52.78.100.19,somewhere"),
        ("RETRY_AFTER_DAYS", "1,0"),
        ("RETRY_AFTER_DAYS", ",".join(["1"] * 15)),
        ("RETRY_AFTER_DAYS", "1;3"),
        ("SCHEDULE_HORIZON_DAYS", "90"),
        ("MAX_AMOUNT", str(MAX_AMOUNT + 1)),
        ("MAX_AMOUNT", "NaN"),
        ("FIRST_ANSWER_SECONDS", "nan"),
        ("API_KEYS", ","),
        ("MODE", "staging"),
        ("API_PORT", "65536"),
        ("FIRST_VERSION_BECOMES_CURRENT", "perhaps"),
    ],
)
def test_a_wrong_value_is_refused_by_name_and_never_shown(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"GUDOK_{name}", value)
    with pytest.raises(InvalidSettingsError) as refused:
        load_settings()
    lines = str(refused.value).splitlines()
    assert [line.partition(":")[0] for line in lines] == [f"GUDOK_{name}"]
    assert value == "," or value not in lines[0].partition(":")[2]


def test_an_unknown_override_is_refused() -> None:
    with pytest.raises(InvalidSettingsError, match="GUDOK_PORTONE_URI"):
        load_settings(portone_uri="http://127.0.0.1")


def test_nothing_set_is_a_working_local_mode() -> None:
    settings = load_settings()
    assert settings.mode is Mode.LOCAL
    assert [key.get_secret_value() for key in settings.api_keys] == ["gudok_local_key"]
    assert settings.vault_keys() == (b"gudok-local-vault-key-not-secret",)
    assert settings.payload_keyring() == {}
    assert settings.database_url.get_secret_value() == "sqlite:///.gudok/ledger.db"
    assert ip_network("127.0.0.0/8") in settings.webhook_allowed_ips
    assert settings.log_format == "console"


def test_production_settings_are_read_as_written(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("GUDOK_RETRY_AFTER_DAYS", "2, 4")
    environment.setenv("GUDOK_TRUSTED_PROXIES", "10.0.0.0/8, 192.0.2.7")
    environment.setenv("GUDOK_PAYLOAD_KEYS", f"2026-11:{KEY.hex()}, 2025:{BASE64_KEY}")
    settings = load_settings()
    assert settings.public_url == "https://billing.example.com"
    assert [key.get_secret_value() for key in settings.webhook_secret] == [
        "newer-webhook-secret",
        "older-webhook-secret",
    ]
    assert settings.retry_after_days == (2, 4)
    assert settings.trusted_proxies == (ip_network("10.0.0.0/8"), ip_network("192.0.2.7"))
    assert list(settings.payload_keyring().items()) == [("2026-11", KEY), ("2025", KEY)]
    assert settings.log_format == "json"
    assert {str(network) for network in settings.webhook_allowed_ips} == {
        "52.78.100.19/32",
        "52.78.48.223/32",
        "52.78.5.241/32",
    }


@pytest.mark.parametrize(
    "text", [BASE64_KEY, BASE64_KEY.rstrip("="), KEY.hex(), KEY.hex().upper(), base64.urlsafe_b64encode(KEY).decode()]
)
def test_a_vault_key_may_be_base64_or_hexadecimal(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("GUDOK_VAULT_KEY", text)
    assert load_settings().vault_keys() == (KEY,)


def test_a_variable_set_to_nothing_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GUDOK_PORTONE_TIER", "")
    monkeypatch.setenv("GUDOK_METRICS_PORT", "")
    assert (load_settings().portone_tier, load_settings().metrics_port) == (None, None)


def test_a_secret_may_lie_in_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "gudok_portone_imp_secret").write_text("from-a-file\n")
    monkeypatch.setattr(module, "SECRET_FILES", tmp_path)
    assert load_settings().portone_imp_secret.get_secret_value() == "from-a-file"


@pytest.mark.parametrize("name", ["TEMPORAL_DEPLOYMENT_NAME", "TEMPORAL_WORKER_BUILD_ID"])
def test_half_a_version_is_refused_and_the_other_half_is_named(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    other = ({"TEMPORAL_DEPLOYMENT_NAME", "TEMPORAL_WORKER_BUILD_ID"} - {name}).pop()
    monkeypatch.setenv(name, "v1")
    with pytest.raises(InvalidSettingsError, match=f"^{other}: "):
        load_settings()


@pytest.mark.parametrize(
    ("name", "value"), [("TEMPORAL_DEPLOYMENT_NAME", "gudok:v1"), ("TEMPORAL_WORKER_BUILD_ID", "v1 beta")]
)
def test_a_version_that_temporal_could_not_write_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv("TEMPORAL_DEPLOYMENT_NAME", "gudok")
    monkeypatch.setenv("TEMPORAL_WORKER_BUILD_ID", "v1")
    monkeypatch.setenv(name, value)
    with pytest.raises(InvalidSettingsError, match=f"^{name}: "):
        load_settings()


def test_the_version_is_read_as_the_worker_controller_injects_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEMPORAL_DEPLOYMENT_NAME", "billing/gudok")
    monkeypatch.setenv("TEMPORAL_WORKER_BUILD_ID", "0.1.0-4f2a")
    monkeypatch.setenv("GUDOK_DARK_PATCHES", "one, two")
    settings = load_settings()
    assert (settings.temporal_deployment_name, settings.temporal_worker_build_id) == ("billing/gudok", "0.1.0-4f2a")
    assert settings.dark_patches == ("one", "two")


def test_overrides_win_over_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GUDOK_API_PORT", "9000")
    assert load_settings(api_port=0).api_port == 0


def test_settings_show_no_secret_however_they_are_printed(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("GUDOK_PAYLOAD_KEYS", f"k1:{BASE64_KEY}")
    settings = load_settings()
    secrets = [BASE64_KEY, "a-database-password", "a-secret-from", "first-api-key", "second-api-key", "webhook-secret"]
    for shown in (repr(settings), str(settings), str(settings.model_dump()), settings.model_dump_json()):
        assert "billing.example.com" in shown
        assert [secret for secret in secrets if secret in shown] == []


def test_settings_cannot_change_after_the_start() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load_settings().mode = Mode.TEST  # type: ignore[misc]


def test_every_setting_has_a_description_and_a_variable() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []
    assert variable("portone_url") == "GUDOK_PORTONE_URL"
    assert variable("temporal_worker_build_id") == "TEMPORAL_WORKER_BUILD_ID"
