"""Getting answers into the books when the straight way fails: late ones, other jobs' ones, ones that won't go in."""

import logging
import time
from collections.abc import Iterable

from django.db import Error as AnyDatabaseError
from django.db import InterfaceError, OperationalError, connection, transaction

from shipping.carriers.port import Prepared
from shipping.engine import books
from shipping.engine.letters import Claim, Inbox, Letter, Preparation, Question, Reply
from shipping.engine.wire import Wire
from shipping.models import Job, Row
from shipping.runs import record
from shipping.states import EventKind

logger = logging.getLogger("onceship.engine")

RETRY_SECONDS = 0.5

# The database could not be had (locked, deadlock, connection lost, its disk full, no file handle left to reach it): the
# same transaction may be tried again.
TRY_AGAIN = (OperationalError, InterfaceError, OSError, books.CommitUnknown)


def let_go_of_database(error: Exception) -> None:
    """After a database error: drop a connection that is no longer usable, and give the database a moment."""
    logger.warning("The database could not be had: %s. Trying again.", error)
    if not connection.in_atomic_block:
        try:
            connection.close_if_unusable_or_obsolete()
        except (AnyDatabaseError, OSError):
            connection.close()
    time.sleep(RETRY_SECONDS)


def file_late(wire: Wire, replies: Iterable[Reply]) -> None:
    """File answers that no run of this process waits for any more. What can't be filed now goes back on the wire's
    queue: an answer leaves memory only when it is in the books.
    """
    by_job: dict[int, list[Reply]] = {}
    for reply in replies:
        if isinstance(reply.outcome, Prepared):
            continue  # nothing was bought, and the row's reservation ended with its run
        by_job.setdefault(reply.letter.job_id, []).append(reply)
    for job_id, its_replies in by_job.items():
        try:
            file_all(job_id, its_replies)
        except Exception as error:
            wire.put_back(its_replies)
            if not isinstance(error, TRY_AGAIN):
                logger.exception("Answers for job %s could not be filed; they are kept.", job_id)
            let_go_of_database(error)


def file_all(job_id: int, replies: list[Reply]) -> None:
    """File answers in one tick, or one by one when they won't go in together. Raises what TRY_AGAIN names."""
    inbox = Inbox()
    for reply in replies:
        inbox.add(reply)
    try:
        books.tick(job_id, inbox, books.Wishes())
    except TRY_AGAIN:
        raise
    except Exception:
        logger.exception("Answers for job %s did not go into the books together; trying one by one.", job_id)
        file_singly(job_id, replies)


def file_singly(job_id: int, replies: Iterable[Reply]) -> None:
    """File answers one by one; one that the books refuse is written down as an event, whole, and kept for a person."""
    for reply in replies:
        inbox = Inbox()
        inbox.add(reply)
        try:
            books.tick(job_id, inbox, books.Wishes())
        except TRY_AGAIN:
            raise
        except Exception as error:
            logger.exception("An answer for job %s could not be recorded.", job_id)
            _write_down(job_id, reply, error)


def _write_down(job_id: int, reply: Reply, error: Exception) -> None:
    with transaction.atomic():
        job = Job.objects.lock(job_id)
        row = Row.objects.filter(pk=_row_of(reply.letter)).first()
        record(job, EventKind.unrecorded_answer, row=row, outcome=repr(reply.outcome), error=repr(error))


def _row_of(letter: Letter) -> int:
    return letter.row_id if isinstance(letter, Claim | Question | Preparation) else 0
