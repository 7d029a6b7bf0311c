"""What the emulator is asked, and what stands in its books at every moment: watched from the inside."""

from dataclasses import dataclass, field

from billing.domain.merchant_uid import parse_cycle_merchant_uid

SENDING = ("again", "retry", "reschedule", "schedule", "unschedule", "customers", "customers_delete")


@dataclass
class Watch:
    """What was seen.

    `calls` change something, as (path, order number or key). `on_two_keys` are the moments at which one subscription
    could be charged on two keys; `orphaned` are keys that were deleted while a charge of ours stood on them.
    """

    calls: list[tuple[str, str]] = field(default_factory=list)
    on_two_keys: list[tuple[str, ...]] = field(default_factory=list)
    orphaned: list[str] = field(default_factory=list)

    def paths(self, *only):
        """The paths called, in their order; only some of them where some are named."""
        return [path for path, _ in self.calls if not only or path in only]

    def assert_one_key(self):
        """At no moment two keys could be charged, and no key was deleted under a charge."""
        assert (self.on_two_keys, self.orphaned) == ([], [])


def watch(stack):
    """Watch from now on."""
    seen, account = Watch(), stack.account()
    perform, put, drop = account.perform, account.world.store.put, account.world.store.drop

    def open_keys():
        keys = {}
        for row in account.world.store["schedules"].values():
            parsed = parse_cycle_merchant_uid(row["merchant_uid"])
            if parsed is not None and row["schedule_status"] == "scheduled":
                keys.setdefault(parsed[0], set()).add(row["customer_uid"])
        return keys

    async def performed(request, path, work, **options):
        if path in SENDING:
            named = request.path_params
            seen.calls.append((path, named.get("merchant_uid") or named.get("customer_uid") or ""))
        return await perform(request, path, work, **options)

    def kept(kind, key, record):
        stored = put(kind, key, record)
        if kind == "schedules":
            seen.on_two_keys += [tuple(sorted(keys)) for keys in open_keys().values() if len(keys) > 1]
        return stored

    def dropped(kind, key):
        if kind == "keys" and any(key in keys for keys in open_keys().values()):
            seen.orphaned.append(key)
        return drop(kind, key)

    account.perform, account.world.store.put, account.world.store.drop = performed, kept, dropped
    return seen
