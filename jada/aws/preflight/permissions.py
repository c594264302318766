"""What the application's role may do, and what the function at AWS Lambda was given; both where they are in use."""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterator
from typing import Final

from botocore.exceptions import ClientError
from django.conf import settings

from jada.aws import clients
from jada.aws.preflight.asking import DENIED, Installation, attach
from jada.aws.preflight.mail import queue_url
from jada.findings import Finding, error, ok, warning

# What production does not start without, and what tells it where its data is.
REQUIRED: Final = (
    "SECRET_KEY",
    "SERVICE_KEY_HASHES",
    "DASHBOARD_TOKEN_HASHES",
    "CREW_LINK_KEYS",
    "CREW_LINK_ACTIVE_KID",
    "DATABASE_URL",
)


def role(here: Installation) -> Iterator[Finding]:
    """`role.permissions`: every call the application makes, judged by IAM without making it."""
    arn = settings.APP_ROLE_ARN
    if not arn:
        yield ok("role.permissions", "No role is named (APP_ROLE_ARN), so none was asked about.")
        return
    refused = [action for action, resource in _needed(here, arn) if not _may(arn, action, resource)]
    if refused:
        said = f"The role {arn.rsplit('/', 1)[-1]} may not do {', '.join(refused)}."
        yield error("role.permissions", said, mend=attach("AppPolicyArn"))
    else:
        yield ok("role.permissions", f"The role {arn.rsplit('/', 1)[-1]} may do all that the application does.")


def _may(arn: str, action: str, resource: str) -> bool:
    answer = clients.iam().simulate_principal_policy(PolicySourceArn=arn, ActionNames=[action], ResourceArns=[resource])
    return answer["EvaluationResults"][0]["EvalDecision"] == "allowed"


def _needed(here: Installation, arn: str) -> Iterator[tuple[str, str]]:
    _, partition, _, _, account, _ = arn.split(":", 5)
    region = settings.AWS_REGION
    distribution = settings.GUEST_DISTRIBUTION_ID or here.output("GuestDistributionId")
    mail = f"arn:{partition}:ses:{region}:{account}:configuration-set/{settings.ANYMAIL['AMAZON_SES_CONFIGURATION_SET_NAME']}"
    queue = f"arn:{partition}:sqs:{region}:{account}:{queue_url(here).rsplit('/', 1)[-1]}"
    table = f"arn:{partition}:dynamodb:{region}:{account}:table/{settings.EVENTS_TABLE}"
    edge = f"arn:{partition}:cloudfront::{account}:distribution/{distribution}"
    for action in ("s3:GetObject", "s3:PutObject"):
        yield action, f"arn:{partition}:s3:::{settings.GUEST_BUCKET}/g/preflight.html"
        yield action, f"arn:{partition}:s3:::{settings.OPS_BUCKET}/preflight"
    for action in ("dynamodb:GetItem", "dynamodb:PutItem"):
        yield action, table
    for action in ("cloudfront:CreateInvalidation", "cloudfront:GetInvalidation"):
        yield action, edge
    yield "ses:SendRawEmail", mail
    for action in ("sqs:ReceiveMessage", "sqs:DeleteMessage"):
        yield action, queue


def function() -> Iterator[Finding]:
    """`lambda.function`, `lambda.settings`, `lambda.keys`. What is set is compared, and never said."""
    name = settings.LAMBDA_FUNCTION
    if not name:
        yield ok("lambda.function", "The application does not run at AWS Lambda (LAMBDA_FUNCTION is not set).")
        return
    try:
        found = clients.lambda_().get_function_configuration(FunctionName=name)
    except ClientError as refusal:
        if clients.code_of(refusal) in DENIED:
            said = (
                f"AWS does not let this role see the settings of {name}, which hold every key, so they are not known."
            )
            yield warning("lambda.function", said, mend=_allow_reading(name))
            return
        if clients.code_of(refusal) != "ResourceNotFoundException":
            raise
        mend = "aws lambda list-functions --query 'Functions[].FunctionName'"
        yield error("lambda.function", f"There is no function {name} in {settings.AWS_REGION}.", mend=mend)
        return
    yield _runs(name, found.get("State", "Active"), found.get("LastUpdateStatus", "Successful"))
    yield from _environment(name, found.get("Environment", {}).get("Variables", {}))


def _allow_reading(name: str) -> str:
    """No policy of the stack has this right: only an operator's own look should see all keys at once."""
    return f"AWS_PROFILE=OPERATOR LAMBDA_FUNCTION={name} manage.py preflight --only lambda"


def _runs(name: str, state: str, update: str) -> Finding:
    if state in ("Active", "Inactive") and update == "Successful":  # an idle function is inactive until its next call
        return ok("lambda.function", f"The function {name} is {state.lower()}.")
    if state == "Pending" or update == "InProgress":
        mend = f"aws lambda wait function-updated-v2 --function-name {name}"
        return warning("lambda.function", f"A deploy of the function {name} is still under way.", mend=mend)
    mend = (
        f"aws lambda get-function-configuration --function-name {name} --query '[StateReason,LastUpdateStatusReason]'"
    )
    return error("lambda.function", f"The function {name} is {state}, its last update {update}.", mend=mend)


def _environment(name: str, variables: dict[str, str]) -> Iterator[Finding]:
    if missing := [variable for variable in REQUIRED if not variables.get(variable)]:
        said = f"The function {name} lacks {', '.join(missing)}: a deploy that names some settings replaces them all."
        yield error("lambda.settings", said, mend=_set(name, missing))
    else:
        yield ok("lambda.settings", f"The function {name} has the settings it does not start without.")
    theirs = variables.get("SERVICE_KEY_HASHES", "")
    if theirs and not hmac.compare_digest(_canonical(theirs), _canonical(json.dumps(settings.SERVICE_KEY_HASHES))):
        said = f"The service keys of the function {name} are not the ones set here: a key works in one place only."
        yield error("lambda.keys", said, mend=_set(name, ["SERVICE_KEY_HASHES"]))
    elif theirs:
        yield ok("lambda.keys", f"The function {name} knows the same service keys.")


def _canonical(text: str) -> bytes:
    """The same keys are the same text, however they were written down."""
    try:
        return json.dumps(json.loads(text), sort_keys=True).encode()
    except ValueError:
        return text.encode()


def _set(name: str, variables: list[str]) -> str:
    """Puts single variables beside those that are there, which the bare call would replace; values come from our own."""
    edit = " | ".join(f".Variables.{variable}=env.{variable}" for variable in variables)
    read = f"aws lambda get-function-configuration --function-name {name} --query Environment --output json"
    return (
        f"aws lambda update-function-configuration --function-name {name} --environment \"$({read} | jq -c '{edit}')\""
    )
