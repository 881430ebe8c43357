"""The sandbox as a carrier of each guarantee, as the tests of lies have it."""

from tests.lies.conftest import liar

__all__ = ["liar"]
