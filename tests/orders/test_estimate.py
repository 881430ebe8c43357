import io
from typing import Any

import pytest
from django.contrib.auth.models import User

from shipping.carriers.port import Quote
from shipping.models import Sender, Upload
from shipping.models.clock import local_seconds
from shipping.orders import estimate as estimates
from shipping.orders import uploads
from shipping.orders.estimate import Answers, estimate, extrapolate
from shipping.orders.uploads import UploadRefused
from shipping.states import JobStatus
from tests.orders.conftest import numbered_orders, order_file
from tests.orders.uploaded import BAD, confirm, receive
from tests.support.processes import worker
from tests.support.sandbox import SandboxProcess

pytestmark = pytest.mark.django_db(transaction=True)


def quote(cents: int, currency: str = "USD") -> Quote:
    return Quote(carrier="USPS", service="Priority", cost_cents=cents, currency=currency)


def test_a_small_file_is_asked_about_whole_and_nothing_is_bought(
    sandbox: SandboxProcess, sender: Sender, clerk: User
) -> None:
    orders = numbered_orders(5)
    orders[3] |= {"service": "Express", "weight": "40"}
    upload = estimate(receive(order_file(*orders)).pk, actor=clerk)
    found = upload.estimate
    assert (found["asked"], found["answered"], found["refused"], found["complete"]) == (5, 5, 0, True)
    assert (found["by"], found["rows"], found["revision"]) == ("clerk", 5, upload.revision)
    costs = [row["cost_cents"] for row in uploads.preview(upload)]
    assert found["total_cents"] == found["low_cents"] == found["high_cents"] == sum(costs)
    assert (found["cheapest_cents"], found["dearest_cents"]) == (min(costs), max(costs))
    assert uploads.preview(upload)[3]["cost_service"] == "Express"
    assert sandbox.stats()["charges"] == 0
    assert sandbox.stats()["shipments"] == 5


def test_what_is_bought_then_costs_what_was_estimated(sandbox: SandboxProcess, sender: Sender) -> None:
    upload = estimate(receive(order_file(*numbered_orders(3))).pk, actor=None)
    job = confirm(upload, start=True).job
    assert job is not None
    with worker(sandbox.url, "--until-idle") as process:
        process.wait(60)
    job.refresh_from_db()
    assert (job.status, job.cost_cents) == (JobStatus.completed, upload.estimate["total_cents"])


def test_of_a_long_file_some_are_asked_and_the_total_is_carried_over(sandbox: SandboxProcess, sender: Sender) -> None:
    orders = numbered_orders(400)
    for place, order in enumerate(orders):
        order["weight"] = str(10 + place % 30)
    found = estimate(receive(order_file(*orders)).pk, actor=None).estimate
    assert (found["rows"], found["asked"], found["answered"], found["complete"]) == (400, 50, 50, False)
    assert found["low_cents"] <= found["total_cents"] <= found["high_cents"]
    assert found["cheapest_cents"] * 400 <= found["total_cents"] <= found["dearest_cents"] * 400
    assert sandbox.stats()["shipments"] == 50


def test_rows_that_the_carrier_refuses_are_told_with_its_reason(sandbox: SandboxProcess, sender: Sender) -> None:
    orders = numbered_orders(3)
    orders[1] |= {"to_street1": "12 NORATE Street"}
    upload = estimate(receive(order_file(*orders)).pk, actor=None)
    found = upload.estimate
    assert [row["refused"] for row in uploads.preview(upload)] == [False, True, False]
    assert (found["answered"], found["refused"], found["unanswered"]) == (2, 1, 0)
    assert [refusal["row"] for refusal in found["refusals"]] == [2]
    assert "No service is available" in found["refusals"][0]["message"]
    assert found["total_cents"] == 3 * found["average_cents"], "the refused one counts with the average"


def test_a_carrier_that_is_down_gives_no_figures_and_its_own_words(sandbox: SandboxProcess, sender: Sender) -> None:
    sandbox.faults([{"on": "create", "action": "error", "status": 503}])
    found = estimate(receive(order_file(*numbered_orders(3))).pk, actor=None).estimate
    assert (found["answered"], found["unanswered"], found["total_cents"]) == (0, 3, None)
    assert found["problem"]


def test_a_carrier_that_never_answers_is_not_waited_for(
    sandbox: SandboxProcess, sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = estimates.SECONDS
    monkeypatch.setattr(estimates, "SECONDS", 1.0)
    sandbox.faults([{"on": "create", "action": "hang"}])
    asked_at = local_seconds()
    found = estimate(receive(order_file(*numbered_orders(20))).pk, actor=None).estimate
    assert (found["answered"], found["unanswered"]) == (0, 20)
    assert local_seconds() - asked_at < usual, "a second, and on a busy machine some more"


def test_a_change_makes_the_estimate_void_and_one_under_way_is_refused(
    sandbox: SandboxProcess, sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = estimate(receive(order_file(*numbered_orders(2))).pk, actor=None)
    upload = uploads.correct(upload.pk, {1: {"weight": "30"}})
    assert upload.estimate == {}

    def ask_slowly(*arguments: Any) -> Answers:
        uploads.correct(upload.pk, {1: {"weight": "31"}})
        return Answers(quotes={1: quote(500)})

    monkeypatch.setattr(estimates, "_ask", ask_slowly)
    with pytest.raises(UploadRefused, match="changed while the carrier was asked"):
        estimate(upload.pk, actor=None)
    assert Upload.objects.get().estimate == {}


def test_without_good_rows_or_a_sender_there_is_nothing_to_ask(db: None) -> None:
    with pytest.raises(UploadRefused, match="no checked rows"):
        estimate(receive(order_file(BAD)).pk, actor=None)
    with pytest.raises(UploadRefused, match="No sender is set"):
        estimate(receive(io.BytesIO(order_file(*numbered_orders(1)).read())).pk, actor=None)


def test_the_first_rows_count_as_they_are_and_the_others_stand_for_the_rest() -> None:
    # 20 dear rows in front, 980 cheap ones behind: a plain average of the sample would be far off.
    asked = [*range(1, 21), *range(50, 950, 30)]
    answers = Answers(quotes={row: quote(5000 if row <= 20 else 500) for row in asked})
    found = extrapolate(answers, asked=asked, good_rows=1000)
    assert found["total_cents"] == 20 * 5000 + 980 * 500
    assert (found["low_cents"], found["high_cents"]) == (found["total_cents"], found["total_cents"])
    assert found["average_cents"] == 590


def test_the_spread_says_how_far_off_the_total_may_be() -> None:
    asked = [*range(1, 21), *range(50, 950, 30)]
    answers = Answers(quotes={row: quote(400 if row % 20 else 600) for row in asked})
    found = extrapolate(answers, asked=asked, good_rows=1000)
    assert found["low_cents"] < found["total_cents"] < found["high_cents"]
    assert found["high_cents"] - found["total_cents"] < found["total_cents"] / 4


def test_prices_in_several_currencies_are_not_added() -> None:
    answers = Answers(quotes={1: quote(500), 2: quote(500, "CAD")})
    found = extrapolate(answers, asked=[1, 2], good_rows=2)
    assert found["total_cents"] is None
    assert "several currencies" in found["problem"]
