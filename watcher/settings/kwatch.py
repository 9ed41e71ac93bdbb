"""A configuration of kwatch's (0.8 to its main branch of 2026) into one of Watcher's.

The result is a configuration and, where a filter or a threshold is a matter of rules, a rule file beside it. Each
part says in a comment which key it came from. Whatever is not taken over is said, with its place in kwatch's file and
what to do instead; the result is then read as a configuration, so that what is wrong in it is said too.

What the keys mean is in kwatchkeys, where they stand in kwatchfile; kwatchproviders, kwatchfilters and kwatchroutes
make receivers, changes of rules and routes of them.
"""

from __future__ import annotations

from pathlib import Path as FilePath
from typing import Any, Final

import msgspec

from watcher.lib.problems import Problem, sort_problems
from watcher.lib.yamlpos import load as load_yaml
from watcher.settings.configfile import ConfigFile
from watcher.settings.errors import ConfigErrors
from watcher.settings.kwatchfile import find
from watcher.settings.kwatchfilters import Filters, read_filters
from watcher.settings.kwatchoptions import file_reference
from watcher.settings.kwatchreader import Reader
from watcher.settings.kwatchroutes import read_receivers
from watcher.settings.kwatchrules import Change, problems_of, rule_file, works
from watcher.settings.kwatchwriter import Noted, plain, write
from watcher.settings.load import read
from watcher.settings.overrides import Overrides
from watcher.settings.own import OwnShape

_URL: Final = "https://not-known-here.invalid/"
_STAND_INS: Final = {"bot_token": "1000000:not-known-here", "chat_id": "1", "apprise_configs": "json://not-known-here"}
"""What stands for what is in files and in the environment of another machine, while the result is checked."""


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """`text`: the configuration. `rules`: the file beside it, empty where none is needed. `left`: what is to be done by
    hand; `notes`: what is good to know."""

    text: str
    rules: str
    left: tuple[Problem, ...]
    notes: tuple[Problem, ...]


def import_kwatch(text: str | bytes, name: str, result: str, rules: str = "") -> Imported:
    """Import the file called `name`; `result` and `rules` are the names of the files that are written.

    Without a name for rules, what needs them is left. Raises ConfigErrors where kwatch itself would not start with it.
    """
    found = find(text, name)
    reader = Reader(found.source)
    reader.notes.extend(found.notes)
    reader.check()
    filters = read_filters(reader)
    changes, rule_text = _rules(reader, filters, rules)
    data = _configuration(reader, filters, rules if changes else "")
    if reader.errors:
        raise ConfigErrors(sort_problems(reader.errors))
    written = _head(FilePath(name).name) + write(data)
    problems = _checked(data, _head(FilePath(name).name), result)
    left = [*reader.left, *(problem for problem in problems if problem.is_error)]
    notes = [*reader.notes, *(problem for problem in problems if not problem.is_error)]
    return Imported(text=written, rules=rule_text, left=sort_problems(left), notes=sort_problems(notes))


def _head(name: str) -> str:
    return f"# Imported from kwatch's {name} by `watcher import kwatch`.\n"


# -- the configuration -------------------------------------------------------------------------------------------


def _configuration(reader: Reader, filters: Filters, rules: str) -> dict[str, Any]:
    data: dict[str, Any] = {}
    if cluster := reader.text(("app", "clusterName")):
        data["cluster"] = Noted(cluster, f"from {reader.origin(('app', 'clusterName'))}")
    for key in ("namespaces", "exclude_namespaces"):
        if words := getattr(filters, key):
            data["watch"] = Noted({key: words}, f"from {reader.origin(('namespaces',))}")
    data.update(_volumes(reader))
    if rules:
        data["rules"] = Noted(
            [rules], "the shipped rules with kwatch's filters and thresholds; they replace the shipped"
        )
    if (flag := reader.flag(("reportStartupBaseline",))) is not None:
        origin = reader.origin(("reportStartupBaseline",))
        data["first_start"] = Noted("summary" if flag else "silent", f"from {origin}")
    data.update(_http(reader))
    data.update(_heartbeat(reader))
    data.update(_hints(reader))
    data.update(_shared(reader))
    data.update(read_receivers(reader, filters.hidden))
    return data


def _volumes(reader: Reader) -> dict[str, Any]:
    values: dict[str, Any] = {}
    if reader.flag(("pvcMonitor", "enabled")) is False:
        values["source"] = "none"
    minutes = reader.number(("pvcMonitor", "interval"))
    if minutes is not None and minutes >= 1:
        values["interval"] = f"{int(minutes)}m"
    if reader.flag(("kubelet", "insecureSkipVerify")):
        values["insecure_skip_verify"] = True
    return {"volumes": Noted(values, "from pvcMonitor and kubelet")} if values else {}


def _http(reader: Reader) -> dict[str, Any]:
    path = ("healthCheck", "diagnosticsToken")
    return {"http": Noted(values, f"from {reader.origin(path)}")} if (values := _secret(reader, path, "token")) else {}


def _heartbeat(reader: Reader) -> dict[str, Any]:
    path = ("heartbeatMonitor", "url")
    values = _secret(reader, path, "url")
    enabled = reader.flag(("heartbeatMonitor", "enabled"))
    if not values:
        if enabled:
            reader.leave(("heartbeatMonitor", "enabled"), "heartbeatMonitor has no url, so there is nothing to call")
        return {}
    if not enabled:
        reader.note(path, "heartbeatMonitor.url is not taken over: heartbeatMonitor.enabled is not true")
        return {}
    return {"heartbeat": Noted(values, f"from {reader.origin(path)}")}


def _secret(reader: Reader, path: tuple[str, ...], key: str) -> dict[str, str]:
    text = reader.text(path)
    if file := file_reference(text):
        return {f"{key}_file": file}
    return {key: text} if text else {}


def _hints(reader: Reader) -> dict[str, Any]:
    if reader.at(("maintenance",)) is None or reader.flag(("maintenance", "enabled")) is False:
        return {}
    annotation = reader.text(("maintenance", "annotation")) or "kwatch.io/maintenance"
    until = reader.text(("maintenance", "untilAnnotation")) or "kwatch.io/maintenance-until"
    message = f"write watcher.io/ignore: all where {annotation} stands, watcher.io/mute-until where {until} does"
    reader.leave(("maintenance",), message)
    hints = [{"namespaces": ["*"], "allow": ["ignore", "mute-until"]}]
    return {"hints": Noted(hints, f"from {reader.origin(('maintenance',))}")}


def _shared(reader: Reader) -> dict[str, Any]:
    """What holds for every channel that speaks HTTP."""
    client: dict[str, Any] = {}
    if proxy := reader.text(("app", "proxyURL")):
        client["proxy_url"] = proxy
        reader.note(("app", "proxyURL"), "Apprise's services and the heartbeat take HTTPS_PROXY from the environment")
    tls: dict[str, Any] = {}
    if reader.flag(("app", "insecureSkipTLSVerify")):
        tls["insecure_skip_verify"] = True
    if bundle := reader.text(("app", "caBundlePath")):
        tls["ca_file"] = bundle
    if tls:
        client["tls_config"] = tls
    return {"global": Noted({"http_config": client}, "from app")} if client else {}


# -- rules -------------------------------------------------------------------------------------------------------


def _rules(reader: Reader, filters: Filters, name: str) -> tuple[list[Change], str]:
    """The changes that can be made, and the file with them."""
    changes = filters.changes
    if not name:
        for change in changes:
            message = "needs a rule file, which is written beside the configuration with -o FILE"
            reader.leave(change.path, f"{'.'.join(map(str, change.path))} {message}")
        return [], ""
    if not changes:
        return [], ""
    head = "The shipped rules with changes for kwatch's filters and thresholds, by `watcher import kwatch`.\n"
    head += "After an upgrade of Watcher import again, or you keep the rules of the version before."
    text = rule_file(changes, head)
    if not any(problem.is_error for problem in problems_of(text, name)):
        return changes, text
    good: list[Change] = []
    for change in changes:
        if wrong := works([*good, change]):
            reader.leave(change.path, f"{'.'.join(map(str, change.path))} is not taken over: {wrong}")
        else:
            good.append(change)
    return (good, rule_file(good, head)) if good else ([], "")


# -- the check ---------------------------------------------------------------------------------------------------


def _checked(data: dict[str, Any], head: str, result: str) -> list[Problem]:
    """What is wrong with the result, apart from files and variables of another machine. Places are the result's."""
    document = load_yaml(head + write(_known(data, "")), result)
    file = ConfigFile(document, FilePath(), {}, [])
    read(file, Overrides(OwnShape, {}), ())
    return list(file.problems)


def _known(value: Any, above: str) -> Any:
    """The data, line by line the same, with stand-ins for what is elsewhere."""
    if isinstance(value, Noted):
        return Noted(_known(value.value, above), value.comment)
    if isinstance(value, list):
        return [_known(each, above) for each in value]
    if not isinstance(value, dict):
        return value
    known: dict[str, Any] = {}
    for key, each in value.items():
        bare = plain(each)
        if key == "ca_file":
            known[key] = ""
        elif key.endswith("_file"):
            known[key.removesuffix("_file")] = _stand_in(key.removesuffix("_file"), above)
        elif isinstance(bare, str) and "${" in bare and "${file:" not in bare:
            known[key] = _stand_in(key, above)
        else:
            known[key] = _known(each, key if key.endswith("_configs") else above)
    return known


def _stand_in(key: str, above: str) -> str:
    return _STAND_INS.get(above if above == "apprise_configs" else key, _URL)
