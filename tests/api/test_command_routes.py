"""Every command of the registry can be given over HTTP, under the path that it names."""

import pytest

from api.routes import commands
from workflows.subscription.commands.registry import COMMANDS

UNDER_PARKED = {"decide"}
"""Decided under /v1/parked, where what stands is listed."""


@pytest.mark.parametrize(
    "command", [each for each in COMMANDS if each.name not in UNDER_PARKED], ids=lambda each: each.name
)
def test_a_command_has_a_route_under_its_path(command):
    paths = {route.path for route in commands.router.routes if route.methods & {"POST", "DELETE"}}
    assert f"/v1/subscriptions/{{customer_uid}}/{command.path}" in paths


def test_a_command_says_what_it_does_and_what_it_emits():
    for command in COMMANDS:
        assert command.summary.endswith(".")
        assert command.events
