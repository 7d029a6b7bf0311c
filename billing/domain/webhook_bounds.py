"""How many webhooks of one order are looked into at once: a webhook is a hint, and whoever has its URL can invent more.

The bound delays no honest one: a charge, its failures and its refunds are fewer. Beyond it the order is looked at as a
whole, and its deadline timers look without any webhook.
"""

from datetime import timedelta

AT_ONCE = 20
"""Different webhooks of one order number that are each looked into within WITHIN."""

WITHIN = timedelta(hours=1)
"""How long a webhook counts."""

TOGETHER_EVERY = timedelta(minutes=10)
"""Those beyond the bound are answered by one look at the order, at most this often; the first follows at once."""

MANY = "*"
"""Stands for the imp_uid of all webhooks of an order beyond the bound: they are counted in one row."""
