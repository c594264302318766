import signal
import threading
from types import FrameType
from typing import Any
from wsgiref.simple_server import WSGIServer

from django.core.management.base import BaseCommand, CommandError, CommandParser

from jada.aws import stack
from jada.aws.edge import Edge
from jada.aws.edge.server import server
from jada.failures import DeliveryFailure


class Command(BaseCommand):
    help = "Serves the guest distribution on loopback, as CloudFront would: for the demo and for looking at pages."
    requires_system_checks = []  # it reads what is deployed; the application may be half configured

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int, required=True, help="0 takes any free port")
        parser.add_argument("--host", default="127.0.0.1")

    def handle(self, *args: Any, **options: Any) -> None:
        with _bound(options["host"], options["port"]) as bound:
            _stop_on_signal(bound)
            self.stdout.write(f"Guest pages at http://{options['host']}:{bound.server_port}/ (stop with Ctrl-C).")
            self.stdout.flush()
            bound.serve_forever(poll_interval=0.1)


def _bound(host: str, port: int) -> WSGIServer:
    try:
        return server(Edge(stack.guest_distribution_id()), host, port)
    except DeliveryFailure as failure:
        raise CommandError(failure.reason) from failure
    except OSError as error:
        raise CommandError(f"Port {port} of {host} cannot be used ({error.strerror}): choose another.") from error


def _stop_on_signal(bound: WSGIServer) -> None:
    """End the loop of `serve_forever`; from another thread, because `shutdown` waits for that very loop."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        threading.Thread(target=bound.shutdown).start()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
