"""What every look needs: the installation as it is meant to be, and one reading of a refusal to look."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings

from jada.aws import clients, stack
from jada.failures import Misconfigured
from jada.findings import Check, Finding, Unseen

DEPLOY: Final = "manage.py deploy_stack"
DENIED: Final = frozenset({"AccessDenied", "AccessDeniedException", "AuthorizationError", "UnauthorizedOperation"})


class Installation:
    """One run's view of the settings and of the stack, which is read once and afresh."""

    @cached_property
    def stack(self) -> stack.Standing | None:
        return stack.standing()

    def output(self, name: str) -> str:
        if self.stack is None or not self.stack.outputs.get(name):
            raise Misconfigured(f"The stack {settings.AWS_STACK_NAME} does not say its {name}.")
        return self.stack.outputs[name]

    @property
    def redeploy(self) -> str:
        """CloudFormation leaves alone what it deployed from the same template, so it has to be told to look."""
        return f"{DEPLOY} --revert-drift" if self.stack and self.stack.current else DEPLOY

    @property
    def emulated(self) -> bool:
        """An emulator cannot do everything: it has no DNS in which a DKIM key could be found."""
        return bool(settings.AWS_ENDPOINT_URL)


@dataclass(frozen=True)
class Site:
    """One of the two hosts. `code` is how its findings begin."""

    code: str
    bucket: str
    base_url: str
    output: str  # of the stack: its distribution's id
    here: Installation

    @property
    def distribution_id(self) -> str:
        chosen: str = settings.GUEST_DISTRIBUTION_ID if self.code == "guest" else ""
        return chosen or self.here.output(self.output)

    @property
    def host(self) -> str:
        return urlsplit(self.base_url).hostname or ""

    @property
    def local(self) -> bool:
        """It is this very machine: people come to it without a CDN, a name or a certificate."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


def sites(here: Installation) -> tuple[Site, Site]:
    """The public brand, and operations."""
    return (
        Site("guest", settings.GUEST_BUCKET, settings.GUEST_BASE_URL, "GuestDistributionId", here),
        Site("ops", settings.OPS_BUCKET, settings.CREW_BASE_URL, "OpsDistributionId", here),
    )


def check(codes: tuple[str, ...], look: Callable[[], Iterator[Finding]], *, mend: str) -> Check:
    """A check whose calls may be refused: what AWS does not let us see is not known, anything else is in error."""
    return Check(codes, lambda: _seen(look), mend)


def _seen(look: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    clients.guard()
    try:
        yield from look()
    except ClientError as refusal:
        if clients.code_of(refusal) in DENIED:
            raise Unseen(
                f"AWS does not let this role look here ({refusal.operation_name}), so it is not known.",
                mend=attach("PreflightPolicyArn"),
            ) from None
        raise clients.translate(refusal) from None
    except BotoCoreError as failure:
        raise clients.translate(failure) from None


def attach(output: str) -> str:
    """The command that gives the application's role one of the stack's policies."""
    role = settings.APP_ROLE_ARN.rsplit("/", 1)[-1] or "ROLE"
    arn = f"aws cloudformation describe-stacks --stack-name {settings.AWS_STACK_NAME}"
    query = f"Stacks[0].Outputs[?OutputKey=='{output}'].OutputValue"
    return f'aws iam attach-role-policy --role-name {role} --policy-arn "$({arn} --query "{query}" --output text)"'
