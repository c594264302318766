"""The one CloudFormation stack: deploy exactly `infra/template.yaml`, and read what it made."""

from __future__ import annotations

import hashlib
import textwrap
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import chain, repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from botocore.exceptions import ClientError
from django.conf import settings

from jada.aws import clients
from jada.aws.bucket import PAGE_CACHE, content_type_of
from jada.failures import Misconfigured, Retry

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.type_defs import ParameterTypeDef, StackTypeDef

PLACEHOLDER: Final = "        function handler(event) { return event.request; }\n"
NOT_FOUND: Final = "404.html"
ASSET_CACHE: Final = "public, max-age=2592000"  # 30 days in a browser; the edge keeps nothing over 5 minutes
_DIGEST: Final = "TemplateDigest"
_STANDING: Final = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE")
_NOTHING_TO_DO: Final = ("didn't contain changes", "No updates are to be performed")
# Seconds between looks: at once for an emulator, up to half an hour for real distributions.
_PAUSES: Final = (0.05, 0.1, 0.2, 0.4, 0.8, 2.0)
_PATIENCE: Final = 180


@dataclass(frozen=True)
class Deployed:
    """`changed` is False if the stack and its files stood already as wanted."""

    changed: bool
    outputs: dict[str, str]


@dataclass(frozen=True)
class Standing:
    """The stack as CloudFormation knows it now. `current`: deployed from the very template of this repository."""

    status: str
    current: bool
    outputs: Mapping[str, str]

    @property
    def settled(self) -> bool:
        return self.status in _STANDING


@dataclass(frozen=True)
class Asset:
    """One file of the guest bucket that belongs to the stack, not to a guest."""

    key: str
    body: bytes
    cache_control: str


def deploy(parameters: Mapping[str, str], *, revert_drift: bool = False) -> Deployed:
    """Create or update the stack, wait for it, and put its files. Doing it again changes nothing and is quick.

    `parameters` are those of the template; what is not named keeps the value it has, or the template's default.
    CloudFormation compares templates, not what stands: with `revert_drift` it looks, and takes back what was changed
    by hand. Raises Misconfigured with CloudFormation's own reason if the stack does not come to stand.
    """
    changed = _deploy_template(render(), parameters, revert_drift=revert_drift)
    outputs.cache_clear()
    return Deployed(changed=_put_assets(guest_assets()) or changed, outputs=outputs())


def render() -> str:
    """The template as it is sent: the function's body from `infra/guest_rewrite.js`, the names from the settings."""
    template = _infra("template.yaml").read_text()
    code = textwrap.indent(guest_function(), " " * 8)
    for place, text in {PLACEHOLDER: code, **_names()}.items():
        if template.count(place) != 1:
            raise ValueError(f"infra/template.yaml has to hold this line once: {place.strip()}")
        template = template.replace(place, text)
    return template


def guest_function() -> str:
    """The edge function of this release."""
    return _infra("guest_rewrite.js").read_text()


@cache
def outputs() -> dict[str, str]:
    """What the stack answers, by name. Read once per process: a distribution keeps its id for life."""
    stack = _describe()
    if stack is None:
        raise Misconfigured(f"There is no stack {settings.AWS_STACK_NAME}: run manage.py deploy_stack first.")
    return _outputs_of(stack)


def standing() -> Standing | None:
    """The stack as it is this minute, None if there is none: for looking, where `outputs` is for working."""
    stack = _describe()
    if stack is None:
        return None
    wanted = hashlib.sha256(render().encode()).hexdigest()
    return Standing(stack["StackStatus"], _parameters_of(stack).get(_DIGEST) == wanted, _outputs_of(stack))


def guest_distribution_id() -> str:
    """The distribution of the public brand: the setting, or else the stack's own."""
    return settings.GUEST_DISTRIBUTION_ID or outputs()["GuestDistributionId"]


def guest_assets() -> list[Asset]:
    """Fonts and pictures below `infra/guest_assets/`, and the page for an address that is not there."""
    root = _infra("guest_assets")
    files = sorted(path for path in root.rglob("*") if path.is_file())
    assets = [Asset(path.relative_to(root).as_posix(), path.read_bytes(), ASSET_CACHE) for path in files]
    return [*assets, Asset(NOT_FOUND, _infra("guest_404.html").read_bytes(), PAGE_CACHE)]


def _infra(name: str) -> Path:
    return Path(settings.BASE_DIR) / "infra" / name


def _names() -> dict[str, str]:
    """Names are written out, not passed as parameters: CloudFormation imports only what is named by plain text."""
    return {
        "      BucketName: queenofsandiego.com\n": f"      BucketName: {settings.GUEST_BUCKET}\n",
        "      BucketName: sailjada.com\n": f"      BucketName: {settings.OPS_BUCKET}\n",
        "      TableName: ShipCaptainCrew-events\n": f"      TableName: {settings.EVENTS_TABLE}\n",
    }


# --- the template ------------------------------------------------------------------------------------------------


def _deploy_template(template: str, wanted: Mapping[str, str], *, revert_drift: bool) -> bool:
    stack = _cleared(_settled())
    wanted = {**wanted, _DIGEST: hashlib.sha256(template.encode()).hexdigest()}
    if stack is not None and _stands_as(stack, wanted) and not revert_drift:
        return False
    change_set = _prepare(stack, template, wanted, revert_drift=revert_drift and stack is not None)
    if change_set is None:
        return False
    with clients.calling():
        clients.cloudformation().execute_change_set(StackName=settings.AWS_STACK_NAME, ChangeSetName=change_set)
    _require_standing(_settled(begun=True), digest=wanted[_DIGEST])
    return True


def _cleared(stack: StackTypeDef | None) -> StackTypeDef | None:
    """Without the remains of a creation that failed: such a stack holds nothing and can only be deleted."""
    if stack is None or stack["StackStatus"] != "ROLLBACK_COMPLETE":
        return stack
    with clients.calling():
        clients.cloudformation().delete_stack(StackName=settings.AWS_STACK_NAME)
    return _settled()


def _prepare(stack: StackTypeDef | None, template: str, wanted: Mapping[str, str], *, revert_drift: bool) -> str | None:
    """A change set that is ready to be executed; answers its ARN, None if it would change nothing.

    A change set, because it can take in what exists already: buckets and the table outlive their stack.
    """
    mode: dict[str, Any] = {"DeploymentMode": "REVERT_DRIFT"} if revert_drift else {"ImportExistingResources": True}
    given: list[ParameterTypeDef] = [{"ParameterKey": name, "ParameterValue": value} for name, value in wanted.items()]
    with clients.calling():
        try:
            answer = clients.cloudformation().create_change_set(
                StackName=settings.AWS_STACK_NAME,
                ChangeSetName=f"deploy-{uuid4().hex}",
                ChangeSetType="UPDATE" if stack else "CREATE",
                **mode,
                DisableValidation=True,  # it takes the name of what is to be imported for a conflict
                TemplateBody=template,
                Parameters=[*given, *(_kept(stack, wanted, template) if stack else [])],
                Capabilities=["CAPABILITY_IAM"],
            )
        except ClientError as error:
            if clients.code_of(error) != "ValidationError":
                raise
            said = error.response["Error"].get("Message", "")
            raise Misconfigured(f"CloudFormation does not take the template as it is: {said}") from None
    return answer["Id"] if _prepared(answer["Id"]) else None


def _prepared(change_set: str) -> bool:
    """Wait until it is ready; False if there is nothing to change."""
    for pause in _pauses():
        with clients.calling():
            found = clients.cloudformation().describe_change_set(ChangeSetName=change_set)
        if found["Status"] == "CREATE_COMPLETE":
            return True
        reason = found.get("StatusReason", "")
        if found["Status"] == "FAILED" and any(said in reason for said in _NOTHING_TO_DO):
            return False
        if found["Status"] == "FAILED":
            raise Misconfigured(f"CloudFormation cannot change the stack so: {reason}")
        time.sleep(pause)
    raise Retry("CloudFormation has been preparing the change for half an hour: look at its change sets.")


def _stands_as(stack: StackTypeDef, wanted: Mapping[str, str]) -> bool:
    found = _parameters_of(stack)
    return stack["StackStatus"] in _STANDING and all(found.get(name) == value for name, value in wanted.items())


def _kept(stack: StackTypeDef, wanted: Mapping[str, str], template: str) -> list[ParameterTypeDef]:
    """Parameters that keep their value: CloudFormation would go back to the default of one that is not named."""
    kept = [name for name in _parameters_of(stack) if name not in wanted and f"\n  {name}:" in template]
    return [{"ParameterKey": name, "UsePreviousValue": True} for name in kept]


def _require_standing(stack: StackTypeDef | None, *, digest: str) -> None:
    if stack is None or stack["StackStatus"] not in _STANDING or _parameters_of(stack).get(_DIGEST) != digest:
        status = stack["StackStatus"] if stack else "gone"
        raise Misconfigured(f"The stack {settings.AWS_STACK_NAME} is {status}: {_first_failure()}")


def _settled(*, begun: bool = False) -> StackTypeDef | None:
    """The stack once nothing is in progress, also if somebody else began it; None if there is none yet.

    A stack in review is a change set that nobody has executed, or (`begun`) one that is about to start.
    """
    for pause in _pauses():
        stack = _describe()
        if stack is None or (stack["StackStatus"] == "REVIEW_IN_PROGRESS" and not begun):
            return None
        if not stack["StackStatus"].endswith("_IN_PROGRESS"):
            return stack
        time.sleep(pause)
    raise Retry(f"The stack {settings.AWS_STACK_NAME} is still in progress after half an hour: look at its events.")


def _pauses() -> Iterator[float]:
    return chain(_PAUSES, repeat(10.0, _PATIENCE))


def _describe() -> StackTypeDef | None:
    with clients.calling():
        try:
            return clients.cloudformation().describe_stacks(StackName=settings.AWS_STACK_NAME)["Stacks"][0]
        except ClientError as error:
            if clients.code_of(error) == "ValidationError" and "does not exist" in str(error):
                return None
            raise


def _first_failure() -> str:
    """Why it did not come to stand: the oldest failed event of the latest attempt is the cause of the others."""
    with clients.calling():
        events = clients.cloudformation().describe_stack_events(StackName=settings.AWS_STACK_NAME)["StackEvents"]
    failed = [e for e in events if e.get("ResourceStatus", "").endswith("_FAILED") and e.get("ResourceStatusReason")]
    if not failed:
        return "look at its events; a stack whose creation failed has to be deleted first."
    return f"{failed[-1].get('LogicalResourceId', '')}: {failed[-1].get('ResourceStatusReason', '')}"


def _parameters_of(stack: StackTypeDef) -> dict[str, str]:
    return {p.get("ParameterKey", ""): p.get("ParameterValue", "") for p in stack.get("Parameters", [])}


def _outputs_of(stack: StackTypeDef) -> dict[str, str]:
    return {o.get("OutputKey", ""): o.get("OutputValue", "") for o in stack.get("Outputs", [])}


# --- its files ---------------------------------------------------------------------------------------------------


def _put_assets(assets: list[Asset]) -> bool:
    """Put every file, the page for missing addresses last: its metadata says that all the others are there."""
    digest = hashlib.sha256(b"".join(a.key.encode() + hashlib.sha256(a.body).digest() for a in assets)).hexdigest()
    if _assets_digest() == digest:
        return False
    for asset in assets:
        with clients.calling():
            clients.s3().put_object(
                Bucket=settings.GUEST_BUCKET,
                Key=asset.key,
                Body=asset.body,
                ContentType=content_type_of(asset.key),
                CacheControl=asset.cache_control,
                Metadata={"assets": digest},
            )
    return True


def _assets_digest() -> str | None:
    with clients.calling():
        try:
            head = clients.s3().head_object(Bucket=settings.GUEST_BUCKET, Key=NOT_FOUND)
        except ClientError as error:
            if clients.status_of(error) != 404:
                raise
            return None
    return head["Metadata"].get("assets")
