"""The commands of a subscription: one file each, with its message, its guard, its work and its refusals."""
