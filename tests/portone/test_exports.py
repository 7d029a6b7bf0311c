"""What the package promises by name."""

import billing.portone
from billing.portone import PortOneClient

CALLS = """
    aclose server_now list_channels list_billing_keys find_billing_key issue_billing_key delete_billing_key
    list_billing_key_payments list_billing_key_schedules list_customer_schedules charge_onetime charge_again schedule
    find_schedule list_schedules move_schedule reschedule retry_schedule unschedule find_payment list_payments
    find_payment_by_merchant_uid find_all_payments list_payments_by_status cancel_payment prepare find_prepared
    change_prepared include_sandbox
"""


def test_every_exported_name_is_there():
    assert sorted(billing.portone.__all__) == list(billing.portone.__all__)
    for name in billing.portone.__all__:
        assert getattr(billing.portone, name).__doc__, name


def test_the_client_has_the_agreed_calls_and_no_others():
    public = {name for name in vars(PortOneClient) if not name.startswith("_")}
    assert public == set(CALLS.split())
    for name in public:
        assert getattr(PortOneClient, name).__doc__, name
