"""A model beside the real thing: workers, epochs, runs, claims, a carrier, crashes, freezes and people's choices, as
small values (`state`), the moves that the real code can make (`moves`, `settle`, `world`; each names the real
function), the rules of the promise as predicates (`promise`), and every state that can be reached (`explore`).

What is certain from it is certain of the design, within its bounds; that the code makes the same moves is for the
other tests to show. Where it differs from the code, it allows more:

- Time is three steps for each claim (before due, after due, after the quiet period); each claim's clock goes by itself.
- Any run may claim any pending row: reservations, preparing, the file's order, limits and back-off are left out.
- A sweep's chunk is one row, in any order; a person may have been shown any part of the labels.
- A killed worker counts as dead at once; a late heartbeat revives one that froze.

What it takes for granted: what has left a process is executed or lost before due + quiet are over; a look-up after that
tells the truth of its moment; a person who decides about a row does the same; the database keeps what it acknowledged.

What it leaves out: voids and refunds, label files, import, corrections of orders, retrying failed rows by a sweep,
answers that name another row's label, a COMMIT whose outcome is unknown (for the books it is a kill after the claim),
lost tickets, and how long transactions are: of rule 8 there is only that a choice leaves to the sweep what is the
sweep's, a chunk at a time, and that no claim goes before its end. Asking in vain stands for the last of many questions
in vain; with the defaults that lies after due + quiet.
"""
