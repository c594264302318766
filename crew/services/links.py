"""Crew links: issue, open, exchange for a session, check on every request, revoke.

The authority is the grant's row, read each time with its assignment, member and trip; the token only points to it. A
link may be opened again until the trip is over, for mail scanners open it first (ADR 4).
"""

from __future__ import annotations

import base64
import hashlib
import logging
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Coalesce

from crew import tokens
from crew.enums import ASKED, EventStatus, LinkUseKind
from crew.models import OPEN_AFTER, Assignment, CrewLinkGrant, CrewSession, LinkUse
from crew.tokens import LinkClaims, LinkRefused
from jada.audit.actors import SYSTEM, Actor
from jada.audit.services import record

logger = logging.getLogger(__name__)

HARD_CAP = timedelta(days=180)
IDLE = timedelta(days=14)
SEEN_AGAIN_AFTER = timedelta(hours=1)
EXCHANGES_AN_HOUR = 20
SESSIONS_A_GRANT = 5
NETWORKS_A_DAY = 3


@dataclass(frozen=True, kw_only=True)
class Browser:
    """Who asks: fingerprints of its address and network, and its family, such as "Safari"."""

    client: str
    network: str
    family: str = ""


# --- issue and revoke ------------------------------------------------------------------------------------------------


@transaction.atomic
def issue_link(*, assignment: Assignment, at: datetime) -> CrewLinkGrant:
    """A new grant for the assignment as it stands. Older ones stay good; they end with the trip or by revocation."""
    issued_at = at.replace(microsecond=0)
    return CrewLinkGrant.objects.create(
        jti=secrets.token_urlsafe(16),
        kid=settings.CREW_LINK_ACTIVE_KID,
        assignment=assignment,
        member=assignment.member,
        event=assignment.event,
        av=assignment.version,
        issued_at=issued_at,
        expires_at=min(assignment.event.booking.ends_at + OPEN_AFTER, issued_at + HARD_CAP).replace(microsecond=0),
        sent_to=fingerprint(assignment.member.email),
    )


def link_of(grant: CrewLinkGrant) -> str:
    """The address that opens the trip: a function of the grant and the key alone, stored nowhere."""
    event = grant.event.public_id
    claims = LinkClaims(
        jti=grant.jti,
        kid=grant.kid,
        member=grant.member.public_id,
        event=event,
        version=grant.av,
        issued_at=grant.issued_at,
        expires_at=grant.expires_at,
    )
    return f"{settings.CREW_BASE_URL}/crew/event/{event}/confirm?token={tokens.encode(claims, _keys())}"


@transaction.atomic
def revoke_links(*, grants: QuerySet[CrewLinkGrant], reason: str, by: Actor, at: datetime) -> int:
    """End links and every session they opened, at once; answers how many links it were."""
    CrewSession.objects.filter(grant__in=grants).delete()
    standing = grants.filter(revoked_at=None)
    return standing.update(revoked_at=at, revoked_by=str(by)[:150], revoke_reason=reason[:120])


@transaction.atomic
def revoke_grant(*, grant: CrewLinkGrant, reason: str, by: Actor, at: datetime) -> None:
    """End one link, from the console: a lost telephone, a mail that went astray."""
    revoke_links(grants=CrewLinkGrant.objects.filter(pk=grant.pk), reason=reason, by=by, at=at)
    detail = {"member": grant.member.name, "reason": reason}
    record(act="crew.link.revoked", subject=grant.event.booking.subject, by=by, at=at, detail=detail)


# --- open ------------------------------------------------------------------------------------------------------------


@transaction.atomic
def open_link(*, token: str, event_id: str, at: datetime) -> CrewLinkGrant:
    """What the link's page needs to know. Changes nothing but a counter. Raises `LinkRefused`."""
    grant = _standing_grant(token, event_id, at)
    rows = CrewLinkGrant.objects.filter(pk=grant.pk)
    rows.update(opens=F("opens") + 1, first_opened_at=Coalesce("first_opened_at", at))
    return grant


@transaction.atomic
def exchange_link(*, token: str, event_id: str, old_key: str, browser: Browser, at: datetime) -> str:
    """Give the browser a session for the trip and answer its new key. Raises `LinkRefused`.

    The key changes each time; other trips that the same member had open in this browser move to the new one.
    """
    grant = _standing_grant(token, event_id, at)
    if _uses(grant, at - timedelta(hours=1)).count() >= EXCHANGES_AN_HOUR:
        raise _refusal("opened too often within the hour", grant)
    LinkUse.objects.create(
        kind=LinkUseKind.EXCHANGED,
        grant=grant,
        member=grant.member,
        client=browser.client,
        network=browser.network,
        at=at,
    )
    _flag_many_networks(grant, at)
    rows = CrewLinkGrant.objects.filter(pk=grant.pk)
    rows.update(exchanges=F("exchanges") + 1, last_exchange_at=at)
    logger.info("Crew link %s opened a session", grant.jti)
    return _open_session(grant, old_key, browser, at)


def _open_session(grant: CrewLinkGrant, old_key: str, browser: Browser, at: datetime) -> str:
    key = secrets.token_urlsafe(32)
    held = CrewSession.objects.filter(key_hash=_hash(old_key)) if old_key else CrewSession.objects.none()
    held.exclude(member=grant.member).delete()  # a shared telephone: the one before is signed out
    held.filter(event=grant.event).delete()
    held.update(key_hash=_hash(key))
    CrewSession.objects.create(
        key_hash=_hash(key),
        grant=grant,
        member=grant.member,
        event=grant.event,
        created_at=at,
        last_seen_at=at,
        browser=browser.family,
    )
    kept = CrewSession.objects.filter(grant=grant).order_by("-created_at", "-pk").values_list("pk", flat=True)
    CrewSession.objects.filter(grant=grant).exclude(pk__in=list(kept[:SESSIONS_A_GRANT])).delete()
    return key


@transaction.atomic
def leave(*, key: str) -> int:
    """Sign a browser out of every trip; answers of how many."""
    return CrewSession.objects.filter(key_hash=_hash(key)).delete()[0]


@transaction.atomic
def forget(*, at: datetime) -> int:
    """Delete what no limit counts any more and sessions that open nothing; answers how many rows."""
    uses, _ = LinkUse.objects.filter(at__lt=at - timedelta(days=1)).delete()
    over = Q(last_seen_at__lt=at - IDLE) | Q(event__booking__ends_at__lt=at - OPEN_AFTER)
    sessions, _ = CrewSession.objects.filter(over).delete()
    return uses + sessions


# --- on every request ------------------------------------------------------------------------------------------------


def session_for(*, key: str, event_id: str, at: datetime) -> CrewSession:
    """The browser's session for the trip, everything checked anew. Raises `LinkRefused`."""
    rows = _sessions(key).filter(event__booking__public_id=event_id) if key else CrewSession.objects.none()
    session = rows.first()
    if session is None:
        raise LinkRefused("no session for this trip")
    if reason := _session_ended(session, at):
        raise _refusal(reason, session.grant)
    if at - session.last_seen_at > SEEN_AGAIN_AFTER:
        CrewSession.objects.filter(pk=session.pk).update(last_seen_at=at)
    return session


def trips_of_session(*, key: str, at: datetime) -> list[CrewSession]:
    """Every trip that this browser may still open, soonest first."""
    sessions = _sessions(key).order_by("event__booking__starts_at") if key else CrewSession.objects.none()
    return [session for session in sessions if not _session_ended(session, at)]


def _sessions(key: str) -> QuerySet[CrewSession]:
    rows = CrewSession.objects.filter(key_hash=_hash(key))
    return rows.select_related(
        "member", "event__booking__vessel__berth", "grant__member", "grant__assignment", "grant__event__booking"
    )


def _session_ended(session: CrewSession, at: datetime) -> str:
    if at - session.last_seen_at > IDLE:
        return "session idle too long"
    return _ended(session.grant, at)


def _standing_grant(token: str, event_id: str, at: datetime) -> CrewLinkGrant:
    claims = tokens.decode(token, _keys(), at=at)
    if claims.event != event_id:
        raise LinkRefused("a token of another trip")
    grant = grant_of(claims)
    if reason := _ended(grant, at):
        raise _refusal(reason, grant)
    return grant


def grant_of(claims: LinkClaims) -> CrewLinkGrant:
    """The row that a genuine token points to, whether or not it still stands. Raises `LinkRefused`."""
    rows = CrewLinkGrant.objects.select_related("member", "assignment", "event__booking__vessel__berth")
    grant = rows.filter(
        jti=claims.jti, av=claims.version, member__public_id=claims.member, event__booking__public_id=claims.event
    ).first()
    if grant is None:
        raise LinkRefused("no such grant")
    return grant


def identify(token: str) -> CrewLinkGrant:
    """The grant of a genuine token, even if its time is over. Raises `LinkRefused`."""
    return grant_of(tokens.identify(token, _keys()))


def is_genuine(*, token: str) -> bool:
    """Whether we signed the token, even if it opens nothing any more."""
    try:
        tokens.identify(token, _keys())
    except LinkRefused:
        return False
    return True


def _ended(grant: CrewLinkGrant, at: datetime) -> str:
    """Why the grant opens nothing any more, "" while it does: read from the rows of now, never from the token."""
    assignment, event = grant.assignment, grant.event
    reasons = {
        "revoked": grant.revoked_at is not None,
        "the trip is cancelled": event.status != EventStatus.OPEN,
        "not on this trip any more": assignment.status not in ASKED or assignment.version != grant.av,
        "the member is not active": not grant.member.active,
        "the address on file has changed": grant.sent_to != fingerprint(grant.member.email),
        "the trip is over": at > event.open_until,
        "older than any link may be": at > grant.issued_at + HARD_CAP,
    }
    return next((reason for reason, so in reasons.items() if so), "")


# --- parts -----------------------------------------------------------------------------------------------------------


def _refusal(reason: str, grant: CrewLinkGrant) -> LinkRefused:
    return LinkRefused(f"{reason} (grant {grant.jti})")


def _uses(grant: CrewLinkGrant, since: datetime) -> QuerySet[LinkUse]:
    return LinkUse.objects.filter(kind=LinkUseKind.EXCHANGED, grant=grant, at__gt=since)


def _flag_many_networks(grant: CrewLinkGrant, at: datetime) -> None:
    """One link from many places is worth a look; it is not blocked, for crew travel."""
    networks = _uses(grant, at - timedelta(days=1)).values("network").distinct().count()
    if networks == NETWORKS_A_DAY + 1:
        detail = {"member": grant.member.name, "networks": networks}
        record(act="crew.link.many-networks", subject=grant.event.booking.subject, by=SYSTEM, at=at, detail=detail)


def fingerprint(text: str) -> str:
    return hashlib.sha256(text.strip().casefold().encode()).hexdigest()


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def _keys() -> dict[str, bytes]:
    return {kid: base64.b64decode(key) for kid, key in dict(settings.CREW_LINK_KEYS).items()}
