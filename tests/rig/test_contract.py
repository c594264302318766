"""The same calls of ours against the emulator and against the fakes: what the fakes answer is what AWS's stand-in does.

Where the two differ, or both differ from AWS, the test says so and why the fakes are the stricter of the two.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from django.core.files.storage import storages
from django.core.mail import EmailMessage
from pytest_django import Settings

from jada.aws import cdn, clients, public, stack, table
from jada.failures import Misconfigured, Outcome, Refused
from tests.rig.client import Rig

PAGE = "g/xhqgmdh.html"
PATHS = ["/g/xhqgmdh.html", "/g/XHQGMDH"]
GONE_AT = datetime(2027, 2, 1, tzinfo=UTC)


@dataclass(frozen=True)
class World:
    """One of the two. `rig` is None for the emulator."""

    rig: Rig | None
    distribution: str


@pytest.fixture(params=["emulator", "fakes"])
def world(request: pytest.FixtureRequest, settings: Settings) -> Iterator[World]:
    if request.param == "fakes":
        rig: Rig = request.getfixturevalue("fake_aws")
        yield World(rig, stack.guest_distribution_id())
    else:
        outputs: dict[str, str] = request.getfixturevalue("stack")
        request.getfixturevalue("brand")
        yield World(None, outputs["GuestDistributionId"])


def item(**more: object) -> dict[str, object]:
    return {"event_id": "EV1", "title": "Sunset", "crew": ["Ana", "Ben"], "seats": 6, **more}


def publish(body: bytes, version: int) -> Outcome:
    outcome: Outcome = storages["guest"].publish(PAGE, body, version=version)
    return outcome


def page(version: int, text: str = "On") -> bytes:
    return f"<!doctype html><p>{text}</p><!-- v={version} -->".encode()


# --- the table -------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("world")
class TestTheTable:
    def test_reads_back_what_was_put(self) -> None:
        written = table.put_event(item(), version=3, digest="d3")

        assert written is Outcome.WRITTEN
        assert table.read_event("EV1") == item(version=3, digest="d3")

    def test_takes_the_same_version_for_a_repeat(self) -> None:
        table.put_event(item(), version=3, digest="d3")

        assert table.put_event(item(), version=3, digest="d3") is Outcome.ALREADY

    def test_refuses_an_older_version(self) -> None:
        table.put_event(item(), version=3, digest="d3")

        assert table.put_event(item(seats=2), version=2, digest="d2") is Outcome.NEWER
        assert table.read_event("EV1") == item(version=3, digest="d3")

    def test_refuses_one_version_with_two_contents(self) -> None:
        table.put_event(item(), version=3, digest="d3")

        with pytest.raises(Refused, match="other content"):
            table.put_event(item(), version=3, digest="other")

    def test_refuses_to_replace_an_item_whose_version_is_no_number(self) -> None:
        theirs = {"event_id": {"S": "EV1"}, "version": {"S": "seven"}}
        clients.dynamodb().put_item(TableName="ShipCaptainCrew-events", Item=theirs)

        with pytest.raises(Refused, match="someone else wrote it"):
            table.put_event(item(), version=3, digest="d3")

    def test_a_tombstone_wins_against_a_late_put(self) -> None:
        table.put_event(item(), version=3, digest="d3")
        table.tombstone("EV1", 4, GONE_AT)

        late = table.put_event(item(), version=3, digest="d3")

        assert late is Outcome.NEWER
        assert (table.read_event("EV1") or {})["deleted"] is True

    def test_knows_what_is_not_there(self) -> None:
        assert table.read_event("EV9") is None

    def test_says_that_a_table_is_missing(self, settings: Settings) -> None:
        settings.EVENTS_TABLE = "elsewhere"

        with pytest.raises(Misconfigured, match="ResourceNotFoundException"):
            table.put_event(item(), version=1, digest="d")


# --- the bucket ------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("world")
class TestTheBucket:
    def test_reads_back_what_was_published(self) -> None:
        written = publish(page(3), 3)

        stored = storages["guest"].read(PAGE)
        assert (written, stored.body, stored.version) == (Outcome.WRITTEN, page(3), 3)
        assert stored.content_type == "text/html; charset=utf-8"
        assert stored.cache_control == "max-age=0, s-maxage=300, stale-while-revalidate=60"

    @pytest.mark.parametrize(("version", "outcome"), [(3, Outcome.ALREADY), (2, Outcome.NEWER), (4, Outcome.WRITTEN)])
    def test_judges_a_second_version(self, version: int, outcome: Outcome) -> None:
        publish(page(3), 3)

        assert publish(page(version), version) is outcome

    def test_knows_what_is_not_there(self) -> None:
        assert storages["guest"].read("g/nobody.html") is None

    @pytest.mark.parametrize(
        ("condition", "code"),
        [
            ({"IfNoneMatch": "*"}, "PreconditionFailed"),
            ({"IfMatch": '"00000000000000000000000000000000"'}, "PreconditionFailed"),
        ],
    )
    def test_refuses_a_put_over_something_else(self, condition: dict[str, str], code: str, settings: Settings) -> None:
        publish(page(3), 3)

        assert refusal(lambda: put(settings.GUEST_BUCKET, PAGE, **condition)) == (412, code)

    def test_refuses_to_replace_what_is_not_there(self, settings: Settings) -> None:
        put_over_nothing = refusal(lambda: put(settings.GUEST_BUCKET, "g/nobody.html", IfMatch='"0"'))

        assert put_over_nothing == (404, "NoSuchKey")

    def test_the_etag_returns_with_the_bytes(self, settings: Settings) -> None:
        first = put(settings.GUEST_BUCKET, PAGE, Body=b"A")
        put(settings.GUEST_BUCKET, PAGE, Body=b"B")

        assert put(settings.GUEST_BUCKET, PAGE, Body=b"A") == first  # the reason why a body states its version

    def test_says_that_a_bucket_is_missing(self) -> None:
        assert refusal(lambda: put("elsewhere.example", PAGE)) == (404, "NoSuchBucket")


def put(bucket: str, key: str, **more: object) -> str:
    answer = clients.s3().put_object(**{"Bucket": bucket, "Key": key, "Body": b"x", **more})
    return str(answer["ETag"])


def refusal(call: Callable[[], object]) -> tuple[int, str]:
    with pytest.raises(clients.ClientError) as raised:
        call()
    return clients.status_of(raised.value), clients.code_of(raised.value)


# --- the edge --------------------------------------------------------------------------------------------------------


class TestTheEdge:
    def test_one_reference_is_one_invalidation(self, world: World) -> None:
        first = cdn.invalidate(PATHS, reference="r-1")

        assert cdn.invalidate(PATHS[::-1], reference="r-1") == first
        assert ordered(world) == [first]

    @pytest.mark.usefixtures("world")
    def test_one_reference_for_other_paths_is_refused(self) -> None:
        cdn.invalidate(PATHS, reference="r-1")

        with pytest.raises(Refused, match="InvalidationBatchAlreadyExists"):
            cdn.invalidate(["/g/other.html"], reference="r-1")

    @pytest.mark.usefixtures("world")
    def test_says_when_it_is_done(self) -> None:
        assert cdn.invalidation_done(cdn.invalidate(PATHS, reference="r-1"))

    @pytest.mark.usefixtures("world")
    def test_says_that_a_distribution_is_missing(self, settings: Settings) -> None:
        settings.GUEST_DISTRIBUTION_ID = "E0NOWHERE"

        with pytest.raises(Misconfigured, match="NoSuchDistribution"):
            cdn.invalidate(PATHS, reference="r-1")

    def test_a_path_without_its_slash(self, world: World) -> None:
        asked = lambda: raw_invalidation(world, ["g/x.html"])  # noqa: E731

        if world.rig:
            assert refusal(asked) == (400, "InvalidArgument")  # as AWS answers
        else:
            asked()  # the emulator takes it, which is why our own code refuses it before it is sent

    @pytest.mark.usefixtures("world")
    @pytest.mark.parametrize("printed", ["/g/XHQGMDH", "/g/xhqgmdh", "/g/Xhqgmdh/", "/g/xhqgmdh.html"])
    def test_every_spelling_leads_to_the_page(self, printed: str, settings: Settings) -> None:
        publish(page(3), 3)

        found = public.fetch(settings.GUEST_BASE_URL + printed)

        assert (found.status, found.content_type, found.body) == (200, "text/html; charset=utf-8", page(3))

    @pytest.mark.usefixtures("world")
    def test_keeps_a_page_until_it_is_invalidated(self, settings: Settings) -> None:
        printed = settings.GUEST_BASE_URL + "/g/XHQGMDH"
        publish(page(3), 3)
        public.fetch(printed)
        publish(page(4, "Moved"), 4)

        before = public.fetch(printed)
        cdn.invalidate(PATHS, reference="r-4")
        after = public.fetch(printed)

        assert (before.body, after.body) == (page(3), page(4, "Moved"))

    @pytest.mark.usefixtures("world")
    def test_remembers_for_a_while_that_a_page_was_not_there(self, settings: Settings) -> None:
        printed = settings.GUEST_BASE_URL + "/g/XHQGMDH"
        first = public.fetch(printed)
        publish(page(3), 3)

        assert (first.status, public.fetch(printed).status) == (404, 404)

    @pytest.mark.usefixtures("world")
    def test_reads_the_folder_by_its_case(self, settings: Settings) -> None:
        publish(page(3), 3)

        assert public.fetch(settings.GUEST_BASE_URL + "/G/XHQGMDH").status == 404


def ordered(world: World) -> list[str]:
    listed = clients.cloudfront().list_invalidations(DistributionId=world.distribution)["InvalidationList"]
    return [each["Id"] for each in listed.get("Items", [])]


def raw_invalidation(world: World, paths: list[str]) -> None:
    batch = {"Paths": {"Quantity": len(paths), "Items": paths}, "CallerReference": "raw"}
    clients.cloudfront().create_invalidation(DistributionId=world.distribution, InvalidationBatch=batch)


# --- mail ------------------------------------------------------------------------------------------------------------


class TestMail:
    @pytest.mark.usefixtures("world")
    def test_is_taken_and_has_an_id(self) -> None:
        assert sent("ana@example.com")

    @pytest.mark.usefixtures("world")
    def test_the_same_mail_twice_is_two_mails(self) -> None:
        assert sent("ana@example.com") != sent("ana@example.com")

    def test_is_reported_to_the_queue(self, fake_aws: Rig) -> None:
        """Of the fakes alone: the emulator keeps the destination of events and publishes none."""
        message_id = sent("ana@example.com")

        sqs = clients._session().client("sqs")
        found = sqs.receive_message(QueueUrl=fake_aws.environment["MAIL_EVENTS_QUEUE_URL"], MaxNumberOfMessages=10)
        sqs.close()
        assert [message_id in each["Body"] for each in found["Messages"]] == [True, True]


def sent(to: str) -> str:
    mail = EmailMessage("Your trip", "See you at the dock.", "JADA <ops@sailjada.com>", [to])
    mail.esp_extra = {"FromEmailAddress": "ops@sailjada.com", "EmailTags": [{"Name": "effect", "Value": "7"}]}
    mail.send()
    return str(mail.anymail_status.message_id)
