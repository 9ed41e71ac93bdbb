"""Identities: what a signal is about, the workload it belongs to, and the key on which one trouble's state hangs."""

from __future__ import annotations

import msgspec


class Workload(msgspec.Struct, frozen=True, order=True, gc=False):
    """The controller that owns a pod, as people name it."""

    namespace: str
    kind: str
    name: str


class Subject(msgspec.Struct, frozen=True, kw_only=True, order=True, gc=False):
    """What a signal is about: a container of a pod, a pod, a claim or a node; identified by uid, not by name."""

    namespace: str = ""
    pod: str = ""
    uid: str = ""
    container: str = ""
    claim: str = ""
    node: str = ""


class AlertKey(msgspec.Struct, frozen=True, kw_only=True, order=True, gc=False):
    """Rule name and subject at workload level. `pod` only under `per: pod`."""

    alertname: str
    cluster: str = ""
    namespace: str = ""
    workload_kind: str = ""
    workload: str = ""
    container: str = ""
    claim: str = ""
    node: str = ""
    pod: str = ""
    posted: str = ""
    """The fingerprint of an alert that others posted; such a one has only this and its name."""

    @property
    def id(self) -> str:
        """One line that names the key in the store, in logs and in a recording (`|` occurs in no Kubernetes name)."""
        return "|".join(msgspec.structs.astuple(self))


class MemberKey(msgspec.Struct, frozen=True, kw_only=True, order=True, gc=False):
    """One subject under one rule (rules of one group may share an alert name, so the rule's id is in it)."""

    rule: str
    subject: Subject
