"""Slack's Web API: what its answers mean, and how a message is found again.

It answers 200 also when it refuses, with `{"ok": false, "error": "…"}`. Which error is which outcome is the table here,
from https://docs.slack.dev/reference/methods/chat.postMessage and chat.update (section Errors); an error that is not in
it is given up, like every other refusal, since nearly all of them are about the token, the channel or the message.
`client_msg_id` is not sent: it is for Slack's own clients (https://github.com/slackapi/java-slack-sdk/issues/852).
"""

from __future__ import annotations

from typing import Final

import msgspec

from watcher.deliver.answers import Answer, outcome_of, pause_of, without
from watcher.lib.text import clean, cut
from watcher.model.delivery import Delivered, GiveUp, Outcome, TryLater

POST_MESSAGE: Final = "chat.postMessage"
UPDATE: Final = "chat.update"

LATER: Final = frozenset(
    (
        *("ratelimited", "rate_limited", "message_limit_exceeded"),
        *("fatal_error", "internal_error", "service_unavailable", "request_timeout"),
        # A workspace that is being moved to an Enterprise organization.
        *("team_added_to_org", "org_login_required"),
    )
)
"""Errors that pass by themselves."""

GONE: Final = frozenset(("message_not_found", "cant_update_message", "edit_window_closed"))
"""Errors of chat.update after which only a new message helps: deleted, not the token's own, too old to be edited."""

_ADVICE: Final = {
    "channel_not_found": "no such channel, or a private one that the app is not in",
    "not_in_channel": "invite the app to the channel",
    "is_archived": "the channel is archived",
    "missing_scope": "the app needs the scope chat:write",
}
_DETAILS: Final = 3
_ERROR: Final = 100


class Said(msgspec.Struct, frozen=True, gc=False):
    """The part of an answer that matters."""

    ok: bool
    error: str = ""
    channel: str = ""
    ts: str = ""
    needed: str = ""
    errors: list[str] | None = None


class Place(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Where a message stands: channel's id and the message's time stamp, which together name it."""

    channel: str
    ts: str

    def __str__(self) -> str:
        return f"{self.channel} {self.ts}"


def place(reference: str) -> Place | None:
    """From what `str(Place)` made; None for anything else."""
    channel, _, ts = reference.partition(" ")
    return Place(channel=channel, ts=ts) if channel and ts and " " not in ts else None


def is_method(url: str) -> bool:
    """Whether this is the Web API, which needs a token, and no incoming webhook."""
    return url.partition("?")[0].rstrip("/").endswith(f"/{POST_MESSAGE}")


def method_url(url: str, method: str) -> str:
    """The address of another method beside the one in `url`."""
    return f"{url.partition('?')[0].rstrip('/').rpartition('/')[0]}/{method}"


def said(answer: Answer) -> Said | None:
    """What Slack said; None where the answer is none of the Web API's."""
    try:
        return msgspec.json.decode(answer.body, type=Said)
    except msgspec.MsgspecError:
        return None


def outcome_of_api(answer: Answer, secrets: tuple[str, ...]) -> Outcome:
    """Of a call with a token; `Delivered.reference` is where the message stands."""
    if not 200 <= answer.status < 300:
        return outcome_of(answer, secrets)
    told = said(answer)
    if told is None:
        return TryLater(reason="HTTP 200, but the answer is not Slack's: it is not known whether it has the message")
    if told.ok:
        known = told.channel and told.ts
        return Delivered(reference=str(Place(channel=told.channel, ts=told.ts)) if known else "")
    return refusal(told, answer, secrets)


def refusal(told: Said, answer: Answer, secrets: tuple[str, ...]) -> TryLater | GiveUp:
    """What to do about `ok: false`."""
    error = _words(told.error, secrets) or "no reason given"
    if told.error in LATER:
        return TryLater(reason=f"Slack: {error}", after=pause_of(answer))
    advice = _ADVICE.get(told.error, "; ".join(_words(each, secrets) for each in (told.errors or [])[:_DETAILS]))
    return GiveUp(reason=f"Slack: {error}" + (f" ({advice})" if advice else ""))


def _words(text: str, secrets: tuple[str, ...]) -> str:
    return cut(" ".join(clean(without(text, secrets)).split()), _ERROR)
