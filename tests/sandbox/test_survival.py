"""What the sandbox acknowledged, it knows after any death."""

import http.client
import json
import sqlite3
import threading
import time
from pathlib import Path

import pytest

from tests.sandbox.shipments import shipment
from tests.support.sandbox import SandboxProcess

_AUTHORIZATION = {"Authorization": "Bearer EZTK-test"}


def _wait_for_charges(sandbox: SandboxProcess, number: int) -> None:
    until = time.monotonic() + 10
    while sandbox.stats()["charges"] < number:
        assert time.monotonic() < until, "the charge was never made"
        time.sleep(0.02)


@pytest.mark.parametrize(
    "fault", [{"action": "drip", "bytes_per_second": 20}, {"action": "hang", "when": "after"}], ids=["drip", "hang"]
)
def test_a_charge_outlives_a_kill_in_the_middle_of_the_answer(tmp_path: Path, fault: dict[str, object]) -> None:
    with SandboxProcess(tmp_path / "sandbox.sqlite3") as sandbox:
        made = sandbox.ask("POST", "/v2/shipments", {"shipment": shipment("R1")})
        sandbox.faults([{"on": "buy", **fault}])
        connection = http.client.HTTPConnection("127.0.0.1", sandbox.port, timeout=10)
        body = json.dumps({"rate": {"id": made["rates"][0]["id"]}})
        connection.request("POST", f"/v2/shipments/{made['id']}/buy", body, _AUTHORIZATION)
        _wait_for_charges(sandbox, 1)
        before = sandbox.ledger()
        sandbox.kill()
        with pytest.raises((http.client.HTTPException, ConnectionError)):
            connection.getresponse().read()
        connection.close()
        sandbox.restart()
        assert sandbox.ledger() == before
        found = sandbox.ask("GET", f"/v2/shipments/{made['id']}")
        assert found["tracking_code"] == before[0]["tracking_code"]


def test_no_acknowledged_charge_is_lost_when_it_is_killed_under_load(tmp_path: Path) -> None:
    with SandboxProcess(tmp_path / "sandbox.sqlite3") as sandbox:
        acknowledged: list[str] = []

        def ship(name: int) -> None:
            connection = http.client.HTTPConnection("127.0.0.1", sandbox.port, timeout=10)
            try:
                for number in range(10_000):
                    body = json.dumps({"shipment": shipment(f"R-{name}-{number}")})
                    connection.request("POST", "/v2/shipments", body, _AUTHORIZATION)
                    made = json.loads(connection.getresponse().read())
                    body = json.dumps({"rate": {"id": made["rates"][0]["id"]}})
                    connection.request("POST", f"/v2/shipments/{made['id']}/buy", body, _AUTHORIZATION)
                    acknowledged.append(json.loads(connection.getresponse().read())["tracking_code"])
            except (http.client.HTTPException, OSError):
                pass  # it was killed
            finally:
                connection.close()

        threads = [threading.Thread(target=ship, args=(name,)) for name in range(4)]
        for thread in threads:
            thread.start()
        until = time.monotonic() + 30
        while len(acknowledged) < 50 and time.monotonic() < until:
            time.sleep(0.01)
        sandbox.kill()
        for thread in threads:
            thread.join(30)
        sandbox.restart()
        charged = {charge["tracking_code"] for charge in sandbox.ledger()}
        assert len(acknowledged) >= 50
        assert set(acknowledged) <= charged
        assert len(charged) - len(acknowledged) <= 4


def test_faults_and_their_counts_outlive_a_restart(tmp_path: Path) -> None:
    with SandboxProcess(tmp_path / "sandbox.sqlite3") as sandbox:
        sandbox.faults([{"on": "lookup", "action": "delay", "seconds": 0, "count": 3}])
        sandbox.ask("GET", "/v2/shipments")
        port = sandbox.port
        sandbox.kill()
        sandbox.restart()
        assert sandbox.port == port
        (fault,) = sandbox.faults()
        assert (fault["seen"], fault["hits"]) == (1, 1)


def test_its_file_keeps_what_a_commit_acknowledged(tmp_path: Path) -> None:
    database = tmp_path / "folder" / "sandbox.sqlite3"
    with SandboxProcess(database) as sandbox:
        sandbox.ask("POST", "/v2/shipments", {"shipment": shipment("R1")})
        connection = sqlite3.connect(database)
        try:
            assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
            assert connection.execute("SELECT reference FROM shipments").fetchall() == [("R1",)]
        finally:
            connection.close()


def test_rates_grow_old(tmp_path: Path) -> None:
    with SandboxProcess(tmp_path / "sandbox.sqlite3", arguments=["--rates-expire-after", "0.05"]) as sandbox:
        made = sandbox.ask("POST", "/v2/shipments", {"shipment": shipment("R1")})
        time.sleep(0.1)
        connection = http.client.HTTPConnection("127.0.0.1", sandbox.port, timeout=10)
        body = json.dumps({"rate": {"id": made["rates"][0]["id"]}})
        connection.request("POST", f"/v2/shipments/{made['id']}/buy", body, _AUTHORIZATION)
        answer = connection.getresponse()
        assert answer.status == 422
        assert json.loads(answer.read())["error"]["code"] == "SHIPMENT.RATE.EXPIRED"
        connection.close()
        assert sandbox.stats()["charges"] == 0
