"""A database server that may fall."""

from collections.abc import Iterator

import pytest

from tests.ground.books import books_at
from tests.ground.cluster import Cluster, directory_of_owner, need_cluster

MIGRATED = "migrated"


@pytest.fixture(scope="session")
def migrated_cluster() -> Iterator[Cluster]:
    need_cluster()
    with directory_of_owner() as directory, Cluster(directory) as cluster:
        cluster.migrate(MIGRATED)
        yield cluster


@pytest.fixture
def cluster(transactional_db: None, migrated_cluster: Cluster) -> Iterator[Cluster]:
    """A server of its own, which holds the books of this test and may be stopped and started."""
    if not migrated_cluster.is_running():
        migrated_cluster.start()
    migrated_cluster.execute("DROP DATABASE IF EXISTS books WITH (FORCE)")
    migrated_cluster.execute(f"CREATE DATABASE books TEMPLATE {MIGRATED}")
    with books_at(migrated_cluster.place("books")):
        yield migrated_cluster
