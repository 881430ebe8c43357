"""Kills at random instants for as long as one likes, and the books compared with the carrier's ledger after each batch.

`make torture KILLS=1000 SEED=1 [BATCH=7] [DB=postgres]`, or `python -m tests.torture --help`. Everything random comes
from the seed and the number of the batch, so one batch can be played again alone; when a process does what is up to the
machine, so a repetition meets the same kills, faults and choices, at instants that differ by milliseconds.
"""
