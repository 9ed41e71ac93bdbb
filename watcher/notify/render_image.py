"""Images that cannot be pulled."""

from __future__ import annotations

import re
from typing import Final

from watcher.lib.durations import in_words
from watcher.model.message import Text
from watcher.model.signals import ImagePullFailing
from watcher.notify.render_case import Case, Words, pods_and_ready, tried_for
from watcher.notify.render_container import noun, undo_rollout
from watcher.notify.render_text import QUOTE_LIMIT, Part, argument, code, name, paragraph, said

_TITLES: Final = {
    "not_found": "image not found",
    "denied": "image does not exist or may not be pulled",
    "unauthorized": "no right to pull the image",
    "rate_limited": "the registry's rate limit is reached",
    "dns": "the registry's name cannot be resolved",
    "network": "the registry cannot be reached",
    "tls": "no trusted connection to the registry",
    "platform": "the image is not built for its node",
    "disk": "no disk space for the image",
    "invalid_name": "the image's name is invalid",
    "policy_never": "the image is not on the node and may not be pulled",
    "registry_error": "the registry answers with an error",
}
_SENTENCES: Final = {
    "not_found": "does not exist in the registry",
    "denied": "does not exist in the registry, or may not be pulled without a login",
    "unauthorized": "may not be pulled with the credentials at hand",
    "rate_limited": "cannot be pulled: the registry's rate limit is reached",
    "dns": "cannot be pulled: the registry's name cannot be resolved",
    "network": "cannot be pulled: the registry cannot be reached",
    "tls": "cannot be pulled: there is no trusted connection to the registry",
    "platform": "is not built for the platform of its node",
    "disk": "cannot be unpacked: the node has no disk space left",
    "invalid_name": "is no valid image name",
    "policy_never": "is not on the node, and its pull policy is Never",
    "registry_error": "cannot be pulled: the registry answers with an error",
}
_REGISTRY_SPEAKS: Final = frozenset({"not_found", "denied", "unauthorized", "rate_limited", "registry_error"})
_ADVICE: Final = {
    "not_found": "push the tag",
    "denied": "correct the image's name, or give the pod a pull secret",
    "unauthorized": "check the pull secret",
    "rate_limited": "pull with a login, or from a mirror",
    "dns": "check the image's registry and the node's DNS",
    "network": "check the way from the node to the registry",
    "tls": "check the registry's certificate and the node's trust",
    "platform": "build the image for the node's platform, or choose other nodes",
    "disk": "free disk space on the node",
    "invalid_name": "correct the image's name",
    "policy_never": "load the image onto the node, or change imagePullPolicy",
    "registry_error": "see whether the registry is well",
}
_HELPED_BY_UNDO: Final = frozenset({"not_found", "denied", "platform", "invalid_name"})

_RPC: Final = re.compile(r"rpc error: code = \w+ desc = ")
"""gRPC's wrapping of what the container runtime said; kubelets show it or not."""


class ImageWords(Words[ImagePullFailing]):
    kind = "image cannot be pulled"
    effect = "cannot get its image"
    over = "has its image"

    def title(self, case: Case, signal: ImagePullFailing) -> str:
        why = _TITLES.get(signal.cause, "the image cannot be pulled")
        if signal.cause == "not_found" and _tag(signal.image):
            why = "image tag not found"
        return f"{case.name} cannot start: {why}"

    def sentence(self, case: Case, signal: ImagePullFailing) -> list[Part]:
        image = [code(name(signal.image, 120))] if signal.image else ["The image"]
        whose = "" if signal.container_kind == "app" else f" of {noun(signal)} {name(signal.container)}"
        return [*image, f"{whose} {_SENTENCES.get(signal.cause, 'cannot be pulled')}{tried_for(case)}."]

    def pods(self, case: Case) -> str:
        return pods_and_ready(case)

    def evidence(self, case: Case, signal: ImagePullFailing) -> list[Text]:
        words = _essence(signal.message, signal.image)
        if not words:
            return []
        speaker = "registry" if signal.cause in _REGISTRY_SPEAKS else "kubelet"
        return [paragraph([f"{speaker} says: {words}"])]

    def next_step(self, case: Case, signal: ImagePullFailing) -> list[Part]:
        where = f"kubectl -n {argument(signal.namespace)}"
        advice = _ADVICE.get(signal.cause, "")
        undo = undo_rollout(signal)
        if undo and signal.cause in _HELPED_BY_UNDO:
            return [code(undo), f", or {advice}"]
        describe = code(f"{where} describe pod {argument(signal.pod)}")
        return [describe, f", {advice}" if advice else ""]

    def was(self, case: Case, signal: ImagePullFailing) -> str:
        return f"Its image could not be pulled for {in_words(case.lasted)}"


def _tag(image: str) -> bool:
    return "@" not in image and ":" in image.rpartition("/")[2]


def _essence(message: str, image: str) -> str:
    """What the registry or the kubelet said, without the wrapping: the end of a chain of errors is its cause."""
    text = said(_RPC.sub("", message), 4 * QUOTE_LIMIT)
    links = [link for link in text.split(": ") if link and link.strip('"') != image]
    links = [link for at, link in enumerate(links) if at == 0 or link != links[at - 1]]
    while len(links) > 1 and _wrapping(links[0]):
        links.pop(0)
    if len(links) == 1 and _wrapping(links[0]):
        return ""
    while len(links) > 1 and len(": ".join(links)) > QUOTE_LIMIT:
        links.pop(0)
    return said(": ".join(links))


def _wrapping(link: str) -> bool:
    """A link that only says that the image could not be pulled, which the sentence has said."""
    return link.startswith(("failed to ", "Failed to ", "Back-off ", "ErrImagePull", "Error response from daemon"))
