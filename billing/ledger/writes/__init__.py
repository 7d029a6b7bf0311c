"""The parts of the ledger's central write; every part does nothing the second time.

What if the same step is written again, late, by a worker that was thought dead? Each part can tell: a subscription by
its revision, a result by its instant, a payment by how far PortOne had come, a refund by its state.
"""
