"""What the emulator is asked, and what stands in its books at every moment: watched from the inside."""

from dataclasses import dataclass, field


@dataclass
class Watch:
    """The calls that change something, as (path, order number or key), and every moment at which two keys were open."""

    calls: list[tuple[str, str]] = field(default_factory=list)
    on_two_keys: list[tuple[str, ...]] = field(default_factory=list)
    orphaned: list[str] = field(default_factory=list)

    def paths(self, *only):
        """The paths called, in their order; only some of them where some are named."""
        return [path for path, _ in self.calls if not only or path in only]


SENDING = ("again", "retry", "reschedule", "schedule", "unschedule", "customers", "customers_delete")


def watch(stack, subscription_id):
    """Watch one subscription from now on: its order numbers begin with its id."""
    seen, account = Watch(), stack.account()
    perform, put, drop = account.perform, account.world.store.put, account.world.store.drop

    def open_keys():
        rows = account.world.store["schedules"].values()
        ours = (row for row in rows if row["merchant_uid"].startswith(subscription_id))
        return {row["customer_uid"] for row in ours if row["schedule_status"] == "scheduled"}

    async def performed(request, path, work, **options):
        if path in SENDING:
            named = request.path_params
            seen.calls.append((path, named.get("merchant_uid") or named.get("customer_uid") or ""))
        return await perform(request, path, work, **options)

    def kept(kind, key, record):
        stored = put(kind, key, record)
        if kind == "schedules" and len(keys := open_keys()) > 1:
            seen.on_two_keys.append(tuple(sorted(keys)))
        return stored

    def dropped(kind, key):
        if kind == "keys" and key in open_keys():
            seen.orphaned.append(key)
        return drop(kind, key)

    account.perform, account.world.store.put, account.world.store.drop = performed, kept, dropped
    return seen
