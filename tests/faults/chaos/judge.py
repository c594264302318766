"""What is true in the end. The ledger says what reached the world, the database what was owed; they must agree."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tests.faults.chaos.season import Trip
from tests.rig.ledger import Line

FINAL = ("done", "superseded", "cancelled")
WRITES = ("PutItem", "PutObject", "CreateInvalidation", "SendEmail")
MAY_REPEAT = ("crew.", "ops.")  # whose rule is to send again what is in doubt


@dataclass
class Verdict:
    """`facts` are counted, `faults` must be empty, `allowed` are repeats that the rules permit, each with its reason."""

    facts: dict[str, Any] = field(default_factory=dict)
    faults: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    allowed: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        return not any(self.faults.values())


def judge(trips: list[Trip], said: dict[str, Any], lines: list[Line], *, late_after: float, clocks: bool) -> Verdict:
    """`clocks`: some worker believed another time, so that the times which it wrote into rows say nothing of order."""
    verdict = Verdict()
    effects = said["effects"]
    topics = Counter(effect["topic"] for effect in effects)
    verdict.facts |= {"bookings": len(said["bookings"]), "effects owed": len(effects)}
    verdict.facts["of them"] = ", ".join(f"{topic} {count}" for topic, count in sorted(topics.items()))
    verdict.facts["requests of clients"] = sum(trip.asked for trip in trips)
    verdict.facts["requests on the ledger"] = len(lines)
    _acts(verdict, trips, said)
    _lost(verdict, said, lines)
    _mails(verdict, said, lines)
    _order(verdict, said, lines)
    _regress(verdict, lines)
    verdict.faults["differ after reconcile"] += said["differ"] + said["reconcile"]
    by_times = [each for each in said["check"] if clocks and each.startswith("I3")]
    verdict.faults["outbox_check"] += [each for each in said["check"] if each not in by_times]
    if by_times:
        verdict.facts["left to the ledger"] = "; ".join(by_times)
    verdict.facts["late"] = sum(line.wall > late_after for line in lines if line.op in WRITES)
    return verdict


def _acts(verdict: Verdict, trips: list[Trip], said: dict[str, Any]) -> None:
    """What a client was told was done is in the database, once, as it was told."""
    rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in said["bookings"]:
        rows[row["external_id"]].append(row)
    for trip in trips:
        verdict.faults["answers"] += [f"{trip.external_id}: {wrong}" for wrong in trip.wrong]
        found = rows[trip.external_id]
        if trip.event and len(found) != 1:
            verdict.faults["acts"].append(f"{trip.external_id}: {len(found)} bookings")
        elif trip.event and (differing := _otherwise(trip.want, found[0])):
            verdict.faults["acts"].append(f"{trip.external_id}: " + ", ".join(differing))


def _otherwise(want: dict[str, Any], row: dict[str, Any]) -> list[str]:
    differs = [name for name, value in want.items() if _plain(value) != _plain(row[name])]
    return [f"{name} is {row[name]}, answered {want[name]}" for name in differs]


def _plain(value: Any) -> Any:
    if isinstance(value, str) and value[:4].isdigit():
        value = datetime.fromisoformat(value)
    return value.timestamp() if isinstance(value, datetime) else value


def _lost(verdict: Verdict, said: dict[str, Any], lines: list[Line]) -> None:
    """Committed and never done: a row that is not final, a mail or a copy that never reached the world."""
    mailed = {line.effect for line in lines if line.op == "SendEmail" and line.outcome == "accepted"}
    for effect in said["effects"]:
        named = f"#{effect['id']} {effect['topic']} {effect['fact'] or effect['key']}"
        if effect["state"] not in FINAL:
            verdict.faults["lost"].append(f"{named} is {effect['state']} ({effect['cause']})")
        elif effect["mode"] == "M" and effect["state"] == "done" and str(effect["id"]) not in mailed:
            verdict.faults["lost"].append(f"{named} is done, and no mail was taken")
    written = _last(lines)
    for mirror in said["mirrors"]:
        target = _target(mirror["topic"], mirror["key"])
        if target and mirror["applied_version"] and written.get(target) != mirror["applied_version"]:
            stands, believed = written.get(target), mirror["applied_version"]
            verdict.faults["lost"].append(f"{mirror['topic']} {mirror['key']}: stands {stands}, believed {believed}")


def _target(topic: str, key: str) -> tuple[str, str] | None:
    match topic:
        case "crew.event":
            return "dynamodb", key
        case "guests.page":
            return "s3", f"g/{key.lower()}.html"
        case "guests.slug":
            return "s3", f"g/{key}.html"
    return None


def _writes(lines: Iterable[Line]) -> list[Line]:
    return [line for line in lines if line.op in ("PutItem", "PutObject") and line.outcome == "accepted"]


def _last(lines: list[Line]) -> dict[tuple[str, str], int | None]:
    return {(line.service, line.key): line.version for line in _writes(lines)}


def _mails(verdict: Verdict, said: dict[str, Any], lines: list[Line]) -> None:
    """One a fact; more only where a doubt was noted for each, the kind's rule is to repeat, and the link is the same."""
    effects = {str(effect["id"]): effect for effect in said["effects"]}
    doubts = Counter(str(pk) for pk in said["doubts"])
    mails: dict[str, list[Line]] = defaultdict(list)
    for line in lines:
        if line.op == "SendEmail" and line.outcome == "accepted":
            mails[line.effect].append(line)
    verdict.facts["mails"] = sum(len(found) for found in mails.values())
    for pk, found in mails.items():
        effect = effects.get(pk)
        kind = said["letters"].get(effect["key"], "") if effect else ""
        if effect is None:
            verdict.faults["mails without a row"].append(f"effect {pk}: {len(found)}")
        elif len(found) > 1:
            links = {line.facts.get("links") for line in found}
            says = f"#{pk} {kind} {effect['fact']}: {len(found)} mails, {doubts[pk]} doubts, {len(links)} links"
            most = 2 if kind.startswith("ops.") else 1 + doubts[pk]
            fine = kind.startswith(MAY_REPEAT) and len(found) <= min(most, 1 + doubts[pk]) and len(links) == 1
            (verdict.allowed if fine else verdict.faults["mails twice"]).append(says)
    writes = _writes(lines)
    same = [a for a, b in _pairs(writes) if a.digest == b.digest]
    verdict.facts["writes of copies"], verdict.facts["of them repeats of one state"] = len(writes), len(same)
    verdict.facts["invalidations"] = sum(x.op == "CreateInvalidation" and x.outcome == "accepted" for x in lines)


def _pairs(writes: list[Line]) -> list[tuple[Line, Line]]:
    """Each write with the next one of the same object."""
    last: dict[tuple[str, str], Line] = {}
    pairs = []
    for line in writes:
        place = line.service, line.key
        if place in last:
            pairs.append((last[place], line))
        last[place] = line
    return pairs


def _order(verdict: Verdict, said: dict[str, Any], lines: list[Line]) -> None:
    """In a lane of mails the first copies leave in the order of their rows; an invalidation follows its put."""
    lanes = {str(effect["id"]): effect["lane"] for effect in said["effects"] if effect["mode"] == "M"}
    newest: dict[str, int] = {}
    first_seen: set[str] = set()
    put: set[str] = set()
    for line in lines:
        if line.op == "PutObject" and line.outcome == "accepted":
            put.add(f"/{line.key}")
        if line.op == "CreateInvalidation" and line.outcome == "accepted":
            early = [p for p in line.facts["paths"] if p.endswith(".html") and "*" not in p and p not in put]
            verdict.faults["order"] += [f"{path} was invalidated before it was put" for path in early]
        if line.op != "SendEmail" or line.outcome != "accepted" or line.effect in first_seen:
            continue
        first_seen.add(line.effect)
        lane = lanes.get(line.effect, "")
        if newest.get(lane, 0) > int(line.effect):
            verdict.faults["order"].append(f"#{line.effect} left after #{newest[lane]} of {lane}")
        newest[lane] = max(newest.get(lane, 0), int(line.effect))


def _regress(verdict: Verdict, lines: list[Line]) -> None:
    for before, after in _pairs(_writes(lines)):
        if (after.version or 0) <= (before.version or 0):
            verdict.faults["regress"].append(f"{after.service} {after.key}: {before.version}, then {after.version}")
    for line in _writes(lines):
        if line.facts.get("stated") not in (None, line.version):
            verdict.faults["regress"].append(f"{line.key} states {line.facts['stated']} and bears {line.version}")
