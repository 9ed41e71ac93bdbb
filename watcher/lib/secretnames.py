"""Is `name = value` in a text a secret? The judgement behind `redact`, which finds the places.

Problem: `secretName: db-tls`, `max_tokens=512` and `invalid token: unexpected end` must stay readable,
while `DB_PASSWORD=…` and `"apiKey":"…"` must not. Choice: a name is divided into words; it is a secret's
when a word says so and only harmless words follow (`secret_key_base64`, not `secret_name`). In prose
(`token: …` inside of a sentence) the value must look like a secret too. When in doubt about a password, it
is hidden.
"""

import re
from enum import Enum
from typing import Final

import msgspec

_CAMEL: Final = re.compile(r"([a-z0-9])([A-Z])")
_WORD: Final = re.compile(r"[a-z0-9]+")
_PASSWORD_ENDS: Final = ("password", "passwords", "passwd", "passphrase", "pwd", "dbpass", "userpass")
_TOKEN_ENDS: Final = (
    *("secret", "secrets", "token", "tokens", "credential", "credentials"),
    *("apikey", "accesskey", "secretkey", "privatekey", "authkey", "signingkey", "accountkey"),
)
_BEFORE_KEY: Final = frozenset(
    (
        *("api", "access", "private", "secret", "signing", "encryption", "master", "account", "shared", "auth"),
        *("storage", "license", "service"),
    )
)
_HARMLESS_AFTER: Final = frozenset(
    (
        *("key", "value", "val", "string", "str", "text", "plain", "raw", "b64", "base64", "hash", "data", "env"),
        *("old", "new", "current", "previous", "prod", "dev", "test"),
    )
)
_HARMLESS_VALUE: Final = re.compile(
    r"(?:true|false|yes|no|on|off|null|nil|none|undefined|empty|missing|unset|n/a|\*+|x{3,}|"
    r"\$\{?[A-Za-z_][A-Za-z0-9_]*\}?|\$\([A-Za-z_][A-Za-z0-9_]*\)|%[sdvq]|\{\}|-)[.!]?",
    re.IGNORECASE,
)
_VERSION: Final = re.compile(r"v?[0-9]+(?:\.[0-9]+)+(?:[-+.][A-Za-z0-9.]+)?")
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
_DNS_NAME: Final = re.compile(r"[a-z0-9]+(?:[-./][a-z0-9]+)+")
_LONG: Final = 24


class Kind(Enum):
    """What a name says: a password, another secret."""

    PASSWORD = "password"
    TOKEN = "token"


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """How a value stands in the text."""

    is_assigned: bool
    """By `=`, `:=`, `=>` or a flag; else by a colon."""
    is_quoted: bool
    is_structured: bool
    """At the start of a line, after a bracket or a comma, or with its name in quotes; else in a sentence."""
    has_more: bool
    """Another word follows in the line."""


def kind_of(name: str) -> Kind | None:
    """What the name of a value says about it; None: nothing secret."""
    words = _WORD.findall(_CAMEL.sub(r"\1_\2", name).lower())
    kind = None
    for at, word in enumerate(words):
        found = _kind_of_word(word.rstrip("0123456789"), words[at - 1] if at else "")
        if found is not None:
            kind = found
        elif kind is not None and not (word in _HARMLESS_AFTER or word.isdigit()):
            kind = None
    return kind


def _kind_of_word(word: str, before: str) -> Kind | None:
    if word == "pass" or word.endswith(_PASSWORD_ENDS):
        return Kind.PASSWORD
    if word.endswith(_TOKEN_ENDS) or (word in ("key", "keys") and before in _BEFORE_KEY):
        return Kind.TOKEN
    return None


def is_secret(name: str, value: str, place: Place) -> bool:
    """Whether the value under this name is to be hidden."""
    kind = kind_of(name)
    if kind is None or not value or _HARMLESS_VALUE.fullmatch(value):
        return False
    lower = name.lower()
    if value.isdigit() and (lower.endswith("s") or lower == "pass"):
        return False
    if lower in ("pwd", "oldpwd") and value.startswith(("/", "~")):
        return False
    if place.is_assigned or place.is_quoted:
        return True
    if _VERSION.fullmatch(value) or value.endswith(":"):
        return False
    if kind is Kind.PASSWORD:
        return place.is_structured or not place.has_more or looks_secret(value)
    return (place.is_structured and not place.has_more) or looks_secret(value)


def looks_secret(value: str) -> bool:
    """Whether a word looks like a random one: letters and digits mixed, long, not a name, path or version."""
    value = value.rstrip(".,:;!?")
    if _UUID.fullmatch(value):
        return True
    if len(value) < 6 or _VERSION.fullmatch(value) or _DNS_NAME.fullmatch(value) or value.startswith("/"):
        return False
    has_digit = any(rune.isdigit() for rune in value)
    has_letter = any(rune.isalpha() for rune in value)
    if has_digit and has_letter:
        return True
    return any(rune in "!#$%^*+=@" for rune in value) or (len(value) >= _LONG and "." not in value)
