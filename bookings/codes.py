"""Public identifiers: random, short, without letters that are mistaken for digits (Crockford base32)."""

import secrets

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def new_public_id(length: int = 10) -> str:
    """50 bits at the usual ten characters; unique by constraint, not by hope."""
    return "".join(secrets.choice(ALPHABET) for _ in range(length))
