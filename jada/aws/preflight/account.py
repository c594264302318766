"""Who we are at AWS, what time it is there, and whether the stack stands."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

from botocore.exceptions import ClientError
from django.conf import settings

from jada.aws import clients
from jada.aws.preflight.asking import DEPLOY, Installation
from jada.findings import Finding, error, ok, warning

OFF: Final = timedelta(seconds=60)
REFUSED_BEYOND: Final = timedelta(minutes=5)  # AWS takes no signature that is older, or from the future
SET_CLOCK: Final = "timedatectl set-ntp true"


def credentials(clock: Callable[[], datetime]) -> Iterator[Finding]:
    """`aws.credentials`, and `aws.clock` from the same answer: a wrong clock is one reason for a refusal."""
    try:
        answer = clients.sts().get_caller_identity()
    except ClientError as refusal:
        said = f"AWS does not accept our credentials ({clients.code_of(refusal)}): give the process its role or keys."
        yield error("aws.credentials", said, mend="aws sts get-caller-identity")
        headers = refusal.response["ResponseMetadata"].get("HTTPHeaders", {})
    else:
        yield ok("aws.credentials", f"AWS knows us as {answer['Arn']} in the account {answer['Account']}.")
        headers = answer["ResponseMetadata"]["HTTPHeaders"]
    yield _clock(headers.get("date", ""), clock())


def _clock(date: str, ours: datetime) -> Finding:
    try:
        theirs = parsedate_to_datetime(date)
    except ValueError:
        return warning("aws.clock", "The answer of AWS has no date, so our clock was not compared.", mend="date -u")
    ahead = ours - (theirs if theirs.tzinfo else theirs.replace(tzinfo=UTC))
    off = abs(ahead)
    said = f"Our clock is {off.total_seconds():.0f} s {'ahead of' if ahead > timedelta(0) else 'behind'} that of AWS"
    if off > REFUSED_BEYOND:
        return error(
            "aws.clock", f"{said}: calls are refused, and everything is due at the wrong time.", mend=SET_CLOCK
        )
    if off > OFF:
        return warning("aws.clock", f"{said}: invitations and holds end at the wrong minute.", mend=SET_CLOCK)
    return ok("aws.clock", "Our clock agrees with that of AWS.")


def standing(here: Installation) -> Iterator[Finding]:
    """`stack.standing`, `stack.template`."""
    name, found = settings.AWS_STACK_NAME, here.stack
    if found is None:
        yield error(
            "stack.standing",
            f"There is no stack {name} in {settings.AWS_REGION}: deploy it, or set AWS_REGION.",
            mend=DEPLOY,
        )
        return
    if not found.settled:
        mend = f"aws cloudformation describe-stack-events --stack-name {name} --max-items 20"
        yield error("stack.standing", f"The stack {name} is {found.status}: its events say why.", mend=mend)
    else:
        yield ok("stack.standing", f"The stack {name} stands.")
    if found.current:
        yield ok("stack.template", "The stack was deployed from the template of this release.")
    else:
        yield warning(
            "stack.template", f"The stack {name} was deployed from another template than this release's.", mend=DEPLOY
        )
