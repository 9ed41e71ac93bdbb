"""One message to one integration: composed, put into the outbox, and what it tells noted as told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from watcher.lib.fnv import fnv1a64
from watcher.lib.gotext import go_quote
from watcher.model.evidence import Evidence
from watcher.model.identity import AlertKey
from watcher.model.message import Notification, SendReason
from watcher.model.observations import SendTestAsked
from watcher.model.state import Alert, Decision, Group, MessageState, OutboxRow, Sent, Told, ToldKey
from watcher.notify.bare import bare
from watcher.notify.channels import edits
from watcher.notify.decide import Plan
from watcher.notify.facts import AlertFacts, Envelope
from watcher.notify.growth import concerns_all
from watcher.notify.render import digest, render, summary
from watcher.notify.render import test as test_message
from watcher.pipeline import channels
from watcher.pipeline.core import Step
from watcher.pipeline.gathering import facts, facts_of_ended


class Conversation(msgspec.Struct, frozen=True, kw_only=True):
    """What one integration has heard of a group, and what is on its way."""

    group: Group
    integration: str
    waiting: tuple[OutboxRow, ...] = ()
    """Messages that have not been sent, and that the next one replaces."""
    said: Mapping[AlertKey, Told] = {}
    """What it was told, with what waits."""
    told: Mapping[AlertKey, Told] = {}
    """As if what waits had never been decided; of an alert that has ended meanwhile as it is."""
    owed: tuple[Alert, ...] = ()
    """Alerts that are over and forgotten, whose end was not heard."""
    unheard: frozenset[AlertKey] = frozenset()
    """Alerts that only messages tell of that still wait."""
    heard: frozenset[AlertKey] = frozenset()
    """Alerts that were heard to fire, and not to have ended, though they had: some may fire anew."""

    @property
    def channel(self) -> tuple[str, str]:
        return (self.group.receiver, self.integration)

    @property
    def reference(self) -> str:
        """Of its last new message that arrived."""
        return next((sent.reference for sent in self.group.sent if sent.integration == self.integration), "")


def send(step: Step, talk: Conversation, plan: Plan) -> Group:
    """Enqueue what the plan says; the group as it is then."""
    assert plan.reason is not None
    reason = _reason(talk.group, plan.reason)
    alerts = {alert.key: alert for alert in talk.owed}
    found = [facts(step, key, talk.told.get(key)) for key in plan.firing]
    for key in plan.ended:
        # What is owed first: under its key something new may fire meanwhile, which is told elsewhere.
        alert = alerts.get(key) or step.draft.alerts.get(key)
        assert alert is not None
        alerts[key] = alert
        found.append(facts_of_ended(step, alert, talk.told.get(key), unheard=key in talk.unheard))
    row = _enqueue(step, talk, compose(step, talk, reason, found), tuple(alerts[key] for key in plan.ended))
    for key in plan.firing:
        _tell(step, talk, key, row.id)
    _take_back(step, talk, plan)
    _untell(step, talk, plan.ended)
    for key in (*plan.firing, *plan.ended):
        note(step, talk, key, ("send", reason.value, row.id))
    return _spoken(step, talk, plan)


def let_go(step: Step, talk: Conversation, keys: Sequence[AlertKey]) -> Conversation:
    """These have ended, and the integration does not want to hear of it."""
    _untell(step, talk, keys)
    owed = tuple(one for one in talk.group.owed if one.integration != talk.integration or one.alert.key not in keys)
    return msgspec.structs.replace(talk, group=msgspec.structs.replace(talk.group, owed=owed))


def bring_up_to_date(step: Step, group: Group, integration: str) -> None:
    """Evidence came after its message: a channel that can edit shows it there. It never makes a message of its own."""
    receiver = step.core.receivers.get(group.receiver)
    config = dict(receiver.integrations).get(integration) if receiver is not None else None
    talk = Conversation(group=group, integration=integration)
    waits = any(row.integration == integration for row in step.draft.outbox.by("group", group.id))
    if config is None or not edits(config) or not talk.reference or waits:
        return
    told = [row for row in step.draft.told.by("group", group.id) if row.key.integration == integration]
    alerts = ((row, step.draft.alerts.get(row.key.alert)) for row in told)
    shown = [(row, alert) for row, alert in alerts if alert is not None and alert.ends_at is None]
    if not any(row.bare and _tells(alert.evidence) for row, alert in shown):
        return
    found = [facts(step, row.key.alert, row) for row, _ in shown]
    message = _enqueue(step, talk, compose(step, talk, SendReason.UPDATED, found), ())
    note(step, talk, None, ("send", SendReason.UPDATED.value, message.id))
    for row, alert in shown:
        step.draft.told.put(row.key, msgspec.structs.replace(row, bare=alert.evidence is None and row.bare))


def _tells(evidence: Evidence | None) -> bool:
    return evidence is not None and bool(evidence.log or evidence.events or evidence.rollout)


def test(step: Step, one: SendTestAsked) -> None:
    """One marked message to each integration of a receiver."""
    receiver = step.core.receivers.get(one.receiver)
    for integration, _ in receiver.integrations if receiver is not None else ():
        group = Group(id=one.group, route="", receiver=one.receiver, labels={})
        talk = Conversation(group=group, integration=integration)
        notification = compose(step, talk, SendReason.TEST, [])
        _enqueue(step, talk, notification, ())
        note(step, talk, None, ("send", SendReason.TEST.value, notification.id))


def note(step: Step, talk: Conversation, key: AlertKey | None, said: tuple[str, str, str]) -> None:
    """`said`: verdict, reason, message id."""
    verdict, reason, message = said
    step.decided(
        Decision(
            at=step.at, group=talk.group.id, receiver=talk.group.receiver, integration=talk.integration, alert=key,
            verdict=verdict, reason=reason, message=message,
        )
    )  # fmt: skip


def compose(step: Step, talk: Conversation, reason: SendReason, found: list[AlertFacts]) -> Notification:
    identity = f"{talk.group.id}\n{talk.group.receiver}\n{talk.integration}\n{step.at.isoformat()}"
    envelope = Envelope(
        id=f"{fnv1a64(identity.encode()):016x}",
        at=step.at,
        receiver=talk.group.receiver,
        integration=talk.integration,
        reason=reason,
        group_key=_group_key(step, talk.group),
        group_labels=talk.group.labels,
        cluster=step.core.cluster,
        external_url=step.core.external_url,
        links=step.core.links,
        zone=step.core.zone,
    )
    try:
        if reason is SendReason.TEST:
            return test_message(envelope)
        if talk.group.digest:
            return digest(envelope, found)
        return summary(envelope, found) if reason is SendReason.BASELINE else render(envelope, found)
    # The guard of all messages: what the words trip over must neither cost the news nor end the service at this timer.
    except Exception as error:  # noqa: BLE001
        return bare(envelope, found, error)


def _reason(group: Group, reason: SendReason) -> SendReason:
    if reason is SendReason.FIRST and group.baseline:
        return SendReason.BASELINE
    if reason in (SendReason.FIRST, SendReason.NEW_ALERTS) and group.digest:
        return SendReason.DIGEST
    return reason


def _enqueue(step: Step, talk: Conversation, notification: Notification, ended: tuple[Alert, ...]) -> OutboxRow:
    """Put it into the outbox, in the place of what waits there."""
    row = OutboxRow(
        id=notification.id,
        receiver=talk.group.receiver,
        integration=talk.integration,
        group=talk.group.id,
        created_at=step.at,
        next_at=step.at,
        notification=notification,
        reference=talk.reference,
        ended=ended,
        unheard=tuple(alert.key for alert in ended if alert.key in talk.unheard),
        waits_since=min((old.waits_since or old.created_at for old in talk.waiting), default=None),
    )
    for old in talk.waiting:
        step.draft.outbox.drop(old.id)
        step.draft.finished.append(msgspec.structs.replace(old, state=MessageState.REPLACED))
    if step.core.delivered_at_once:
        step.draft.finished.append(msgspec.structs.replace(row, state=MessageState.DELIVERED))
    else:
        step.draft.outbox.put(row.id, row)
        channels.enqueued(step, talk.channel)
    return row


def _tell(step: Step, talk: Conversation, key: AlertKey, message: str) -> None:
    alert = step.draft.alerts.get(key)
    assert alert is not None
    row_key = ToldKey(receiver=talk.group.receiver, integration=talk.integration, alert=key)
    before = step.draft.told.get(row_key)
    size, pods = step.size(key), step.tally(alert.workload).pods
    everything = concerns_all(size, pods)
    step.draft.told.put(
        row_key,
        Told(
            key=row_key,
            group=talk.group.id,
            at=step.at,
            message=message,
            delivered=step.core.delivered_at_once or (before is not None and before.delivered) or key in talk.heard,
            members=max(size, before.members if before is not None else 0),
            all_members=everything or (before is not None and before.all_members),
            baseline=talk.group.baseline,
            bare=alert.evidence_asked is not None and alert.evidence is None,
        ),
    )


def _take_back(step: Step, talk: Conversation, plan: Plan) -> None:
    """What only a message told that gave way, and the new one does not (it is held back now), has not been told."""
    again = {*plan.firing, *plan.ended}
    for old in talk.waiting:
        for told in step.draft.told.by("message", old.id):
            if told.key.alert not in again:
                untell(step, told)
                _look_elsewhere(step, talk, told)


def _look_elsewhere(step: Step, talk: Conversation, told: Told) -> None:
    """Another group tells of it by now: it has to know that nobody was told."""
    alert = step.draft.alerts.get(told.key.alert)
    if told.group != talk.group.id and alert is not None:
        step.touch(alert)


def untell(step: Step, told: Told) -> None:
    """The message that told it last never arrives."""
    if told.delivered:
        step.draft.told.put(told.key, msgspec.structs.replace(told, lost=True))
    else:
        step.draft.told.drop(told.key)


def _untell(step: Step, talk: Conversation, keys: Sequence[AlertKey]) -> None:
    """Their end is told. Where it was owed, the row tells of a later alert under this key."""
    owed = {alert.key for alert in talk.owed}
    for key in keys:
        if key not in owed:
            step.draft.told.drop(ToldKey(receiver=talk.group.receiver, integration=talk.integration, alert=key))


def _spoken(step: Step, talk: Conversation, plan: Plan) -> Group:
    """The group after it has spoken to one integration."""
    others = tuple(sent for sent in talk.group.sent if sent.integration != talk.integration)
    mine = Sent(integration=talk.integration, at=step.at, reference=talk.reference)
    # What fires anew is told as such, and that it was heard is kept with that (`_tell`).
    said = {*plan.ended, *plan.firing}
    owed = tuple(one for one in talk.group.owed if one.integration != talk.integration or one.alert.key not in said)
    return msgspec.structs.replace(talk.group, sent=(*others, mine), owed=owed)


def _group_key(step: Step, group: Group) -> str:
    """As Alertmanager prints it: `{}/{severity="critical"}:{alertname="X"}`."""
    labels = ", ".join(f"{name}={go_quote(value)}" for name, value in sorted(group.labels.items()))
    return f"{step.route_of(group).key}:{{{labels}}}"
