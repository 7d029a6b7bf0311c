"""`gudok ...`: run the parts, move time, look at what a cycle costs."""

import asyncio
import contextlib
import socket
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
import uvicorn
from rich.console import Console
from rich.table import Table

from api import bench_command, chaos_command, clock_command, db_command, deployment, listening, local, replay_command
from api import demo as demonstration
from api.app import create_app
from api.audit_command import audit
from api.doctor import doctor
from api.history import CycleCost, cycle_costs
from api.listening import Forwarding, Listener, ListenError
from api.processes import LocalStackError
from api.proof_command import proof
from api.reconcile import reconcile
from api.serving import server_config
from billing.emulator import (
    EmulatorSettings,
    Family,
    Plan,
    PlanError,
    StateLostError,
    create_emulator,
    read_plan,
    read_switches,
    serve,
)
from billing.ledger import Ledger, LedgerLostError
from billing.observability import configure_logging
from billing.process import keep_what_is_loaded
from billing.settings import InvalidSettingsError, Settings, load_settings
from billing.signing import new_secret
from billing.temporal import connect

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, help="Subscription billing on PortOne V1.")
app.add_typer(db_command.app, name="db")
app.add_typer(clock_command.app, name="clock")
app.add_typer(deployment.app, name="deployment")
app.command(context_settings=chaos_command.PASSED_ON)(chaos_command.chaos)
app.command()(replay_command.replay)
app.command()(proof)
app.command()(reconcile)
app.command()(audit)
app.command()(doctor)
app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []})(
    bench_command.bench
)

Answer = TypeVar("Answer")

Descriptor = Annotated[int | None, typer.Option("--fd", hidden=True, help="A socket that listens already, by number.")]
"""How `gudok up` hands its parts the port that it holds for them."""


@app.command()
def up(
    *,
    fresh: Annotated[bool, typer.Option(help="Forget all data first.")] = False,
    data: Annotated[Path, typer.Option(envvar="GUDOK_DATA", help="Folder for data and logs.")] = local.DATA,
    api_port: Annotated[int | None, typer.Option(envvar="GUDOK_API_PORT")] = None,
    emulator_port: Annotated[int | None, typer.Option(envvar="GUDOK_EMULATOR_PORT")] = None,
    temporal_port: Annotated[int | None, typer.Option(envvar="GUDOK_TEMPORAL_PORT")] = None,
    temporal_ui_port: Annotated[int | None, typer.Option(envvar="GUDOK_TEMPORAL_UI_PORT")] = None,
) -> None:
    """Run Temporal with its UI, the PortOne emulator, a worker and the api; Ctrl-C stops them."""
    wanted = {
        "api": api_port,
        "emulator": emulator_port,
        "temporal": temporal_port,
        "temporal_ui": temporal_ui_port,
    }
    _run(local.up(data, wanted, fresh=fresh))


@app.command()
def demo(
    *,
    keep: Annotated[bool, typer.Option(help="Leave it all running for a look at the Temporal UI.")] = False,
    data: Annotated[Path, typer.Option(help="Folder for data and logs; emptied first.")] = local.DATA / "demo",
) -> None:
    """Let several subscribers live through years in a couple of minutes, and check every charge."""
    if not _run(demonstration.demo(data, keep=keep)):
        raise typer.Exit(1)


@app.command()
def worker() -> None:
    """Run one worker until it is told to stop; any number may run side by side."""
    from worker import run  # noqa: PLC0415 - the composition root stands beside the packages, and only this starts it

    _run(run(load_settings()))


@app.command()
def api(*, host: str | None = None, port: int | None = None, fd: Descriptor = None) -> None:
    """Serve the HTTP API; host and port are GUDOK_API_HOST and GUDOK_API_PORT unless given."""
    settings = load_settings()
    configure_logging(settings)
    _run(_serve_api(settings, host or settings.api_host, settings.api_port if port is None else port, _socket(fd)))


@app.command()
def emulator(
    *,
    host: str | None = None,
    port: int | None = None,
    state: Annotated[Path | None, typer.Option(help="File that keeps the state through a kill.")] = None,
    webhook_url: Annotated[str | None, typer.Option(help="The webhook URL of the console.")] = None,
    webhook_encoding: Annotated[str, typer.Option(help="json or form.")] = "json",
    webhook_retries: Annotated[bool, typer.Option(help="Resend up to five times, a minute apart.")] = False,
    switch: Annotated[list[str] | None, typer.Option(help="NAME=VALUE, as the emulator's page lists them.")] = None,
    as_: Annotated[
        Family | None, typer.Option("--as", help="Where schema and sightings differ, follow one of them.")
    ] = None,
    faults: Annotated[Path | None, typer.Option(help="Plan of faults, TOML or JSON; replaces what is set.")] = None,
    fd: Descriptor = None,
) -> None:
    """Run a PortOne V1 with books, a clock and fault switches, for the key and secret in the settings."""
    settings = load_settings()
    state_file = state or settings.emulator_state_file
    state_file.parent.mkdir(parents=True, exist_ok=True)
    account = EmulatorSettings.model_validate(
        {
            "state_file": state_file,
            "webhook_url": webhook_url,
            "webhook_encoding": webhook_encoding,
            "webhook_retries": webhook_retries,
            "imp_key": settings.portone_imp_key,
            "imp_secret": settings.portone_imp_secret.get_secret_value(),
            "sandbox": True,
            **({} if as_ is None else {"as": as_}),
            **_switches(switch or []),
        }
    )
    application = create_emulator(account, plan=_plan(faults))
    port = settings.emulator_port if port is None else port
    where = host or settings.emulator_host
    _run(serve(application, host=where, port=port, listens=_listens, bound=_socket(fd)))


def _socket(fd: int | None) -> socket.socket | None:
    return None if fd is None else socket.socket(fileno=fd)


def _plan(path: Path | None) -> Plan | None:
    try:
        return None if path is None else read_plan(path)
    except PlanError as error:
        raise typer.BadParameter(str(error), param_hint="--faults") from None


def _listens(address: str) -> None:
    typer.echo(f"PortOne V1 answers at {address}; a browser finds books, clock and faults there")


def _switches(given: list[str]) -> dict[str, str]:
    try:
        return read_switches(given)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


@app.command()
def history(customer_uid: str) -> None:
    """Print events and bytes of a subscription's history for each settled cycle."""
    costs, events, size = _run(_costs(customer_uid))
    table = Table(title=f"{customer_uid}: {events} events, {size:,} bytes in this run")
    for heading in ("settled cycle", "events", "bytes", "activities"):
        table.add_column(heading, justify="right")
    for cost in costs:
        table.add_row(str(cost.cycle), str(cost.events), f"{cost.bytes:,}", str(cost.activities))
    Console().print(table)


@app.command()
def listen(
    *,
    url: Annotated[str | None, typer.Option(help="Address of the api; GUDOK_PUBLIC_URL unless given.")] = None,
    forward_to: Annotated[str | None, typer.Option(help="Address that gets every event too, signed.")] = None,
    secret: Annotated[str | None, typer.Option(help="Secret that signs what is forwarded; drawn and shown.")] = None,
    from_start: Annotated[bool, typer.Option(help="Begin with the oldest event.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object for each event.")] = False,
) -> None:
    """Print outgoing events as they happen; Ctrl-C stops it."""
    settings = load_settings()
    out, say = Console(), Console(stderr=True)
    forwarding = None
    if forward_to is not None:
        forwarding = Forwarding(forward_to, secret or new_secret())
        say.print(f"forwarding to {forward_to}, signed with {forwarding.secret}", highlight=False, soft_wrap=True)
    api_key = settings.api_keys[0].get_secret_value()
    listener = Listener(url or settings.public_url, api_key, from_start=from_start, say=say)
    with contextlib.suppress(KeyboardInterrupt):
        _run(listening.listen(listener, out, as_json=as_json, forwarding=forwarding))


async def _serve_api(settings: Settings, host: str, port: int, bound: socket.socket | None) -> None:
    ledger = Ledger(settings.database_url.get_secret_value())
    await ledger.migrate()
    application = create_app(settings, ledger, await connect(lazy=True))
    keep_what_is_loaded()
    server = uvicorn.Server(server_config(application, settings, host=host, port=port))
    watching = asyncio.create_task(_end_when_lost(ledger, server))
    try:
        await server.serve(sockets=[bound] if bound else None)
    finally:
        watching.cancel()
        await ledger.aclose()
    if ledger.loss is not None:
        raise ledger.loss


async def _end_when_lost(ledger: Ledger, server: uvicorn.Server) -> None:
    await ledger.lost()
    server.should_exit = True


async def _costs(customer_uid: str) -> tuple[list[CycleCost], int, int]:
    return await cycle_costs(await connect(), customer_uid)


def _run(main: Coroutine[Any, Any, Answer]) -> Answer:
    try:
        return asyncio.run(main)
    except (LocalStackError, ListenError, LedgerLostError, StateLostError) as error:
        typer.echo(f"gudok: {error}", err=True)
        raise typer.Exit(1) from None


def main() -> None:
    """The console script; settings that cannot be started with are said, a line each, without a trace."""
    try:
        app()
    except InvalidSettingsError as error:
        typer.echo(f"gudok: {error}", err=True)
        raise SystemExit(2) from None


if __name__ == "__main__":
    main()
