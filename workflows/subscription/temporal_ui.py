"""What the Temporal UI shows of a subscription: search attributes, and the story in its current details."""

from datetime import datetime

from temporalio import workflow
from temporalio.common import SearchAttributeKey

from billing.domain.subscription.projections import details
from billing.domain.subscription.subscription import Subscription

STATUS = SearchAttributeKey.for_keyword("SubscriptionStatus")
PG_PROVIDER = SearchAttributeKey.for_keyword("PgProvider")
NEXT_CHARGE_AT = SearchAttributeKey.for_datetime("NextChargeAt")
FAILED_ATTEMPTS = SearchAttributeKey.for_int("FailedAttempts")
PARKED = SearchAttributeKey.for_keyword("Parked")

_Shown = tuple[str, str | None, datetime | None, int, str | None]


class TemporalUi:
    """What is shown of one run, so that search attributes are sent only when they have changed."""

    def __init__(self) -> None:
        self._shown: _Shown | None = None

    def show(self, subscription: Subscription) -> None:
        """Show where the subscription stands."""
        state = subscription.state
        parked = state.parked.items[0].kind.value if state.parked.items else None
        next_charge_at, failures = subscription.terms.next_charge_at(), state.arrears.failed_attempts
        shown = (state.status.value, state.method.pg_provider, next_charge_at, failures, parked)
        if shown != self._shown:
            self._shown = shown
            provider = state.method.pg_provider
            workflow.upsert_search_attributes(
                [
                    STATUS.value_set(state.status.value),
                    PG_PROVIDER.value_set(provider) if provider else PG_PROVIDER.value_unset(),
                    NEXT_CHARGE_AT.value_set(next_charge_at) if next_charge_at else NEXT_CHARGE_AT.value_unset(),
                    FAILED_ATTEMPTS.value_set(failures),
                    PARKED.value_set(parked) if parked else PARKED.value_unset(),
                ]
            )
        self.tell(subscription)

    def tell(self, subscription: Subscription) -> None:
        """Tell where the subscription stands in its current details alone, which cost no event."""
        workflow.set_current_details(details(subscription))
