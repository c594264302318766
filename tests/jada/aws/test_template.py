"""What the template promises, where the emulator ignores it and cfn-lint does not know better."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.conf import settings

from jada.aws import stack

PATH = settings.BASE_DIR / "infra" / "template.yaml"
CACHING_DISABLED = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
ALL_VIEWER_EXCEPT_HOST = "b689b0a8-53d0-40ab-baf2-68738e2966ac"


class _Loader(yaml.SafeLoader):
    """Reads CloudFormation's short forms (`!Ref X`) as {"!Ref": "X"}."""


def _short_form(loader: _Loader, suffix: str, node: yaml.Node) -> dict[str, object]:
    match node:
        case yaml.ScalarNode():
            value: object = loader.construct_scalar(node)
        case yaml.SequenceNode():
            value = loader.construct_sequence(node, deep=True)
        case _:
            raise AssertionError(node)
    return {f"!{suffix}": value}


_Loader.add_multi_constructor("!", _short_form)


@pytest.fixture(scope="module")
def resources() -> dict[str, Any]:
    resources: dict[str, Any] = yaml.load(stack.render(), _Loader)["Resources"]
    return resources


def properties(resources: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = resources[name]["Properties"]
    return found


class TestKeeping:
    def test_the_events_table_can_be_restored_and_not_be_dropped(self, resources: dict[str, Any]) -> None:
        table = properties(resources, "EventsTable")

        assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
        assert table["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}
        assert table["DeletionProtectionEnabled"] is True

    @pytest.mark.parametrize("name", ["GuestBucket", "OpsBucket", "EventsTable"])
    def test_what_holds_data_outlives_the_stack(self, resources: dict[str, Any], name: str) -> None:
        assert resources[name]["DeletionPolicy"] == resources[name]["UpdateReplacePolicy"] == "Retain"


class TestBuckets:
    @pytest.mark.parametrize("name", ["GuestBucket", "OpsBucket"])
    def test_are_private_and_encrypted(self, resources: dict[str, Any], name: str) -> None:
        bucket = properties(resources, name)

        assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
        assert len(bucket["PublicAccessBlockConfiguration"]) == 4
        assert "BucketEncryption" in bucket

    @pytest.mark.parametrize(
        ("policy", "distribution", "keys"),
        [
            ("GuestBucketPolicy", "GuestDistribution", "${GuestBucket.Arn}/*"),
            ("OpsBucketPolicy", "OpsDistribution", "${OpsBucket.Arn}/site/*"),
        ],
    )
    def test_are_read_by_their_own_distribution_alone(
        self, resources: dict[str, Any], policy: str, distribution: str, keys: str
    ) -> None:
        statements = properties(resources, policy)["PolicyDocument"]["Statement"]
        [grant] = [each for each in statements if each["Effect"] == "Allow"]

        assert grant["Principal"] == {"Service": "cloudfront.amazonaws.com"}
        assert (grant["Action"], grant["Resource"]) == ("s3:GetObject", {"!Sub": keys})
        assert f"/${{{distribution}}}" in grant["Condition"]["StringEquals"]["AWS:SourceArn"]["!Sub"]

    @pytest.mark.parametrize("name", ["GuestDistribution", "OpsDistribution"])
    def test_are_asked_with_a_signature(self, resources: dict[str, Any], name: str) -> None:
        origins = properties(resources, name)["DistributionConfig"]["Origins"]
        buckets = [each for each in origins if "S3OriginConfig" in each]

        assert [each["OriginAccessControlId"] for each in buckets] == [{"!GetAtt": "OriginAccess.Id"}]
        assert all("RegionalDomainName" in each["DomainName"]["!GetAtt"] for each in buckets)


class TestGuestDistribution:
    def test_runs_the_function_at_the_viewer_s_request(self, resources: dict[str, Any]) -> None:
        [behaviour] = properties(resources, "GuestDistribution")["DistributionConfig"]["CacheBehaviors"]

        assert behaviour["PathPattern"] == "/g/*"
        assert behaviour["FunctionAssociations"] == [
            {"EventType": "viewer-request", "FunctionARN": {"!GetAtt": "GuestRewrite.FunctionARN"}}
        ]

    def test_sends_the_function_as_it_is_written(self, resources: dict[str, Any]) -> None:
        function = properties(resources, "GuestRewrite")

        assert function["FunctionCode"] == (PATH.parent / "guest_rewrite.js").read_text()
        assert function["AutoPublish"] is True
        assert function["FunctionConfig"]["Runtime"] == "cloudfront-js-2.0"

    def test_has_one_answer_for_missing_and_forbidden(self, resources: dict[str, Any]) -> None:
        errors = properties(resources, "GuestDistribution")["DistributionConfig"]["CustomErrorResponses"]

        one = {"ResponseCode": 404, "ResponsePagePath": "/404.html", "ErrorCachingMinTTL": 10}
        assert errors == [{"ErrorCode": 403, **one}, {"ErrorCode": 404, **one}]

    def test_has_no_csp_of_its_own(self, resources: dict[str, Any]) -> None:
        config = properties(resources, "GuestHeaders")["ResponseHeadersPolicyConfig"]

        assert "ContentSecurityPolicy" not in config["SecurityHeadersConfig"]


class TestOpsDistribution:
    @pytest.mark.parametrize("pattern", ["/api/*", "/crew/*", "/admin/*", None])
    def test_keeps_nothing_of_the_application_and_passes_all_but_the_host(
        self, resources: dict[str, Any], pattern: str | None
    ) -> None:
        config = properties(resources, "OpsDistribution")["DistributionConfig"]
        behaviours = {each["PathPattern"]: each for each in config["CacheBehaviors"]}
        behaviour = behaviours[pattern] if pattern else config["DefaultCacheBehavior"]

        assert behaviour["CachePolicyId"] == CACHING_DISABLED
        assert behaviour["OriginRequestPolicyId"] == ALL_VIEWER_EXCEPT_HOST
        assert behaviour["TargetOriginId"] == "app"
        assert {"GET", "POST", "DELETE"} <= set(behaviour["AllowedMethods"])

    def test_hides_no_error_of_the_apis(self, resources: dict[str, Any]) -> None:
        assert "CustomErrorResponses" not in properties(resources, "OpsDistribution")["DistributionConfig"]


class TestRights:
    def test_every_right_names_its_resource(self, resources: dict[str, Any]) -> None:
        statements = properties(resources, "AppPolicy")["PolicyDocument"]["Statement"]

        for statement in statements:
            assert "*" not in statement["Resource"]
            assert all("*" not in action for action in statement["Action"])

    def test_the_application_cannot_delete_an_item_or_a_page(self, resources: dict[str, Any]) -> None:
        statements = properties(resources, "AppPolicy")["PolicyDocument"]["Statement"]
        rights = {each["Sid"]: each["Action"] for each in statements}

        assert rights["CrewEvents"] == ["dynamodb:PutItem", "dynamodb:GetItem"]
        assert rights["Pages"] == ["s3:GetObject", "s3:PutObject"]

    def test_only_our_topic_fills_the_queue_of_mail_events(self, resources: dict[str, Any]) -> None:
        [grant] = properties(resources, "MailQueuePolicy")["PolicyDocument"]["Statement"]

        assert grant["Principal"] == {"Service": "sns.amazonaws.com"}
        assert grant["Condition"] == {"ArnEquals": {"aws:SourceArn": {"!Ref": "MailTopic"}}}

    def test_an_old_ring_is_forgotten_and_one_under_way_comes_to_nobody_else(self, resources: dict[str, Any]) -> None:
        bell = properties(resources, "BellQueue")

        assert bell["MessageRetentionPeriod"] <= 300
        assert bell["VisibilityTimeout"] > settings.CELERY_TASK_TIME_LIMIT
        assert "RedrivePolicy" not in bell  # a ring that was lost is nobody's loss


@pytest.mark.slow
def test_cfn_lint_finds_nothing() -> None:
    linted = subprocess.run(
        [Path(sys.executable).with_name("cfn-lint"), PATH], capture_output=True, text=True, check=False, timeout=120
    )

    assert (linted.returncode, linted.stderr) == (0, ""), linted.stdout


def test_the_template_fits_one_request() -> None:
    assert len(stack.render().encode()) < 51_200


class TestLooking:
    def test_is_allowed_by_a_policy_of_its_own_that_changes_nothing(self, resources: dict[str, Any]) -> None:
        statements = properties(resources, "PreflightPolicy")["PolicyDocument"]["Statement"]
        actions = {action.split(":")[1] for each in statements for action in each["Action"]}

        looks = ("Get", "List", "Describe", "Simulate")
        assert {action for action in actions if not action.startswith(looks)} == set()
        assert not any("*" in action for action in actions)

    def test_does_not_read_what_the_buckets_the_table_and_the_queue_hold(self, resources: dict[str, Any]) -> None:
        statements = properties(resources, "PreflightPolicy")["PolicyDocument"]["Statement"]
        actions = {action for each in statements for action in each["Action"]}

        assert not actions & {
            "s3:GetObject",
            "dynamodb:GetItem",
            "sqs:ReceiveMessage",
            "lambda:GetFunctionConfiguration",
        }

    def test_looks_at_no_distribution_or_function_but_the_stacks_own(self, resources: dict[str, Any]) -> None:
        statements = properties(resources, "PreflightPolicy")["PolicyDocument"]["Statement"]
        everywhere = {action for each in statements if each["Resource"] == "*" for action in each["Action"]}

        assert everywhere == {
            "acm:DescribeCertificate",
            "cloudfront:GetCachePolicy",
            "cloudfront:GetOriginRequestPolicy",
            "iam:SimulatePrincipalPolicy",
            "ses:GetAccount",
        }

    def test_the_word_by_which_the_edge_proves_itself_is_shown_by_nobody(self) -> None:
        parameters = yaml.load(stack.render(), _Loader)["Parameters"]

        assert parameters["OriginVerify"]["NoEcho"] is True
