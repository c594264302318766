"""Make a key. It is shown once; the environment keeps its hash."""

from __future__ import annotations

import base64
import json
import re
import secrets
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from jada.keys import DASHBOARD, SERVICE, Kind, new_key

KINDS = {"service": SERVICE, "dashboard": DASHBOARD}


class Command(BaseCommand):
    help = "Make a service key, a dashboard token, a crew link key or a SECRET_KEY, and say which variable to set."
    requires_system_checks = ()  # it is what one runs because a key is missing

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--kind", choices=[*KINDS, "crew-link", "secret"], default="service")
        parser.add_argument("--id", default="", help="the key's id, such as k2; made up when not given")

    def handle(self, *args: Any, **options: Any) -> None:
        kid = options["id"] or f"k{secrets.token_hex(3)}"
        if not re.fullmatch(r"[0-9A-Za-z]{1,32}", kid):
            raise CommandError(f"{kid!r} cannot be a key's id: use 1 to 32 letters and digits.")
        match options["kind"]:
            case "secret":
                self.stdout.write(f"SECRET_KEY='{secrets.token_urlsafe(64)}'")
            case "crew-link":
                self._crew_link(kid)
            case kind:
                self._api_key(KINDS[kind], kid)

    def _api_key(self, kind: Kind, kid: str) -> None:
        hashes = dict(getattr(settings, kind.setting))
        if kid in hashes:
            raise CommandError(f"There is a {kind.name} with the id {kid} already: choose another id.")
        key, hashed = new_key(kind, kid)
        self.stdout.write(f"The {kind.name}, for the other system (it is shown this once):\n  {key}\n")
        self.stdout.write("Set, here, and start the application again:")
        self.stdout.write(f"  {kind.setting}='{json.dumps({**hashes, kid: hashed})}'")
        if hashes:
            self.stdout.write(f"Take the old id out ({', '.join(hashes)}) once nobody uses it any more.")

    def _crew_link(self, kid: str) -> None:
        keys = dict(settings.CREW_LINK_KEYS)
        if kid in keys:
            raise CommandError(f"There is a crew link key with the id {kid} already: choose another id.")
        keys[kid] = base64.b64encode(secrets.token_bytes(32)).decode()
        self.stdout.write("Set, and start the application again; links signed with an older key stay valid:")
        self.stdout.write(f"  CREW_LINK_KEYS='{json.dumps(keys)}'")
        self.stdout.write(f"  CREW_LINK_ACTIVE_KID={kid}")
