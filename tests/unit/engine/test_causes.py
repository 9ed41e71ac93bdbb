"""What adapters say of a failure is counted in few classes; the texts here are the adapters' own."""

from __future__ import annotations

import smtplib
import socket
import ssl

import pytest

from watcher.deliver.answers import Answer, outcome_of
from watcher.deliver.slack_api import outcome_of_api
from watcher.deliver.smtp import outcome_of_trouble
from watcher.engine.causes import Cause, cause_of
from watcher.model.delivery import Delivered, Outcome


def reason(outcome: Outcome) -> str:
    assert not isinstance(outcome, Delivered)
    return outcome.reason


@pytest.mark.parametrize(
    ("status", "cause"),
    [
        (301, Cause.CLIENT_ERROR),
        (400, Cause.CLIENT_ERROR),
        (401, Cause.AUTH),
        (403, Cause.AUTH),
        (404, Cause.CLIENT_ERROR),
        (408, Cause.TIMEOUT),
        (429, Cause.RATE_LIMITED),
        (500, Cause.SERVER_ERROR),
        (503, Cause.SERVER_ERROR),
        (599, Cause.SERVER_ERROR),
    ],
)
def test_an_answer_counts_by_its_status_whatever_stands_in_it(status: int, cause: Cause) -> None:
    assert cause_of(reason(outcome_of(Answer(status=status)))) is cause
    assert cause_of(reason(outcome_of(Answer(status=status, body=b"HTTP 500, cannot be resolved")))) is cause


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        ("ratelimited", Cause.RATE_LIMITED),
        ("service_unavailable", Cause.SERVER_ERROR),
        ("invalid_auth", Cause.AUTH),
        ("token_revoked", Cause.AUTH),
        ("missing_scope", Cause.AUTH),
        ("channel_not_found", Cause.CLIENT_ERROR),
    ],
)
def test_slack_says_it_by_name(error: str, cause: Cause) -> None:
    answer = Answer(status=200, body=f'{{"ok": false, "error": "{error}"}}'.encode())
    assert cause_of(reason(outcome_of_api(answer, ()))) is cause


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        pytest.param(smtplib.SMTPAuthenticationError(535, b"no"), Cause.AUTH, id="login"),
        pytest.param(smtplib.SMTPRecipientsRefused({"a@x": (550, b"who")}), Cause.CLIENT_ERROR, id="recipient"),
        pytest.param(smtplib.SMTPRecipientsRefused({"a@x": (451, b"later")}), Cause.SERVER_ERROR, id="greylisted"),
        pytest.param(smtplib.SMTPServerDisconnected("gone"), Cause.CONNECTION, id="disconnected"),
        pytest.param(TimeoutError(), Cause.TIMEOUT, id="time-out"),
        pytest.param(ssl.SSLError(), Cause.TLS, id="tls"),
        pytest.param(socket.gaierror(), Cause.DNS, id="dns"),
        pytest.param(ConnectionRefusedError(111, "refused"), Cause.CONNECTION, id="refused"),
        pytest.param(UnicodeError(), Cause.INTERNAL, id="a mistake of ours"),
    ],
)
def test_mail_has_words_of_its_own(error: Exception, cause: Cause) -> None:
    assert cause_of(reason(outcome_of_trouble(error, "smtp.example.org:587"))) is cause


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("no answer within 10 s", Cause.TIMEOUT),
        ("the name hooks.example.org cannot be resolved", Cause.DNS),
        ("no trusted TLS connection to hooks.example.org:443", Cause.TLS),
        ("cannot connect to hooks.example.org:443: Connection refused", Cause.CONNECTION),
        ("the connection broke: ServerDisconnectedError", Cause.CONNECTION),
        ("the proxy answers HTTP 407", Cause.AUTH),
        ("Watcher could not make the message: KeyError", Cause.INTERNAL),
        ("Pushover: HTTP 429 Too Many Requests", Cause.RATE_LIMITED),
        ("HTTP 200, but the answer is not Slack's: it is not known whether it has the message", Cause.OTHER),
        ("something that nobody thought of", Cause.OTHER),
        ("", Cause.OTHER),
    ],
)
def test_what_the_network_does_counts_by_our_words(text: str, cause: Cause) -> None:
    assert cause_of(text) is cause
