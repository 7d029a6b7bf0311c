"""What a process of ours does once, when it has loaded all that it will work with."""

import gc


def keep_what_is_loaded() -> None:
    """Spare the garbage collector what is there by now: modules, schemas and statements that stay until the end.

    Without it every full collection goes through all of them, two tenths of a second in a worker, in which it stands
    still; a storm of charges brings several.
    """
    gc.collect()
    gc.freeze()
