"""Sending files through the upload pages as a browser without JavaScript does."""

import io
from typing import IO, Any

from django.test import Client

from shipping.models import Upload
from tests.orders.conftest import numbered_orders, order_file

FORM = {"name": "", "carrier": "sandbox", "at_rejected_row": "stop", "mode": "preview"}


def named(file: IO[bytes], name: str = "orders.csv") -> IO[bytes]:
    """The same bytes under a file's name."""
    renamed = io.BytesIO(file.read())
    renamed.name = name
    return renamed


def good_file(rows: int = 3, name: str = "orders.csv") -> IO[bytes]:
    """A file of so many orders without errors."""
    return named(order_file(*numbered_orders(rows)), name)


def bad_file() -> IO[bytes]:
    """Four orders, of which the second has a bad ZIP code and the fourth no weight and no city."""
    orders = numbered_orders(4)
    orders[1]["to_zip"] = "123456"
    orders[3] |= {"weight": "", "to_city": ""}
    return named(order_file(*orders))


def send(browser: Client, file: IO[bytes] | None, **form: str) -> Any:
    """Send the form of /uploads/new/ and follow where it leads."""
    return browser.post("/uploads/new/", FORM | form | ({} if file is None else {"file": file}), follow=True)


def uploaded(browser: Client, file: IO[bytes], **form: str) -> Upload:
    """Send a file that is taken; returns its upload."""
    page = send(browser, file, **form)
    assert page.status_code == 200, page.content.decode()
    return Upload.objects.latest("pk")
