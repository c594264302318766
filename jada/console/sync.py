"""The manager's letters."""

from collections.abc import Mapping

from django.conf import settings

from jada.mail.letters import Address, letter
from jada.mail.models import Message


class OpsLetter:
    """Sent to the office; when it is in doubt whether it left, once more and marked as a possible repeat."""

    template = ""
    in_doubt = "once"

    def address(self, message: Message) -> Address | None:
        return Address("Operations", settings.OPS_EMAIL)

    def withdrawn(self, message: Message) -> str:
        return ""

    def links(self, message: Message) -> Mapping[str, str]:
        return {}


@letter("ops.booked")
class Booked(OpsLetter):
    template = "ops_booked"


@letter("ops.changed")
class Changed(OpsLetter):
    template = "ops_changed"


@letter("ops.cancelled")
class Cancelled(OpsLetter):
    template = "ops_cancelled"
