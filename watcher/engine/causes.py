"""Why an attempt to deliver failed, in a few words that metrics can count.

The adapters say it in sentences, which name hosts and what the receiver answered. Their own words are looked for, not
the receiver's, but for the names of errors that Slack and mail servers answer with.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final


class Cause(StrEnum):
    RATE_LIMITED = "rate_limited"
    AUTH = "auth"
    CLIENT_ERROR = "client_error"
    SERVER_ERROR = "server_error"
    TIMEOUT = "timeout"
    DNS = "dns"
    TLS = "tls"
    CONNECTION = "connection"
    INTERNAL = "internal"
    OTHER = "other"


_STATUS: Final = re.compile(r"\b(HTTP|SMTP) (\d{3})\b")
_WORDS: Final = (
    (Cause.TIMEOUT, re.compile(r"^no answer (?:within|from)")),
    (Cause.DNS, re.compile(r"cannot be resolved$")),
    (Cause.TLS, re.compile(r"no trusted TLS connection")),
    (Cause.CONNECTION, re.compile(r"^cannot connect|^the connection broke|^the mail server broke off")),
    (Cause.INTERNAL, re.compile(r"^Watcher could not make|^the mail cannot be (?:made|sent)|^cannot be sent")),
)
_SLACK: Final = (
    (Cause.RATE_LIMITED, re.compile(r"^Slack: (?:rate_?limited|message_limit_exceeded)")),
    (Cause.SERVER_ERROR, re.compile(r"^Slack: (?:fatal_error|internal_error|service_unavailable|request_timeout)")),
    (
        Cause.AUTH,
        re.compile(r"^Slack: (?:invalid_auth|not_authed|account_inactive|token_\w+|missing_scope|no_permission)"),
    ),
    (Cause.CLIENT_ERROR, re.compile(r"^Slack: ")),
)


def cause_of(reason: str) -> Cause:
    """`reason`: of a TryLater or a GiveUp."""
    status = _STATUS.search(reason)
    if status is not None:
        return _by_status(int(status.group(2)), is_mail=status.group(1) == "SMTP")
    return next((cause for cause, words in (*_WORDS, *_SLACK) if words.search(reason)), Cause.OTHER)


def _by_status(status: int, *, is_mail: bool) -> Cause:
    if is_mail:
        # RFC 4954: 530, 534, 535 and 538 are about the login; RFC 5321: 4yz may pass, 5yz does not.
        if status in (530, 534, 535, 538):
            return Cause.AUTH
        return Cause.CLIENT_ERROR if status >= 500 else Cause.SERVER_ERROR
    by_number = {401: Cause.AUTH, 403: Cause.AUTH, 407: Cause.AUTH, 408: Cause.TIMEOUT, 429: Cause.RATE_LIMITED}
    if status < 300:
        return Cause.OTHER
    return by_number.get(status, Cause.SERVER_ERROR if status >= 500 else Cause.CLIENT_ERROR)
