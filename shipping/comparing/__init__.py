"""Comparing a job with the carrier's own list when a person asks for it: ordered in the books, done by a worker."""
