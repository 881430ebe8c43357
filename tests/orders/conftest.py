"""Files of orders for the tests about them."""

import csv
import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

import pytest
from django.conf import settings

from shipping.models import Sender
from tests.factories import make_sender

SHARED_FILE = Path(settings.BASE_DIR).parent / "shared" / "data" / "orders-200.csv"

HEADER = ("reference", "to_name", "to_street1", "to_city", "to_state", "to_zip", "to_country", "weight")
ORDER = {
    "to_name": "Søren de la Cruz",
    "to_street1": "1745 T Street Southeast",
    "to_city": "Washington",
    "to_state": "DC",
    "to_zip": "20020",
    "to_country": "US",
    "weight": "12",
}
MakeFile = Callable[..., IO[bytes]]


def csv_bytes(rows: Sequence[Sequence[str]], encoding: str = "utf-8") -> bytes:
    """Rows of cells as a CSV file."""
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode(encoding)


def order_file(*orders: dict[str, str], columns: Sequence[str] = HEADER) -> IO[bytes]:
    """A file of orders, each a good one except for what it is told; columns are those of `columns` and any told."""
    names = list(columns)
    for order in orders:
        names += [name for name in order if name not in names]
    rows = [[(ORDER | order).get(name, "") for name in names] for order in orders]
    return io.BytesIO(csv_bytes([names, *rows]))


def numbered_orders(count: int) -> list[dict[str, str]]:
    """So many good orders, told apart by reference and name."""
    return [{"reference": f"R-{number}", "to_name": f"Recipient {number}"} for number in range(1, count + 1)]


@pytest.fixture
def sender(db: None) -> Sender:
    return make_sender()


@pytest.fixture
def shared_file() -> Path:
    """The 200 real orders beside the repository."""
    if not SHARED_FILE.exists():
        pytest.skip("../shared/data/orders-200.csv is absent: the 200 real orders are not tried.")
    return SHARED_FILE
