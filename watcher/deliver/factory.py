"""The one place that knows which adapter belongs to which configuration."""

from __future__ import annotations

import sys
from concurrent.futures import Executor
from typing import assert_never

import aiohttp

from watcher.deliver.apprise import AppriseSender
from watcher.deliver.console import ConsoleSender
from watcher.deliver.discord import DiscordSender
from watcher.deliver.email import EmailSender
from watcher.deliver.slack import SlackSender
from watcher.deliver.webhook import WebhookSender
from watcher.model.config import (
    AppriseConfig,
    ConsoleConfig,
    DiscordConfig,
    EmailConfig,
    Integration,
    SlackConfig,
    WebhookConfig,
)
from watcher.ports import Sender


def make_sender(integration: Integration, session: aiohttp.ClientSession, executor: Executor) -> Sender:
    """`session` is shared by all; `executor` bounds the threads of the synchronous libraries (mail, Apprise)."""
    match integration:
        case SlackConfig():
            return SlackSender(integration, session)
        case DiscordConfig():
            return DiscordSender(integration, session)
        case WebhookConfig():
            return WebhookSender(integration, session)
        case EmailConfig():
            return EmailSender(integration, executor)
        case AppriseConfig():
            return AppriseSender(integration, executor)
        case ConsoleConfig():
            return ConsoleSender(integration, sys.stdout)
        case _:
            assert_never(integration)
