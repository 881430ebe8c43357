"""Broken builds of the product, and for each a scene in which the promise's checks have to catch it.

A check that finds nothing proves something only when it finds these. `python -m tests.sabotage` plays all and prints
what caught each; the product itself knows nothing of any of them.
"""
