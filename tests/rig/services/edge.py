"""The public host: the guest bucket behind a cache that keeps what it may and forgets what it is told to forget.

The address is rewritten as `infra/guest_rewrite.js` does it. (`jada.aws.edge` runs that very file; this one is for
speed and for faults, and the contract suite holds the two against each other.)
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass

from tests.rig.services.cloudfront import CloudFront
from tests.rig.services.s3 import S3, Stored, headers_of
from tests.rig.wire import Reply, Request
from tests.rig.world import World

NAME = re.compile(
    r"/g/([0-9A-HJKMNP-TV-Z]{7,16}|[0-9]{4}-[0-9]{2}-[0-9]{2}-[a-z0-9]+-(?:morning|afternoon|sunset)(?:-[0-9]+)?)/?",
    re.IGNORECASE,
)
ERRORS_LIVE, DEFAULT_LIFE = 10.0, 86400.0


@dataclass(frozen=True)
class Kept:
    reply: Reply
    at: float
    life: float
    asked: frozenset[str]  # every address under which this copy was given out


class Edge:
    name = "edge"

    def __init__(self, world: World, s3: S3, cloudfront: CloudFront) -> None:
        self.world, self.s3, self.cloudfront = world, s3, cloudfront
        self.cache: dict[str, Kept] = {}

    def named(self, request: Request) -> tuple[str, str]:
        return "GET", request.path

    def fault(self, action: str) -> Reply:
        return Reply(
            {"throttle": 503, "busy": 503}.get(action) or int(action), b"ordered", {"Content-Type": "text/html"}
        )

    def act(self, request: Request, op: str, key: str) -> Reply:
        printed = request.path
        found = NAME.fullmatch(printed) if printed.startswith("/g/") else None
        path = f"/g/{found[1].lower()}.html" if found else printed
        with self.world.lock:
            kept = self._kept(path, printed)
            hit = kept is not None
            if kept is None:
                kept = self._fetched(path, printed)
                self.cache[path] = kept
            version = kept.reply.headers.get("x-amz-meta-rev", "")
            outcome = "read" if kept.reply.status == 200 else "missing"
            facts = {"version": int(version)} if version.isdigit() else {}
            self.world.note(request, self.name, op, key, outcome, cache="hit" if hit else "miss", **facts)
        marked = {"x-cache": "Hit from cloudfront" if hit else "Miss from cloudfront"}
        return Reply(kept.reply.status, kept.reply.body, {**kept.reply.headers, **marked})

    def _kept(self, path: str, printed: str) -> Kept | None:
        kept = self.cache.get(path)
        if kept is None or time.monotonic() >= kept.at + kept.life:
            return None
        # Before and after the function: an invalidation of either address makes the edge forget.
        if any(self.cloudfront.forgotten_since(path, each, kept.at) for each in kept.asked):
            return None
        if printed not in kept.asked:
            kept = Kept(kept.reply, kept.at, kept.life, kept.asked | {printed})
            self.cache[path] = kept
        return kept

    def _fetched(self, path: str, printed: str) -> Kept:
        now, asked = time.monotonic(), frozenset({path, printed})
        found = self.s3.objects.get((self.world.habits.bucket, path.removeprefix("/")))
        if found is None:
            page = Reply(404, b"<!doctype html><title>Not found</title>", {"Content-Type": "text/html; charset=utf-8"})
            return Kept(page, now, ERRORS_LIVE, asked)
        return Kept(Reply(200, found.body, headers_of(found)), now, self._life(found), asked)

    def _life(self, found: Stored) -> float:
        if self.world.habits.edge_life is not None:
            return self.world.habits.edge_life
        said = re.search(r"s-maxage=(\d+)", found.headers.get("cache-control", ""))
        return float(said[1]) if said else DEFAULT_LIFE
