"""What Celery's beat, or the embedded host, does for mails that have left: hear what became of them."""

import logging

from celery import shared_task

from jada.failures import DeliveryFailure
from jada.mail import sync

logger = logging.getLogger(__name__)

_said = ""  # why this process could not read the queue; said once, not three times a minute


@shared_task(name="mail.poll_events", ignore_result=True)
def poll_events() -> None:
    """Events that are kept already have their effect even while the queue cannot be read."""
    global _said  # noqa: PLW0603
    reason = ""
    try:
        sync.poll()
    except DeliveryFailure as failure:
        reason = failure.reason
    if reason and reason != _said:
        logger.warning("The queue of mail events was not read: %s", reason)
    _said = reason
    sync.apply_events()
