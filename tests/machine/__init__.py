"""The real code, moved by hand: the moves of `tests.model`, made by the product's own functions on a real database.

What is real: the loop of a run and its ticks, claims, settles, look-ups, sweeps and voids, housekeeping, the wire's
last check of the deadline, starting and ending runs, and the doors that people choose through. What stands for the
world:

- `clock`: the books' clock and the processes' own go on only when a move says so. (On PostgreSQL, too: its
  `clock_timestamp()` can't be moved, so the books read the machine's clock in its stead.)
- `carrier`: a carrier in memory, with a ledger that only it writes, configured like any adapter.
- `couriers`: what a lane's threads do, one step at a time: a letter waits, is checked and sent, waits for its answer.
- `workers`: worker processes as what they remember: their run's loop, their wire. A kill forgets it, a freeze stops
  it.
- `people`: a clerk and a colleague, who look, choose and confirm, perhaps with what they saw a while ago.

`Play` has the moves, and `promise` the rules, which are checked after every one. Within its bounds, the machine can do
what the model can (which says so of each move), and voids beside. What both leave out: real threads and processes in
parallel, real time, label files, imports, corrections of orders. Those are for the tests of crashes, races and kills.
"""
