"""kubernetes_asyncio without its models: the only place that imports it.

Its package imports 768 model modules and every API class, 33 MiB that we never use, a third of what the whole idle
service may take. Needed are the configuration loaders and ApiClient. So, while these are imported, empty modules stand
where the package, its `client` and its `models` would be; afterwards all of it leaves sys.modules, so that a whole
import elsewhere works as ever. Where the package is loaded already, or has another layout than that of version 36, it
is simply imported.
"""

from __future__ import annotations

import functools
import importlib
import sys
from importlib.util import find_spec
from types import ModuleType
from typing import Any, NamedTuple

_NAME = "kubernetes_asyncio"


class Library(NamedTuple):
    """What is used of it. Untyped: its own annotations are partly missing."""

    api_client: Any
    configuration: Any
    config_error: type[Exception]
    load_kubeconfig: Any
    load_service_account: Any


@functools.cache
def library() -> Library:
    """Import it, once."""
    if _NAME not in sys.modules:
        try:
            return _light()
        except (ImportError, AttributeError):
            pass
    return _parts()


def _parts() -> Library:
    client = importlib.import_module(f"{_NAME}.client")
    config = importlib.import_module(f"{_NAME}.config")
    return Library(
        client.ApiClient,
        client.Configuration,
        config.ConfigException,
        config.load_kube_config,
        config.load_incluster_config,
    )


def _light() -> Library:
    try:
        _put_empty_modules()
        client = sys.modules[f"{_NAME}.client"]
        for module, name in (("configuration", "Configuration"), ("api_client", "ApiClient")):
            # In this order: the loaders in `config` import both from `client`.
            setattr(client, name, getattr(importlib.import_module(f"{_NAME}.client.{module}"), name))
        return _parts()
    finally:
        for name in [name for name in sys.modules if name == _NAME or name.startswith(f"{_NAME}.")]:
            del sys.modules[name]


def _put_empty_modules() -> None:
    spec = find_spec(_NAME)
    if spec is None or not spec.submodule_search_locations:
        raise ImportError(f"{_NAME} is not installed")
    root = spec.submodule_search_locations[0]
    package, client, models = (ModuleType(f"{_NAME}{part}") for part in ("", ".client", ".client.models"))
    package.__path__ = [root]
    client.__path__ = [f"{root}/client"]
    vars(package)["client"] = client
    vars(client)["models"] = models
    sys.modules.update({module.__name__: module for module in (package, client, models)})
