"""Kubernetes manifests in tests: rendered by kubectl's kustomize, and held against the Kubernetes OpenAPI models.

kubernetes_asyncio's models are generated from the API's own OpenAPI description. An API server prunes unknown fields
with a warning at best, so that a misspelt `readOnlyRootFileSystem` would simply not count: here it is a problem.
"""

from __future__ import annotations

import importlib
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from watcher.demo.resources import JsonObject

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
KUBECTL = shutil.which("kubectl")

needs_kubectl = pytest.mark.skipif(KUBECTL is None, reason="kubectl is not installed, and kustomize comes with it")

_PLAIN: Final[dict[str, tuple[type, ...]]] = {
    "str": (str,),
    "bool": (bool,),
    "int": (int,),
    "float": (int, float),
    "datetime": (str,),
    "object": (object,),
}
_CONTAINER = re.compile(r"(?P<of>list|dict)[\[(](?:str, )?(?P<item>.+)[\])]")


def render(folder: Path) -> list[JsonObject]:
    """The objects of a kustomization, as `kubectl apply -k` would send them."""
    done = subprocess.run([KUBECTL or "kubectl", "kustomize", str(folder)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [document for document in yaml.safe_load_all(done.stdout) if document is not None]


def only(documents: list[JsonObject], kind: str, name: str = "watcher") -> JsonObject:
    """The one object of a kind and name."""
    (found,) = (one for one in documents if (one["kind"], one["metadata"]["name"]) == (kind, name))
    return found


def kinds(documents: list[JsonObject]) -> set[str]:
    return {document["kind"] for document in documents}


def model_problems(document: JsonObject) -> list[str]:
    """What the API's description does not allow of an object of Kubernetes' own groups."""
    models = importlib.import_module("kubernetes_asyncio.client.models")
    group, _, version = document["apiVersion"].rpartition("/")
    name = f"{version.capitalize()}{document['kind']}"
    if ("." in group and not group.endswith(".k8s.io")) or not hasattr(models, name):
        return [f"{document['apiVersion']} {document['kind']} is unknown"]
    return list(_Checker(models).problems(document, name, document["kind"]))


class _Checker:
    def __init__(self, models: Any) -> None:
        self._models = models

    def problems(self, value: Any, kind: str, place: str) -> Iterator[str]:
        if value is None:
            yield f"{place}: is empty"
        elif kind in _PLAIN:
            right = isinstance(value, _PLAIN[kind]) and not (isinstance(value, bool) and kind in ("int", "float"))
            if not right:
                yield f"{place}: {value!r} is no {kind}"
        elif match := _CONTAINER.fullmatch(kind):
            yield from self._items(value, match["of"], match["item"], place)
        elif not isinstance(value, dict):
            yield f"{place}: {value!r} is no {kind}"
        else:
            yield from self._fields(value, getattr(self._models, kind), place)

    def _items(self, value: Any, of: str, item: str, place: str) -> Iterator[str]:
        if not isinstance(value, list if of == "list" else dict):
            yield f"{place}: {value!r} is no {of}"
            return
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        for key, each in pairs:
            yield from self.problems(each, item, f"{place}[{key}]")

    def _fields(self, value: JsonObject, model: Any, place: str) -> Iterator[str]:
        names = {name: attribute for attribute, name in model.attribute_map.items()}
        for key, each in value.items():
            if key in names:
                yield from self.problems(each, model.openapi_types[names[key]], f"{place}.{key}")
            else:
                yield f"{place}: unknown field {key}"
        try:
            # Required fields and values of enumerations are checked by the model itself.
            model(**{names[key]: each for key, each in value.items() if key in names})
        except ValueError as error:
            yield f"{place}: {error}"
