"""One deployed installation with nothing to find, given to every test and put back after each."""

from __future__ import annotations

import copy
import io
import json
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from django.conf import settings

from jada.aws import clients, stack
from jada.aws.preflight.checks import checks
from jada.findings import Level, run
from tests.emulator import ACCOUNT, Emulator

ROLE = f"arn:aws:iam::{ACCOUNT}:role/jada-app"
FUNCTION = "jada-web"
# What no emulator can have: records in a DNS, a host behind the names.
EMULATOR_S_OWN = {"mail.dkim", "mail.from", "ops.verify"}


@dataclass
class Installation:
    """What is deployed, with the hands to change it."""

    outputs: dict[str, str]
    afterwards: list[Callable[[], object]] = field(default_factory=list)  # what puts right what a test has broken

    def found(self, clock: Callable[[], datetime] = lambda: datetime.now(UTC), first: str = "") -> dict[str, Any]:
        """By code, what the looks at AWS find, or the one that begins with the code `first`.

        Without the live call, for which there is no host here.
        """
        looks = [check for check in checks(clock=clock) if check.codes != ("ops.echo",)]
        looks = [check for check in looks if first in ("", check.codes[0])]
        findings = list(run(looks))
        assert len({f.code for f in findings}) == len(findings)
        assert {f.code for f in findings} <= {code for check in looks for code in check.codes}
        return {f.code: f for f in findings}

    def wrong(self, **kwargs: Any) -> dict[str, str]:
        """The codes that are not in order, each with its level."""
        found = self.found(**kwargs)
        assert all(bool(f.mend) == (f.level is not Level.OK) for f in found.values())
        return {c: f.level.value for c, f in found.items() if f.level is not Level.OK and c not in EMULATOR_S_OWN}

    def change(self, name: str, edit: Callable[[Any], object]) -> None:
        """Edit a distribution's configuration by hand."""
        cloudfront, which = clients.cloudfront(), self.outputs[f"{name}DistributionId"]
        before = cloudfront.get_distribution_config(Id=which)["DistributionConfig"]
        after = copy.deepcopy(before)
        edit(after)

        def put(config: Any) -> None:
            etag = cloudfront.get_distribution_config(Id=which)["ETag"]
            cloudfront.update_distribution(Id=which, IfMatch=etag, DistributionConfig=config)

        self.afterwards.append(lambda: put(before))
        put(after)

    def publish(self, code: str, *, live: bool = True) -> None:
        """Write another edge function, and, with `live`, publish it."""
        self.afterwards.append(lambda: self._publish(stack.guest_function(), live=True))
        self._publish(code, live=live)

    def _publish(self, code: str, *, live: bool) -> None:
        cloudfront, name = clients.cloudfront(), "jada-guest-rewrite"
        config: Any = {"Comment": "", "Runtime": "cloudfront-js-2.0"}
        etag = cloudfront.describe_function(Name=name, Stage="DEVELOPMENT")["ETag"]
        cloudfront.update_function(Name=name, IfMatch=etag, FunctionConfig=config, FunctionCode=code.encode())
        if live:
            etag = cloudfront.describe_function(Name=name, Stage="DEVELOPMENT")["ETag"]
            cloudfront.publish_function(Name=name, IfMatch=etag)


@pytest.fixture(scope="module")
def deployed(aws_server: Emulator) -> Iterator[Installation]:
    """Everything as it should be; made once a module, because that takes seconds."""
    aws_server.reset()
    yield Installation(_deploy(aws_server))
    aws_server.reset()


@pytest.fixture
def here(deployed: Installation, settings: Any) -> Iterator[Installation]:
    settings.APP_ROLE_ARN, settings.LAMBDA_FUNCTION = ROLE, FUNCTION
    yield deployed
    while deployed.afterwards:
        deployed.afterwards.pop()()


def _deploy(server: Emulator) -> dict[str, str]:
    names = {"DomainName": settings.OPS_BUCKET, "SubjectAlternativeNames": [settings.GUEST_BUCKET]}
    certificate = clients.acm().request_certificate(**names)["CertificateArn"]
    outputs = stack.deploy({"CertificateArn": certificate}).outputs
    _what_the_emulator_ignores()
    _role(outputs["AppPolicyArn"])
    _function()
    return outputs


def _what_the_emulator_ignores() -> None:
    """Of the table's template: asserted in test_template, set by hand here."""
    table = settings.EVENTS_TABLE
    expiry: Any = {"Enabled": True, "AttributeName": "expires_at"}
    clients.dynamodb().update_time_to_live(TableName=table, TimeToLiveSpecification=expiry)
    backups: Any = {"PointInTimeRecoveryEnabled": True}
    clients.dynamodb().update_continuous_backups(TableName=table, PointInTimeRecoverySpecification=backups)


def _role(policy: str) -> None:
    trust = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    clients.iam().create_role(RoleName="jada-app", AssumeRolePolicyDocument=document)
    clients.iam().attach_role_policy(RoleName="jada-app", PolicyArn=policy)


def environment_of_the_function() -> dict[str, str]:
    names = ("SECRET_KEY", "DATABASE_URL", "DASHBOARD_TOKEN_HASHES", "CREW_LINK_KEYS", "CREW_LINK_ACTIVE_KID")
    return dict.fromkeys(names, "set") | {"SERVICE_KEY_HASHES": json.dumps(settings.SERVICE_KEY_HASHES)}


def _function() -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as code:
        code.writestr("web.py", "def handler(event, context): return {}")
    clients.lambda_().create_function(
        FunctionName=FUNCTION,
        Runtime="python3.12",
        Role=ROLE,
        Handler="web.handler",
        Code={"ZipFile": archive.getvalue()},
        Environment={"Variables": environment_of_the_function()},
    )
    clients.lambda_().get_waiter("function_active_v2").wait(FunctionName=FUNCTION, WaiterConfig={"Delay": 1})
