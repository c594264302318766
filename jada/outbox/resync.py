"""The database is the truth and AWS a projection of it: mark every mirrored object, so that it is written out again."""

from django.db import transaction

from jada.outbox import registry
from jada.outbox.entries import enqueue
from jada.outbox.models import Mirror


def resync(*, topic: str = "") -> int:
    """Forget what is believed to stand outside and owe it all anew, under higher numbers; answers how many objects.

    Fills a new bucket or table. No mail is repeated: messages are not projections.
    """
    mirrors = Mirror.objects.filter(topic__in=registry.known()).order_by("topic", "key")
    if topic:
        mirrors = mirrors.filter(topic=topic)
    count = 0
    for mirror in mirrors:
        with transaction.atomic():  # one object a transaction: a lane is never locked for long
            enqueue(mirror.topic, mirror.key)  # rows before mirrors, as a claim locks them
            Mirror.objects.filter(pk=mirror.pk).update(digest="", material="")
        count += 1
    return count
