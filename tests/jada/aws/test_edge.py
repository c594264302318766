"""The way of a page through the deployed stack, as a guest's browser sees it."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from django.conf import settings

from jada.aws import cdn, clients
from jada.aws.bucket import PAGE_CACHE
from jada.aws.edge import Edge
from jada.aws.edge.answers import Answer, seconds_to_keep
from jada.aws.edge.deployed import Lifetime
from jada.failures import Misconfigured

KEY = "g/xhqgmdh.html"
HTML = "text/html; charset=utf-8"


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def guest(stack: dict[str, str], clock: Clock) -> Edge:
    return Edge(stack["GuestDistributionId"], clock=clock)


def put(body: bytes, key: str = KEY, bucket: str = "", control: str = PAGE_CACHE) -> None:
    clients.s3().put_object(
        Bucket=bucket or settings.GUEST_BUCKET, Key=key, Body=body, ContentType=HTML, CacheControl=control
    )


def get(edge: Edge, target: str = "/g/XHQGMDH", method: str = "GET") -> tuple[int, str, bytes]:
    answer = edge.request(method, target)
    return answer.status, answer.headers["x-cache"].split()[0], answer.body


class TestPages:
    def test_one_page_has_one_entry_however_it_is_spelt(self, guest: Edge) -> None:
        put(b"v1")

        assert get(guest) == (200, "Miss", b"v1")
        assert get(guest, "/g/xhqgmdh/?utm=1") == (200, "Hit", b"v1")
        assert get(guest, "/g/xhqgmdh.html") == (200, "Hit", b"v1")

    def test_head_has_everything_but_the_body(self, guest: Edge) -> None:
        put(b"v1")

        answer = guest.request("HEAD", "/g/XHQGMDH")

        assert (answer.status, answer.body) == (200, b"")
        assert (answer.headers["content-type"], answer.headers["content-length"]) == (HTML, "2")

    def test_a_slug_is_a_page_of_its_own(self, guest: Edge) -> None:
        put(b"your day", "g/2026-12-05-maya-sunset.html")

        assert get(guest, "/g/2026-12-05-maya-sunset") == (200, "Miss", b"your day")

    def test_the_brand_s_home_is_the_root(self, guest: Edge) -> None:
        put(b"home", "index.html")

        assert get(guest, "/") == (200, "Miss", b"home")

    def test_a_key_may_be_written_with_percent_signs(self, guest: Edge) -> None:
        put(b"v1")

        assert get(guest, "/g/%78hqgmdh.html")[::2] == (200, b"v1")

    @pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
    def test_nothing_but_reading_is_taken(self, guest: Edge, method: str) -> None:
        assert get(guest, method=method)[0] == 403


class TestCache:
    def test_a_page_is_stale_until_its_key_is_invalidated(self, guest: Edge) -> None:
        put(b"v1")
        get(guest)
        put(b"v2")
        assert get(guest) == (200, "Hit", b"v1")

        cdn.invalidate(["/g/XHQGMDH"], reference="printed only")
        assert get(guest) == (200, "Hit", b"v1")  # the strict reading; AWS advises to name both

        cdn.invalidate(["/g/xhqgmdh.html", "/g/XHQGMDH"], reference="both")
        assert get(guest) == (200, "Miss", b"v2")

    def test_a_star_invalidates_everything_below(self, guest: Edge) -> None:
        put(b"v1")
        get(guest)

        cdn.invalidate(["/g/*"], reference="all")

        assert get(guest)[1] == "Miss"

    def test_an_invalidation_is_obeyed_once(self, guest: Edge) -> None:
        put(b"v1")
        cdn.invalidate(["/g/xhqgmdh.html"], reference="early")
        get(guest)

        assert get(guest)[1] == "Hit"

    def test_the_edge_keeps_a_page_five_minutes(self, guest: Edge, clock: Clock) -> None:
        put(b"v1")
        get(guest)
        put(b"v2")

        clock.now += 299
        assert guest.request("GET", "/g/XHQGMDH").headers["age"] == "299"
        clock.now += 1
        assert get(guest) == (200, "Miss", b"v2")

    @pytest.mark.parametrize(
        ("control", "seconds"),
        [
            ("", 60),
            ("max-age=20", 20),
            ("max-age=20, s-maxage=40", 40),
            ("s-maxage=9000", 300),
            ("no-store", 5),
            ("private, max-age=20", 5),
            ("max-age=0", 5),
        ],
    )
    def test_the_policy_bounds_what_the_page_says(self, control: str, seconds: int) -> None:
        assert seconds_to_keep({"cache-control": control}, Lifetime(5, 60, 300)) == seconds


class TestMissing:
    def test_every_address_that_is_not_there_gets_the_same_answer(self, guest: Edge) -> None:
        paths = ["/g/XHQGMDH", "/g/", "/g/XHQGMD", "/g/0123456789ABCDEFG", "/g/%0a", "/g/../x", "/g/a/b", "/g/x.html"]

        answers = [guest.request("GET", path) for path in paths]

        assert {answer.status for answer in answers} == {404}
        assert len({answer.body for answer in answers}) == 1
        assert len({tuple(sorted(answer.headers.items())) for answer in answers}) == 1
        assert b"Nothing moored here" in answers[0].body
        assert answers[0].headers["content-type"] == HTML

    def test_a_link_opened_too_early_is_remembered_for_ten_seconds(self, guest: Edge, clock: Clock) -> None:
        assert get(guest)[:2] == (404, "Error")
        put(b"v1")

        clock.now += 9
        assert get(guest)[0] == 404
        clock.now += 1
        assert get(guest) == (200, "Miss", b"v1")

    def test_without_its_page_the_error_is_the_origin_s_own(self, own_stack: dict[str, str]) -> None:
        clients.s3().delete_object(Bucket=settings.GUEST_BUCKET, Key="404.html")

        answer = Edge(own_stack["GuestDistributionId"]).request("GET", "/g/XHQGMDH")

        assert answer.status == 403


class TestHeaders:
    def test_a_guest_page_is_not_to_be_found_nor_told(self, guest: Edge) -> None:
        put(b"v1")

        for answer in (guest.request("GET", "/g/XHQGMDH"), guest.request("GET", "/g/XHQGMDH")):
            assert answer.headers["x-robots-tag"] == "noindex, nofollow, noarchive"
            assert answer.headers["referrer-policy"] == "no-referrer"
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["x-frame-options"] == "DENY"
            assert answer.headers["strict-transport-security"] == "max-age=63072000; includeSubDomains; preload"
            assert answer.headers["cache-control"] == PAGE_CACHE

    def test_nor_is_an_address_that_is_not_there(self, guest: Edge) -> None:
        assert "noindex" in guest.request("GET", "/g/NOTHERE").headers["x-robots-tag"]

    def test_the_brand_s_own_pages_may_be_found(self, guest: Edge) -> None:
        put(b"home", "index.html")

        headers = guest.request("GET", "/").headers

        assert "x-robots-tag" not in headers
        assert headers["x-content-type-options"] == "nosniff"


class TestSetUp:
    """A wrong set-up shows its real fault."""

    def test_without_the_function_a_code_is_no_page(self, own_stack: dict[str, str]) -> None:
        edge = Edge(own_stack["GuestDistributionId"])
        put(b"v1")
        found = clients.cloudfront().get_distribution_config(Id=own_stack["GuestDistributionId"])
        found["DistributionConfig"]["CacheBehaviors"]["Items"][0]["FunctionAssociations"] = {"Quantity": 0}
        clients.cloudfront().update_distribution(
            Id=own_stack["GuestDistributionId"], IfMatch=found["ETag"], DistributionConfig=found["DistributionConfig"]
        )

        edge.reload()

        assert get(edge)[0] == 404
        assert get(edge, "/g/xhqgmdh.html")[0] == 200

    @pytest.mark.parametrize("policy", [None, '{"Statement": []}'])
    def test_without_its_grant_the_bucket_is_closed(
        self, own_stack: dict[str, str], clock: Clock, policy: str | None
    ) -> None:
        edge = Edge(own_stack["GuestDistributionId"], clock=clock)
        put(b"v1")
        clients.s3().delete_bucket_policy(Bucket=settings.GUEST_BUCKET)
        if policy:
            clients.s3().put_bucket_policy(Bucket=settings.GUEST_BUCKET, Policy=policy)

        clock.now += 61  # the edge looks again by itself

        assert get(edge)[0] == 403

    def test_an_unknown_distribution_is_a_matter_of_the_set_up(self, stack: dict[str, str]) -> None:
        with pytest.raises(Misconfigured, match="NoSuchDistribution"):
            Edge("E0NOWHERE")


class TestOperations:
    """The other distribution: everything to the application, nothing of it kept."""

    @pytest.fixture
    def app(self) -> Iterator[str]:
        server = ThreadingHTTPServer(("127.0.0.1", 0), App)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        server.server_close()

    @pytest.fixture
    def ops(self, stack: dict[str, str], app: str) -> Edge:
        return Edge(stack["OpsDistributionId"], hosts={"app.sailjada.com": app})

    def test_keys_and_bodies_reach_the_service_api(self, ops: Edge) -> None:
        sent = {"Authorization": "Bearer key", "X-Api-Key": "key", "Content-Type": "application/json"}

        heard = lines(ops.request("POST", "/api/v1/events?dry=1", {**sent, "Host": "sailjada.com"}, b"{}"))

        assert heard["line"] == "POST /api/v1/events?dry=1"
        assert (heard["authorization"], heard["x-api-key"], heard["body"]) == ("Bearer key", "key", "{}")
        assert heard["host"] != "sailjada.com"  # an API Gateway refuses a host it does not know

    @pytest.mark.parametrize("path", ["/crew/event/7/confirm?token=t", "/admin/", "/somewhere/"])
    def test_people_s_cookies_and_queries_reach_the_application_and_nothing_is_kept(self, ops: Edge, path: str) -> None:
        first = ops.request("GET", path, {"Cookie": "sjcrew=one"})
        second = ops.request("GET", path, {"Cookie": "sjcrew=two"})

        assert (lines(first)["cookie"], lines(second)["cookie"]) == ("sjcrew=one", "sjcrew=two")
        assert lines(first)["line"] == f"GET {path}"
        assert second.headers["x-cache"] == "Miss from cloudfront"

    def test_static_files_are_kept_and_know_no_cookie(self, ops: Edge) -> None:
        first = ops.request("GET", "/static/skin.1f2e.css", {"Cookie": "sjcrew=one"})

        assert "cookie" not in lines(first)
        assert ops.request("GET", "/static/skin.1f2e.css").headers["x-cache"] == "Hit from cloudfront"

    def test_an_error_of_the_application_stays_its_own(self, ops: Edge) -> None:
        answer = ops.request("GET", "/api/v1/missing")

        assert (answer.status, lines(answer)["line"]) == (404, "GET /api/v1/missing")

    def test_uploads_beside_the_public_files_stay_private(self, ops: Edge) -> None:
        put(b"logo", "site/logo.html", settings.OPS_BUCKET)
        put(b"private", "waivers/7.html", settings.OPS_BUCKET)

        assert ops.request("GET", "/site/logo.html").body == b"logo"
        assert ops.request("GET", "/site/../waivers/7.html").status == 403
        assert b"private" not in ops.request("GET", "/waivers/7.html").body

    def test_an_application_that_is_away_is_502(self, stack: dict[str, str]) -> None:
        ops = Edge(stack["OpsDistributionId"], hosts={"app.sailjada.com": "127.0.0.1:9"})

        assert ops.request("GET", "/admin/").status == 502


class App(BaseHTTPRequestHandler):
    """Answers with what it heard."""

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        heard = [f"line: {self.command} {self.path}", *(f"{n.lower()}: {v}" for n, v in self.headers.items())]
        answer = "\n".join([*heard, f"body: {body.decode()}"]).encode()
        self.send_response(404 if "missing" in self.path else 200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_POST = do_GET  # noqa: N815  (the base class asks for this name)

    def log_message(self, *args: object) -> None:
        pass


def lines(answer: Answer) -> dict[str, str]:
    return dict(line.split(": ", 1) for line in answer.body.decode().splitlines())
