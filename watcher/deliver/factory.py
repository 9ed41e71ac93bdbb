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
from watcher.deliver.msteams import MSTeamsSender
from watcher.deliver.pagerduty import PagerDutySender
from watcher.deliver.slack import SlackSender
from watcher.deliver.telegram import TelegramSender
from watcher.deliver.webhook import WebhookSender
from watcher.model.config import (
    AppriseConfig,
    ConsoleConfig,
    DiscordConfig,
    EmailConfig,
    Integration,
    MSTeamsConfig,
    PagerDutyConfig,
    SlackConfig,
    TelegramConfig,
    WebhookConfig,
)
from watcher.ports import Sender


def make_sender(integration: Integration, session: aiohttp.ClientSession, executor: Executor) -> Sender:
    """`session` is shared by all; `executor` bounds the threads of the synchronous libraries (mail, Apprise)."""
    sender: Sender
    match integration:
        case SlackConfig():
            sender = SlackSender(integration, session)
        case DiscordConfig():
            sender = DiscordSender(integration, session)
        case WebhookConfig():
            sender = WebhookSender(integration, session)
        case EmailConfig():
            sender = EmailSender(integration, executor)
        case AppriseConfig():
            sender = AppriseSender(integration, executor)
        case PagerDutyConfig():
            sender = PagerDutySender(integration, session)
        case TelegramConfig():
            sender = TelegramSender(integration, session)
        case MSTeamsConfig():
            sender = MSTeamsSender(integration, session)
        case ConsoleConfig():
            sender = ConsoleSender(integration, sys.stdout)
        case _:
            assert_never(integration)
    return sender
