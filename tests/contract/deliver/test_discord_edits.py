"""Discord: ends are edited into the message that told of the trouble, and its rates are heeded."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import aiohttp
import msgspec
import pytest

from tests.support.chats import DiscordApi
from tests.support.messages import at, crash_loop, ended, envelope, growth, oom_kill, recovered
from tests.support.receivers import Answering
from watcher.deliver.discord import DiscordSender
from watcher.model.config import DiscordConfig, Secret
from watcher.model.delivery import Delivered, GiveUp, TryLater
from watcher.model.message import Notification, SendReason
from watcher.model.state import EndReason
from watcher.notify.render import render

TOLD = msgspec.structs.replace(crash_loop(), told_members=1, told_at=at("13:51:00"))
FIRST = render(envelope(), [crash_loop(), oom_kill()])
SOME_ENDED = render(envelope(SendReason.SOME_ENDED), [TOLD, ended(oom_kill(), EndReason.RECOVERED)])
ALL_ENDED = render(envelope(SendReason.ALL_ENDED, at("15:02:20")), [recovered()])
UPDATED = render(envelope(SendReason.UPDATED), [oom_kill()])


class Discord:
    def __init__(self, api: DiscordApi, session: aiohttp.ClientSession, query: str = "") -> None:
        self.api = api
        config = DiscordConfig(webhook_url=Secret(api.url + query), username="w", avatar_url="https://a/p.png")
        self.sender = DiscordSender(config, session, timedelta(seconds=5))

    async def first(self) -> str:
        """The reference of the first message."""
        outcome = await self.sender.send(FIRST)
        assert isinstance(outcome, Delivered)
        self.api.calls.clear()
        return outcome.reference


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
async def discord(session: aiohttp.ClientSession) -> AsyncIterator[Discord]:
    api = DiscordApi()
    await api.start()
    yield Discord(api, session)
    await api.stop()
    assert api.refused == []


async def test_news_is_a_message_of_its_own_though_there_is_one_to_edit(discord: Discord) -> None:
    reference = await discord.first()
    outcome = await discord.sender.send(render(envelope(SendReason.GREW), [growth()]), reference)
    assert outcome == Delivered(reference="1300000000000000002")
    assert discord.api.methods == ["POST"]


@pytest.mark.parametrize("notification", [SOME_ENDED, ALL_ENDED, UPDATED], ids=["some ended", "all ended", "updated"])
async def test_an_end_is_edited_in(discord: Discord, notification: Notification) -> None:
    reference = await discord.first()
    assert await discord.sender.send(notification, reference) == Delivered(reference=reference)
    assert discord.api.methods == ["PATCH"]
    assert len(discord.api.messages) == 1


async def test_what_still_fires_keeps_its_details_in_the_edited_message(discord: Discord) -> None:
    reference = await discord.first()
    await discord.sender.send(SOME_ENDED, reference)
    shown = str(discord.api.messages[reference])
    assert "kubectl -n shop logs" in shown
    assert "no longer OOM" in shown


@pytest.mark.parametrize("reference", ["", "C1 1700000000.1", "../../1"])
async def test_an_end_without_a_message_to_edit_is_a_short_message_of_its_own(discord: Discord, reference: str) -> None:
    assert await discord.sender.send(SOME_ENDED, reference) == Delivered(reference="1300000000000000001")
    assert discord.api.methods == ["POST"]
    assert "kubectl" not in str(discord.api.messages)


async def test_a_message_that_is_gone_is_sent_anew(discord: Discord) -> None:
    assert await discord.sender.send(SOME_ENDED, "99") == Delivered(reference="1300000000000000001")
    assert discord.api.methods == ["PATCH", "POST"]


async def test_a_webhook_that_is_gone_is_given_up(discord: Discord) -> None:
    discord.api.answers["PATCH"] = [Answering(status=404, body='{"message": "Unknown Webhook", "code": 10015}')]
    outcome = await discord.sender.send(SOME_ENDED, "99")
    assert isinstance(outcome, GiveUp)
    assert "Unknown Webhook" in outcome.reason
    assert discord.api.methods == ["PATCH"]


async def test_a_thread_of_the_channel_stays_in_both_addresses(
    discord: Discord, session: aiohttp.ClientSession
) -> None:
    threaded = Discord(discord.api, session, "?thread_id=42")
    reference = await threaded.first()
    discord.api.calls.clear()
    await threaded.sender.send(FIRST)
    await threaded.sender.send(SOME_ENDED, reference)
    assert [dict(call.query) for call in discord.api.calls] == [
        {"thread_id": "42", "wait": "true"},
        {"thread_id": "42"},
    ]


async def test_the_last_message_that_discord_takes_now_is_delivered_with_a_pause(discord: Discord) -> None:
    discord.api.headers = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset-After": "1.25"}
    pause = timedelta(seconds=1.25)
    assert await discord.sender.send(FIRST) == Delivered(reference="1300000000000000001", pause=pause)
    discord.api.headers = {"X-RateLimit-Remaining": "4", "X-RateLimit-Reset-After": "1.25"}
    assert await discord.sender.send(FIRST) == Delivered(reference="1300000000000000002")


@pytest.mark.parametrize("value", ["", "nan", "-1", "soon", "1e300"])
async def test_a_broken_pause_is_none(discord: Discord, value: str) -> None:
    discord.api.headers = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset-After": value}
    assert await discord.sender.send(FIRST) == Delivered(reference="1300000000000000001")


@pytest.mark.parametrize(
    ("body", "headers", "seconds"),
    [
        pytest.param('{"retry_after": 3.5, "global": true}', {"Retry-After": "4"}, 4, id="global"),
        pytest.param('{"retry_after": 0.7, "global": false}', {}, 0.7, id="in the body only"),
        pytest.param(
            '{"retry_after": 700}',
            {"Retry-After": "700", "X-RateLimit-Reset-After": "0.7"},
            0.7,
            id="milliseconds of v6",
        ),
        pytest.param("<html>", {"Retry-After": "60"}, 60, id="Cloudflare's"),
    ],
)
@pytest.mark.parametrize("method", ["POST", "PATCH"])
async def test_429_is_tried_after_the_pause(
    discord: Discord, method: str, body: str, headers: dict[str, str], seconds: float
) -> None:
    reference = await discord.first()
    discord.api.answers[method] = [Answering(status=429, body=body, headers=headers)]
    outcome = await discord.sender.send(SOME_ENDED if method == "PATCH" else FIRST, reference)
    assert isinstance(outcome, TryLater)
    assert outcome.after == timedelta(seconds=seconds)
