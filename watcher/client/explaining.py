"""Why somebody was, or was not, told: the service's answer as text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from watcher.client.http import Client
from watcher.client.tables import line
from watcher.lib.text import cut

Record = Mapping[str, Any]
WIDEST = 300


def explain(client: Client, of: str, at: datetime | None) -> dict[str, Any]:
    """NotFoundError where nothing is known."""
    found: dict[str, Any] = client.get("/explain", of=of, **({"at": at.isoformat()} if at is not None else {}))
    return found


def explanation_text(found: Record) -> Iterator[str]:
    """The answer in short, then what it rests on; sections without anything are left out."""
    yield line(found["of"]) + (f", as known at {_time(found['at'])}" if found["at"] else "")
    yield from (f"  {text}" for text in _short(found))
    sections = (
        ("SEEN NOW", found["known"]),
        ("TRUE NOW, AND WHAT EACH RULE SAYS OF IT", [text for each in found["signals"] for text in _signal(each)]),
        ("ALERTS", [text for each in found["alerts"] for text in _alert(each)]),
        ("DECISIONS, THE NEWEST FIRST", [_decision(each) for each in found["decisions"]]),
        ("MESSAGES, THE NEWEST FIRST", [text for each in found["deliveries"] for text in _message(each)]),
        ("HISTORY, THE NEWEST FIRST", [_moved(each) for each in found["history"]]),
    )
    for title, texts in sections:
        if texts:
            yield ""
            yield title
            yield from (f"  {cut(text, WIDEST)}" for text in texts)


def _short(found: Record) -> Iterator[str]:
    """One line for each open alert, or why there is none."""
    if found["at"]:
        yield from _short_then(found)
        return
    for alert in found["alerts"]:
        yield f"{alert['alert']['alertname']} {_state(alert)}: {_whether_told(alert)}"
    if not found["alerts"] and found["signals"]:
        yield "No alert is open: no rule holds of it, or not for long enough. Nobody was told."
    elif not found["alerts"] and found["known"]:
        yield "Nothing that Watcher looks for is wrong with it now."
    elif not found["alerts"]:
        yield "It is not there now; this is what is known of it from before."


def _short_then(found: Record) -> Iterator[str]:
    states: dict[str, Record] = {}
    for moved in found["history"]:
        if not moved["subject"]:
            states.setdefault(_name(moved["alert"]), moved)
    for name, moved in states.items():
        yield f"{name} was {moved['after']} (since {_time(moved['at'])})"
    sent = [each for each in found["decisions"] if each["verdict"] == "send"]
    yield f"{len(sent)} decisions to send and {len(found['decisions']) - len(sent)} to hold back by then"


def _state(alert: Record) -> str:
    return "has ended" if alert["ends_at"] else "fires"


def _whether_told(alert: Record) -> str:
    told = [f"{_to(each)} at {_time(each['at'])}" for each in alert["told"]]
    waiting = [f"{each['receiver']} at {_time(each['due'])}" for each in alert["groups"] if each["due"]]
    reasons = [_hold(each) for each in alert["holds"]]
    parts = [f"told {'; '.join(told)}"] if told else ["nobody was told"]
    if reasons:
        parts.append(f"{'now ' if told else ''}held back: {'; '.join(reasons)}")
    elif waiting and not told:
        parts.append(f"to be told {'; '.join(waiting)}")
    return ", ".join(line(part) for part in parts)


def _signal(signal: Record) -> Iterator[str]:
    names = (signal.get(name, "") for name in ("namespace", "pod", "container", "claim"))
    subject = "/".join(name for name in names if name) or signal.get("workload") or signal.get("node", "")
    if subject == signal.get("namespace"):
        subject = f"{subject}/{signal.get('workload', '')}"
    word = "at" if signal["kind"] == "occurrence" else "since"
    unseen = f", not seen since {_time(signal['unseen_since'])}" if "unseen_since" in signal else ""
    yield line(f"{signal['signal']} of {subject} {word} {_time(signal['since'])}{unseen}")
    message = signal["fields"].get("message")
    if message:
        yield f"  says: {line(message)}"
    for rule in signal["rules"]:
        yield f"  {line(_verdict(rule))}"
    if not signal["rules"]:
        yield "  no rule looks at it"


def _verdict(rule: Record) -> str:
    """`ContainerCrashLooping (warning): pending until …`."""
    due = f" until {_time(rule['due'])}" if rule["due"] else ""
    state = f"{rule['state']}{due}" if rule["state"] != "inactive" else "no"
    why = f": {rule['why_not']}" if rule["why_not"] else ""
    cause = f"; the effect of {_name(rule['explained_by'])}" if rule["explained_by"] else ""
    severity = f" ({rule['severity']})" if rule["severity"] else ""
    return f"{rule['rule']}{severity}: {state}{why}{cause}"


def _alert(alert: Record) -> Iterator[str]:
    end = f", ended {_time(alert['ends_at'])}: {alert['end_reason']}" if alert["ends_at"] else ""
    yield line(f"{_name(alert['alert'])} {alert['state']} since {_time(alert['starts_at'])}{end}")
    for hold in alert["holds"]:
        yield f"  held back: {line(_hold(hold))}"
    for group in alert["groups"]:
        sent = "; ".join(f"{name} {_time(at)}" for name, at in group["last_sent"].items()) or "nothing"
        due = f", looks again at {_time(group['due'])}" if group["due"] else ""
        to = f"route {line(group['route'])} to {line(group['receiver'])}"
        yield f"  {to}: its group was sent {line(sent)}{due}"
    for told in alert["told"]:
        arrived = "" if told["delivered"] else ", not delivered yet"
        yield f"  told {line(_to(told))} at {_time(told['at'])} by {told['message']}{arrived}"
    for member in alert["members"]:
        due = f" until {_time(member['due'])}" if member["due"] else ""
        cause = f", the effect of {_name(member['explained_by'])}" if member["explained_by"] else ""
        text = line(f"{member['subject']} {member['state']}{due}, since {_time(member['since'])}{cause}")
        yield f"  - {text}"
    if alert["member_count"] > len(alert["members"]):
        yield f"  - and {alert['member_count'] - len(alert['members'])} more"


def _hold(hold: Record) -> str:
    what = f" ({hold['what']})" if hold["what"] else ""
    where = f" at {hold['receiver']}" if hold["receiver"] else ""
    until = f" until {_time(hold['until'])}" if hold["until"] else ""
    return f"{hold['reason']}{what}{where}{until}"


def _decision(one: Record) -> str:
    times = f" ({one['count']} times, last {_time(one['last_at'])})" if one["count"] > 1 else ""
    what = _name(one["alert"]) if one["alert"] else "the group"
    to = f" to {_to(one)}" if one["receiver"] else ""
    message = f", message {one['message']}" if one["message"] else ""
    return line(f"{_time(one['at'])} {one['verdict']} {what}{to}: {one['reason']}{message}{times}")


def _message(one: Record) -> Iterator[str]:
    error = f": {one['error']}" if one["error"] else ""
    yield line(f"{one['id']} {_time(one['created_at'])} {one['state']} to {_to(one)}: {one['title']}{error}")
    for attempt in one["history"]:
        reason = f": {attempt['reason']}" if attempt["reason"] else ""
        yield f"  tried {_time(attempt['at'])}: {line(attempt['outcome'].replace('_', ' ') + reason)}"


def _moved(one: Record) -> str:
    who = f" {one['subject']}" if one["subject"] else ""
    return line(f"{_time(one['at'])} {_name(one['alert'])}{who}: {one['before']} -> {one['after']}, {one['why']}")


def _name(alert: Record) -> str:
    return f"{alert['alertname']} {alert['fingerprint']}" if alert["fingerprint"] else str(alert["alertname"])


def _to(one: Record) -> str:
    return f"{one['receiver']}/{one['integration']}"


def _time(text: str) -> str:
    return f"{text[:19]}Z".replace("T", " ")
