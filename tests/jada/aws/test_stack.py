"""Deploying: once, again, and when something is in the way."""

import base64
import hashlib
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.stub import ANY, Stubber
from django.conf import settings as django_settings
from pytest_django import Settings

from jada.aws import clients, stack
from jada.failures import Misconfigured, Retry
from tests.emulator import Emulator

INFRA = django_settings.BASE_DIR / "infra"


@pytest.fixture
def infra(tmp_path: Path, settings: Settings) -> Path:
    """A copy of the deployment files that a test may change."""
    folder = tmp_path / "infra"
    (folder / "guest_assets" / "a").mkdir(parents=True)
    for name in ("template.yaml", "guest_rewrite.js", "guest_404.html"):
        (folder / name).write_bytes((INFRA / name).read_bytes())
    (folder / "guest_assets" / "a" / "font.woff2").write_bytes(b"wOF2")
    settings.BASE_DIR = tmp_path
    return folder


def head(key: str) -> Any:
    return clients.s3().head_object(Bucket=django_settings.GUEST_BUCKET, Key=key)


def live_function() -> str:
    found = clients.cloudfront().get_function(Name="jada-guest-rewrite", Stage="LIVE")
    return found["FunctionCode"].read().decode()


class TestDeploy:
    @pytest.mark.slow
    def test_creates_what_the_template_says(self, aws: Emulator) -> None:
        deployed = stack.deploy({})

        assert deployed.changed
        assert deployed.outputs["GuestDistributionId"].startswith("E")
        assert live_function() == (INFRA / "guest_rewrite.js").read_text()

    def test_a_second_time_changes_nothing(self, stack_of_a_test: dict[str, str]) -> None:
        again = stack.deploy({})

        assert not again.changed
        assert again.outputs == stack_of_a_test

    @pytest.mark.slow
    def test_a_new_function_becomes_live_and_the_distribution_stays(self, aws: Emulator, infra: Path) -> None:
        before = stack.deploy({}).outputs
        (infra / "guest_rewrite.js").write_text("function handler(event) { return event.request; } // new\n")

        after = stack.deploy({})

        assert after.changed
        assert live_function().endswith("// new\n")
        assert after.outputs["GuestDistributionId"] == before["GuestDistributionId"]

    @pytest.mark.slow
    def test_a_parameter_keeps_its_value_until_it_is_named_again(self, aws: Emulator) -> None:
        stack.deploy({"OpsDomain": "ops.example"})

        assert not stack.deploy({}).changed
        assert not stack.deploy({"OpsDomain": "ops.example"}).changed
        assert stack.deploy({"GuestDomain": "guests.example"}).changed
        assert parameters()["OpsDomain"] == "ops.example"
        assert parameters()["GuestDomain"] == "guests.example"

    @pytest.mark.slow
    def test_names_come_from_the_settings(self, aws: Emulator, settings: Settings) -> None:
        settings.GUEST_BUCKET, settings.EVENTS_TABLE = "guests.example", "Other-events"

        stack.deploy({})

        assert clients.s3().head_bucket(Bucket="guests.example")
        assert clients.dynamodb().describe_table(TableName="Other-events")


class TestDrift:
    def test_is_looked_for_when_asked_although_the_template_is_the_same(self, cloudformation: Stubber) -> None:
        standing_as_wanted(cloudformation)
        cloudformation.add_response("create_change_set", {"Id": "arn:change"}, created("UPDATE", revert_drift=True))
        cloudformation.add_response("describe_change_set", {"Status": "CREATE_COMPLETE"})
        cloudformation.add_response("execute_change_set", {})
        standing_as_wanted(cloudformation)
        standing_as_wanted(cloudformation)  # its outputs

        with Stubber(clients.s3()) as s3:
            s3.add_response("head_object", {"Metadata": {"assets": "others"}})
            for _ in stack.guest_assets():
                s3.add_response("put_object", {})

            assert stack.deploy({}, revert_drift=True).changed
        cloudformation.assert_no_pending_responses()

    @pytest.mark.parametrize(
        "said", ["The submitted information didn't contain changes.", "No updates are to be performed."]
    )
    def test_that_is_not_there_changes_nothing(self, stack_of_a_test: dict[str, str], said: str) -> None:
        with Stubber(clients.cloudformation()) as cloudformation:
            standing_as_wanted(cloudformation)
            cloudformation.add_response("create_change_set", {"Id": "arn:change"}, created("UPDATE", revert_drift=True))
            cloudformation.add_response("describe_change_set", {"Status": "FAILED", "StatusReason": said})
            standing_as_wanted(cloudformation)

            assert not stack.deploy({}, revert_drift=True).changed
        stack.outputs.cache_clear()


class TestStanding:
    def test_is_what_is_there_this_minute(self, stack_of_a_test: dict[str, str]) -> None:
        found = stack.standing()

        assert found is not None
        assert (found.settled, found.current, dict(found.outputs)) == (True, True, stack_of_a_test)

    def test_is_not_current_when_another_template_was_deployed(
        self, stack_of_a_test: dict[str, str], infra: Path
    ) -> None:
        (infra / "guest_rewrite.js").write_text("function handler(event) { return event.request; } // newer\n")

        found = stack.standing()

        assert found is not None
        assert not found.current

    @pytest.mark.usefixtures("aws")
    def test_is_none_where_there_is_no_stack(self) -> None:
        assert stack.standing() is None


class TestFiles:
    @pytest.mark.slow
    def test_stand_with_their_types_and_lives(self, aws: Emulator, infra: Path) -> None:
        stack.deploy({})

        font, missing = head("a/font.woff2"), head("404.html")
        assert (font["ContentType"], font["CacheControl"]) == ("font/woff2", "public, max-age=2592000")
        assert missing["ContentType"] == "text/html; charset=utf-8"

    @pytest.mark.slow
    def test_a_changed_file_is_put_again(self, aws: Emulator, infra: Path) -> None:
        stack.deploy({})
        (infra / "guest_assets" / "a" / "font.woff2").write_bytes(b"wOF2 better")

        assert stack.deploy({}).changed
        assert head("a/font.woff2")["ContentLength"] == len(b"wOF2 better")
        assert not stack.deploy({}).changed

    @pytest.mark.slow
    def test_an_emptied_bucket_is_filled_again(self, aws: Emulator, infra: Path) -> None:
        stack.deploy({})
        for key in ("a/font.woff2", "404.html"):
            clients.s3().delete_object(Bucket=django_settings.GUEST_BUCKET, Key=key)

        assert stack.deploy({}).changed
        assert head("a/font.woff2")

    def test_the_page_for_missing_addresses_needs_nothing_but_its_own_style(self) -> None:
        page = (INFRA / "guest_404.html").read_text()
        [style] = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)

        digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()

        assert f"style-src 'sha256-{digest}'" in page
        assert not re.search(r"<script|<link|src=|href=|http://|https://", page)

    def test_the_page_for_missing_addresses_comes_last(self) -> None:
        assert stack.guest_assets()[-1].key == "404.html"


class TestOutputs:
    def test_are_read_once(self, stack_of_a_test: dict[str, str]) -> None:
        assert stack.outputs() == stack_of_a_test
        assert stack.outputs() is stack.outputs()

    @pytest.mark.usefixtures("aws")
    def test_without_a_stack_say_how_to_get_one(self) -> None:
        with pytest.raises(Misconfigured, match="deploy_stack first"):
            stack.outputs()

    def test_the_distribution_is_the_stack_s(self, stack_of_a_test: dict[str, str]) -> None:
        assert stack.guest_distribution_id() == stack_of_a_test["GuestDistributionId"]

    def test_or_the_one_of_the_settings(self, settings: Settings) -> None:
        settings.GUEST_DISTRIBUTION_ID = "E1SETTING"

        assert stack.guest_distribution_id() == "E1SETTING"


class TestInTheWay:
    """States that the emulator does not come to, told by the SDK's stubber."""

    def test_waits_for_what_somebody_else_began(self, cloudformation: Stubber) -> None:
        cloudformation.add_response("describe_stacks", described("UPDATE_IN_PROGRESS"))
        cloudformation.add_response("describe_stacks", described("UPDATE_COMPLETE"))
        cloudformation.add_client_error("create_change_set", "ValidationError", "Parameters: [X] do not exist", 400)

        with pytest.raises(Misconfigured, match=r"Parameters: \[X\] do not exist"):
            stack.deploy({})
        cloudformation.assert_no_pending_responses()

    def test_another_refusal_is_sorted_like_any(self, cloudformation: Stubber) -> None:
        cloudformation.add_client_error("describe_stacks", "ValidationError", "jada does not exist", 400)
        cloudformation.add_client_error("create_change_set", "AccessDenied", "", 403)

        with pytest.raises(Misconfigured, match="AccessDenied"):
            stack.deploy({})

    @pytest.mark.parametrize("subject", ["stack", "change set"])
    def test_gives_up_in_the_end(self, cloudformation: Stubber, monkeypatch: pytest.MonkeyPatch, subject: str) -> None:
        monkeypatch.setattr(stack, "_pauses", lambda: iter([0.0]))
        if subject == "stack":
            cloudformation.add_response("describe_stacks", described("CREATE_IN_PROGRESS"))
        else:
            prepared(cloudformation, "CREATE_IN_PROGRESS")

        with pytest.raises(Retry, match="half an hour"):
            stack.deploy({})

    def test_a_change_that_cannot_be_prepared_is_told_with_its_reason(self, cloudformation: Stubber) -> None:
        prepared(cloudformation, "FAILED")

        with pytest.raises(Misconfigured, match="EventsTable cannot be taken in"):
            stack.deploy({})

    @pytest.mark.parametrize(
        ("events", "reason"),
        [
            ([("UPDATE_ROLLBACK_IN_PROGRESS", ""), ("UPDATE_FAILED", "Name is taken")], "EventsTable: Name is taken"),
            ([("UPDATE_ROLLBACK_COMPLETE", "")], "look at its events"),
        ],
    )
    def test_a_roll_back_is_told_with_its_cause(
        self, cloudformation: Stubber, events: list[tuple[str, str]], reason: str
    ) -> None:
        prepared(cloudformation, "CREATE_COMPLETE")
        cloudformation.add_response("execute_change_set", {})
        cloudformation.add_response("describe_stacks", described("REVIEW_IN_PROGRESS"))  # it has not begun to show
        cloudformation.add_response("describe_stacks", described("UPDATE_ROLLBACK_COMPLETE"))
        cloudformation.add_response("describe_stack_events", {"StackEvents": [event(*each) for each in events]})

        with pytest.raises(Misconfigured, match=reason):
            stack.deploy({})

    def test_the_remains_of_a_failed_creation_are_cleared_away(self, cloudformation: Stubber) -> None:
        cloudformation.add_response("describe_stacks", described("ROLLBACK_COMPLETE"))
        cloudformation.add_response("delete_stack", {})
        cloudformation.add_response("describe_stacks", described("REVIEW_IN_PROGRESS"))
        cloudformation.add_client_error("create_change_set", "AccessDenied", "", 403, expected_params=created("CREATE"))

        with pytest.raises(Misconfigured, match="AccessDenied"):
            stack.deploy({})
        cloudformation.assert_no_pending_responses()

    @pytest.mark.slow
    def test_buckets_and_table_that_outlived_their_stack_are_taken_in(self, aws: Emulator) -> None:
        before = stack.deploy({}).outputs
        clients.s3().put_object(Bucket=django_settings.GUEST_BUCKET, Key="g/kept.html", Body=b"kept")
        clients.cloudformation().delete_stack(StackName="jada")
        stack.outputs.cache_clear()

        after = stack.deploy({})

        assert after.outputs["GuestDistributionId"] != before["GuestDistributionId"]
        assert head("g/kept.html")["ContentLength"] == 4

    def test_a_fault_of_describing_is_not_taken_for_no_stack(self, cloudformation: Stubber) -> None:
        cloudformation.add_client_error("describe_stacks", "AccessDenied", http_status_code=403)

        with pytest.raises(Misconfigured, match="AccessDenied"):
            stack.deploy({})

    def test_a_closed_bucket_is_not_taken_for_an_empty_one(self, stack_of_a_test: dict[str, str]) -> None:
        with Stubber(clients.s3()) as s3:
            s3.add_client_error("head_object", "403", http_status_code=403)

            with pytest.raises(Misconfigured):
                stack.deploy({})

    def test_a_template_without_a_place_for_the_function_is_not_sent(self, infra: Path) -> None:
        (infra / "template.yaml").write_text("Resources: {}\n")

        with pytest.raises(ValueError, match="has to hold this line once"):
            stack.render()


@pytest.fixture
def cloudformation(aws: Emulator) -> Iterator[Stubber]:
    with Stubber(clients.cloudformation()) as stubber:
        yield stubber
    stack.outputs.cache_clear()


@pytest.fixture
def stack_of_a_test(request: pytest.FixtureRequest) -> dict[str, str]:
    """The fixture `stack`, under a name that leaves the module its own."""
    outputs: dict[str, str] = request.getfixturevalue("stack")
    return outputs


def parameters() -> dict[str, str]:
    [found] = clients.cloudformation().describe_stacks(StackName="jada")["Stacks"]
    return {each["ParameterKey"]: each["ParameterValue"] for each in found["Parameters"]}


def described(status: str) -> dict[str, list[dict[str, Any]]]:
    return {"Stacks": [{"StackName": "jada", "CreationTime": datetime(2026, 1, 1, tzinfo=UTC), "StackStatus": status}]}


def standing_as_wanted(cloudformation: Stubber) -> None:
    """The next answer: a stack that was deployed from the template as it is."""
    digest = hashlib.sha256(stack.render().encode()).hexdigest()
    [found] = described("UPDATE_COMPLETE")["Stacks"]
    deployed = [{"ParameterKey": "TemplateDigest", "ParameterValue": digest}]
    cloudformation.add_response("describe_stacks", {"Stacks": [found | {"Parameters": deployed}]})


def prepared(cloudformation: Stubber, status: str) -> None:
    """A stack that stands, and a change set of this status for it."""
    cloudformation.add_response("describe_stacks", described("CREATE_COMPLETE"))
    cloudformation.add_response("create_change_set", {"Id": "arn:change"}, created("UPDATE"))
    reason = {"Status": status, "StatusReason": "EventsTable cannot be taken in"}
    cloudformation.add_response("describe_change_set", reason, {"ChangeSetName": "arn:change"})


def created(kind: str, *, revert_drift: bool = False) -> dict[str, object]:
    mode = {"DeploymentMode": "REVERT_DRIFT"} if revert_drift else {"ImportExistingResources": True}
    loose = dict.fromkeys(("StackName", "ChangeSetName", "TemplateBody", "Parameters", "Capabilities"), ANY)
    return {**loose, "ChangeSetType": kind, "DisableValidation": True, **mode}


def event(status: str, reason: str) -> dict[str, object]:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    named = {"StackId": "arn", "EventId": "1", "StackName": "jada", "LogicalResourceId": "EventsTable"}
    return {**named, "Timestamp": at, "ResourceStatus": status, "ResourceStatusReason": reason}
