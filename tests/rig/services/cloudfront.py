"""CloudFront: invalidations that are ordered once a reference, and the limit of what may be in progress."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

from tests.rig.wire import Reply, Request
from tests.rig.world import DISTRIBUTION, World, stamp

NS = "http://cloudfront.amazonaws.com/doc/2020-05-31/"
XML = {"Content-Type": "text/xml", "x-amzn-RequestId": "RIG"}
PATH = re.compile(r"/2020-05-31/distribution/([^/]+)(/invalidation(?:/([^/]+))?)?/?")
MOST_PATHS, MOST_WILDCARDS = 3000, 15
FAULTS = {
    "throttle": (429, "Throttling"),
    "busy": (400, "TooManyInvalidationsInProgress"),
    "500": (500, "InternalError"),
    "503": (503, "ServiceUnavailable"),
    "403": (403, "AccessDenied"),
}


@dataclass(frozen=True)
class Invalidation:
    id: str
    reference: str
    paths: tuple[str, ...]
    at: float


def failed(status: int, code: str, message: str = "ordered") -> Reply:
    error = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
    body = f'<?xml version="1.0"?><ErrorResponse xmlns="{NS}">{error}<RequestId>RIG</RequestId></ErrorResponse>'
    return Reply(status, body.encode(), XML)


class CloudFront:
    name = "cloudfront"

    def __init__(self, world: World) -> None:
        self.world = world
        self.ordered: dict[str, Invalidation] = {}  # by reference, in order

    def named(self, request: Request) -> tuple[str, str]:
        found = PATH.fullmatch(request.path)
        if found is None or not found[2]:
            return "GetDistribution", found[1] if found else request.path
        if request.method == "POST":
            reference = re.search(rb"<CallerReference>([^<]*)", request.body)
            return "CreateInvalidation", reference[1].decode() if reference else ""
        return ("GetInvalidation", found[3]) if found[3] else ("ListInvalidations", found[1])

    def fault(self, action: str) -> Reply:
        return failed(*FAULTS[action])

    def act(self, request: Request, op: str, key: str) -> Reply:
        found = PATH.fullmatch(request.path)
        with self.world.lock:
            if found is None or found[1] != DISTRIBUTION:
                return self._refused(request, op, key, failed(404, "NoSuchDistribution", "It does not exist."))
            match op:
                case "CreateInvalidation":
                    return self._create(request, key)
                case "GetInvalidation":
                    known = {order.id: order for order in self.ordered.values()}
                    if key not in known:
                        return self._refused(request, op, key, failed(404, "NoSuchInvalidation", "It does not exist."))
                    self.world.note(request, self.name, op, key, "read")
                    return Reply(200, self._written(known[key]), XML)
                case "ListInvalidations":
                    self.world.note(request, self.name, op, key, "read")
                    return Reply(200, self._listed(), XML)
        return self._refused(request, op, key, failed(400, "InvalidArgument", f"Not known here: {op}"))

    def forgotten_since(self, path: str, printed: str, since: float) -> bool:
        """Whether an invalidation that has arrived covers this address and came after `since`."""
        arrived = time.monotonic() - self.world.habits.edge_lag
        return any(
            since <= order.at <= arrived and any(_covers(p, path) or _covers(p, printed) for p in order.paths)
            for order in self.ordered.values()
        )

    def _create(self, request: Request, reference: str) -> Reply:
        batch = ET.fromstring(request.body)
        paths = tuple(sorted(path.text or "" for path in batch.iter(f"{{{NS}}}Path")))
        quantity = int(batch.findtext(f"{{{NS}}}Paths/{{{NS}}}Quantity") or 0)
        known = self.ordered.get(reference)
        if known is not None and known.paths == paths:
            self.world.note(request, self.name, "CreateInvalidation", reference, "same", paths=paths, id=known.id)
            return Reply(201, self._written(known), XML)
        if refusal := self._refusal(reference, paths, quantity, known):
            return self._refused(request, "CreateInvalidation", reference, refusal, paths)
        order = Invalidation(f"I{len(self.ordered) + 1:013d}", reference, paths, time.monotonic())
        self.ordered[reference] = order
        self.world.note(request, self.name, "CreateInvalidation", reference, "accepted", paths=paths, id=order.id)
        return Reply(201, self._written(order), XML)

    def _refusal(
        self, reference: str, paths: tuple[str, ...], quantity: int, known: Invalidation | None
    ) -> Reply | None:
        if known is not None:
            return failed(400, "InvalidationBatchAlreadyExists", "This reference was used with other paths.")
        if not reference or not paths or quantity != len(paths):
            return failed(400, "InconsistentQuantities", "The quantity is not the number of paths.")
        if any(not path.startswith("/") or "*" in path[:-1] for path in paths):
            return failed(400, "InvalidArgument", "Your request contains an invalid invalidation path.")
        under_way = [p for order in self.ordered.values() if not self._arrived(order) for p in order.paths]
        single = [p for p in (*under_way, *paths) if not p.endswith("*")]
        if len(single) > MOST_PATHS or len(under_way) + len(paths) - len(single) > MOST_WILDCARDS:
            return failed(400, "TooManyInvalidationsInProgress", "You have too many invalidations in progress.")
        return None

    def _arrived(self, order: Invalidation) -> bool:
        return order.at + self.world.habits.edge_lag <= time.monotonic()

    def _refused(self, request: Request, op: str, key: str, reply: Reply, paths: tuple[str, ...] = ()) -> Reply:
        code = re.search(rb"<Code>(\w+)", reply.body)
        facts = {"paths": paths} if paths else {}
        self.world.note(request, self.name, op, key, "refused", code=code[1].decode() if code else "", **facts)
        return reply

    def _written(self, order: Invalidation) -> bytes:
        items = "".join(f"<Path>{escape(path)}</Path>" for path in order.paths)
        paths = f"<Paths><Quantity>{len(order.paths)}</Quantity><Items>{items}</Items></Paths>"
        batch = f"<InvalidationBatch>{paths}<CallerReference>{escape(order.reference)}</CallerReference></InvalidationBatch>"
        return f'<?xml version="1.0"?><Invalidation xmlns="{NS}">{self._summary(order)}{batch}</Invalidation>'.encode()

    def _summary(self, order: Invalidation) -> str:
        at = stamp(time.time() - (time.monotonic() - order.at))
        status = "Completed" if self._arrived(order) else "InProgress"
        return f"<Id>{order.id}</Id><Status>{status}</Status><CreateTime>{at}</CreateTime>"

    def _listed(self) -> bytes:
        orders = list(self.ordered.values())[::-1]
        items = "".join(f"<InvalidationSummary>{self._summary(order)}</InvalidationSummary>" for order in orders)
        counts = f"<Marker/><MaxItems>100</MaxItems><IsTruncated>false</IsTruncated><Quantity>{len(orders)}</Quantity>"
        return f'<?xml version="1.0"?><InvalidationList xmlns="{NS}">{counts}<Items>{items}</Items></InvalidationList>'.encode()


def _covers(pattern: str, path: str) -> bool:
    return path.startswith(pattern[:-1]) if pattern.endswith("*") else path == pattern
