"""Where work is handed in and handed out: one transaction records what is finished and claims what comes next.

A record is never lost to a claim that fails: then each is written alone. What cannot be written at all is tried again by
the same worker for the rest of its lease; after that it is the sweeper's, and a message that left is in doubt.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from django.db import connection, transaction

from jada.outbox import batches, claims, records, sql
from jada.outbox.claims import Claim
from jada.outbox.failpoints import fp
from jada.outbox.records import Delivered, Ending, Mark

logger = logging.getLogger(__name__)

PAUSE: Final = 0.5  # seconds until a record that was not taken is tried again


@dataclass(slots=True)
class Served:
    """`claimed` and `marked` go on; `unwritten` is handed in again; `trouble` is why nothing could be claimed."""

    claimed: list[Claim] = field(default_factory=list)
    marked: list[Mark] = field(default_factory=list)
    unwritten: list[Ending | Mark] = field(default_factory=list)
    trouble: Exception | None = None


def serve(finished: Sequence[Ending | Mark], *, room: int) -> Served:
    """Write down what is finished, and take up to `room` rows. Never raises: see `trouble`."""
    served = Served()
    ready = [one for one in finished if _begun(one, served)]
    for one in ready:
        if not one.plain:
            _write_alone(one, served)
    plain = [one for one in ready if isinstance(one, Delivered | Mark) and one.plain]
    if room and batches.neglected():  # there may always be enough of other work
        _claim_batches(served, 1)
    try:
        marked, claimed = _write_and_claim(plain, room - len(served.claimed))
    except Exception as error:  # noqa: BLE001  whatever it was, nothing of it was written
        _note_trouble(error)
        for one in plain:
            _write_alone(one, served)
        _claim_alone(served, room)
    else:
        served.marked += marked
        served.claimed += claimed
        _over(plain)
        _claim_batches(served, room - len(served.claimed))
    return served


def keep_trying(one: Ending | Mark) -> bool:
    """Write one ending down, again and again for the rest of its lease. Answers whether a message may leave."""
    while (served := serve([one], room=0)).unwritten:
        if not one.taken.has_time_for_a_record():
            give_up(one)
            return False
        time.sleep(PAUSE)
    return bool(served.marked)


def give_up(one: Ending | Mark) -> None:
    """Its lease is over: the sweeper finds the row as it was left, and acts by the rule for that."""
    logger.error("What came of #%s could not be recorded while its lease lasted", one.taken.effect_id)


def _begun(one: Ending | Mark, served: Served) -> bool:
    try:
        if not isinstance(one, Mark):
            fp("before_record")
    except Exception as error:  # noqa: BLE001  a fault that was ordered
        _note_trouble(error)
        served.unwritten.append(one)
        return False
    return True


def _write_and_claim(plain: Sequence[Delivered | Mark], room: int) -> tuple[list[Mark], list[Claim]]:
    if not plain and room <= 0:
        return [], []
    with transaction.atomic():
        return _write(plain), (claims.take(limit=room) if room > 0 else [])


def _claim_alone(served: Served, room: int) -> None:
    if room > len(served.claimed):
        try:
            served.claimed += claims.claim(limit=room - len(served.claimed))
        except Exception as error:  # noqa: BLE001  the database is away
            served.trouble = error
            _note_trouble(error)


def _claim_batches(served: Served, room: int) -> None:
    """In transactions of their own: what was claimed and written before them stands."""
    if room > 0:
        try:
            served.claimed += batches.claim(limit=room)
        except Exception as error:  # noqa: BLE001  the next look tries again
            _note_trouble(error)


def _write_alone(one: Ending | Mark, served: Served) -> None:
    try:
        if isinstance(one, Mark) or (isinstance(one, Delivered) and one.plain):
            with transaction.atomic():
                marked = _write([one])
            served.marked += marked
        else:
            records.write(one)
    except Exception as error:  # noqa: BLE001  a record is worth another try, whatever was wrong
        _note_trouble(error)
        served.unwritten.append(one)
    else:
        _over([one])


def _write(plain: Sequence[Delivered | Mark]) -> list[Mark]:
    """Marks and plain deliveries, in the caller's transaction; answers which messages may leave."""
    if endings := [one for one in plain if isinstance(one, Delivered)]:
        records.write_plain(endings)
    marks = [one for one in plain if isinstance(one, Mark)]
    if not marks:
        return []
    ours = sql.sending([(mark.taken.effect_id, mark.taken.claim_no) for mark in marks])
    for mark in marks:
        if mark.taken.effect_id not in ours:
            records.lost(mark.taken)
    return [mark for mark in marks if mark.taken.effect_id in ours]


def _over(written: Sequence[Ending | Mark]) -> None:
    for one in written:
        try:
            if not isinstance(one, Mark):
                fp("after_record")
        except Exception:
            logger.exception("After the record of #%s", one.taken.effect_id)


def _note_trouble(error: Exception) -> None:
    logger.warning("The database did not take a record or a claim (%s: %s)", type(error).__name__, error)
    connection.close_if_unusable_or_obsolete()
