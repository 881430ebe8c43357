"""PostgreSQL is restarted in the middle of a batch, stays away for longer than a lease, and has no room left."""

import time
from pathlib import Path

import psycopg
import pytest
from django.db import connection

from tests.ground.books import books_at
from tests.ground.cluster import Cluster, directory_of_owner, need_cluster, owner
from tests.ground.disks import SmallDisk, need_disks
from tests.ground.scene import LEASE_SECONDS, Scene, wait_for
from tests.support.databases import postgres_only
from tests.support.sandbox import SandboxProcess

pytestmark = [pytest.mark.django_db(transaction=True), postgres_only]

DISK_BYTES = 96 * 1024 * 1024


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_a_batch_goes_on_after_a_restart_of_the_server(
    mode: str, cluster: Cluster, sandbox: SandboxProcess, tmp_path: Path
) -> None:
    with Scene(sandbox, tmp_path) as scene:
        scene.start(buying_takes=0.6)
        scene.call_worker()
        wait_for(lambda: scene.bought() >= 2 and scene.in_the_air() >= 2, what="some bought, some in the air")
        connection.close()
        cluster.restart(mode)
        scene.assert_books_hold()
        scene.see_it_through()
        assert "could not be had" in scene.log.read_text()
        assert "Traceback" not in scene.log.read_text()


def test_what_the_carrier_answered_while_the_server_was_away_for_a_lease_is_recorded(
    cluster: Cluster, sandbox: SandboxProcess, tmp_path: Path
) -> None:
    with Scene(sandbox, tmp_path) as scene:
        scene.start(buying_takes=1.0)
        scene.call_worker()
        wait_for(lambda: scene.bought() >= 2 and scene.in_the_air() >= 2, what="some bought, some in the air")
        connection.close()
        cluster.stop("immediate")
        # Nobody waits for the server to be there: a worker that is called now works once it is.
        scene.call_worker()
        time.sleep(LEASE_SECONDS + 3)
        charged = scene.charges()
        scene.assert_workers_live()
        cluster.start()
        scene.assert_books_hold()
        wait_for(lambda: scene.bought() >= charged, what="the answers in the books")
        scene.see_it_through()
        assert "Traceback" not in scene.log.read_text()


def test_a_server_whose_disk_is_full_loses_nothing_and_the_batch_goes_on_when_there_is_room(
    sandbox: SandboxProcess, tmp_path: Path
) -> None:
    need_cluster()
    need_disks()
    with (
        directory_of_owner() as directory,
        SmallDisk(directory / "disk", size=DISK_BYTES, owner=owner()) as disk,
        Cluster(disk.directory) as cluster,
    ):
        cluster.migrate("books")
        with books_at(cluster.place("books")), Scene(sandbox, tmp_path, rows=20) as scene:
            scene.start(buying_takes=0.5)
            scene.call_worker()
            wait_for(lambda: scene.bought() >= 2 and scene.in_the_air() >= 2, what="some bought, some in the air")
            connection.close()
            with disk.full():
                write_until_it_fails(cluster)
                wait_for(lambda: "could not be had" in scene.log.read_text(), what="a worker that noticed")
                scene.assert_workers_live()
                charged = scene.charges()
            if not answers(cluster):
                cluster.start()
            wait_for(lambda: scene.bought() >= charged, what="the answers in the books")
            scene.assert_books_hold()
            scene.see_it_through()
            assert "Traceback" not in scene.log.read_text()


def write_until_it_fails(cluster: Cluster) -> None:
    """Write until no new piece of the server's log can be made; with no room for it, the server falls (PANIC)."""
    for _each in range(500):
        try:
            cluster.execute("SELECT pg_logical_emit_message(true, 'ballast', repeat('x', 100000)), pg_switch_wal()")
        except psycopg.Error:
            return
    raise AssertionError("the disk never was full")


def answers(cluster: Cluster) -> bool:
    """Whether the server takes statements, within some seconds; false when it is not there."""
    ends_at = time.monotonic() + 20
    while cluster.is_running() and time.monotonic() < ends_at:
        try:
            cluster.execute("SELECT 1")
        except psycopg.Error:
            time.sleep(0.5)
        else:
            return True
    return False
