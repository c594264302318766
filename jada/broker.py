"""How Celery speaks to its broker: by the broker's kind. Read by the settings, so it knows nothing of Django."""

from __future__ import annotations

from copy import deepcopy
from typing import Any, Final

# A dead broker has to be given up at once: no ring is worth waiting for.
_REDIS: Final = {"socket_timeout": 0.5, "socket_connect_timeout": 0.5, "retry_on_timeout": False}
_SQS: Final = {"connect_timeout": 1, "read_timeout": 3, "retries": {"total_max_attempts": 1}}
QUEUE: Final = "celery"  # Celery's own name for its one queue


def is_sqs(url: str) -> bool:
    return url.startswith("sqs:")


def options(url: str, queue_url: str, region: str) -> dict[str, Any]:
    """The transport's options. Another endpoint than AWS's own is the SDK's affair (`AWS_ENDPOINT_URL`).

    SQS gets its one queue by address: looking for it, or making it, would need rights over every queue of the account.
    """
    if not is_sqs(url):
        return dict(_REDIS)
    return {
        "region": region,
        "predefined_queues": {QUEUE: {"url": queue_url}},
        "client-config": deepcopy(_SQS),  # the SDK writes into what it is given
        "visibility_timeout": 90,  # a task is over by then (CELERY_TASK_TIME_LIMIT)
        "wait_time_seconds": 10,
        "polling_interval": 0.1,
    }
