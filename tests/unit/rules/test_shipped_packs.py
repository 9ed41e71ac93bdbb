"""The shipped packs with their own tests, played through the whole pipeline with the shipped routes."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from watcher.lib.yamlpos import load
from watcher.model.config import FirstStart, Receiver, Secret, WebhookConfig
from watcher.model.message import Notification
from watcher.model.observations import Ended
from watcher.model.state import AlertState
from watcher.pipeline import Core
from watcher.replay.player import Player
from watcher.rules.compile import compile_rules
from watcher.rules.testfile import Expected, RuleTest, Sent, inputs, mismatches, parse_tests
from watcher.settings.shipped import directory
from watcher.settings.shippedroutes import shipped_inhibitions, shipped_route

PACKS = sorted(path for path in directory("rules").glob("*.yaml"))


def cases() -> Iterator[object]:
    for pack in PACKS:
        file = pack.parent / "tests" / pack.name
        tests, problems = parse_tests(load(file.read_bytes(), str(file)))
        assert problems == []
        yield from (pytest.param(file, test, id=f"{pack.stem}: {test.name}") for test in tests)


def core(file: Path, rule_files: tuple[str, ...]) -> Core:
    paths = [file.parent / name for name in rule_files]
    rules, problems = compile_rules([load(path.read_bytes(), str(path)) for path in paths])
    assert problems == []
    ops = Receiver(name="ops", integrations=(("webhook_configs[0]", WebhookConfig(url=Secret("http://ops"))),))
    return Core.build(
        rules=rules,
        route=shipped_route("ops"),
        receivers=(ops,),
        inhibit_rules=shipped_inhibitions(),
        first_start=FirstStart.ALERT,
    )


class Run:
    def __init__(self, file: Path, test: RuleTest) -> None:
        self.player = Player(core(file, test.rule_files))
        self.waiting = inputs(test, lambda file, item: pytest.fail(f"{file} {item} is not read here"))
        self.sent: list[Notification] = []

    def until(self, expectation_at: object) -> None:
        while self.waiting and self.waiting[0].at <= expectation_at:  # type: ignore[operator]
            self.sent += self.player.feed([self.waiting.pop(0)])
        self.sent += self.player.feed([Ended(at=expectation_at)])  # type: ignore[arg-type]

    def firing(self) -> list[Expected]:
        view = self.player.view
        return [
            Expected(
                alert=alert.key.alertname,
                namespace=alert.key.namespace,
                workload=alert.key.workload,
                container=alert.key.container,
                members=sum(member.alert == alert.key for member in view.members.rows.values()),
            )
            for alert in view.alerts.rows.values()
            if alert.state is AlertState.FIRING
        ]

    def told(self) -> list[Sent]:
        alerts = [alert for notification in self.sent for alert in notification.alerts]
        self.sent = []
        return [
            Sent(alert=alert.labels["alertname"], status=alert.status, reason=str(alert.end_reason or ""))
            for alert in alerts
        ]


@pytest.mark.parametrize(("file", "test"), list(cases()))
def test_the_shipped_packs_keep_what_their_own_tests_say(file: Path, test: RuleTest) -> None:
    run = Run(file, test)
    for expectation in test.expectations:
        run.until(expectation.at)
        assert mismatches(expectation, run.firing()) == ()
        told = run.told()
        if expectation.notified is not None:
            assert list(map(str, told)) == list(map(str, expectation.notified))


def test_every_pack_has_tests_that_fire_and_tests_that_must_not_and_each_says_why() -> None:
    for pack in PACKS:
        file = pack.parent / "tests" / pack.name
        tests, _ = parse_tests(load(file.read_bytes(), str(file)))
        firing = {expected.alert for test in tests for each in test.expectations for expected in each.firing}
        rules, _ = compile_rules([load(pack.read_bytes(), str(pack))])
        assert {rule.alert for rule in rules} <= firing
        assert any(not any(each.firing for each in test.expectations) for test in tests)
        assert all(test.reason for test in tests)
