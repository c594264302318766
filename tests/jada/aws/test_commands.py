"""`deploy_stack` and `edge`, as a person types them."""

import io
import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError

from jada.aws import clients, public
from jada.aws.edge import Edge
from jada.aws.edge.server import application, server
from tests.emulator import Emulator, forget_clients


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No AWS at the endpoint."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    forget_clients()
    yield
    monkeypatch.undo()
    forget_clients()


@contextmanager
def served(edge: Edge) -> Iterator[str]:
    with server(edge, "127.0.0.1", 0) as bound:
        threading.Thread(target=bound.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield f"http://127.0.0.1:{bound.server_port}"
        bound.shutdown()


def run(command: str, *args: str) -> str:
    out = io.StringIO()
    call_command(command, *args, stdout=out)
    return out.getvalue()


class TestDeployStack:
    def test_says_what_stands_where(self, stack: dict[str, str]) -> None:
        said = run("deploy_stack")

        assert said.startswith("The stack stands as it should.\n")
        assert f"  GuestDistributionId      {stack['GuestDistributionId']}\n" in said

    @pytest.mark.slow
    def test_tells_the_edge_the_word_by_which_it_proves_itself(self, own_stack: dict[str, str]) -> None:
        run("deploy_stack", "--parameter", "OriginVerify=one-secret")

        found = clients.cloudfront().get_distribution(Id=own_stack["OpsDistributionId"])["Distribution"]
        [app] = [o for o in found["DistributionConfig"]["Origins"]["Items"] if o["Id"] == "app"]
        [header] = app["CustomHeaders"]["Items"]
        assert (header["HeaderName"], header["HeaderValue"]) == ("X-Origin-Verify", "one-secret")

    @pytest.mark.slow
    def test_takes_parameters_of_the_template(self, own_stack: dict[str, str]) -> None:
        assert run("deploy_stack", "--parameter", "AppOriginPath=/prod").startswith("The stack is deployed.\n")

    @pytest.mark.parametrize("text", ["AppOriginPath", "=/prod"])
    def test_a_parameter_has_a_name_and_a_value(self, text: str) -> None:
        with pytest.raises(CommandError, match="write NAME=VALUE"):
            run("deploy_stack", "--parameter", text)

    @pytest.mark.slow
    @pytest.mark.usefixtures("nobody")
    def test_without_aws_it_says_so(self) -> None:
        with pytest.raises(CommandError, match=r"AWS cannot be reached: the connection could not be opened\."):
            run("deploy_stack")


class TestEdge:
    @pytest.mark.slow
    def test_serves_until_it_is_told_to_stop(self, aws_server: Emulator, stack: dict[str, str]) -> None:
        command = [sys.executable, "manage.py", "edge", "--port", "0"]
        environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"}
        with subprocess.Popen(
            command, cwd=settings.BASE_DIR, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as child:
            assert child.stdout
            assert child.stderr
            said = child.stdout.readline() or pytest.fail(child.stderr.read())
            fetched = public.fetch(said.split()[3] + "g/XHQGMDH")
            child.send_signal(signal.SIGTERM)

            assert child.wait(10) == 0
            assert fetched.status == 404
            assert child.stderr.read() == ""

    @pytest.mark.usefixtures("stack")
    def test_a_port_in_use_is_a_sentence(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]

            with pytest.raises(CommandError, match=rf"Port {port} of 127\.0\.0\.1 cannot be used .* choose another"):
                run("edge", "--port", str(port))

    @pytest.mark.usefixtures("aws")
    def test_without_a_stack_it_says_how_to_get_one(self) -> None:
        with pytest.raises(CommandError, match="run manage.py deploy_stack first"):
            run("edge", "--port", "0")

    @pytest.mark.slow
    @pytest.mark.usefixtures("nobody")
    def test_without_aws_it_says_so(self) -> None:
        with pytest.raises(CommandError, match="AWS cannot be reached"):
            run("edge", "--port", "0")

    @pytest.mark.usefixtures("stack")
    def test_a_signal_ends_the_loop(self) -> None:
        out = _Ended()
        before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            call_command("edge", "--port", "0", stdout=out)
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

        assert out.getvalue().startswith("Guest pages at http://127.0.0.1:")


class _Ended(io.StringIO):
    """Ends the process that writes here, as a terminal's Ctrl-C would."""

    def write(self, text: str, /) -> int:
        signal.raise_signal(signal.SIGINT)
        return super().write(text)


class TestServer:
    def test_answers_like_the_edge(self, stack: dict[str, str]) -> None:
        clients.s3().put_object(Bucket=settings.GUEST_BUCKET, Key="g/xhqgmdh.html", Body=b"v1", ContentType="text/html")
        with served(Edge(stack["GuestDistributionId"])) as url:
            fetched = public.fetch(f"{url}/g/XHQGMDH?utm=1")
            raw = public.fetch(f"{url}/g/%78hqgmdh.html")

        assert (fetched.status, fetched.body, raw.body) == (200, b"v1", b"v1")

    def test_hands_on_headers_and_a_body(self, stack: dict[str, str]) -> None:
        with served(Edge(stack["OpsDistributionId"], hosts={"app.sailjada.com": "127.0.0.1:9"})) as url:
            request = urllib.request.Request(f"{url}/api/", b"{}", {"Content-Type": "application/json"})

            with pytest.raises(urllib.error.HTTPError) as raised:
                urllib.request.urlopen(request)

        raised.value.close()
        assert raised.value.code == 502

    @pytest.mark.slow
    def test_says_when_aws_is_away(self, stack: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
        edge = Edge(stack["GuestDistributionId"])
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        clients.reset()
        with served(edge) as url:
            fetched = public.fetch(f"{url}/g/XHQGMDH")
        monkeypatch.undo()
        clients.reset()

        assert fetched.status == 503
        assert fetched.body == b"AWS cannot be reached: the connection could not be opened."

    def test_any_wsgi_server_will_do(self, stack: dict[str, str]) -> None:
        started: list[str] = []
        environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/g/h\xc3\xa9", "QUERY_STRING": "a=1"}

        application(Edge(stack["GuestDistributionId"]))(environ, lambda status, *_: started.append(status))  # type: ignore[arg-type]  # a start_response that only listens

        assert started == ["404 Not Found"]
