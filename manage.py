#!/usr/bin/env python
"""Django's command line for Onceship."""

import os
import sys

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line
from environs import EnvError


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shipping.project.settings")
    try:
        bool(settings.DEBUG)  # reads the settings now, so that a wrong one is one line and not a traceback
    except (EnvError, ImproperlyConfigured) as error:
        sys.exit(str(error))
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
