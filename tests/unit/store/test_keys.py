from __future__ import annotations

import pytest

from watcher.model.identity import AlertKey, MemberKey, Subject
from watcher.store.keys import alert_key, alert_text, matter_text, member_text, short


@pytest.mark.parametrize(
    ("key", "text"),
    [
        pytest.param(None, "", id="no alert"),
        pytest.param(AlertKey(alertname=""), '[""]', id="an alert of no name"),
        pytest.param(AlertKey(alertname="A", cluster="c"), '["A","c"]', id="empty fields at the end"),
        pytest.param(AlertKey(alertname="A", node="n"), '["A","","","","","","","n"]', id="empty fields between"),
        pytest.param(AlertKey(alertname='"|,é'), '["\\"|,é"]', id="characters that JSON escapes or not"),
    ],
)
def test_an_alert_key_is_one_text_and_comes_back(key: AlertKey | None, text: str) -> None:
    assert alert_text(key) == text
    assert alert_key(text) == key


def test_a_member_key_holds_the_rule_and_the_subject() -> None:
    subject = Subject(namespace="shop", pod="web-1", uid="u1")
    assert member_text(MemberKey(rule="pods/0", subject=subject)) == '["pods/0","shop","web-1","u1"]'


def test_matters_with_and_without_an_alert_differ() -> None:
    assert matter_text("g", "ops", "slack", None) == '["g","ops","slack"]'
    assert matter_text("g", "ops", "slack", AlertKey(alertname="A")) == '["g","ops","slack","A"]'


@pytest.mark.parametrize("letter", ["a", "é", "日", "🟠"], ids=["1 byte", "2 bytes", "3 bytes", "4 bytes"])
@pytest.mark.parametrize("length", [399, 400, 401, 1600, 1601, 70_000])
def test_a_key_is_never_longer_than_an_index_takes_and_differs_where_the_text_does(letter: str, length: int) -> None:
    text = letter * length
    assert len(short(text).encode()) <= 1600
    assert (short(text) == text) == (len(text.encode()) <= 1600)
    assert len({short(text), short(text[:-1] + "x"), short(text + "x"), short("x" + text)}) == 4
    assert short(text) == short(letter * length)
