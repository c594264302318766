"""The roster, the crew of each trip, its checklist, and the links that open its page. Nothing here knows money."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from django.db import models
from django.db.models import F, Q

from bookings.codes import new_public_id
from bookings.models import Booking, Product, Vessel
from crew.enums import ASKED, LIVE, Anchor, AssignmentStatus, Ended, EventStatus, LinkUseKind, Needs, Role

# How long after a trip its page stays open: checklists are closed ashore.
OPEN_AFTER = timedelta(hours=24)


def together(*names: str) -> Q:
    """All of them set, or none: an instant without its actor (or the reverse) is refused by the database."""
    return Q(**{f"{name}__isnull": True for name in names}) | Q(**{f"{name}__isnull": False for name in names})


# --- the roster ------------------------------------------------------------------------------------------------------


class CrewMember(models.Model):
    """Somebody who may be called aboard. Not a user: members sign in by the link of a trip."""

    public_id = models.CharField(max_length=16, unique=True, default=new_public_id, editable=False)
    key = models.SlugField(unique=True, help_text="short name in lists and imports")
    name = models.CharField(max_length=120)
    role = models.CharField("rank", max_length=12, choices=Role)
    roles = models.JSONField("also sails as", default=list, blank=True, help_text="further roles, best first")
    call_order = models.PositiveSmallIntegerField(default=1, help_text="1 is called first")
    email = models.EmailField()
    phone = models.CharField(max_length=30, blank=True)
    languages = models.JSONField(default=list, blank=True)
    contact_by = models.JSONField(default=list, blank=True, help_text="email, sms")
    active = models.BooleanField(default=True)

    class Meta:
        ordering = ["call_order", "name"]

    def __str__(self) -> str:
        return self.name

    @property
    def all_roles(self) -> tuple[str, ...]:
        """Every role this member may sail in, the rank first."""
        return (self.role, *(role for role in self.roles if role != self.role))

    @property
    def recipient(self) -> str:
        """Its name on messages; the address is looked up when one is sent."""
        return f"crew:{self.public_id}"

    @property
    def first_name(self) -> str:
        return self.name.split()[0] if self.name.strip() else ""


class Credential(models.Model):
    """A paper: `master_50gt`, `drug_program`, `cpr_first_aid` … valid through its last day."""

    member = models.ForeignKey(CrewMember, models.CASCADE, related_name="credentials")
    kind = models.SlugField(max_length=40)
    expires_on = models.DateField(null=True, blank=True, help_text="its last valid day; empty if it never ends")

    class Meta:
        ordering = ["kind"]
        constraints = [models.UniqueConstraint(fields=["member", "kind"], name="crew_one_paper_of_a_kind")]

    def __str__(self) -> str:
        return self.kind.replace("_", " ")

    def is_valid_on(self, day: date) -> bool:
        return self.expires_on is None or self.expires_on >= day


class Unavailability(models.Model):
    """Days off, local dates, both included."""

    member = models.ForeignKey(CrewMember, models.CASCADE, related_name="days_off")
    from_date = models.DateField()
    to_date = models.DateField()
    note = models.CharField(max_length=80, blank=True)

    class Meta:
        verbose_name_plural = "days off"
        ordering = ["from_date"]
        constraints = [
            models.CheckConstraint(condition=Q(to_date__gte=F("from_date")), name="crew_days_off_in_order"),
        ]

    def __str__(self) -> str:
        return f"{self.from_date} to {self.to_date}"


class CrewRequirement(models.Model):
    """The least crew of a vessel's trips. A product's own rows replace the vessel's; rows above a party size add to it."""

    vessel = models.ForeignKey(Vessel, models.CASCADE, related_name="+")
    product = models.ForeignKey(Product, models.CASCADE, null=True, blank=True, related_name="+")
    party_over = models.PositiveSmallIntegerField(default=0, help_text="adds these places to parties larger than this")
    needs = models.CharField(max_length=18, choices=Needs)
    count = models.PositiveSmallIntegerField(default=1)

    class Meta:
        ordering = ["vessel", "product", "party_over", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["vessel", "party_over", "needs"],
                condition=Q(product=None),
                name="crew_requirement_of_vessel_once",
            ),
            models.UniqueConstraint(
                fields=["vessel", "product", "party_over", "needs"],
                condition=Q(product__isnull=False),
                name="crew_requirement_of_product_once",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.count} × {self.get_needs_display()}"


# --- the crew of a trip ----------------------------------------------------------------------------------------------


class CrewEvent(models.Model):
    """What the crew knows of a trip. Outside, in addresses and in the table, its id is the booking's public id."""

    booking = models.OneToOneField(Booking, models.CASCADE, related_name="+")
    status = models.CharField(max_length=10, choices=EventStatus, default=EventStatus.OPEN)
    call_at = models.DateTimeField("call time")
    ready = models.BooleanField(
        default=False, help_text="every place confirmed, every required task before departure done, clear to depart"
    )
    cancelled_at = models.DateTimeField(null=True, blank=True)
    cancelled_by = models.CharField(max_length=150, null=True, blank=True)

    class Meta:
        ordering = ["booking__starts_at"]
        constraints = [
            models.CheckConstraint(condition=together("cancelled_at", "cancelled_by"), name="crew_event_cancelled_pair")
        ]

    def __str__(self) -> str:
        return f"{self.booking.vessel}, {self.booking.local_start:%a %-d %b %Y}"

    @property
    def public_id(self) -> str:
        return self.booking.public_id

    @property
    def zone(self) -> ZoneInfo:
        return self.booking.vessel.zone

    @property
    def open_until(self) -> datetime:
        """When its page closes for the crew; it moves with the trip."""
        return self.booking.ends_at + OPEN_AFTER


class Place(models.Model):
    """One of the crew that the trip needs; filled by at most one live assignment."""

    event = models.ForeignKey(CrewEvent, models.CASCADE, related_name="places")
    needs = models.CharField(max_length=18, choices=Needs)
    number = models.PositiveSmallIntegerField(default=1, help_text="second mate or deckhand, say, is number 2")

    class Meta:
        ordering = ["event", "pk"]
        constraints = [models.UniqueConstraint(fields=["event", "needs", "number"], name="crew_place_once")]

    def __str__(self) -> str:
        return f"{self.get_needs_display()} {self.number}" if self.number > 1 else self.get_needs_display()


class AssignmentQuerySet(models.QuerySet["Assignment"]):
    def live(self) -> AssignmentQuerySet:
        return self.filter(status__in=LIVE)

    def asked(self) -> AssignmentQuerySet:
        return self.filter(status__in=ASKED)

    def on_open_events(self) -> AssignmentQuerySet:
        return self.filter(event__status=EventStatus.OPEN)


class Assignment(models.Model):
    """A member and a trip, from the invitation to its end. `version` dates the links: raising it kills the old ones."""

    event = models.ForeignKey(CrewEvent, models.CASCADE, related_name="assignments")
    place = models.ForeignKey(Place, models.SET_NULL, null=True, blank=True, related_name="assignments")
    member = models.ForeignKey(CrewMember, models.PROTECT, related_name="assignments")
    role = models.CharField(max_length=12, choices=Role)
    status = models.CharField(max_length=10, choices=AssignmentStatus, default=AssignmentStatus.PROPOSED)
    version = models.PositiveIntegerField(default=1)
    by_hand = models.BooleanField(default=False, help_text="chosen by the office, whatever the rules of the call say")
    invited_at = models.DateTimeField(null=True, blank=True)
    invited_by = models.CharField(max_length=150, null=True, blank=True)
    answer_by = models.DateTimeField(null=True, blank=True, help_text="then somebody else is asked, if there is one")
    answered_at = models.DateTimeField(null=True, blank=True)
    answered_by = models.CharField(max_length=150, null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_by = models.CharField(max_length=150, null=True, blank=True)
    ended_because = models.CharField(max_length=16, choices=Ended, blank=True)

    objects = AssignmentQuerySet.as_manager()

    class Meta:
        ordering = ["event", "pk"]
        indexes = [models.Index(fields=["member", "status"], name="crew_assignment_of_member")]
        constraints = [
            models.UniqueConstraint(
                fields=["event"],
                condition=Q(role=Role.CAPTAIN, status__in=LIVE),
                name="crew_one_captain_aboard",
            ),
            models.UniqueConstraint(
                fields=["event", "member"], condition=Q(status__in=LIVE), name="crew_member_once_aboard"
            ),
            models.UniqueConstraint(fields=["place"], condition=Q(status__in=LIVE), name="crew_one_member_a_place"),
            models.CheckConstraint(condition=together("invited_at", "invited_by"), name="crew_invited_pair"),
            models.CheckConstraint(condition=together("answered_at", "answered_by"), name="crew_answered_pair"),
            models.CheckConstraint(condition=together("ended_at", "ended_by"), name="crew_ended_pair"),
        ]

    def __str__(self) -> str:
        return f"{self.member} as {self.get_role_display().lower()}"

    @property
    def is_live(self) -> bool:
        return self.status in LIVE

    @property
    def lane(self) -> str:
        """The order of the mails to this member about this trip."""
        return f"mail:assignment:{self.pk}"


# --- the checklist ---------------------------------------------------------------------------------------------------


class ChecklistTemplate(models.Model):
    key = models.SlugField(unique=True)
    name = models.CharField(max_length=80)
    products = models.ManyToManyField(Product, blank=True, related_name="+")
    is_default = models.BooleanField("for every other trip", default=False)

    class Meta:
        ordering = ["key"]
        constraints = [
            models.UniqueConstraint(fields=["is_default"], condition=Q(is_default=True), name="crew_one_default_list"),
        ]

    def __str__(self) -> str:
        return self.name


class Task(models.Model):
    """What a template's item and a trip's item have in common."""

    key = models.SlugField()
    text = models.CharField(max_length=160)
    anchor = models.CharField(max_length=1, choices=Anchor, default=Anchor.DEPARTURE)
    minutes = models.IntegerField(default=0, help_text="after the anchor; negative is before")
    role = models.CharField(max_length=12, choices=Role, blank=True)
    required = models.BooleanField(default=True)
    order = models.PositiveSmallIntegerField(default=0)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.text

    def due_on(self, booking: Booking) -> datetime:
        start = booking.starts_at if self.anchor == Anchor.DEPARTURE else booking.ends_at
        return start + timedelta(minutes=self.minutes)


class TemplateItem(Task):
    template = models.ForeignKey(ChecklistTemplate, models.CASCADE, related_name="items")

    class Meta:
        ordering = ["template", "order", "pk"]
        constraints = [models.UniqueConstraint(fields=["template", "key"], name="crew_template_item_once")]


class ChecklistItem(Task):
    """A task of one trip. Ticked with who and when; who may tick is anybody aboard."""

    event = models.ForeignKey(CrewEvent, models.CASCADE, related_name="items")
    due_at = models.DateTimeField()
    done_at = models.DateTimeField(null=True, blank=True)
    done_by = models.CharField(max_length=150, null=True, blank=True)

    class Meta:
        ordering = ["event", "due_at", "order", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["event", "key"], name="crew_item_once"),
            models.CheckConstraint(condition=together("done_at", "done_by"), name="crew_item_done_pair"),
        ]

    @property
    def is_done(self) -> bool:
        return self.done_at is not None


class CheckOp(models.Model):
    """A tap that has arrived. The same tap sent again, from a queue without signal, changes nothing."""

    item = models.ForeignKey(ChecklistItem, models.CASCADE, related_name="ops")
    op = models.CharField(max_length=64)
    done = models.BooleanField()
    member = models.ForeignKey(CrewMember, models.SET_NULL, null=True, related_name="+")
    at = models.DateTimeField()

    class Meta:
        ordering = ["-pk"]
        constraints = [models.UniqueConstraint(fields=["item", "op"], name="crew_tap_once")]

    def __str__(self) -> str:
        return f"{'ticked' if self.done else 'unticked'} {self.item_id}"


# --- links and sessions ----------------------------------------------------------------------------------------------


class CrewLinkGrant(models.Model):
    """The authority behind a link. The token in the address only points here (ADR 4) and is stored nowhere."""

    jti = models.CharField("grant id", max_length=43, unique=True, editable=False)
    kid = models.CharField("key id", max_length=40)
    assignment = models.ForeignKey(Assignment, models.CASCADE, related_name="grants")
    member = models.ForeignKey(CrewMember, models.CASCADE, related_name="+")
    event = models.ForeignKey(CrewEvent, models.CASCADE, related_name="+")
    av = models.PositiveIntegerField("assignment version")
    issued_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    sent_to = models.CharField(max_length=64, blank=True, help_text="fingerprint of the address it was made for")
    revoked_at = models.DateTimeField(null=True, blank=True)
    revoked_by = models.CharField(max_length=150, null=True, blank=True)
    revoke_reason = models.CharField(max_length=120, blank=True)
    opens = models.PositiveIntegerField(default=0, help_text="times the link's page was shown, mail scanners included")
    first_opened_at = models.DateTimeField(null=True, blank=True)  # by nobody known: a scanner, or the member
    exchanges = models.PositiveIntegerField(default=0)
    last_exchange_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "link"
        ordering = ["-issued_at", "-pk"]
        constraints = [
            models.CheckConstraint(condition=together("revoked_at", "revoked_by"), name="crew_grant_revoked_pair")
        ]

    def __str__(self) -> str:
        return f"Link of {self.member}"


class CrewSession(models.Model):
    """A browser that opened a link. Only the SHA-256 of its cookie is here; one cookie may hold several trips."""

    key_hash = models.CharField(max_length=64, editable=False)
    grant = models.ForeignKey(CrewLinkGrant, models.CASCADE, related_name="sessions")
    member = models.ForeignKey(CrewMember, models.CASCADE, related_name="+")
    event = models.ForeignKey(CrewEvent, models.CASCADE, related_name="+")
    created_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    browser = models.CharField(max_length=40, blank=True)

    class Meta:
        verbose_name = "session"
        ordering = ["-last_seen_at"]
        constraints = [models.UniqueConstraint(fields=["key_hash", "event"], name="crew_session_once_a_trip")]

    def __str__(self) -> str:
        return f"{self.member} on {self.browser or 'a browser'}"


class LinkUse(models.Model):
    """What the limits count: links opened, new links asked for. Addresses are kept as fingerprints, for a day."""

    kind = models.CharField(max_length=10, choices=LinkUseKind)
    grant = models.ForeignKey(CrewLinkGrant, models.CASCADE, null=True, related_name="uses")
    member = models.ForeignKey(CrewMember, models.CASCADE, null=True, related_name="+")
    client = models.CharField(max_length=64)
    network = models.CharField(max_length=64, blank=True)
    at = models.DateTimeField()

    class Meta:
        ordering = ["-at"]
        indexes = [models.Index(fields=["kind", "client", "at"], name="crew_use_by_client")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.at:%Y-%m-%d %H:%M}"
