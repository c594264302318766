"""CloudFront in front of the guest bucket: make the edge forget paths that have changed."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from botocore.exceptions import ClientError

from jada.aws import clients, stack
from jada.failures import Retry

BUSY: Final = timedelta(seconds=60)


def invalidate(paths: Iterable[str], *, reference: str) -> str:
    """Order one invalidation of these paths and answer its id.

    The same `reference` with the same paths is the same invalidation, so a repeat costs nothing; with other paths it
    is Refused. CloudFront compares paths by case and before *and* after the edge function: name both spellings.
    """
    wanted = sorted(set(paths))
    if not wanted:
        raise ValueError("Name at least one path to invalidate.")
    if any(not path.startswith("/") for path in wanted):
        raise ValueError("A path to invalidate starts with a slash; CloudFront would not find it without.")
    with clients.calling():
        try:
            answer = clients.cloudfront().create_invalidation(
                DistributionId=stack.guest_distribution_id(),
                InvalidationBatch={
                    "Paths": {"Quantity": len(wanted), "Items": wanted},
                    "CallerReference": reference,
                },
            )
        except ClientError as error:
            if clients.code_of(error) == "TooManyInvalidationsInProgress":
                raise Retry("CloudFront has too many invalidations in progress.", after=BUSY) from None
            raise
    return answer["Invalidation"]["Id"]


def invalidation_done(invalidation_id: str) -> bool:
    """Whether every edge has forgotten the paths of this invalidation."""
    with clients.calling():
        answer = clients.cloudfront().get_invalidation(DistributionId=stack.guest_distribution_id(), Id=invalidation_id)
    return answer["Invalidation"]["Status"] == "Completed"
