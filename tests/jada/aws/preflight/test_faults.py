"""One fault at a time is planted in what is deployed; the looks find that one, and whatever rightly turns with it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber
from django.conf import settings as django_settings
from pytest_django import Settings

from jada.aws import clients, stack
from jada.aws.preflight import buckets
from tests.jada.aws.preflight.conftest import FUNCTION, Installation, environment_of_the_function

pytestmark = pytest.mark.slow

ERROR, WARNING = "error", "warning"
NO_FUNCTION = {"Quantity": 0}
GUEST, OPS, TABLE = django_settings.GUEST_BUCKET, django_settings.OPS_BUCKET, django_settings.EVENTS_TABLE


def test_an_installation_in_order_has_nothing_to_find(here: Installation) -> None:
    assert here.wrong() == {}


def test_looking_writes_nothing(here: Installation) -> None:
    here.found()

    kept = {asset.key for asset in stack.guest_assets()}
    stored = [clients.s3().list_objects_v2(Bucket=name).get("Contents", []) for name in (GUEST, OPS)]
    assert {each["Key"] for listed in stored for each in listed} == kept
    assert clients.dynamodb().scan(TableName=TABLE)["Items"] == []


class TestAccount:
    @pytest.mark.parametrize(
        ("off", "level"),
        [(timedelta(seconds=90), WARNING), (-timedelta(seconds=90), WARNING), (timedelta(minutes=6), ERROR)],
    )
    def test_a_clock_that_is_off(self, here: Installation, off: timedelta, level: str) -> None:
        assert here.wrong(clock=lambda: datetime.now(UTC) + off) == {"aws.clock": level}

    def test_credentials_that_aws_does_not_know(self, here: Installation) -> None:
        with Stubber(clients.sts()) as sts:
            sts.add_client_error("get_caller_identity", "InvalidClientTokenId", http_status_code=403)

            wrong = here.wrong()

        assert wrong == {"aws.credentials": ERROR, "aws.clock": WARNING}  # the stub's answer has no date

    def test_no_stack(self, here: Installation, settings: Settings) -> None:
        settings.AWS_STACK_NAME = "another"

        wrong = here.wrong()

        without_ids = {
            "guest.distribution", "guest.function", "ops.distribution", "ops.headers", "mail.topic", "role.permissions",
        }  # fmt: skip
        assert wrong == dict.fromkeys({"stack.standing", "mail.events", *without_ids}, ERROR)

    def test_a_stack_of_another_release(self, here: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
        newer = stack.render() + "\n# newer\n"
        monkeypatch.setattr(stack, "render", lambda: newer)

        assert here.wrong() == {"stack.template": WARNING}
        assert here.found()["stack.template"].mend == "manage.py deploy_stack"


class TestBuckets:
    def test_the_region_is_another(self, here: Installation, settings: Settings) -> None:
        settings.AWS_REGION = "us-east-1"
        clients.reset()
        here.afterwards.append(clients.reset)

        found = here.found()

        assert [found[f"{site}.region"].level for site in ("guest", "ops")] == [ERROR, ERROR]
        assert found["table.there"].level == ERROR
        assert found["stack.standing"].level == ERROR
        assert found["guest.region"].mend == "export AWS_REGION=us-west-2"

    def test_there_is_no_such_bucket(self, here: Installation, settings: Settings) -> None:
        settings.GUEST_BUCKET = "nobody-s-bucket"

        # The distribution reads another bucket than ours, the stack would be made anew, the role is for the old one.
        expected = dict.fromkeys(("guest.bucket", "guest.origin", "guest.policy", "role.permissions"), ERROR)
        assert here.wrong() == expected | {"stack.template": WARNING}

    def test_a_bucket_may_be_made_public(self, here: Installation) -> None:
        rules: Any = clients.s3().get_public_access_block(Bucket=GUEST)["PublicAccessBlockConfiguration"]
        clients.s3().delete_public_access_block(Bucket=GUEST)
        here.afterwards.append(
            lambda: clients.s3().put_public_access_block(Bucket=GUEST, PublicAccessBlockConfiguration=rules)
        )

        assert here.wrong() == {"guest.private": ERROR}

    @pytest.mark.parametrize(("site", "key"), buckets.PROBES.items())
    def test_we_may_not_write(self, here: Installation, site: str, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
        refuse(monkeypatch, clients.s3(), "put_object", "AccessDenied", when=lambda asked: asked["Key"] == key)

        assert here.wrong() == {f"{site}.write": ERROR}


class TestDistributions:
    @pytest.mark.parametrize("name", ["Guest", "Ops"])
    def test_is_switched_off(self, here: Installation, name: str) -> None:
        here.change(name, lambda config: config.update(Enabled=False))

        assert here.wrong() == {f"{name.lower()}.distribution": ERROR}

    def test_does_not_exist(self, here: Installation, settings: Settings) -> None:
        settings.GUEST_DISTRIBUTION_ID = "E000000000000"

        expected = dict.fromkeys(("guest.distribution", "guest.function", "role.permissions"), ERROR)
        assert here.wrong() == expected

    @pytest.mark.parametrize("name", ["Guest", "Ops"])
    def test_does_not_answer_to_the_host(self, here: Installation, name: str) -> None:
        here.change(name, lambda config: config.update(Aliases={"Quantity": 1, "Items": ["old.example"]}))

        assert here.wrong() == {f"{name.lower()}.alias": ERROR}

    def test_pages_come_from_the_other_bucket(self, here: Installation) -> None:
        here.change("Guest", lambda config: config["Origins"]["Items"][0].update(DomainName=f"{OPS}.s3.amazonaws.com"))

        assert here.wrong() == {"guest.origin": ERROR}
        assert OPS in here.found()["guest.origin"].said

    def test_the_site_s_files_come_from_the_other_bucket(self, here: Installation) -> None:
        here.change("Ops", lambda config: config["Origins"]["Items"][1].update(DomainName=f"{GUEST}.s3.amazonaws.com"))

        assert here.wrong() == {"ops.origin": ERROR}

    def test_the_apis_come_from_a_bucket(self, here: Installation) -> None:
        here.change("Ops", lambda config: api(config).update(TargetOriginId="ops-bucket"))

        assert here.wrong() == {"ops.origin": ERROR}

    def test_the_bucket_is_asked_without_a_signature(self, here: Installation) -> None:
        here.change("Guest", lambda config: config["Origins"]["Items"][0].update(OriginAccessControlId=""))

        assert here.wrong() == {"guest.access": ERROR}

    def test_the_bucket_lets_nobody_read(self, here: Installation) -> None:
        set_policy(here, lambda statement: statement.update(Effect="Deny"))

        assert here.wrong() == {"guest.policy": ERROR}

    def test_the_bucket_lets_every_distribution_read(self, here: Installation) -> None:
        arn = granted_arn()
        set_policy(here, lambda s: s.pop("Condition"), beside=grant({"StringEquals": {"AWS:SourceArn": arn}}))

        assert here.wrong() == {"guest.policy": ERROR}
        assert "every distribution" in here.found()["guest.policy"].said

    def test_the_bucket_lets_another_distribution_read_too(self, here: Installation) -> None:
        other = grant({"ArnLike": {"aws:SourceArn": ["arn:aws:cloudfront::1:distribution/E2OTHER"]}})
        set_policy(here, lambda statement: None, beside=other)

        assert here.wrong() == {"guest.policy": WARNING}

    @pytest.mark.parametrize(
        "fault",
        [
            {"NotAfter": datetime.now(UTC) + timedelta(days=20)},
            {"Status": "PENDING_VALIDATION"},
            {"SubjectAlternativeNames": [f"*.{OPS}", "*.example"]},
        ],
        ids=["it ends soon", "it is not issued", "it names other hosts"],
    )
    def test_a_certificate_that_will_not_do(self, here: Installation, fault: dict[str, Any]) -> None:
        with Stubber(clients.acm()) as acm:
            for _ in ("guest", "ops"):
                acm.add_response("describe_certificate", {"Certificate": certificate() | fault})
            wrong = here.wrong()

        assert wrong == {"guest.certificate": ERROR, "ops.certificate": ERROR}


class TestEdge:
    def test_the_function_is_not_run(self, here: Installation) -> None:
        here.change("Guest", lambda c: c["CacheBehaviors"]["Items"][0].update(FunctionAssociations=NO_FUNCTION))

        assert here.wrong() == {"guest.function": ERROR}
        assert here.found()["guest.function"].mend == "manage.py deploy_stack --revert-drift"

    def test_another_function_is_published(self, here: Installation) -> None:
        here.publish("function handler(event) { return event.request; }")

        assert here.wrong() == {"guest.function-code": ERROR}
        assert "update-function" in here.found()["guest.function-code"].mend

    def test_an_edit_that_is_not_published_harms_nobody(self, here: Installation) -> None:
        here.publish("function handler(event) { return event.request; }", live=False)

        assert here.wrong() == {}

    def test_ours_is_edited_and_not_published(self, here: Installation) -> None:
        here.publish("function handler(event) { return event.request; }")
        here.publish(stack.guest_function(), live=False)

        found = here.found()["guest.function-code"]
        assert here.wrong() == {"guest.function-code": ERROR}
        assert "not published" in found.said
        assert found.mend.startswith("aws cloudfront publish-function --name jada-guest-rewrite")

    def test_the_key_s_header_is_stripped(self, here: Installation) -> None:
        here.change("Ops", lambda config: api(config).pop("OriginRequestPolicyId"))

        assert here.wrong() == {"ops.headers": ERROR}
        assert "X-Api-Key, Authorization" in here.found()["ops.headers"].said

    def test_a_call_cannot_be_a_post(self, here: Installation) -> None:
        here.change("Ops", lambda c: api(c).update(AllowedMethods={"Quantity": 2, "Items": ["GET", "HEAD"]}))

        assert here.wrong() == {"ops.methods": ERROR}

    def test_answers_of_the_apis_are_kept(self, here: Installation) -> None:
        cached = "658327ea-f89d-4fab-a63d-7e88639e58f6"
        here.change("Ops", lambda config: api(config).update(CachePolicyId=cached))

        assert here.wrong() == {"ops.uncached": ERROR}

    def test_the_edge_proves_itself_with_another_word(self, here: Installation, settings: Settings) -> None:
        settings.ORIGIN_VERIFY = "one-secret"
        here.change("Ops", lambda config: config["Origins"]["Items"][0].update(CustomHeaders=proof("another-secret")))

        found = here.found()["ops.verify"]

        assert found.level == ERROR
        assert "secret" not in found.said + found.mend

    def test_the_edge_proves_itself(self, here: Installation, settings: Settings) -> None:
        settings.ORIGIN_VERIFY = "one-secret"
        here.change("Ops", lambda config: config["Origins"]["Items"][0].update(CustomHeaders=proof("one-secret")))

        assert here.found()["ops.verify"].level == "ok"


class TestTable:
    def test_is_missing(self, here: Installation, settings: Settings) -> None:
        settings.EVENTS_TABLE = "Nobody-s-events"

        assert here.wrong() == {"table.there": ERROR, "role.permissions": ERROR, "stack.template": WARNING}

    def test_has_another_key(self, here: Installation, settings: Settings) -> None:
        settings.EVENTS_TABLE = "Other-events"
        clients.dynamodb().create_table(
            TableName="Other-events",
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        )
        here.afterwards.append(lambda: clients.dynamodb().delete_table(TableName="Other-events"))

        wrong = here.wrong()

        bare = dict.fromkeys(("table.protected", "table.expiry", "table.restorable", "stack.template"), WARNING)
        assert wrong == {"table.key": ERROR, "role.permissions": ERROR} | bare
        assert "table.write" not in here.found()

    def test_can_be_deleted_by_one_call(self, here: Installation) -> None:
        protect(on=False)
        here.afterwards.append(lambda: protect(on=True))

        assert here.wrong() == {"table.protected": WARNING}

    def test_expires_nothing(self, here: Installation) -> None:
        expire(on=False)
        here.afterwards.append(lambda: expire(on=True))

        assert here.wrong() == {"table.expiry": WARNING}

    def test_cannot_be_restored(self, here: Installation) -> None:
        restorable(on=False)
        here.afterwards.append(lambda: restorable(on=True))

        assert here.wrong() == {"table.restorable": WARNING}

    def test_we_may_not_write(self, here: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
        refuse(monkeypatch, clients.dynamodb(), "put_item", "AccessDeniedException")

        assert here.wrong() == {"table.write": ERROR}


class TestPermissions:
    def test_the_role_lacks_its_policy(self, here: Installation) -> None:
        which = {"RoleName": "jada-app", "PolicyArn": here.outputs["AppPolicyArn"]}
        clients.iam().detach_role_policy(**which)
        here.afterwards.append(lambda: clients.iam().attach_role_policy(**which))

        found = here.found()["role.permissions"]
        assert here.wrong() == {"role.permissions": ERROR}
        assert "dynamodb:PutItem" in found.said
        assert "--role-name jada-app" in found.mend

    def test_no_role_is_asked_about_when_none_is_named(self, here: Installation, settings: Settings) -> None:
        settings.APP_ROLE_ARN = settings.LAMBDA_FUNCTION = ""

        assert here.wrong() == {}

    @pytest.mark.parametrize("name", ["SERVICE_KEY_HASHES", "CREW_LINK_KEYS"])
    def test_the_function_lacks_a_setting(self, here: Installation, name: str) -> None:
        give(here, {key: value for key, value in environment_of_the_function().items() if key != name})

        found = here.found()["lambda.settings"]
        assert here.wrong() == {"lambda.settings": ERROR}
        assert name in found.said
        assert f".Variables.{name}=env.{name}" in found.mend

    def test_the_function_knows_other_keys(self, here: Installation) -> None:
        give(here, environment_of_the_function() | {"SERVICE_KEY_HASHES": '{"k1": "f00d"}'})

        assert here.wrong() == {"lambda.keys": ERROR}
        assert "f00d" not in here.found()["lambda.keys"].said

    def test_there_is_no_such_function(self, here: Installation, settings: Settings) -> None:
        settings.LAMBDA_FUNCTION = "nobody-s"

        assert here.wrong() == {"lambda.function": ERROR}

    def test_its_settings_are_for_an_operator_s_eyes(
        self, here: Installation, monkeypatch: pytest.MonkeyPatch, settings: Settings
    ) -> None:
        settings.LAMBDA_FUNCTION = "jada"
        refuse(monkeypatch, clients.lambda_(), "get_function_configuration", "AccessDeniedException")

        assert here.wrong() == {"lambda.function": WARNING}
        assert "PreflightPolicyArn" not in here.found()["lambda.function"].mend  # it has no such right to give

    def test_what_we_may_not_see_is_not_known_rather_than_wrong(
        self, here: Installation, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        refuse(monkeypatch, clients.cloudfront(), "get_function", "AccessDenied")

        found = here.found()["guest.function-code"]
        assert here.wrong() == {"guest.function-code": WARNING}
        assert "PreflightPolicyArn" in found.mend


# --- hands ---------------------------------------------------------------------------------------------------------


def api(config: Any) -> Any:
    return next(each for each in config["CacheBehaviors"]["Items"] if each["PathPattern"] == "/api/*")


def proof(word: str) -> dict[str, Any]:
    return {"Quantity": 1, "Items": [{"HeaderName": "X-Origin-Verify", "HeaderValue": word}]}


def grant(condition: dict[str, Any]) -> dict[str, Any]:
    principal = {"Service": "cloudfront.amazonaws.com"}
    return {
        "Effect": "Allow", "Principal": principal, "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{GUEST}/*",
        "Condition": condition,
    }  # fmt: skip


def granted_arn() -> str:
    policy = json.loads(clients.s3().get_bucket_policy(Bucket=GUEST)["Policy"])
    return str(policy["Statement"][0]["Condition"]["StringEquals"]["AWS:SourceArn"])


def set_policy(here: Installation, edit: Callable[[Any], object], beside: dict[str, Any] | None = None) -> None:
    before = clients.s3().get_bucket_policy(Bucket=GUEST)["Policy"]
    here.afterwards.append(lambda: clients.s3().put_bucket_policy(Bucket=GUEST, Policy=before))
    policy = json.loads(before)
    edit(policy["Statement"][0])
    policy["Statement"] += [beside] if beside else []
    clients.s3().put_bucket_policy(Bucket=GUEST, Policy=json.dumps(policy))


def certificate() -> dict[str, Any]:
    return {
        "Status": "ISSUED", "NotAfter": datetime.now(UTC) + timedelta(days=300), "SubjectAlternativeNames": [OPS, GUEST],
    }  # fmt: skip


def protect(*, on: bool) -> None:
    clients.dynamodb().update_table(TableName=TABLE, DeletionProtectionEnabled=on)


def expire(*, on: bool) -> None:
    wanted: Any = {"Enabled": on, "AttributeName": "expires_at"}
    clients.dynamodb().update_time_to_live(TableName=TABLE, TimeToLiveSpecification=wanted)


def restorable(*, on: bool) -> None:
    wanted: Any = {"PointInTimeRecoveryEnabled": on}
    clients.dynamodb().update_continuous_backups(TableName=TABLE, PointInTimeRecoverySpecification=wanted)


def give(here: Installation, variables: dict[str, str]) -> None:
    def put(wanted: dict[str, str]) -> None:
        function: Any = clients.lambda_()
        function.update_function_configuration(FunctionName=FUNCTION, Environment={"Variables": wanted})
        function.get_waiter("function_updated_v2").wait(FunctionName=FUNCTION, WaiterConfig={"Delay": 1})

    here.afterwards.append(lambda: put(environment_of_the_function()))
    put(variables)


def refuse(
    monkeypatch: pytest.MonkeyPatch, client: Any, name: str, code: str, when: Callable[[Any], bool] = lambda asked: True
) -> None:
    """What only IAM would refuse; the emulator asks nobody for a permission."""
    really = getattr(client, name)

    def call(**asked: Any) -> Any:
        if when(asked):
            answer: Any = {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": 403}}
            raise ClientError(answer, name)
        return really(**asked)

    monkeypatch.setattr(client, name, call)
