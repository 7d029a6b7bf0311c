"""Where PortOne is told to send a webhook: a URL that is its own credential (design section 2)."""

from billing.domain.notice_token import sign_notice
from billing.settings import Settings


class NoticeUrls:
    """Builds the notice_url of each charge; the secret stays here and never enters Temporal."""

    def __init__(self, settings: Settings) -> None:
        self._public_url = settings.public_url.rstrip("/")
        self._secret = settings.webhook_secret[0].get_secret_value()

    def of(self, workflow_id: str, merchant_uid: str) -> str:
        """The URL for one order of one workflow."""
        return f"{self._public_url}/webhooks/portone/{sign_notice(self._secret, workflow_id, merchant_uid)}"
