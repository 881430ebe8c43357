"""Template tags of the recovery."""
