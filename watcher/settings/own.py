"""Watcher's own keys: from the file and, over it, from WATCHER_… variables, into the configuration's records."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, timedelta, tzinfo
from pathlib import Path as FilePath
from typing import Annotated, Any, Final, Literal

import msgspec
from pydantic import Field, ValidationError

from watcher.lib.problems import Problem
from watcher.lib.shapes import Duration, Shape, shape_problems
from watcher.lib.yamlpos import Path
from watcher.model.config import (
    FirstStart,
    HintRule,
    HttpConfig,
    LeaderElectionConfig,
    LinkConfig,
    Secret,
    StoreConfig,
    StormConfig,
    VolumesConfig,
    WatchConfig,
)
from watcher.settings.addresses import is_http_url, is_origin, parse_listen
from watcher.settings.configfile import ConfigFile
from watcher.settings.files import FileProblem, read_bytes, read_secret
from watcher.settings.hints import HintShape, read_hints
from watcher.settings.links import LinkShape, read_links
from watcher.settings.overrides import Overrides
from watcher.settings.zones import read_zone

_SECOND: Final = timedelta(seconds=1)
_LARGEST_CA: Final = 1024 * 1024
"""Bytes: the CAs of a whole operating system are a quarter of it."""
_STORES: Final = ("sqlite:///", "postgresql://", "postgres://")


class WatchShape(Shape):
    namespaces: list[str] = Field(default_factory=list)
    exclude_namespaces: list[str] = Field(default_factory=list)


class VolumesShape(Shape):
    source: Literal["kubelet", "apiserver", "none"] = "kubelet"
    interval: Duration = VolumesConfig().interval
    ca_file: str = ""
    insecure_skip_verify: bool = False


class StoreShape(Shape):
    url: str = ""
    url_file: str = ""
    retention: Duration = StoreConfig().retention


class HttpShape(Shape):
    listen: str = ""
    external_url: str = ""
    token: str = ""
    token_file: str = ""
    posts_token: str = ""
    posts_token_file: str = ""
    open_writes: bool = False
    cors_origins: list[str] = Field(default_factory=list)


class HeartbeatShape(Shape):
    url: str = ""
    url_file: str = ""


class StormShape(Shape):
    groups: Annotated[int, Field(ge=1)] = StormConfig().groups
    within: Duration = StormConfig().within


class LeaderElectionShape(Shape):
    enabled: bool = False
    lease: str = "watcher"
    namespace: str = ""
    lease_duration: Duration = LeaderElectionConfig().lease_duration
    renew_deadline: Duration = LeaderElectionConfig().renew_deadline
    retry_period: Duration = LeaderElectionConfig().retry_period
    address: str = ""


class OwnShape(Shape):
    """Watcher's own keys (design.md section 4); Alertmanager's are elsewhere."""

    cluster: str = ""
    watch: WatchShape = Field(default_factory=WatchShape)
    volumes: VolumesShape = Field(default_factory=VolumesShape)
    rules: list[str] | None = None
    first_start: Literal["summary", "alert", "silent"] = FirstStart.SUMMARY.value
    store: StoreShape = Field(default_factory=StoreShape)
    http: HttpShape = Field(default_factory=HttpShape)
    leader_election: LeaderElectionShape = Field(default_factory=LeaderElectionShape)
    heartbeat: HeartbeatShape = Field(default_factory=HeartbeatShape)
    storm: StormShape = Field(default_factory=StormShape)
    hints: list[HintShape] = Field(default_factory=list)
    links: list[LinkShape] = Field(default_factory=list)
    time_zone: str = ""
    record: str = ""


OWN_KEYS: Final = frozenset(OwnShape.model_fields)


class Own(msgspec.Struct, frozen=True, kw_only=True):
    """What they come to."""

    cluster: str = ""
    watch: WatchConfig = WatchConfig()
    volumes: VolumesConfig = VolumesConfig()
    rules: tuple[tuple[str, Path], ...] | None = None
    """Patterns and where they stand; None: the shipped packs."""
    first_start: FirstStart = FirstStart.SUMMARY
    store: StoreConfig = StoreConfig()
    http: HttpConfig = HttpConfig()
    election: LeaderElectionConfig = LeaderElectionConfig()
    heartbeat_url: Secret | None = None
    storm: StormConfig = StormConfig()
    hints: tuple[HintRule, ...] = ()
    links: tuple[LinkConfig, ...] = ()
    zone: tzinfo = UTC
    record: str = ""


def own_settings(file: ConfigFile, overrides: Overrides) -> Own:
    """Our own keys of `file` with the environment's values over them; with errors, whatever could be read."""
    data = {key: value for key, value in _mapping(file.document.data).items() if key in OWN_KEYS}
    values = overrides.over(_filled(file, data, ()))
    try:
        shape = OwnShape.model_validate(values)
    except ValidationError as error:
        problems = shape_problems(error, file.document, OwnShape, ())
        file.problems.extend(_placed(file, overrides, error, problems))
        wrong = {each["loc"][0] for each in error.errors(include_input=False, include_url=False)}
        shape = OwnShape.model_validate({key: value for key, value in values.items() if key not in wrong})
    return _Reader(file, overrides).own(shape)


class _Reader:
    """The checks that look at more than a value's type."""

    def __init__(self, file: ConfigFile, overrides: Overrides) -> None:
        self.file = file
        self.overrides = overrides

    def own(self, shape: OwnShape) -> Own:
        rules = None if shape.rules is None else tuple((each, ("rules", i)) for i, each in enumerate(shape.rules))
        for path, span in (
            (("volumes", "interval"), shape.volumes.interval),
            (("storm", "within"), shape.storm.within),
        ):
            if span < _SECOND:
                self.wrong(path, f"{path[-1]} must be one second or more")
        store = self.store(shape.store)
        return Own(
            cluster=shape.cluster,
            watch=WatchConfig(
                namespaces=tuple(shape.watch.namespaces), exclude_namespaces=tuple(shape.watch.exclude_namespaces)
            ),
            volumes=self.volumes(shape.volumes),
            rules=rules,
            first_start=FirstStart(shape.first_start),
            store=store,
            http=self.http(shape.http),
            election=self.election(shape.leader_election, store),
            heartbeat_url=self.secret(("heartbeat", "url"), shape.heartbeat.url, shape.heartbeat.url_file),
            storm=StormConfig(groups=shape.storm.groups, within=shape.storm.within),
            hints=read_hints(shape.hints, self.wrong),
            links=read_links(shape.links, self.wrong),
            zone=self.zone(shape.time_zone),
            record=shape.record,
        )

    def zone(self, name: str) -> tzinfo:
        try:
            return read_zone(name)
        except ValueError as error:
            self.wrong(("time_zone",), str(error))
            return UTC

    def volumes(self, shape: VolumesShape) -> VolumesConfig:
        ca_file = str(self.file.directory / shape.ca_file) if shape.ca_file else ""
        if ca_file and shape.insecure_skip_verify:
            self.wrong(("volumes", "insecure_skip_verify"), "give ca_file or insecure_skip_verify, not both")
        elif ca_file:
            try:
                read_bytes(FilePath(ca_file), _LARGEST_CA)
            except FileProblem as error:
                self.wrong(("volumes", "ca_file"), f"{shape.ca_file}: {error}")
        return VolumesConfig(
            source=shape.source,
            interval=shape.interval,
            ca_file=ca_file,
            insecure_skip_verify=shape.insecure_skip_verify,
        )

    def store(self, shape: StoreShape) -> StoreConfig:
        url = self.secret(("store", "url"), shape.url, shape.url_file)
        if url is not None and not url.value.startswith(_STORES):
            self.wrong(("store", "url"), "url must begin with sqlite:/// or postgresql://")
        return StoreConfig(url=url or StoreConfig().url, retention=shape.retention)

    def election(self, shape: LeaderElectionShape, store: StoreConfig) -> LeaderElectionConfig:
        where = "leader_election"
        store_is_known = not (self.is_wrong(("store", "url")) or self.is_wrong(("store", "url_file")))
        if shape.enabled and store_is_known and store.url.value.startswith("sqlite"):
            said = "several replicas need a store that they share: give store.url: postgresql://…"
            self.wrong((where, "enabled"), said)
        if not shape.lease_duration > shape.renew_deadline > shape.retry_period > timedelta():
            self.wrong((where,), "lease_duration must be longer than renew_deadline, and that longer than retry_period")
        if shape.enabled and not is_http_url(shape.address) and not self.is_wrong((where, "address")):
            said = "give address, where the other replicas reach this one, as in http://${POD_IP}:9093"
            self.wrong((where, "address") if shape.address else (where,), said)
        return LeaderElectionConfig(**shape.model_dump())

    def http(self, shape: HttpShape) -> HttpConfig:
        host, port = HttpConfig().host, HttpConfig().port
        if shape.listen:
            try:
                host, port = parse_listen(shape.listen)
            except ValueError as error:
                self.wrong(("http", "listen"), f"listen {error}")
        if shape.external_url and not is_http_url(shape.external_url):
            self.wrong(("http", "external_url"), "external_url must be an http or https URL")
        return HttpConfig(
            host=host,
            port=port,
            external_url=shape.external_url.rstrip("/"),
            token=self.secret(("http", "token"), shape.token, shape.token_file),
            posts_token=self.secret(("http", "posts_token"), shape.posts_token, shape.posts_token_file),
            open_writes=shape.open_writes,
            cors_origins=self.origins(shape.cors_origins),
        )

    def origins(self, given: list[str]) -> tuple[str, ...]:
        for number, origin in enumerate(given):
            if origin != "*" and not is_origin(origin):
                said = "an origin is a scheme and a host, as in https://karma.example.org (or *, for all)"
                self.wrong(("http", "cors_origins", number), said)
        return tuple(given)

    def secret(self, path: tuple[str, str], value: str, file: str) -> Secret | None:
        """A value, or the content of its `_file` twin; both were filled from the environment already."""
        twin = (path[0], f"{path[1]}_file")
        if value and file:
            self.wrong(twin, f"give {path[1]} or {twin[1]}, not both")
        elif file:
            try:
                value = read_secret(self.file.directory / file)
            except FileProblem as error:
                self.wrong(twin, f"{file}: {error}")
        if path == ("heartbeat", "url") and value and not is_http_url(value):
            self.wrong(path if not file else twin, "url must be an http or https URL")
        return Secret(value) if value else None

    def is_wrong(self, path: Path) -> bool:
        """Whether this value has an error already: what follows from it need not be said too."""
        place = self.overrides.position(path)
        if place is None and self.file.at(path) is not None:
            place = self.file.document.position(path)
        return any(problem.is_error and problem.position == place for problem in self.file.problems)

    def wrong(self, path: Path, message: str) -> None:
        position = self.overrides.position(path) or self.file.document.position(path)
        self.file.problems.append(Problem(position=position, message=message))


def _placed(
    file: ConfigFile, overrides: Overrides, error: ValidationError, problems: list[Problem]
) -> Iterator[Problem]:
    """Problems of values that came from the environment name the variable, and never the value."""
    for each, problem in zip(error.errors(include_input=False, include_url=False), problems, strict=True):
        path = tuple(each["loc"])
        position = overrides.position(path)
        from_outside = position is not None or "${" in (file.document.source(path) or "")
        message = problem.message
        if from_outside and each["type"] == "value_error":
            message = f"{path[-1]} is wrong: what the environment holds does not fit"
        yield Problem(position=position or problem.position, message=message)


def _filled(file: ConfigFile, data: Any, path: Path) -> Any:
    """The data with `${NAME}` replaced in every text."""
    if isinstance(data, dict):
        return {key: _filled(file, value, (*path, key)) for key, value in data.items()}
    if isinstance(data, list):
        return [_filled(file, value, (*path, index)) for index, value in enumerate(data)]
    return file.filled(data, path) if isinstance(data, str) else data


def _mapping(data: Any) -> dict[str, Any]:
    return data if isinstance(data, dict) else {}
