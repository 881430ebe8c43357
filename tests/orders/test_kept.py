import pytest
from django.core.files.storage import default_storage

from shipping.models import Sender
from shipping.orders.kept import KeptFileMissing, headers_of, records_of
from tests.orders.conftest import HEADER, numbered_orders, order_file
from tests.orders.uploaded import BAD, confirm, receive

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_orders_of_a_job_come_back_as_they_came_in(sender: Sender) -> None:
    good, bad = numbered_orders(2)
    job = confirm(receive(order_file(good, bad | BAD)), skip_bad=True).job
    assert job is not None
    assert headers_of(job) == list(HEADER)
    found = list(records_of(job))
    assert [number for number, _cells in found] == [1, 2]
    assert found[1][1][HEADER.index("to_zip")] == "1027"


def test_a_file_that_is_gone_changed_or_never_was_is_told(sender: Sender) -> None:
    job = confirm(receive(order_file(*numbered_orders(1)))).job
    assert job is not None
    with default_storage.open(str(job.file), "wb") as file:
        file.write(order_file(*numbered_orders(2)).read())
    with pytest.raises(KeptFileMissing, match="not the one that came in"):
        next(iter(records_of(job)))
    default_storage.delete(str(job.file))
    with pytest.raises(KeptFileMissing, match="can’t be read"):
        next(iter(records_of(job)))
    job.file = ""
    with pytest.raises(KeptFileMissing, match="was not kept"):
        next(iter(records_of(job)))
