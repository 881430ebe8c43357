"""The statements that write the books, in the words that SQLite and PostgreSQL share."""

import sqlite3

from django.db import connection

ROW_COLUMNS = (
    "id, job_id, number, status, order_reference, recipient, name_key, surname_key, reference_key, "
    '"order", extra, account, attempt, handle, claims, run_id, due, claimed_at, label_id, crashes, rebuy, '
    "error_code, error_message, failed_epoch, ask_after, questions_failed, answer, answered_at"
)
LABEL_COLUMNS = (
    "id, job_id, row_id, attempt, account, purchase_id, tracking_number, tracking_key, tracking_end_key, carrier, "
    "service, cost_cents, currency, label_url, file, fetch_after, fetch_failures, bought_at, recorded_at, adopted, "
    "void_requested, void_after, void_failures, void_answer, voided_at, refund_state, refund_at, refund_ask_after, "
    "refund_questions, printed_at"
)
# How a row of the big job stands, by its number: what was bought, but for some that failed, were left out or set aside.
BIG_STATUS = """CASE WHEN i > %(done)s THEN 'pending' WHEN i > %(done)s - 16 THEN 'in_flight'
    WHEN i %% 997 = 0 THEN 'failed' WHEN i %% 4999 = 0 THEN 'skipped' WHEN i %% 25013 = 0 THEN 'needs_review'
    ELSE 'completed' END"""
# How row i of a small job stands, by the job's name, which begins with how the job stands.
SMALL_STATUS = """CASE WHEN j.name LIKE 'pending%%' THEN 'pending'
    WHEN j.name LIKE 'completed%%' OR j.name LIKE 'cancelled%%'
        THEN CASE WHEN i = 7 AND j.id %% 3 = 0 THEN 'failed' ELSE 'completed' END
    WHEN j.name LIKE 'review%%' THEN CASE WHEN i = 20 THEN 'needs_review' ELSE 'completed' END
    WHEN i <= 10 THEN 'completed'
    WHEN i = 11 AND j.name LIKE 'halted%%' THEN 'failed'
    WHEN i <= 12 AND (j.name LIKE 'interrupted%%' OR j.name LIKE 'at_work%%') THEN 'in_flight'
    ELSE 'pending' END"""
NAMES = """first_name(k, name) AS (VALUES (0, 'Ada'), (1, 'Bruno'), (2, 'Clara'), (3, 'Dmitri'), (4, 'Esther'),
    (5, 'Farid'), (6, 'Greta'), (7, 'Hugo'), (8, 'Ines'), (9, 'Jonas'), (10, 'Keiko')),
last_name(k, name) AS (VALUES (0, 'Abbott'), (1, 'Barros'), (2, 'Castellan'), (3, 'Dufour'), (4, 'Eklund'),
    (5, 'Farrow'), (6, 'Galvez'), (7, 'Hartwell'), (8, 'Ibarra'), (9, 'Jansson'), (10, 'Kowal'), (11, 'Lindqvist'),
    (12, 'Marchetti'))"""


def prepare() -> None:
    """Have the building connection write quickly; what is built is checked, and a crash only costs the build."""
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA synchronous = OFF")
            cursor.execute("PRAGMA cache_size = -400000")


def learn_to_reverse() -> None:
    """Give SQLite the function `reverse`, which PostgreSQL has."""
    if connection.vendor == "sqlite":
        connection.ensure_connection()
        raw: sqlite3.Connection = connection.connection
        raw.create_function("reverse", 1, lambda text: text[::-1], deterministic=True)


def move_sequences() -> None:
    """Have PostgreSQL's sequences go on behind the ids that were laid out; SQLite does by itself."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            for table in ("shipping_row", "shipping_label"):
                cursor.execute(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), max(id)) FROM {table}")  # noqa: S608


def finish() -> None:
    """Leave the database as a server has it: PostgreSQL with fresh statistics (its autovacuum makes them), SQLite
    without any (nothing makes them).
    """
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("VACUUM ANALYZE")
        else:
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


def _type(name: str) -> str:
    return {"postgresql": {"time": "timestamptz", "json": "jsonb"}}.get(connection.vendor, {}).get(name, "text")


def _bool(value: str) -> str:
    return f"CAST({value} AS {'boolean' if connection.vendor == 'postgresql' else 'integer'})"


def _row(job: str, code: str, status: str, key: str, number: str) -> str:
    """The values of a row: `key` its id, which is also its label's; `number` its number in the job."""
    json, time = _type("json"), _type("time")
    return f"""{key}, {job}, {number}, {status}, 'SO-' || {key}, f.name || ' ' || l.name,
    lower(f.name || ' ' || l.name), lower(l.name || ' ' || f.name), 'so' || {key},
    CAST('{{"reference":"SO-' || {key} || '","to_name":"' || f.name || ' ' || l.name || '","to_street1":"' || {number}
        || ' Market Street","to_city":"Denver","to_state":"CO","to_zip":"80202","to_country":"US",'
        || '"length":"8","width":"6","height":"4","weight":"12"}}' AS {json}),
    CAST('{{}}' AS {json}), 'sandbox', 1,
    CASE WHEN {status} IN ('completed', 'in_flight', 'needs_review') THEN 'shp_' || {code} || '_' || {number} END,
    CASE WHEN {status} IN ('pending', 'skipped') THEN 0 ELSE 1 END,
    CASE WHEN {status} = 'in_flight' THEN CAST(%(run)s AS bigint) END,
    CASE WHEN {status} IN ('in_flight', 'needs_review') THEN %(now)s - 3600.0 END,
    CASE WHEN {status} <> 'pending' THEN CAST('2026-11-01 10:00:00+00:00' AS {time}) END,
    CASE WHEN {status} = 'completed' THEN {key} END, 0, {_bool("0")},
    CASE WHEN {status} = 'failed' THEN 'ADDRESS.VERIFY.FAILURE' ELSE '' END,
    CASE WHEN {status} = 'failed' THEN 'Address not found, case ' || {number} %% 3 ELSE '' END,
    CASE WHEN {status} = 'failed' THEN 1 END,
    CASE WHEN {status} = 'needs_review' THEN 1e18 ELSE 0 END, 0,
    CASE WHEN {status} = 'needs_review' THEN 'The carrier could not say.' ELSE '' END,
    CAST(NULL AS {time})"""


def _label(job: str, code: str, key: str, number: str) -> str:
    time = _type("time")
    at = f"CAST('2026-11-01 10:00:00+00:00' AS {time})"
    voided = f"{number} %% 5003 = 0"
    return f"""{key}, {job}, {key}, 1, 'sandbox', 'shp_' || {code} || '_' || {number},
    '9400' || (100000000000000000 + {key}), '9400' || (100000000000000000 + {key}),
    reverse('9400' || (100000000000000000 + {key})), 'USPS', 'Priority', 700 + {number} %% 50, 'USD',
    'http://127.0.0.1:8001/labels/shp_' || {code} || '_' || {number} || '.pdf',
    'labels/' || {code} || '/' || {number} || '.pdf', 0.0, 0, {at}, {at}, {_bool("0")}, '', 0.0, 0, '',
    CASE WHEN {voided} THEN {at} END, CASE WHEN {voided} THEN 'submitted' ELSE '' END,
    CASE WHEN {voided} THEN {at} END, CASE WHEN {voided} THEN %(now)s + 86400.0 ELSE 0.0 END, 0,
    CASE WHEN {number} %% 2 = 0 THEN {at} END"""


def _numbers(first: str, last: str) -> str:
    return f"WITH RECURSIVE n(i) AS (SELECT {first} UNION ALL SELECT i + 1 FROM n WHERE i < {last}), {NAMES}"  # noqa: S608


def _named() -> str:
    return "JOIN first_name f ON f.k = i %% 11 JOIN last_name l ON l.k = i %% 13"


def big_rows() -> str:
    """Rows of the big job: parameters `job code base from to done run now`."""
    values = _row("%(job)s", "%(code)s", f"({BIG_STATUS})", "(%(base)s + i)", "i")
    return (
        f"{_numbers('%(from)s', '%(to)s')} INSERT INTO shipping_row ({ROW_COLUMNS}) SELECT {values} FROM n {_named()}"  # noqa: S608
    )


def big_labels() -> str:
    """Their labels, for the bought ones."""
    values = _label("%(job)s", "%(code)s", "(%(base)s + i)", "i")
    numbers = _numbers("%(from)s", "%(to)s")
    return (
        f"{numbers} INSERT INTO shipping_label ({LABEL_COLUMNS}) SELECT {values} FROM n "  # noqa: S608
        f"WHERE ({BIG_STATUS}) = 'completed'"
    )


def small_rows() -> str:
    """Rows of small jobs: parameters `base from to now`, ids of jobs; the first job's rows have the ids from 1 on."""
    values = _row("j.id", "j.code", f"({SMALL_STATUS})", "((j.id - %(base)s) * 20 + i)", "i")
    values = values.replace("%(run)s", "NULL")
    return (
        f"{_numbers('1', '20')} INSERT INTO shipping_row ({ROW_COLUMNS}) SELECT {values} "  # noqa: S608
        f"FROM shipping_job j CROSS JOIN n {_named()} WHERE j.id >= %(from)s AND j.id <= %(to)s"
    )


def small_labels() -> str:
    """Their labels, for the bought ones."""
    values = _label("j.id", "j.code", "((j.id - %(base)s) * 20 + i)", "i")
    return (
        f"{_numbers('1', '20')} INSERT INTO shipping_label ({LABEL_COLUMNS}) SELECT {values} "  # noqa: S608
        f"FROM shipping_job j CROSS JOIN n WHERE j.id >= %(from)s AND j.id <= %(to)s AND ({SMALL_STATUS}) = 'completed'"
    )


def count(first: int, last: int) -> None:
    """Set the counters of jobs by their rows and labels."""
    with connection.cursor() as cursor:
        cursor.execute(
            """UPDATE shipping_job SET
            successful_rows = (SELECT count(*) FROM shipping_row r WHERE r.job_id = shipping_job.id
                AND r.status = 'completed'),
            failed_rows = (SELECT count(*) FROM shipping_row r WHERE r.job_id = shipping_job.id
                AND r.status = 'failed'),
            processed_rows = (SELECT count(*) FROM shipping_row r WHERE r.job_id = shipping_job.id
                AND r.status IN ('completed', 'failed', 'skipped')),
            cost_cents = (SELECT coalesce(sum(b.cost_cents), 0) FROM shipping_label b
                WHERE b.job_id = shipping_job.id AND b.voided_at IS NULL)
            WHERE id >= %s AND id <= %s""",
            [first, last],
        )
