import pytest
from django.contrib.auth.models import Group, Permission, User

from jada.console.roles import make_roles

pytestmark = pytest.mark.django_db
MONEY = (
    "finance.view_bookingfinance",
    "finance.view_payment",
    "finance.view_payrate",
    "intake.view_intakemessage",
    "mail.view_money_message",
)


@pytest.fixture(autouse=True)
def roles() -> None:
    make_roles()


def somebody(role: str) -> User:
    user = User.objects.create_user(role, is_staff=True)
    user.groups.add(Group.objects.get(name=role))
    return user


def test_an_ops_manager_may_do_everything() -> None:
    assert Group.objects.get(name="Ops manager").permissions.count() == Permission.objects.count()


@pytest.mark.parametrize("permission", MONEY)
@pytest.mark.parametrize("role", ["Coordinator", "Read-only"])
def test_nobody_else_sees_money(role: str, permission: str) -> None:
    assert not somebody(role).has_perm(permission)


def test_a_coordinator_does_the_work_of_every_day() -> None:
    coordinator = somebody("Coordinator")

    assert coordinator.has_perms(
        ["bookings.change_booking", "bookings.view_guest_contact", "crew.change_assignment", "intake.change_listing"]
    )


def test_a_coordinator_does_not_decide_who_may_do_what() -> None:
    assert not somebody("Coordinator").has_module_perms("auth")


def test_a_reader_looks_and_changes_nothing() -> None:
    reader = somebody("Read-only")

    assert reader.has_perm("bookings.view_booking")
    assert not [name for name in reader.get_all_permissions() if ".view_" not in name]


def test_a_reader_sees_no_guests_contact() -> None:
    assert not somebody("Read-only").has_perm("bookings.view_guest_contact")


def test_a_role_that_the_operator_changed_is_left_as_it_is() -> None:
    group = Group.objects.get(name="Read-only")
    group.permissions.clear()

    assert make_roles() == 0
    assert not group.permissions.exists()
