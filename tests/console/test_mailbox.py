from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client

from jada.console.mailbox import letter_named, letters, linked
from jada.console.roles import make_roles

pytestmark = pytest.mark.django_db
FIRST, SECOND = "00001-a1b2c3.eml", "00002-a1b2c3.eml"


def keep(folder: Path, name: str, subject: str, text: str | None = "Hello") -> None:
    mail = EmailMessage()
    mail["To"], mail["Subject"] = "Ines <ines@crew.example>", subject
    mail["Date"] = "Sun, 30 May 2027 13:00:00 -0700"
    if text is None:
        mail.set_content("<p>Hello</p>", subtype="html")
    else:
        mail.set_content(text)
        mail.add_alternative("<script>alert(1)</script>", subtype="html")
    (folder / name).write_bytes(mail.as_bytes())


@pytest.fixture
def folder(tmp_path: Path, settings: Any) -> Path:
    settings.MAILBOX_DIR = str(tmp_path)
    return tmp_path


class TestLetters:
    def test_the_newest_comes_first(self, folder: Path) -> None:
        keep(folder, FIRST, "one")
        keep(folder, SECOND, "two")

        assert [letter.subject for letter in letters(folder)] == ["two", "one"]

    @pytest.mark.parametrize("name", ["../00001-a1b2c3.eml", "/etc/passwd", "00001-a1b2c3.eml.txt", "x.eml", ""])
    def test_nothing_but_a_copy_is_ever_opened(self, folder: Path, name: str) -> None:
        assert letter_named(folder, name) is None

    def test_a_missing_copy_is_none(self, folder: Path) -> None:
        assert letter_named(folder, FIRST) is None

    def test_an_unreadable_date_is_unknown(self, folder: Path) -> None:
        (folder / FIRST).write_bytes(b"Subject: x\nDate: some day\n\nHello")

        assert letters(folder)[0].sent_at is None

    def test_reads_a_date_without_a_place_as_utc(self, folder: Path) -> None:
        (folder / FIRST).write_bytes(b"Subject: x\nDate: Tue, 24 Nov 2026 16:07:00 -0000\n\nHello")

        assert letters(folder)[0].sent_at == datetime(2026, 11, 24, 16, 7, tzinfo=UTC)

    def test_a_mail_of_html_alone_says_that_it_has_no_text(self, folder: Path) -> None:
        keep(folder, FIRST, "x", text=None)

        assert letters(folder)[0].text == "This mail has no plain text."


class TestLinked:
    def test_an_address_becomes_a_link(self) -> None:
        html = linked("Open http://127.0.0.1:8000/crew/event/A/confirm?token=a.b-c_d&x=1.")

        assert '<a href="http://127.0.0.1:8000/crew/event/A/confirm?token=a.b-c_d&amp;x=1" rel="noopener">' in html
        assert html.endswith("</a>.")

    @pytest.mark.parametrize("text", ["javascript:alert(1)", "data:text/html,x", "ftp://x.example/", "www.x.example"])
    def test_nothing_but_http_becomes_one(self, text: str) -> None:
        assert "<a" not in linked(text)

    def test_everything_is_escaped(self) -> None:
        html = linked('<b>"</b> https://x.example/"><script>')

        assert "<script>" not in html
        assert "<b>" not in html


class TestPages:
    def test_the_list_and_a_letter_are_read_as_plain_text(self, client: Client, ops: User, folder: Path) -> None:
        keep(folder, FIRST, "You are invited", "Open https://sailjada.com/crew/")
        client.force_login(ops)

        assert "You are invited" in client.get("/admin/mailbox/").content.decode()
        letter = client.get(f"/admin/mailbox/{FIRST}/").content.decode()
        assert '<a href="https://sailjada.com/crew/" rel="noopener">' in letter
        assert "alert(1)" not in letter

    def test_an_empty_mailbox_says_what_to_do(self, client: Client, ops: User, folder: Path) -> None:
        client.force_login(ops)

        assert "No mail has left yet" in client.get("/admin/mailbox/").content.decode()

    def test_an_unknown_letter_is_not_found(self, client: Client, ops: User, folder: Path) -> None:
        client.force_login(ops)

        assert client.get(f"/admin/mailbox/{SECOND}/").status_code == 404

    def test_without_a_folder_there_is_no_mailbox(self, client: Client, ops: User) -> None:
        client.force_login(ops)

        assert client.get("/admin/mailbox/").status_code == 404
        assert ">Mailbox<" not in client.get("/admin/").content.decode()

    def test_a_coordinator_has_none_because_it_holds_the_offices_mails(self, client: Client, folder: Path) -> None:
        make_roles()
        user = User.objects.create_user("cleo", is_staff=True)
        user.groups.add(Group.objects.get(name="Coordinator"))
        client.force_login(user)

        assert client.get("/admin/mailbox/").status_code == 403
