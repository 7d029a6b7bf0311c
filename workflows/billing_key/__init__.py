"""Billing keys: issued, looked at, deleted when nothing charges them any more."""
