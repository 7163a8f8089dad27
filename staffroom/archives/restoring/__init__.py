"""The other way round: one module for each kind of file that is read. `steps.of(reader)` says in which order.

A step checks every line before the first one is written, and writes its rows in batches, each within a transaction
that also says how far it is.
"""
