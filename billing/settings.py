"""Every setting of gudok, read from `GUDOK_*` in the environment or from `.env`.

Local mode runs with the defaults below, so that `gudok up` needs no set-up.
Production mode refuses every default secret, and names the setting, never its value.
"""

import base64
import binascii
import ipaddress
from functools import cached_property
from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

Mode = Literal["local", "test", "production"]

# What PortOne's guide prints; it opens the emulator and nothing else.
GUIDE_IMP_SECRET = "ekKoeW8RyKuT0zgaZsUtXXTLQ4AhPFW3ZGseDA6bkA5lamv9OqDMnxyeB9wqOsuO9W3Mx9YSJ4dTqJ3f"  # noqa: S105
LOCAL_API_KEY = "gudok_local_key"
LOCAL_WEBHOOK_SECRET = "gudok-local-webhook-secret"  # noqa: S105 - refused in production
LOCAL_VAULT_KEY = base64.b64encode(b"gudok-local-vault-key-32-bytes!!").decode()

PORTONE_ADDRESSES = ("52.78.100.19", "52.78.48.223", "52.78.5.241")
"""Where PortOne's webhooks come from (facts.md 3.4)."""

_KEY_BYTES = 32


class Settings(BaseSettings):
    """What one process of gudok runs with."""

    model_config = SettingsConfigDict(env_prefix="GUDOK_", env_file=".env", extra="ignore", frozen=True)

    mode: Mode = Field("local", description="`local`, `test` or `production`; production refuses default secrets.")
    portone_url: str = Field("http://127.0.0.1:8700", description="Base URL of the PortOne V1 REST API.")
    portone_imp_key: str = Field("imp_apikey", description="REST API key.")
    portone_imp_secret: SecretStr = Field(SecretStr(GUIDE_IMP_SECRET), description="REST API secret.")
    portone_include_sandbox: bool = Field(
        False, description="Whether look-ups include payments of test channels (`include_sandbox`)."
    )
    portone_timeout_seconds: float = Field(30.0, gt=0, le=60, description="Total deadline of one call to PortOne.")
    database_url: str = Field(
        "sqlite:///.gudok/ledger.db", description="The ledger: `sqlite:///path` or `postgresql://…`."
    )
    public_url: str = Field(
        "http://127.0.0.1:8080", description="Where PortOne reaches this api; `notice_url` is built from it."
    )
    api_keys: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        (SecretStr(LOCAL_API_KEY),), description="API keys, separated by commas."
    )
    webhook_secret: SecretStr = Field(
        SecretStr(LOCAL_WEBHOOK_SECRET),
        description="Signs the token in each `notice_url`; several separated by commas: the first signs, all verify.",
    )
    vault_key: SecretStr = Field(
        SecretStr(LOCAL_VAULT_KEY),
        description="32 bytes in base64 that seal the card vault; several by commas: the first seals, all open.",
    )
    vault_ttl_minutes: int = Field(15, ge=1, le=60, description="How long a sealed card lives at most.")
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Addresses or networks of the proxies whose `X-Forwarded-For` is believed, by commas."
    )
    webhook_allowed_ips: Annotated[tuple[str, ...], NoDecode] = Field(
        PORTONE_ADDRESSES,
        description="Who may call the webhook URLs without a token, by commas; local and test mode add loopback.",
    )
    max_amount: int = Field(100_000_000, gt=0, description="The largest amount of one charge, in minor units.")
    schedule_horizon_days: int = Field(
        80, ge=1, le=89, description="How far ahead a charge is registered at PortOne; further away a timer waits."
    )
    quiet_minutes: int = Field(
        10, ge=1, description="How long the absence of a charge proves nothing after its answer was lost."
    )
    retry_after_days: Annotated[tuple[int, ...], NoDecode] = Field(
        (1, 3, 5, 7), description="Days between a declined attempt and the next, by commas."
    )
    first_answer_seconds: float = Field(
        20.0, gt=0, description="How long a request waits for an outcome before it answers 202."
    )
    temporal_ui_url: str = Field("http://127.0.0.1:8233", description="Where the Temporal UI is, for links.")
    log_format: Literal["console", "json"] = Field("console", description="How log lines are written.")

    @field_validator("api_keys", "trusted_proxies", "webhook_allowed_ips", "retry_after_days", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value

    @field_validator("trusted_proxies", "webhook_allowed_ips")
    @classmethod
    def _are_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for network in value:
            ipaddress.ip_network(network, strict=False)
        return value

    @model_validator(mode="after")
    def _is_fit_for_its_mode(self) -> Self:
        if any(len(key) != _KEY_BYTES for key in self.vault_keys):
            raise ValueError("GUDOK_VAULT_KEY must be 32 bytes in base64")
        if self.mode == "production":
            unfit = [f"GUDOK_{name.upper()}" for name, is_unfit in self._unfit_in_production().items() if is_unfit]
            if unfit:
                raise ValueError(f"production mode refuses the default or plain-http value of: {', '.join(unfit)}")
        return self

    def _unfit_in_production(self) -> dict[str, bool]:
        return {
            "portone_imp_secret": self.portone_imp_secret.get_secret_value() == GUIDE_IMP_SECRET,
            "api_keys": not self.api_keys or LOCAL_API_KEY in self.api_key_values,
            "webhook_secret": LOCAL_WEBHOOK_SECRET in self.webhook_secrets,
            "vault_key": LOCAL_VAULT_KEY in self.vault_key.get_secret_value(),
            "public_url": not self.public_url.startswith("https://"),
        }

    @cached_property
    def api_key_values(self) -> tuple[str, ...]:
        """The API keys in the clear."""
        return tuple(key.get_secret_value() for key in self.api_keys)

    @cached_property
    def webhook_secrets(self) -> tuple[str, ...]:
        """The secrets of the notice token, the signing one first."""
        return tuple(part.strip() for part in self.webhook_secret.get_secret_value().split(",") if part.strip())

    @cached_property
    def vault_keys(self) -> tuple[bytes, ...]:
        """The keys of the card vault, the sealing one first."""
        parts = [part.strip() for part in self.vault_key.get_secret_value().split(",") if part.strip()]
        try:
            return tuple(base64.b64decode(part, validate=True) for part in parts)
        except binascii.Error:
            raise ValueError("GUDOK_VAULT_KEY must be 32 bytes in base64") from None

    @property
    def is_local(self) -> bool:
        """Whether this is a machine to try things on: local or test mode."""
        return self.mode != "production"
