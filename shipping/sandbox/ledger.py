"""The sandbox carrier's books: shipments, and every charge that was ever made for one."""

import json
import sqlite3
from dataclasses import dataclass
from typing import Any

from shipping.sandbox import rates
from shipping.sandbox.checks import REFUSE_AT_BUY, street_says
from shipping.sandbox.database import Database
from shipping.sandbox.errors import RefusedError, not_found
from shipping.sandbox.values import JsonObject, moment, new_id, new_tracking_code, now

_SHIPMENTS = """
SELECT shipments.*, charges.tracking_code, charges.rate_id, charges.charged_at, charges.refund_status
FROM shipments LEFT JOIN charges ON charges.id = shipments.charge_id
"""


@dataclass(frozen=True)
class Charge:
    """What a shipment's newest charge bought; `charged_at` is seconds since 1970."""

    tracking_code: str
    rate_id: str
    charged_at: float
    refund_status: str | None


@dataclass(frozen=True)
class Shipment:
    """A shipment as the books know it; moments are seconds since 1970, prices in `rates` are cents."""

    id: str
    reference: str | None
    details: JsonObject
    rates: list[JsonObject]
    created_at: float
    updated_at: float
    charge: Charge | None


class Ledger:
    """Reads and writes the books; each method is one transaction, committed before it returns."""

    def __init__(self, database: Database, *, rates_expire_after: float) -> None:
        """Keep the books in `database`; a rate can be bought for `rates_expire_after` seconds."""
        self._database = database
        self._rates_expire_after = rates_expire_after

    def create(self, details: JsonObject) -> Shipment:
        """Note a shipment that passed the checks, with its rates. Charges nothing."""
        created_at = now()

        def work(connection: sqlite3.Connection) -> Shipment:
            shipment_id = new_id("shp")
            connection.execute(
                "INSERT INTO shipments (id, reference, details, rates, created_at, updated_at)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (
                    shipment_id,
                    details["reference"],
                    json.dumps(details),
                    json.dumps(_new_rates(details, created_at)),
                    created_at,
                    created_at,
                ),
            )
            return _by_id(connection, shipment_id)

        return self._database.run(work)

    def buy(self, shipment_id: str, rate_id: str, *, again: bool = False) -> Shipment:
        """Charge a shipment for one of its rates, once; with `again`, also one that was charged before.

        Raises RefusedError: 404 for an unknown shipment, 422 when it was bought before, when the rate is
        not one of its newest rates or is too old, and for an address that is refused at this point.
        """
        charged_at = now()

        def work(connection: sqlite3.Connection) -> Shipment:
            shipment = _by_id(connection, shipment_id)
            if shipment.charge is not None and not again:
                raise _exists()
            rate = self._rate_for_sale(shipment, rate_id, charged_at)
            _insert_charge(connection, shipment, rate, charged_at)
            return _by_id(connection, shipment_id)

        return self._database.run(work)

    def rerate(self, shipment_id: str) -> Shipment:
        """Give an unbought shipment new rates in place of the old ones. Raises RefusedError (404, 422)."""
        created_at = now()

        def work(connection: sqlite3.Connection) -> Shipment:
            shipment = _by_id(connection, shipment_id)
            if shipment.charge is not None:
                raise _exists()
            connection.execute(
                "UPDATE shipments SET rates = ?, updated_at = ? WHERE id = ?",
                (json.dumps(_new_rates(shipment.details, created_at)), created_at, shipment_id),
            )
            return _by_id(connection, shipment_id)

        return self._database.run(work)

    def refund(self, shipment_id: str, *, granted: bool = True) -> Shipment:
        """Take back every charge of a shipment, or note that it was refused; what was taken back stays so.

        Raises RefusedError: 404 for an unknown shipment, 422 for one that was never bought.
        """
        asked_at = now()

        def work(connection: sqlite3.Connection) -> Shipment:
            shipment = _by_id(connection, shipment_id)
            if shipment.charge is None:
                raise RefusedError(
                    422, "SHIPMENT.REFUND.UNAVAILABLE", "Unable to request refund. No postage has been purchased."
                )
            connection.execute(
                "UPDATE charges SET refund_status = ?, refunded_at = ?"
                " WHERE shipment_id = ? AND coalesce(refund_status, '') NOT IN ('submitted', 'refunded')",
                ("submitted" if granted else "rejected", asked_at if granted else None, shipment_id),
            )
            connection.execute("UPDATE shipments SET updated_at = ? WHERE id = ?", (asked_at, shipment_id))
            return _by_id(connection, shipment_id)

        return self._database.run(work)

    def decide_refunds(self, *, granted: bool, shipment_id: str | None = None) -> int:
        """End the refunds that were submitted, of one shipment or of all, as a carrier does weeks later; returns how
        many charges that were. A charge whose refund is rejected counts as charged again.
        """
        status = "refunded" if granted else "rejected"

        def work(connection: sqlite3.Connection) -> int:
            return connection.execute(
                "UPDATE charges SET refund_status = ?, refunded_at = CASE WHEN ? THEN refunded_at END"
                " WHERE refund_status = 'submitted' AND (? IS NULL OR shipment_id = ?)",
                (status, granted, shipment_id, shipment_id),
            ).rowcount

        return self._database.run(work)

    def find(self, id_or_reference: str) -> Shipment:
        """The shipment with this id, else the newest with this reference. Raises RefusedError (404)."""

        def work(connection: sqlite3.Connection) -> Shipment:
            row = connection.execute(f"{_SHIPMENTS} WHERE shipments.id = ?", (id_or_reference,)).fetchone()
            if row is None:
                row = connection.execute(
                    f"{_SHIPMENTS} WHERE shipments.reference = ? ORDER BY shipments.number DESC LIMIT 1",
                    (id_or_reference,),
                ).fetchone()
            if row is None:
                raise not_found()
            return _shipment(row)

        return self._database.run(work)

    def page(
        self,
        *,
        purchased: bool,
        reference: str | None,
        before_id: str | None,
        created: tuple[float, float],
        size: int,
    ) -> tuple[list[Shipment], bool]:
        """Shipments, newest first, and whether older ones follow; with `purchased`, bought ones only, and with
        `reference` those that have it.

        Only those created after the first and before the second moment of `created` (seconds since 1970). Starts
        after the shipment `before_id`. Raises RefusedError (404) when that is unknown.
        """

        def work(connection: sqlite3.Connection) -> tuple[list[Shipment], bool]:
            before: int | None = None
            if before_id is not None:
                found = connection.execute("SELECT number FROM shipments WHERE id = ?", (before_id,)).fetchone()
                if found is None:
                    raise not_found()
                before = found["number"]
            rows = connection.execute(
                f"{_SHIPMENTS} WHERE (? IS NULL OR shipments.number < ?)"
                " AND shipments.created_at > ? AND shipments.created_at < ?"
                f" AND {'shipments.charge_id IS NOT NULL' if purchased else 'TRUE'}"
                f" AND {'TRUE' if reference is None else 'shipments.reference = ?'}"
                " ORDER BY shipments.number DESC LIMIT ?",
                (before, before, *created, *(() if reference is None else (reference,)), size + 1),
            ).fetchall()
            return [_shipment(row) for row in rows[:size]], len(rows) > size

        return self._database.run(work)

    def charged(self, tracking_code: str) -> tuple[Shipment, str]:
        """The shipment that a tracking code was bought for, and the service. Raises RefusedError (404)."""

        def work(connection: sqlite3.Connection) -> tuple[Shipment, str]:
            row = connection.execute(
                "SELECT shipment_id, service FROM charges WHERE tracking_code = ?", (tracking_code,)
            ).fetchone()
            if row is None:
                raise not_found()
            return _by_id(connection, row["shipment_id"]), row["service"]

        return self._database.run(work)

    def tracking_code_before(self, tracking_code: str) -> str:
        """The tracking code of the charge before the one with this code, of whatever shipment; the same when it was the
        first.
        """

        def work(connection: sqlite3.Connection) -> str:
            row = connection.execute(
                "SELECT tracking_code FROM charges WHERE id < (SELECT id FROM charges WHERE tracking_code = ?)"
                " ORDER BY id DESC LIMIT 1",
                (tracking_code,),
            ).fetchone()
            return tracking_code if row is None else str(row["tracking_code"])

        return self._database.run(work)

    def charges(self, *, after: int, limit: int) -> tuple[list[JsonObject], bool]:
        """Charges in the order in which they were made, from the one after id `after`; and whether more follow."""

        def work(connection: sqlite3.Connection) -> list[sqlite3.Row]:
            return connection.execute(
                "SELECT * FROM charges WHERE id > ? ORDER BY id LIMIT ?", (after, limit + 1)
            ).fetchall()

        rows = self._database.run(work)
        return [_charge_object(row) for row in rows[:limit]], len(rows) > limit

    def stats(self) -> JsonObject:
        """Counts: `duplicates` is charges minus distinct references, refunded ones included.

        A charge without a reference counts as one reference for each shipment.
        """

        def work(connection: sqlite3.Connection) -> JsonObject:
            row = connection.execute(
                "SELECT (SELECT count(*) FROM shipments) AS shipments, count(*) AS charges,"
                ' count(DISTINCT coalesce(reference, shipment_id)) AS "references",'
                " count(*) FILTER (WHERE refund_status IN ('submitted', 'refunded')) AS refunded FROM charges"
            ).fetchone()
            return {**dict(row), "duplicates": row["charges"] - row["references"]}

        return self._database.run(work)

    def reset(self) -> None:
        """Forget every shipment, charge and fault."""

        def work(connection: sqlite3.Connection) -> None:
            for table in ("shipments", "charges", "faults", "sqlite_sequence"):
                connection.execute(f"DELETE FROM {table}")  # noqa: S608  # the four names above

        self._database.run(work)

    def _rate_for_sale(self, shipment: Shipment, rate_id: str, at: float) -> JsonObject:
        rate = next((rate for rate in shipment.rates if rate["id"] == rate_id), None)
        if rate is None:
            raise RefusedError(
                422,
                "SHIPMENT.MISSING_RATE",
                "A valid rate of this shipment must be sent to purchase it.",
            )
        if at - rate["created_at"] > self._rates_expire_after:
            raise RefusedError(422, "SHIPMENT.RATE.EXPIRED", "The rate has expired. Please rerate the shipment.")
        if street_says(shipment.details["to_address"], REFUSE_AT_BUY):
            raise RefusedError(422, "SHIPMENT.POSTAGE.FAILURE", "The carrier refused to sell postage to this address.")
        return rate


def _exists() -> RefusedError:
    return RefusedError(422, "SHIPMENT.POSTAGE.EXISTS", "Postage already exists for this shipment.")


def _new_rates(details: JsonObject, created_at: float) -> list[JsonObject]:
    return [
        {
            "id": new_id("rate"),
            "service": quote.service,
            "cents": quote.cents,
            "delivery_days": quote.delivery_days,
            "created_at": created_at,
        }
        for quote in rates.quotes(details)
    ]


def _insert_charge(connection: sqlite3.Connection, shipment: Shipment, rate: JsonObject, charged_at: float) -> None:
    charge_id = connection.execute(
        "INSERT INTO charges (shipment_id, reference, tracking_code, cost_cents, currency, carrier, service,"
        " rate_id, charged_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            shipment.id,
            shipment.reference,
            new_tracking_code(),
            rate["cents"],
            rates.CURRENCY,
            rates.CARRIER,
            rate["service"],
            rate["id"],
            charged_at,
        ),
    ).lastrowid
    connection.execute(
        "UPDATE shipments SET charge_id = ?, updated_at = ? WHERE id = ?", (charge_id, charged_at, shipment.id)
    )


def _by_id(connection: sqlite3.Connection, shipment_id: str) -> Shipment:
    row = connection.execute(f"{_SHIPMENTS} WHERE shipments.id = ?", (shipment_id,)).fetchone()
    if row is None:
        raise not_found()
    return _shipment(row)


def _shipment(row: sqlite3.Row) -> Shipment:
    charge = None
    if row["charge_id"] is not None:
        charge = Charge(row["tracking_code"], row["rate_id"], row["charged_at"], row["refund_status"])
    return Shipment(
        id=row["id"],
        reference=row["reference"],
        details=json.loads(row["details"]),
        rates=json.loads(row["rates"]),
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        charge=charge,
    )


def _charge_object(row: sqlite3.Row) -> dict[str, Any]:
    charge = dict(row)
    for key in ("charged_at", "refunded_at"):
        charge[key] = None if charge[key] is None else moment(charge[key])
    return charge
