"""The settings of the web server that the browser talks to: the tests' own, with static files as in production."""

from shipping.project.settings import STORAGES  # noqa: F401  (hashed names, compressed)
from tests.settings import *  # noqa: F403
from tests.settings import TEST_DIRECTORY

STATIC_ROOT = TEST_DIRECTORY / "collected"
