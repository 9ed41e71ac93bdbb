"""The running service, as the commands ask it over HTTP, and what its answers mean to people, as text.

It must not print, decide, or know how a command is spelt: that is `cli`. Errors are ClientError.
"""

from watcher.client.deliveries import all_delivered, deliveries, deliveries_text, resend, send_test, test_text
from watcher.client.explaining import explain, explanation_text
from watcher.client.http import API, DEFAULT_URL, V2, Client, ClientError, NotFoundError, as_json, now
from watcher.client.silences import (
    Wanted,
    add_silence,
    expire_silence,
    matchers_of,
    silences,
    silences_text,
    workload_matchers,
)

__all__ = [
    "API",
    "DEFAULT_URL",
    "V2",
    "Client",
    "ClientError",
    "NotFoundError",
    "Wanted",
    "add_silence",
    "all_delivered",
    "as_json",
    "deliveries",
    "deliveries_text",
    "expire_silence",
    "explain",
    "explanation_text",
    "matchers_of",
    "now",
    "resend",
    "send_test",
    "silences",
    "silences_text",
    "test_text",
    "workload_matchers",
]
