"""One distribution at work: behaviour, function, cache, origin, error page, headers, in CloudFront's order."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Final

from jada.aws import clients
from jada.aws.edge import deployed, function
from jada.aws.edge.answers import Answer, Cache, seconds_to_keep
from jada.aws.edge.deployed import Behaviour
from jada.aws.edge.function import Viewed
from jada.aws.edge.origins import Asked, ask

READ_AGAIN: Final = 60.0  # seconds; a new set-up takes CloudFront minutes to reach its edges


class Edge:
    """Answers requests as the distribution of this id would.

    `hosts` maps the domain of an origin to a local host:port; `clock` answers seconds.
    """

    def __init__(
        self,
        distribution_id: str,
        *,
        hosts: Mapping[str, str] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._id, self._hosts, self._clock = distribution_id, hosts or {}, clock
        self._cache, self._lock = Cache(clock), threading.RLock()
        self._known = self._invalidations()  # older than our first answer
        self.reload()

    def reload(self) -> None:
        """Read the deployed set-up anew; what is cached stays cached."""
        self._deployed, self._read_at = deployed.read(self._id), self._clock()

    def request(self, method: str, target: str, headers: Mapping[str, str] | None = None, body: bytes = b"") -> Answer:
        """Answer one request. `target` is the path as it came, with its query; one request at a time."""
        path, _, query = target.partition("?")
        viewed = Viewed(method, path, query, {name.lower(): value for name, value in (headers or {}).items()})
        with self._lock:
            if self._clock() - self._read_at > READ_AGAIN:
                self.reload()
            self._obey_invalidations()
            behaviour = self._deployed.behaviour(path)
            answer = _dressed(self._viewed(behaviour, viewed, body), behaviour)
            answer = answer.with_headers({"content-length": str(len(answer.body))})
        return Answer(answer.status, answer.headers, b"" if method == "HEAD" else answer.body)

    def _viewed(self, behaviour: Behaviour, viewed: Viewed, body: bytes) -> Answer:
        if viewed.method not in behaviour.methods:
            return Answer(403, {"x-cache": "Error from cloudfront"}, b"This distribution does not take this method.")
        if viewed.path == "/" and self._deployed.root:
            viewed = Viewed(viewed.method, f"/{self._deployed.root}", viewed.query, viewed.headers)
        if behaviour.function:
            result = function.run(behaviour.function, viewed)
            if isinstance(result, Answer):
                return result
            viewed = result
        if viewed.method not in ("GET", "HEAD"):
            return _marked(self._from_origin(behaviour, viewed, body))
        return self._cached(behaviour, viewed)

    def _cached(self, behaviour: Behaviour, viewed: Viewed) -> Answer:
        key = (viewed.path, viewed.query if behaviour.query_in_key else "")
        if kept := self._cache.get(key):
            return kept
        answer = self._from_origin(behaviour, viewed, b"")
        if answer.status >= 400:
            rule = self._deployed.error(answer.status)
            answer = self._error_page(rule, answer)
            self._cache.put(key, answer, rule.seconds)
        else:
            self._cache.put(key, answer, seconds_to_keep(answer.headers, behaviour.lifetime))
        return _marked(answer)

    def _from_origin(self, behaviour: Behaviour, viewed: Viewed, body: bytes) -> Answer:
        asked = Asked(
            method="GET" if viewed.method == "HEAD" else viewed.method,
            path=viewed.path,
            query=viewed.query if behaviour.forwarded.query else "",
            headers=behaviour.forwarded.of(viewed.headers),
            body=body,
        )
        return ask(self._deployed.origins[behaviour.origin], asked, self._hosts)

    def _error_page(self, rule: deployed.ErrorPage, answer: Answer) -> Answer:
        """The page that stands for this error; the origin's own if there is none."""
        if not rule.path:
            return answer
        behaviour = self._deployed.behaviour(rule.path)
        page = self._from_origin(behaviour, Viewed("GET", rule.path, "", {}), b"")
        return Answer(rule.status, page.headers, page.body) if page.status == 200 else answer

    def _invalidations(self) -> set[str]:
        with clients.calling():
            listed = clients.cloudfront().list_invalidations(DistributionId=self._id)["InvalidationList"]
        return {each["Id"] for each in listed.get("Items", [])}

    def _obey_invalidations(self) -> None:
        for invalidation_id in self._invalidations() - self._known:
            self._known.add(invalidation_id)
            with clients.calling():
                found = clients.cloudfront().get_invalidation(DistributionId=self._id, Id=invalidation_id)
            for path in found["Invalidation"]["InvalidationBatch"]["Paths"].get("Items", []):
                self._cache.forget(path)


def _marked(answer: Answer) -> Answer:
    return answer.with_headers({"x-cache": f"{'Miss' if answer.status < 400 else 'Error'} from cloudfront"})


def _dressed(answer: Answer, behaviour: Behaviour) -> Answer:
    """With the headers of the response headers policy, on every answer: from the cache, an error page, or fresh."""
    added = {rule.name: rule.value for rule in behaviour.headers if rule.override or rule.name not in answer.headers}
    return answer.with_headers(added)
