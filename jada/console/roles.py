"""The three roles of the office, as permission groups: who sees money, who changes what, who only looks."""

from __future__ import annotations

from django.contrib.auth.models import Group, Permission
from django.db.models import Q, QuerySet

OURS = ("audit", "bookings", "console", "crew", "finance", "guests", "intake", "mail", "outbox")
# Amounts are in finance, in what channels wrote, and in the manager's mails.
MONEY = Q(content_type__app_label__in=("finance", "intake")) | Q(codename="view_money_message")
# Guests' telephones and addresses; what channels wrote has them too, but goes with the money.
CONTACTS = Q(codename="view_guest_contact")
# What is stuck may have been sent already, or hide a fault of the set-up: repeating or dropping it is the manager's, and
# so is a look at the whole set-up, which calls every service there is.
DECIDES_DELIVERIES = Q(codename__in=("retry_effect", "drop_effect", "run_preflight"))
MAPS_LISTINGS = Q(content_type__app_label="intake", content_type__model="listing")


def make_roles() -> int:
    """Add the groups that are missing; answers how many. One that is there is the operator's, and left as it is."""
    wanted = {"Ops manager": ops_manager(), "Coordinator": coordinator(), "Read-only": read_only()}
    made = 0
    for name, permissions in wanted.items():
        group, added = Group.objects.get_or_create(name=name)
        if added:
            group.permissions.set(permissions)
            made += 1
    return made


def ops_manager() -> QuerySet[Permission]:
    """Everything, the other users included."""
    return Permission.objects.all()


def coordinator() -> QuerySet[Permission]:
    """The work of every day, without money, and without deciding who may do what or what becomes of a stuck delivery."""
    return _ours().exclude(MONEY & ~MAPS_LISTINGS).exclude(DECIDES_DELIVERIES)


def read_only() -> QuerySet[Permission]:
    """To look: no money, no guest's contact."""
    return _ours().filter(codename__startswith="view_").exclude(MONEY | CONTACTS)


def _ours() -> QuerySet[Permission]:
    return Permission.objects.filter(content_type__app_label__in=OURS)
