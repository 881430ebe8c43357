"""A job's page says until when the carrier wants to be left alone."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

from shipping import pace
from shipping.states import JobStatus
from tests.factories import make_job, make_live_run

pytestmark = pytest.mark.django_db

SAYS = "has asked to be left alone until"


def test_the_page_of_a_job_says_until_when_its_carrier_is_left_alone(client: Client, clerk: User) -> None:
    job = make_job(status=JobStatus.running)
    make_live_run(job)
    client.force_login(clerk)
    page = f"/jobs/{job.pk}/"
    assert SAYS not in client.get(page).content.decode()
    pace._pass_on("another", 600.0)
    assert SAYS not in client.get(page).content.decode()
    pace._pass_on("sandbox", 600.0)
    assert SAYS in client.get(page).content.decode()
    pace.lift("sandbox")
    assert SAYS not in client.get(page).content.decode()
