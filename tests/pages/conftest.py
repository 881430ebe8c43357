"""The same people and browsers as for the pages about jobs."""

from tests.views.conftest import browser, viewer

__all__ = ["browser", "viewer"]
