"""Containers that cannot be created or started."""

from __future__ import annotations

from typing import Final

from watcher.lib.durations import in_words
from watcher.model.message import Text
from watcher.model.signals import ContainerNotStarting
from watcher.notify.render_case import Case, Words, pods_and_ready, tried_for
from watcher.notify.render_container import image_line, subject, undo_rollout
from watcher.notify.render_text import Part, argument, code, name, paragraph, said

_MISSING: Final = {"missing_configmap": "ConfigMap", "missing_secret": "Secret"}
_TITLES: Final = {
    "missing_key": "a key of its configuration is missing",
    "run_as_non_root": "its image runs as root, which is forbidden",
    "command_not_found": "its command is not in the image",
    "not_executable": "its command cannot be run",
    "hook": "a lifecycle hook failed",
    "volume": "a volume cannot be mounted",
    "name_in_use": "its name is still in use on the node",
    "timeout": "the container runtime does not answer in time",
    "runtime": "the container runtime refuses it",
}
_SENTENCES: Final = {
    "missing_key": "needs a key that its ConfigMap or Secret does not have",
    "run_as_non_root": "must not run as root, and its image does",
    "command_not_found": "cannot be started: its command is not in the image",
    "not_executable": "cannot be started: its command may not be run, or is not for this platform",
    "hook": "cannot be started: a lifecycle hook failed",
    "volume": "cannot be started: a volume cannot be mounted",
    "name_in_use": "cannot be created: its name is still in use on the node",
    "timeout": "cannot be started: the container runtime does not answer in time",
    "runtime": "cannot be started: the container runtime refuses it",
}
_ADVICE: Final = {
    "run_as_non_root": "set runAsUser, or build the image with another user",
    "command_not_found": "correct the command, or the image",
    "not_executable": "make the file executable, and build for the node's platform",
    "hook": "look at the hook's command",
    "volume": "check the mount's path and the volume",
    "name_in_use": "delete the pod if it does not heal by itself",
    "timeout": "see whether the node is overloaded",
    "runtime": "see what the runtime says",
}
_OF_THE_IMAGE: Final = frozenset({"run_as_non_root", "command_not_found", "not_executable"})
_HELPED_BY_UNDO: Final = frozenset({"run_as_non_root", "command_not_found", "not_executable", "hook", "runtime"})


class NotStartingWords(Words[ContainerNotStarting]):
    kind = "container cannot start"
    effect = "cannot start"
    over = "no longer fails to start"

    def title(self, case: Case, signal: ContainerNotStarting) -> str:
        why = _lack(signal) or _TITLES.get(signal.cause, "")
        return f"{case.name} cannot start" + (f": {why}" if why else "")

    def sentence(self, case: Case, signal: ContainerNotStarting) -> list[Part]:
        tried = tried_for(case)
        lack = _lack(signal)
        if lack:
            return [*subject(signal), f" cannot be created: {lack}{tried}."]
        what = _SENTENCES.get(signal.cause, "cannot be started")
        ended = f" (exit code {signal.exit_code})" if signal.exit_code is not None else ""
        return [*subject(signal), f" {what}{ended}{tried}."]

    def pods(self, case: Case) -> str:
        return pods_and_ready(case)

    def evidence(self, case: Case, signal: ContainerNotStarting) -> list[Text]:
        words = said(": ".join(part for part in (signal.reason, signal.message) if part))
        image = image_line(signal.image) if signal.cause in _OF_THE_IMAGE else []
        return [*([paragraph([f"kubelet says: {words}"])] if words else []), *image]

    def next_step(self, case: Case, signal: ContainerNotStarting) -> list[Part]:
        where, undo = f"kubectl -n {argument(signal.namespace)}", undo_rollout(signal)
        describe = code(f"{where} describe pod {argument(signal.pod)}")
        if signal.missing and signal.cause == "missing_key":
            return [code(f"{where} describe {_kind(signal).lower()} {argument(signal.missing)}"), ", and add the key"]
        if signal.missing and signal.cause in _MISSING:
            # A rollout is undone only by who knows that the earlier revision did without it.
            make = f"create {_kind(signal)} {name(signal.missing)}"
            return [f"{make}, or ", code(undo)] if undo else [describe, f", {make} or correct its name"]
        advice = _ADVICE.get(signal.cause, "")
        if undo and signal.cause in _HELPED_BY_UNDO:
            return [code(undo), f", or {advice}"]
        return [describe, f", {advice}" if advice else ""]

    def was(self, case: Case, signal: ContainerNotStarting) -> str:
        why = _lack(signal)
        return f"It could not start for {in_words(case.lasted)}" + (f" ({why})" if why else "")


def _lack(signal: ContainerNotStarting) -> str:
    """`ConfigMap settings does not exist`, `Secret db has no key password`; empty where its name is not told."""
    if not signal.missing:
        lacks = signal.cause == "missing_key" and signal.key
        return f"{_kind(signal)} has no key {name(signal.key)}" if lacks else ""
    what = f"{_kind(signal)} {name(signal.missing)}"
    if signal.cause == "missing_key":
        return f"{what} has no key {name(signal.key)}" if signal.key else f"{what} lacks a key"
    return f"{what} does not exist" if signal.cause in _MISSING else ""


def _kind(signal: ContainerNotStarting) -> str:
    """Of a missing key the kubelet's text tells it: `couldn't find key x in Secret shop/db`."""
    if signal.cause in _MISSING:
        return _MISSING[signal.cause]
    return "Secret" if " secret " in signal.message.lower() else "ConfigMap"
