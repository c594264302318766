"""A guest's page as it is served: fetched like a browser does, compared with the object it should be."""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, cast

from django.core.files.storage import storages

from jada.aws import public
from jada.aws.bucket import PAGE_CACHE
from jada.findings import Finding, error, ok

if TYPE_CHECKING:
    from jada.aws.bucket import GuestPageStorage

HTML: Final = "text/html; charset=utf-8"
AGAIN: Final = "manage.py resync"


def served(key: str, url: str) -> Iterator[Finding]:
    """`page.stored`, `page.served`, `page.lifetime`, about the object `key` and its printed address.

    Neither is said: both are a secret of that guest.
    """
    stored = cast("GuestPageStorage", storages["guest"]).read(key)
    if stored is None:
        yield error("page.stored", "The newest page that should be out is not in the bucket.", mend=AGAIN)
        return
    if stored.content_type != HTML:
        said = f"The newest page is stored as {stored.content_type or 'nothing in particular'}: browsers misread it."
        yield error("page.stored", said, mend=AGAIN)
    elif not stored.version:
        yield error("page.stored", "The newest page was put by hand: it carries no version of ours.", mend=AGAIN)
    else:
        yield ok("page.stored", "The newest page is in the bucket, as a web page, with its version.")
    yield _served(url, stored.sha256)
    yield _lifetime(stored.cache_control)


def _served(url: str, sha256: str) -> Finding:
    seen, mend = public.fetch(url), f"{AGAIN} && manage.py preflight --only page.served"
    if seen.status != HTTPStatus.OK:
        said = f"The public address answers {seen.status} for the newest page: look at the function and the bucket's policy."
        return error("page.served", said, mend=mend)
    if seen.content_type.lower().replace('"', "") != HTML:
        return error("page.served", f"The newest page is served as {seen.content_type or 'nothing'}.", mend=mend)
    if seen.sha256 != sha256:
        return error(
            "page.served", "The public address shows an older copy of the newest page than the bucket.", mend=mend
        )
    return ok("page.served", "The newest page is served as it stands in the bucket.")


def _lifetime(cache_control: str) -> Finding:
    if cache_control == PAGE_CACHE:
        return ok("page.lifetime", "Browsers ask anew for each page; the edge keeps it for five minutes at most.")
    said = "The newest page does not say how long it may be kept, or says something else than this release: it may be stale."
    return error("page.lifetime", said, mend=AGAIN)
