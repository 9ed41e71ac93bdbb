"""Every integration that a configuration may have finds its adapter."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import get_args

import aiohttp
import pytest

from watcher.deliver.apprise import AppriseSender
from watcher.deliver.console import ConsoleSender
from watcher.deliver.discord import DiscordSender
from watcher.deliver.email import EmailSender
from watcher.deliver.factory import make_sender
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
    Secret,
    SlackConfig,
    TelegramConfig,
    WebhookConfig,
)

URL = Secret("http://127.0.0.1:1/")
ADAPTERS: dict[type, tuple[Integration, type]] = {
    SlackConfig: (SlackConfig(api_url=URL), SlackSender),
    DiscordConfig: (DiscordConfig(webhook_url=URL), DiscordSender),
    EmailConfig: (EmailConfig(to=("a@b.example",), sender="w@b.example", smarthost="smtp:587"), EmailSender),
    WebhookConfig: (WebhookConfig(url=URL), WebhookSender),
    PagerDutyConfig: (PagerDutyConfig(routing_key=Secret("k")), PagerDutySender),
    TelegramConfig: (TelegramConfig(bot_token=Secret("1:a"), chat_id="1"), TelegramSender),
    MSTeamsConfig: (MSTeamsConfig(webhook_url=URL), MSTeamsSender),
    AppriseConfig: (AppriseConfig(url=URL), AppriseSender),
    ConsoleConfig: (ConsoleConfig(), ConsoleSender),
}


@pytest.mark.parametrize("config", get_args(Integration), ids=lambda config: config.__name__)
async def test_an_integration_finds_its_adapter(config: type) -> None:
    integration, adapter = ADAPTERS[config]
    with ThreadPoolExecutor(max_workers=1) as executor:
        async with aiohttp.ClientSession() as session:
            sender = make_sender(integration, session, executor)
            assert type(sender) is adapter
            await sender.close()
            assert not session.closed
