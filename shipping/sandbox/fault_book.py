"""The faults that hold, kept in the SQLite file so that they outlive a restart of the sandbox."""

import json
import sqlite3

from shipping.sandbox.database import Database
from shipping.sandbox.fault_json import fault_from
from shipping.sandbox.faults import Effects, Endpoint, combine, strike
from shipping.sandbox.values import JsonObject


class FaultBook:
    """Which faults hold, how many requests each has seen, and how many it struck."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def replace(self, faults: list[JsonObject]) -> None:
        """Let these faults hold instead of all others; `faults` is JSON that `checked_faults` passed."""

        def work(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM faults")
            connection.executemany(
                "INSERT INTO faults (position, fault) VALUES (?, ?)",
                [(position, json.dumps(fault)) for position, fault in enumerate(faults)],
            )

        self._database.run(work)

    def all(self) -> list[JsonObject]:
        """The JSON of each fault that holds, with `seen` and `hits`."""

        def work(connection: sqlite3.Connection) -> list[sqlite3.Row]:
            return connection.execute("SELECT * FROM faults ORDER BY position").fetchall()

        return [
            {**json.loads(row["fault"]), "seen": row["seen"], "hits": row["hits"]} for row in self._database.run(work)
        ]

    def strike(self, endpoint: Endpoint, subject: str | None) -> Effects:
        """What the faults do to a request, which they count.

        `subject` is what the request is about: a reference, or a shipment's id, whose reference is looked up.
        """

        def work(connection: sqlite3.Connection) -> Effects:
            rows = connection.execute("SELECT * FROM faults ORDER BY position").fetchall()
            held = [(row, fault_from(json.loads(row["fault"]))) for row in rows]
            here = [(row, fault) for row, fault in held if endpoint in fault.on]
            if not here:
                return Effects()
            reference = _reference(connection, subject)
            seeing = [(row, fault) for row, fault in here if fault.match in reference]
            struck = list(strike((fault, row["seen"], row["hits"]) for row, fault in seeing))
            hit = {place for place, _, _ in struck}
            connection.executemany(
                "UPDATE faults SET seen = seen + 1, hits = hits + ? WHERE position = ?",
                [(int(place in hit), row["position"]) for place, (row, _) in enumerate(seeing)],
            )
            return combine((fault, seen) for _, fault, seen in struck)

        return self._database.run(work)


def _reference(connection: sqlite3.Connection, subject: str | None) -> str:
    row = connection.execute(
        "SELECT reference FROM shipments WHERE id = ?1"
        " UNION ALL SELECT reference FROM charges WHERE tracking_code = ?1 LIMIT 1",
        (subject,),
    ).fetchone()
    return (subject if row is None else row["reference"]) or ""
