"""The WSGI application that a web server runs."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shipping.project.settings")

application = get_wsgi_application()

from shipping.views.errors import read_what_errors_need  # noqa: E402 (only once Django is set up)

read_what_errors_need()
