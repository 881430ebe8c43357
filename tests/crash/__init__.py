"""Every boundary of every flow: a real process dies there by SIGKILL, and what a person does then has to put it right.

A boundary is a place in the product's code, named in `boundaries*.py`, never a hook in it: the process that is to die
is started by `tests.support.altered`, which arms the place from outside (`arming`). The books are compared with the
carrier's ledger afterwards, row by row (`tests.support.ledger`).
"""
