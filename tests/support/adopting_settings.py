"""The tests' settings with carriers of the guarantee *adopt or ask* beside the sandbox, for processes of tests."""

from tests.settings import *  # noqa: F403
from tests.support.by_reference import carriers

CARRIERS = {**CARRIERS, **carriers(CARRIERS["sandbox"]["OPTIONS"]["api_base"])}  # noqa: F405
