"""Guest pages in the bucket: headers, keys, and the version fence of a put."""

import hashlib
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.stub import ANY, Stubber
from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import storages

from jada.aws import clients
from jada.aws.bucket import ATTEMPTS, EPOCH, GuestPageStorage, content_type_of
from jada.failures import Misconfigured, Outcome, Refused, Retry
from tests.emulator import Emulator

KEY = "g/xhqgmdh.html"


@pytest.fixture
def pages(stack: dict[str, str]) -> GuestPageStorage:
    storage = storages["guest"]
    assert isinstance(storage, GuestPageStorage)
    return storage


def page(text: str, version: int) -> bytes:
    return f"<p>{text}</p><!-- v={version} -->".encode()


class TestPublish:
    def test_what_is_put_reads_back_with_everything_that_matters(self, pages: GuestPageStorage) -> None:
        body = page("Welcome", 17)

        outcome = pages.publish(KEY, body, version=17)

        stored = pages.read(KEY)
        assert outcome is Outcome.WRITTEN
        assert stored is not None
        assert (stored.body, stored.version, stored.sha256) == (body, 17, hashlib.sha256(body).hexdigest())
        assert stored.content_type == "text/html; charset=utf-8"
        assert stored.cache_control == "max-age=0, s-maxage=300, stale-while-revalidate=60"

    def test_a_calendar_file_says_so(self, pages: GuestPageStorage) -> None:
        pages.publish("g/xhqgmdh.ics", b"BEGIN:VCALENDAR", version=1)

        stored = pages.read("g/xhqgmdh.ics")
        assert stored is not None
        assert stored.content_type == "text/calendar; charset=utf-8"

    def test_a_later_version_replaces_an_earlier_one(self, pages: GuestPageStorage) -> None:
        pages.publish(KEY, page("one", 1), version=1)

        assert pages.publish(KEY, page("two", 2), version=2) is Outcome.WRITTEN
        assert (found := pages.read(KEY))
        assert found.body == page("two", 2)

    def test_our_own_version_is_there_already(self, pages: GuestPageStorage) -> None:
        pages.publish(KEY, page("one", 1), version=1)

        assert pages.publish(KEY, page("one", 1), version=1) is Outcome.ALREADY

    def test_a_late_writer_finds_a_newer_version(self, pages: GuestPageStorage) -> None:
        pages.publish(KEY, page("three", 3), version=3)

        assert pages.publish(KEY, page("two", 2), version=2) is Outcome.NEWER
        assert (found := pages.read(KEY))
        assert found.version == 3

    def test_one_version_with_two_bodies_is_for_a_person(self, pages: GuestPageStorage) -> None:
        pages.publish(KEY, page("one", 1), version=1)

        with pytest.raises(Refused, match="another body"):
            pages.publish(KEY, page("other", 1), version=1)

    @pytest.mark.parametrize("rev", ["", "first", "²"])
    def test_a_page_put_by_hand_is_replaced(self, pages: GuestPageStorage, rev: str) -> None:
        metadata = {"rev": rev} if rev.isascii() and rev else {}
        clients.s3().put_object(Bucket=settings.GUEST_BUCKET, Key=KEY, Body=b"by hand", Metadata=metadata)

        assert pages.publish(KEY, page("one", 1), version=1) is Outcome.WRITTEN

    def test_a_missing_bucket_is_a_matter_of_the_set_up(self, pages: GuestPageStorage, aws: Emulator) -> None:
        with pytest.raises(Misconfigured, match="NoSuchBucket"):
            pages.publish(KEY, page("one", 1), version=1)

    @pytest.mark.slow
    def test_whatever_the_order_of_writers_the_newest_version_stays(self, pages: GuestPageStorage) -> None:
        versions = list(range(1, 9))
        random.Random(7).shuffle(versions)

        with ThreadPoolExecutor(4) as writers:
            outcomes = list(writers.map(lambda v: pages.publish(KEY, page("p", v), version=v), versions))

        assert (found := pages.read(KEY))
        assert found.version == 8
        assert set(outcomes) <= {Outcome.WRITTEN, Outcome.NEWER}


class TestReturningText:
    """A page that says A, then B, then A again, while a writer of B has been asleep since the first A."""

    def test_the_stale_writer_is_refused_because_the_body_carries_its_version(self, pages: GuestPageStorage) -> None:
        pages.publish(KEY, page("A", 1), version=1)
        looked_at = pages._head(KEY)
        pages.publish(KEY, page("A", 3), version=3)

        assert not pages._put(KEY, page("B", 2), version=2, over=looked_at)
        assert pages.publish(KEY, page("B", 2), version=2) is Outcome.NEWER

    def test_equal_bytes_would_let_it_pass(self, pages: GuestPageStorage) -> None:
        pages.publish(KEY, b"A", version=1)
        looked_at = pages._head(KEY)
        pages.publish(KEY, b"A", version=3)

        assert pages._put(KEY, b"B", version=2, over=looked_at)


class TestStartingOver:
    @pytest.fixture
    def s3(self, pages: GuestPageStorage) -> Iterator[Stubber]:
        with Stubber(clients.s3()) as stubber:
            yield stubber

    def test_a_page_that_appears_or_goes_between_look_and_put_is_looked_at_again(
        self, pages: GuestPageStorage, s3: Stubber
    ) -> None:
        for code, status in [("PreconditionFailed", 412), ("NoSuchKey", 404), ("ConditionalRequestConflict", 409)]:
            s3.add_client_error("head_object", "404", http_status_code=404)
            s3.add_client_error("put_object", code, http_status_code=status)
        s3.add_response("head_object", {"Metadata": {"rev": "9"}, "ETag": '"e"'})

        assert pages.publish(KEY, page("one", 3), version=3) is Outcome.NEWER
        s3.assert_no_pending_responses()

    @pytest.mark.parametrize("version", [1, 2 * EPOCH + 1])
    def test_what_gets_its_first_number_is_put_without_a_look(
        self, pages: GuestPageStorage, s3: Stubber, version: int
    ) -> None:
        sent = {name: ANY for name in ("Bucket", "Key", "Body", "Metadata", "ContentType", "CacheControl")}
        s3.add_response("put_object", {"ETag": '"new"'}, {**sent, "IfNoneMatch": "*"})

        assert pages.publish(KEY, page("one", version), version=version) is Outcome.WRITTEN

    def test_looks_where_something_stands_already_under_the_first_number(
        self, pages: GuestPageStorage, s3: Stubber
    ) -> None:
        s3.add_client_error("put_object", "PreconditionFailed", http_status_code=412)
        s3.add_response("head_object", {"Metadata": {"rev": "9"}, "ETag": '"e"'})

        assert pages.publish(KEY, page("one", 1), version=1) is Outcome.NEWER

    def test_gives_way_for_a_while_when_others_are_always_faster(self, pages: GuestPageStorage, s3: Stubber) -> None:
        for _ in range(ATTEMPTS):
            s3.add_response("head_object", {"Metadata": {"rev": "1"}, "ETag": '"e"'})
            s3.add_client_error("put_object", "PreconditionFailed", http_status_code=412)

        with pytest.raises(Retry, match="faster than we can"):
            pages.publish(KEY, page("two", 2), version=2)

    def test_replaces_exactly_what_it_looked_at(self, pages: GuestPageStorage, s3: Stubber) -> None:
        s3.add_response("head_object", {"Metadata": {"rev": "1"}, "ETag": '"seen"'})
        sent = {name: ANY for name in ("Bucket", "Key", "Body", "Metadata", "ContentType", "CacheControl")}
        s3.add_response("put_object", {"ETag": '"new"'}, {**sent, "IfMatch": '"seen"'})

        assert pages.publish(KEY, page("two", 2), version=2) is Outcome.WRITTEN

    @pytest.mark.parametrize("call", ["head_object", "get_object"])
    def test_a_forbidden_look_is_a_matter_of_the_set_up(self, pages: GuestPageStorage, s3: Stubber, call: str) -> None:
        s3.add_client_error(call, "403", http_status_code=403)

        with pytest.raises(Misconfigured):
            pages.read(KEY) if call == "get_object" else pages.publish(KEY, b"", version=1)


class TestKeys:
    @pytest.mark.parametrize("name", ["g/XHQGMDH.html", "G/xhqgmdh.html", "g/xhqgmdh.HTML"])
    def test_a_key_in_capitals_is_refused(self, pages: GuestPageStorage, name: str) -> None:
        with pytest.raises(ValueError, match="lower case"):
            pages.publish(name, b"", version=1)
        with pytest.raises(ValueError, match="lower case"):
            pages.read(name)
        with pytest.raises(ValueError, match="lower case"):
            pages.save(name, ContentFile(b""))

    def test_an_ordinary_save_has_the_headers_too(self, pages: GuestPageStorage) -> None:
        pages.save("g/plain.html", ContentFile(b"<p>plain</p>"))
        pages.connection.meta.client.close()

        assert (stored := pages.read("g/plain.html"))
        assert stored.content_type == "text/html; charset=utf-8"
        assert stored.version == 0

    def test_what_is_not_there_reads_as_none(self, pages: GuestPageStorage) -> None:
        assert pages.read("g/nobody.html") is None

    @pytest.mark.parametrize(
        ("name", "kind"),
        [("a/b.woff2", "font/woff2"), ("a/og.png", "image/png"), ("404.html", "text/html; charset=utf-8")],
    )
    def test_types_go_by_the_suffix(self, name: str, kind: str) -> None:
        assert content_type_of(name) == kind

    def test_an_undecided_suffix_is_refused(self) -> None:
        with pytest.raises(ValueError, match=r"'\.exe'"):
            content_type_of("a/b.exe")


class TestNames:
    def test_are_of_the_folder_alone(self, pages: GuestPageStorage) -> None:
        pages.publish(KEY, page("Welcome", 1), version=1)

        assert list(pages.names("g/")) == [[KEY]]

    def test_come_a_call_at_a_time_until_none_is_left(self, pages: GuestPageStorage) -> None:
        with Stubber(clients.s3()) as stub:
            first = {"IsTruncated": True, "NextContinuationToken": "more", "Contents": [{"Key": "g/a.html"}]}
            stub.add_response("list_objects_v2", first, {"Bucket": ANY, "Prefix": "g/"})
            last = {"IsTruncated": False, "Contents": [{"Key": "g/b.html"}]}
            stub.add_response("list_objects_v2", last, {"Bucket": ANY, "Prefix": "g/", "ContinuationToken": "more"})

            assert list(pages.names("g/")) == [["g/a.html"], ["g/b.html"]]
