"""Comparing the books with the carrier's own list. Nothing here writes, at the carrier or in the books."""
