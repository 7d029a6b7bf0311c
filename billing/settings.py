"""Every setting, read once at start from `GUDOK_*` variables or from secret files (design section 6).

How Temporal is reached is not here: the SDK reads `TEMPORAL_ADDRESS`, `TEMPORAL_NAMESPACE` and their relatives itself.
docs/reference/settings.md is generated from this module by docs/generate.py.
"""

import base64
from collections.abc import Callable
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from pydantic_settings import SettingsError as SourceError

from billing.domain.dunning import EndAction
from billing.domain.money import MAX_AMOUNT
from billing.domain.takeover import AtEnd
from billing.setting_values import (
    DatabaseUrl,
    Keys,
    NamedKeys,
    Networks,
    Port,
    RetryDay,
    Secrets,
    Url,
    decode_key,
    split,
)

PREFIX = "GUDOK_"
SECRET_FILES = Path("/run/secrets")
"""Where container engines put secrets as files; a file is named like its variable, in lower case."""

LOCAL_IMP_KEY = "imp_apikey"
LOCAL_IMP_SECRET = "ekKoeW8RyKuT0zgaZsUtXXTLQ4AhPFW3ZGseDA6bkA5lamv9OqDMnxyeB9wqOsuO9W3Mx9YSJ4dTqJ3f"  # noqa: S105 - from PortOne's public guide
LOCAL_API_KEY = "gudok_local_key"
LOCAL_WEBHOOK_SECRET = "gudok-local-webhook-secret"  # noqa: S105 - production refuses it
LOCAL_VAULT_KEY = base64.b64encode(b"gudok-local-vault-key-not-secret").decode()
LOCAL_EVENT_KEY = base64.b64encode(b"gudok-local-event-key-not-secret").decode()

PORTONE_WEBHOOK_ADDRESSES = ("52.78.100.19", "52.78.48.223", "52.78.5.241")
"""Where PortOne's V1 webhooks come from (facts.md, webhooks)."""
LOOPBACK = ("127.0.0.0/8", "::1/128")

IPNetwork = IPv4Network | IPv6Network
LogFormat = Literal["console", "json"]

# A secret that a person could type is a secret that a program can guess.
_LEAST_SECRET_CHARACTERS = 16
# Temporal writes a version as name:build-id, and in places as name.build-id; its controller names with a slash.
_DEPLOYMENT_NAME = r"^[A-Za-z0-9][A-Za-z0-9_/-]{0,199}$"
_BUILD_ID = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$"
# Named by Temporal's worker controller, so not ours to name.
_TEMPORAL = {
    "temporal_deployment_name": "TEMPORAL_DEPLOYMENT_NAME",
    "temporal_worker_build_id": "TEMPORAL_WORKER_BUILD_ID",
}


class Mode(StrEnum):
    """How careful to be: only `production` refuses defaults, plain http and short secrets."""

    LOCAL = "local"
    TEST = "test"
    PRODUCTION = "production"


class InvalidSettingsError(ValueError):
    """Settings that cannot be started with; every line names a variable and none shows a value."""


def _allowed_addresses(data: dict[str, Any]) -> tuple[IPNetwork, ...]:
    local = data["mode"] is not Mode.PRODUCTION
    return tuple(ip_network(address) for address in (*PORTONE_WEBHOOK_ADDRESSES, *(LOOPBACK if local else ())))


def _loopback_endpoints(data: dict[str, Any]) -> bool:
    return data["mode"] is not Mode.PRODUCTION


def _log_format(data: dict[str, Any]) -> LogFormat:
    return "json" if data["mode"] is Mode.PRODUCTION else "console"


class Settings(BaseSettings):
    """What one process of gudok needs to know; every field is the variable `GUDOK_` plus its name in capitals.

    A variable that is set to nothing counts as not set. Lists are separated by commas.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_ignore_empty=True,
        validate_by_name=True,
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        validate_default=True,
    )

    mode: Mode = Field(
        Mode.LOCAL,
        description="`local`, `test` or `production`. "
        "Production refuses every default secret, secrets under 16 characters, and addresses without https.",
    )

    portone_url: Url = Field(
        "http://127.0.0.1:8100",
        description="Where PortOne's V1 REST API answers: `https://api.iamport.kr`, or an emulator.",
    )
    portone_imp_key: str = Field(
        LOCAL_IMP_KEY, min_length=1, description="REST API key from PortOne's console (`imp_key`)."
    )
    portone_imp_secret: SecretStr = Field(
        SecretStr(LOCAL_IMP_SECRET),
        min_length=1,
        description="REST API secret from PortOne's console (`imp_secret`); the default is the one in PortOne's guide.",
    )
    portone_include_sandbox: bool = Field(
        False, description="Whether look-ups also find payments of test channels (`include_sandbox`)."
    )
    portone_tier: str | None = Field(
        None, pattern=r"^[A-Za-z0-9]{1,10}$", description="Sub-merchant code of an agency account (`Tier` header)."
    )
    portone_timeout_seconds: float = Field(
        30.0, gt=0, le=120, description="Longest wait for one answer of PortOne, from connecting to the last byte."
    )

    database_url: DatabaseUrl = Field(
        SecretStr("sqlite:///.gudok/ledger.db"),
        description="The ledger: `sqlite:///path`, or `postgresql://user:password@host/name`.",
    )

    public_url: Url = Field(
        "http://127.0.0.1:8000",
        description="Address under which PortOne and payers reach the api; every `notice_url` starts with it.",
    )
    api_host: str = Field("127.0.0.1", description="Address that the api listens on.")
    api_port: Port = Field(8000, description="Port that the api listens on; 0 takes any free one.")
    api_keys: Secrets = Field(
        (SecretStr(LOCAL_API_KEY),),
        min_length=1,
        description="Keys that callers of the api show; list the new one beside the old one to rotate.",
    )
    trusted_proxies: Networks = Field(
        (), description="Addresses or CIDR ranges of proxies whose `X-Forwarded-For` is believed."
    )
    max_amount: int = Field(
        MAX_AMOUNT, ge=1, le=MAX_AMOUNT, description="Largest amount of one charge, in minor units of its currency."
    )
    max_body_bytes: int = Field(65_536, ge=1_024, description="Largest request body that the api reads.")
    header_seconds: float = Field(
        10.0, gt=0, le=120, description="How long a caller may take to send the head of a request."
    )
    body_seconds: float = Field(
        20.0, gt=0, le=300, description="How long a caller may take to send the body of a request, as a whole."
    )
    write_seconds: float = Field(
        30.0, gt=0, le=300, description="How long a caller may leave an answer unread before the connection is cut."
    )
    max_connections: int = Field(
        800,
        ge=10,
        le=100_000,
        description="Connections that the api holds at once, idle ones included; one more is answered 503 and closed. "
        "Keep it below the process's limit of open files.",
    )
    first_answer_seconds: float = Field(
        20.0,
        gt=0,
        le=300,
        description="How long starting a subscription waits for its first charge before it answers 202.",
    )

    webhook_secret: Secrets = Field(
        (SecretStr(LOCAL_WEBHOOK_SECRET),),
        min_length=1,
        description="Signs the webhook address of every charge. The first signs, all are accepted: "
        "keep an old one for as long as schedules made with it may execute.",
    )
    webhook_allowed_ips: Networks = Field(
        default_factory=_allowed_addresses,
        description="Sources accepted on the webhook addresses without a token: PortOne's published ones "
        "unless set, and loopback outside production.",
    )

    vault_key: Keys = Field(
        (SecretStr(LOCAL_VAULT_KEY),),
        min_length=1,
        description="Seals cards in the one-time vault: 32 bytes in base64 or hexadecimal. "
        "The first seals, all open; an old one may go after `vault_ttl_minutes`.",
    )
    vault_ttl_minutes: int = Field(15, ge=1, le=1_440, description="How long a sealed card can be used.")
    event_key: Keys = Field(
        (SecretStr(LOCAL_EVENT_KEY),),
        min_length=1,
        description="Seals the secrets that sign outgoing events: 32 bytes in base64 or hexadecimal. "
        "The first seals, all open; an old one may go once an api has started with the new one in front.",
    )
    event_secret_overlap_hours: int = Field(
        24, ge=0, le=168, description="How long a replaced event secret still signs beside the new one."
    )
    event_loopback: bool = Field(
        default_factory=_loopback_endpoints,
        description="Whether events may go to this machine, over http and to any port; never in production.",
    )
    payload_keys: NamedKeys = Field(
        (),
        description="Keys that will encrypt what Temporal stores: `id:key`, the key like `vault_key`. "
        "Checked for their form, and not used yet: nothing is encrypted by setting them.",
    )

    product_type: Literal["digital", "real"] = Field(
        "digital", description="What is sold, which KSNET has to be told of every charge: digital content or goods."
    )
    schedule_horizon_days: int = Field(
        80, ge=1, le=85, description="Charges further away wait in Temporal before they are scheduled at PortOne."
    )
    retry_after_days: Annotated[tuple[RetryDay, ...], NoDecode, BeforeValidator(split)] = Field(
        (1, 3, 5, 7), max_length=14, description="Days between one declined attempt of a cycle and the next one."
    )
    grace_days: int = Field(
        7,
        ge=0,
        le=60,
        description="Days of access after the first decline of a cycle; retries do not move it.",
    )
    dunning_end_action: EndAction = Field(
        EndAction.CANCEL,
        description="What becomes of a subscription when every retry is declined: `cancel`, `unpaid` or `leave`.",
    )
    foreign_schedules_at_end: AtEnd = Field(
        AtEnd.PARK,
        description="What becomes of charges that nobody here ordered and that are still scheduled on the billing key "
        "of a subscription that ends: `park` leaves them to a person, `revoke` takes them back.",
    )
    notice_days: int = Field(
        7, ge=0, le=60, description="How many days ahead a renewal is announced; 0 announces none."
    )
    trial_notice_days: int = Field(
        3, ge=0, le=60, description="How many days ahead the end of a trial is announced; 0 announces none."
    )
    quiet_minutes: int = Field(
        10, ge=0, le=1_440, description="How long an unanswered charge must stay absent before it counts as not made."
    )
    temporal_deployment_name: str | None = Field(
        None,
        validation_alias=_TEMPORAL["temporal_deployment_name"],
        pattern=_DEPLOYMENT_NAME,
        description="The worker deployment that a worker belongs to; without it workers run without a version. "
        "Temporal's worker controller sets it.",
    )
    temporal_worker_build_id: str | None = Field(
        None,
        validation_alias=_TEMPORAL["temporal_worker_build_id"],
        pattern=_BUILD_ID,
        description="The version of a worker's code within its deployment: another one for each release. "
        "Temporal's worker controller sets it.",
    )
    first_version_becomes_current: bool = Field(
        False,
        description="Whether a worker makes its version current where no version of its deployment ever was: "
        "until one is, no worker with a version is given work.",
    )
    dark_patches: Annotated[tuple[str, ...], NoDecode, BeforeValidator(split)] = Field(
        (),
        description="Ids of `workflow.patched` that a worker knows and does not take yet, "
        "so that the release before the one that takes them can carry on what they began.",
    )
    reconcile_every_hours: int = Field(
        6,
        ge=0,
        le=168,
        description="How often PortOne is compared with the ledger and the workflows, three days back; "
        "once a day, 35 days back. 0 is never.",
    )
    overdue_minutes: int = Field(
        120,
        ge=1,
        le=10_080,
        description="How long something may be due before it is an alarm that nobody settled it (runbooks/overdue.md).",
    )
    task_queue: str = Field("billing", min_length=1, max_length=200, description="Temporal task queue of the workers.")
    temporal_ui_url: Url = Field(
        "http://127.0.0.1:8233", description="Address of the Temporal UI, for the links in answers of the api."
    )

    emulator_host: str = Field("127.0.0.1", description="Address that the PortOne emulator listens on.")
    emulator_port: Port = Field(8100, description="Port that the PortOne emulator listens on; 0 takes any free one.")
    emulator_state_file: Path = Field(
        Path(".gudok/emulator.db"), description="Where the PortOne emulator keeps its books across starts."
    )

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="Least level that is logged.")
    log_format: LogFormat = Field(
        default_factory=_log_format,
        description="One coloured line per event, or one JSON object; JSON in production unless set.",
    )
    metrics_host: str = Field("127.0.0.1", description="Address on which a worker serves `/metrics`.")
    metrics_port: Port | None = Field(
        None, description="Port on which a worker serves `/metrics` for Prometheus; unset: nowhere."
    )

    @model_validator(mode="after")
    def _refuse_what_production_must_not_have(self) -> Self:
        if self.mode is Mode.PRODUCTION and (faults := _production_faults(self)):
            raise ValueError("\n".join(faults))
        return self

    @model_validator(mode="after")
    def _name_a_whole_version(self) -> Self:
        unset = [name for name in _TEMPORAL if getattr(self, name) is None]
        if len(unset) == 1:
            raise ValueError(
                f"{_TEMPORAL[unset[0]]}: a version is a deployment name and a build id; set both or neither"
            )
        return self

    def vault_keys(self) -> tuple[bytes, ...]:
        """The vault's keys, 32 bytes each; the first seals."""
        return tuple(decode_key(key.get_secret_value()) for key in self.vault_key)

    def event_keys(self) -> tuple[bytes, ...]:
        """The keys of the event secrets, 32 bytes each; the first seals."""
        return tuple(decode_key(key.get_secret_value()) for key in self.event_key)

    def payload_keyring(self) -> dict[str, bytes]:
        """Key id to 32 bytes, in the order given; the first encrypts, and none means no encryption."""
        pairs = (pair.get_secret_value().partition(":") for pair in self.payload_keys)
        return {name: decode_key(key) for name, _, key in pairs}


def _production_faults(settings: Settings) -> list[str]:
    def shown(value: Any) -> list[str]:
        values = value if isinstance(value, tuple) else (value,)
        return [v.get_secret_value() if isinstance(v, SecretStr) else str(v) for v in values]

    defaults = {
        "portone_imp_key": LOCAL_IMP_KEY,
        "portone_imp_secret": LOCAL_IMP_SECRET,
        "api_keys": LOCAL_API_KEY,
        "webhook_secret": LOCAL_WEBHOOK_SECRET,
        "vault_key": LOCAL_VAULT_KEY,
        "event_key": LOCAL_EVENT_KEY,
    }
    faults = [
        f"{variable(name)}: the default is for local use; set one of your own"
        for name, default in defaults.items()
        if default in shown(getattr(settings, name))
    ]
    faults += [
        f"{variable(name)}: must be an https:// address"
        for name in ("public_url", "portone_url")
        if not getattr(settings, name).startswith("https://")
    ]
    faults += [
        f"{variable(name)}: needs at least {_LEAST_SECRET_CHARACTERS} characters"
        for name in ("portone_imp_secret", "api_keys", "webhook_secret")
        if any(len(text) < _LEAST_SECRET_CHARACTERS for text in shown(getattr(settings, name)))
    ]
    if settings.event_loopback:
        faults.append(f"{variable('event_loopback')}: events never go to this machine in production")
    if settings.portone_imp_key == settings.portone_imp_secret.get_secret_value():
        faults.append(f"{variable('portone_imp_secret')}: is the same as {variable('portone_imp_key')}")
    return faults


def variable(field: str) -> str:
    """The environment variable that sets a field."""
    return field if field in _TEMPORAL.values() else _TEMPORAL.get(field, f"{PREFIX}{field.upper()}")


def load_settings(**overrides: Any) -> Settings:
    """The settings of this process: overrides first, then variables, then secret files, then defaults.

    Raises:
        InvalidSettingsError: what is wrong, one line per variable.
    """
    sources: dict[str, Any] = {"_secrets_dir": SECRET_FILES} if SECRET_FILES.is_dir() else {}
    build: Callable[..., Settings] = Settings
    try:
        return build(**sources, **overrides)
    except ValidationError as error:
        raise InvalidSettingsError("\n".join(_fault_lines(error))) from None
    except SourceError as error:
        raise InvalidSettingsError(str(error)) from None


def _fault_lines(error: ValidationError) -> list[str]:
    lines = []
    for fault in error.errors(include_url=False, include_context=False, include_input=False):
        if fault["type"] == "default_factory_not_called":  # only says that another line is wrong
            continue
        message = fault["msg"].removeprefix("Value error, ")
        lines.append(f"{variable(str(fault['loc'][0]))}: {message}" if fault["loc"] else message)
    return lines
