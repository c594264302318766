"""Every look at AWS, with all the codes it can find."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial

from jada.aws.preflight import account, buckets, distributions, edge, mail, page, permissions, table
from jada.aws.preflight.asking import Installation, Site, check, sites
from jada.findings import Check


def checks(*, clock: Callable[[], datetime]) -> list[Check]:
    here = Installation()
    guest, ops = sites(here)
    stands = "manage.py deploy_stack"
    return [
        check(
            ("aws.credentials", "aws.clock"), partial(account.credentials, clock), mend="aws sts get-caller-identity"
        ),
        check(("stack.standing", "stack.template"), partial(account.standing, here), mend=stands),
        *_of(guest, clock),
        check(("guest.function", "guest.function-code"), partial(edge.function, guest), mend=stands),
        *_of(ops, clock),
        check(("ops.headers", "ops.methods", "ops.uncached", "ops.verify"), partial(edge.calls, ops), mend=stands),
        check(
            ("ops.echo",),
            edge.no_cdn if ops.local else partial(edge.echo, ops),
            mend=f"curl -i {ops.base_url}/api/auth-check",
        ),
        check(
            ("table.there", "table.key", "table.protected", "table.expiry", "table.restorable", "table.write"),
            partial(table.table, here),
            mend="aws dynamodb list-tables",
        ),
        check(("mail.sending", "mail.sandbox", "mail.quota"), mail.account, mend="aws sesv2 get-account"),
        check(
            ("mail.identity", "mail.dkim", "mail.from"),
            partial(mail.identity, here),
            mend="aws sesv2 list-email-identities",
        ),
        check(
            ("mail.configuration", "mail.events"),
            partial(mail.events, here),
            mend="aws sesv2 list-configuration-sets",
        ),
        check(
            ("mail.topic", "mail.subscription", "mail.queue", "mail.backlog"),
            partial(mail.queue, here),
            mend=stands,
        ),
        check(("role.permissions",), partial(permissions.role, here), mend="aws iam list-roles"),
        check(
            ("lambda.function", "lambda.settings", "lambda.keys"),
            permissions.function,
            mend="aws lambda list-functions",
        ),
    ]


def page_check(key: str, url: str) -> Check:
    """A page that should be out; which one, only the database can say."""
    return check(
        ("page.stored", "page.served", "page.lifetime"), partial(page.served, key, url), mend="manage.py resync"
    )


def _of(site: Site, clock: Callable[[], datetime]) -> list[Check]:
    bucket = tuple(f"{site.code}.{name}" for name in ("bucket", "region", "private", "write"))
    names = ("distribution", "alias", "origin", "access", "policy", "certificate")
    return [
        check(bucket, partial(buckets.bucket, site), mend="aws s3api list-buckets"),
        check(
            tuple(f"{site.code}.{name}" for name in names),
            partial(distributions.distribution, site, clock),
            mend="aws cloudfront list-distributions",
        ),
    ]
