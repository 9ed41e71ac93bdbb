"""Which mails make a thread, in programs that go by References and in Gmail, which goes by the subject too."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from datetime import timedelta
from email.message import EmailMessage

import msgspec
import pytest

from tests.support.channels import mail_config
from tests.support.messages import before, crash_loop, ended, envelope, growth, oom_kill
from tests.support.receivers import MailReceiver
from watcher.deliver.email import EmailSender, payload
from watcher.deliver.mailthreads import thread_of
from watcher.model.config import EmailConfig
from watcher.model.delivery import Delivered
from watcher.model.message import Notification, SendReason
from watcher.model.state import EndReason
from watcher.notify.render import render

CONFIG = mail_config(25)


def message(reason: SendReason, name: str, *, days: int = 0) -> Notification:
    facts = {
        SendReason.FIRST: crash_loop(),
        SendReason.GREW: growth(),
        SendReason.REPEAT: before(crash_loop()),
        SendReason.ALL_ENDED: ended(before(crash_loop()), EndReason.RECOVERED),
    }[reason]
    made = render(envelope(reason, message=name), [facts])
    return msgspec.structs.replace(made, at=made.at + timedelta(days=days))


@pytest.fixture
def executor() -> Iterator[Executor]:
    with ThreadPoolExecutor(max_workers=1) as pool:
        yield pool


@pytest.fixture
async def server() -> AsyncIterator[MailReceiver]:
    receiver = MailReceiver()
    await receiver.start()
    yield receiver
    await receiver.stop()


async def conversation(
    server: MailReceiver, executor: Executor, *told: Notification, **fields: object
) -> list[EmailMessage]:
    """The mails of one group, each told what the one before it answered with."""
    sender = EmailSender(msgspec.structs.replace(mail_config(server.port), **fields), executor)
    reference = ""
    for notification in told:
        outcome = await sender.send(notification, reference)
        assert isinstance(outcome, Delivered)
        reference = outcome.reference
        assert "\n" not in reference
    return server.received


FOUR = (SendReason.FIRST, SendReason.GREW, SendReason.REPEAT, SendReason.ALL_ENDED)


async def test_all_mails_of_a_group_are_one_thread(server: MailReceiver, executor: Executor) -> None:
    mails = await conversation(server, executor, *(message(reason, reason.name) for reason in FOUR))
    ids = [str(mail["Message-ID"]) for mail in mails]
    assert len(set(ids)) == 4
    assert mails[0]["References"] is None
    assert mails[0]["In-Reply-To"] is None
    assert [str(mail["In-Reply-To"]) for mail in mails[1:]] == ids[:3]
    assert [str(mail["References"]).split() for mail in mails[1:]] == [ids[:1], [ids[0], ids[1]], [ids[0], ids[2]]]


async def test_what_is_new_has_its_own_subject_and_the_rest_answers_to_it(
    server: MailReceiver, executor: Executor
) -> None:
    mails = await conversation(server, executor, *(message(reason, reason.name) for reason in FOUR))
    subjects = [str(mail["Subject"]) for mail in mails]
    grew = message(SendReason.GREW, "x").title
    assert subjects == [message(SendReason.FIRST, "x").title, grew, f"Re: {grew}", f"Re: {grew}"]


async def test_a_list_of_mails_shows_what_happened_where_the_subject_is_an_older_one(
    server: MailReceiver, executor: Executor
) -> None:
    mails = await conversation(server, executor, message(SendReason.FIRST, "a"), message(SendReason.ALL_ENDED, "b"))
    shown = [part.get_content() for mail in mails if (part := mail.get_body(("html",))) is not None]
    hidden = [text.partition('opacity:0">')[2].partition("&#8199;")[0] for text in shown]
    assert hidden[0].startswith("Container app exits with 1") or hidden[0].startswith("Container `app` exits with 1")
    assert hidden[1].startswith("🟢 checkout has recovered")


async def test_without_threads_every_mail_stands_alone(server: MailReceiver, executor: Executor) -> None:
    told = (message(SendReason.FIRST, "a"), message(SendReason.ALL_ENDED, "b"))
    mails = await conversation(server, executor, *told, threading=False)
    assert [mail["References"] for mail in mails] == [None, None]
    assert [str(mail["Subject"]) for mail in mails] == [one.title for one in told]


async def test_daily_threads_begin_anew_each_day(server: MailReceiver, executor: Executor) -> None:
    told = [message(SendReason.FIRST, "a")]
    told += [message(SendReason.REPEAT, f"b{days}", days=days) for days in (0, 1, 1)]
    mails = await conversation(server, executor, *told, daily_threads=True)
    ids = [str(mail["Message-ID"]) for mail in mails]
    assert [mail["In-Reply-To"] for mail in mails] == [None, ids[0], None, ids[2]]
    assert [str(mail["Subject"]).startswith("Re: ") for mail in mails] == [False, True, False, True]


async def test_an_own_subject_stays_as_it_was_written(server: MailReceiver, executor: Executor) -> None:
    headers = (("Subject", "[{{ status }}] {{ common_labels.workload }}"), ("Reply-To", "ops@example.org"))
    told = (message(SendReason.FIRST, "a"), message(SendReason.ALL_ENDED, "b"))
    mails = await conversation(server, executor, *told, headers=headers)
    assert [str(mail["Subject"]) for mail in mails] == ["[firing] checkout", "[resolved] checkout"]
    assert mails[1]["Reply-To"] == "ops@example.org"
    assert mails[1]["References"] == mails[0]["Message-ID"]


@pytest.mark.parametrize(
    "reference", ["", "1300000000000000001", "<a@b> <c@d>", "<a b> <c@d> x", "<a@b>\n<c@d> x"], ids=repr
)
def test_a_reference_that_is_none_begins_a_thread(reference: str) -> None:
    thread = thread_of(message(SendReason.ALL_ENDED, "b"), reference, "example.org", daily=False)
    assert (thread.first, thread.last, thread.subject) == ("", "", "")


@pytest.mark.parametrize(
    "domain",
    [
        "example.org",
        "alerts.eu-west-1.monitoring.a-rather-long-company-name.example.org",
        "bücher.example",
        "localhost",
    ],
)
def test_ids_are_short_enough_to_be_no_words(domain: str) -> None:
    """A header that is longer than a line is folded, and an id in it would come out as an encoded word."""
    config = EmailConfig(to=("a@example.org",), sender=f"w@{domain}", smarthost="h:25")
    first = thread_of(message(SendReason.FIRST, "a"), "", domain, daily=False)
    then = thread_of(message(SendReason.REPEAT, "b"), first.reference("x" * 200), domain, daily=False)
    text = payload(message(SendReason.REPEAT, "b"), config, then).as_bytes().decode()
    header = text.partition("\r\n\r\n")[0]
    for name in ("Message-ID", "In-Reply-To", "References"):
        value = header.partition(f"{name}:")[2].partition("\r\n")[0].strip() or header.partition(f"{name}:")[2][:20]
        assert "=?" not in value
    assert len(then.message_id) <= 76
    assert first.message_id in header


def test_the_same_message_has_the_same_id_at_every_attempt_and_another_one_has_not() -> None:
    one, two = (payload(message(SendReason.FIRST, name), CONFIG)["Message-ID"] for name in ("a", "b"))
    assert one == payload(message(SendReason.FIRST, "a"), CONFIG)["Message-ID"]
    assert one != two


# ---- own texts -------------------------------------------------------------------------------------------------------


def parts(**fields: object) -> dict[str, str]:
    notification = render(envelope(), [oom_kill()])
    mail = payload(notification, msgspec.structs.replace(CONFIG, **fields))
    return {part.get_content_subtype(): part.get_content() for part in mail.walk() if not part.is_multipart()}


def test_own_texts_stand_in_the_place_of_watchers() -> None:
    made = parts(text="{{ alerts | length }} of {{ receiver }}", html="<b>{{ title }}</b>")
    assert made["plain"] == "1 of team\n"
    assert made["html"] == "<b>🟠 api is OOM-killed — shop, prod-eu</b>\n"


def test_an_own_text_that_fails_is_told_beside_watchers_own() -> None:
    made = parts(text="{{ title + 1 }}", html="{{ 1 / 0 }}")
    assert made["plain"].startswith("🟠 api is OOM-killed")
    assert "The template of text could not be used" in made["plain"]
    assert "<h1" in made["html"]
    assert "The template of html could not be used" in made["html"]


def test_values_in_an_own_page_are_text() -> None:
    hostile = render(envelope(), [crash_loop()])
    hostile = msgspec.structs.replace(hostile, receiver="<img src=x>")
    mail = payload(hostile, msgspec.structs.replace(CONFIG, html="<p>{{ receiver }}</p>"))
    page = mail.get_body(("html",))
    assert page is not None
    assert page.get_content() == "<p>&lt;img src=x&gt;</p>\n"


def test_an_empty_html_means_text_alone() -> None:
    assert list(parts(html="")) == ["plain"]
