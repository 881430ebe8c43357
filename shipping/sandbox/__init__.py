"""A carrier on a laptop that speaks EasyPost's API v2; see docs/sandbox.md. Imports nothing of ours."""
