"""Both written descriptions (OpenAPI) against a real process: what it answers is what is described, never a 5xx.

schemathesis makes requests that fit the description, and requests that do not. What Alertmanager's own server passes
over is passed over here too (an unknown word for a truth value, fields that nobody knows), so for its API requests that
do not fit may be taken; ours refuses them.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import hypothesis
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks

from tests.support.process import Process, running

CONFIG = """\
volumes: {source: none}
route: {receiver: team, group_by: [alertname], group_wait: 1h}
receivers: [{name: team, webhook_configs: [{url: "http://127.0.0.1:9/nobody"}]}, {name: nobody}]
"""
OWN = "/api/watcher/v1/openapi.json"
V2 = "/api/v2/openapi.json"
EXAMPLES = 12
"""Of each kind and operation: some 500 requests in all."""

ALWAYS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.response_headers_conformance,
]
LEFT_OUT = ("/-/reload",)
"""It changes what is asked."""


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    with running(tmp_path_factory.mktemp("service"), CONFIG) as started:
        now = datetime.now(UTC)
        for number in range(3):
            labels = {"alertname": f"A{number}", "namespace": "shop", "severity": "warning"}
            started.post("/api/v2/alerts", [{"labels": labels, "annotations": {"summary": "it is down"}}])
        silence = {
            "matchers": [{"name": "alertname", "value": "A1", "isRegex": False}],
            "startsAt": now.isoformat(),
            "endsAt": (now + timedelta(hours=1)).isoformat(),
            "createdBy": "ann",
            "comment": "tried",
        }
        started.post("/api/v2/silences", silence)
        started.post("/api/watcher/v1/receivers/team/test?wait=1s")
        yield started


def operations(process: Process, path: str) -> Iterator[Any]:
    schema = schemathesis.openapi.from_dict(process.get(path))
    each: Any
    for each in schema.get_all_operations():
        operation = each.ok()
        assert operation is not None
        if operation.path not in LEFT_OUT:
            yield operation


def hold(url: str, operation: Any, mode: GenerationMode, wanted: list[Any]) -> int:
    """Ask for it; how many requests were made. Fails with what was asked and why that is not as described."""
    asked = 0
    with requests.Session() as session:
        session.trust_env = False

        @hypothesis.seed(1)
        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def ask(case: Any) -> None:
            nonlocal asked
            asked += 1
            case.call_and_validate(base_url=url, session=session, checks=wanted)

        ask()
    return asked


def test_our_own_endpoints_answer_what_is_described_and_refuse_what_is_not(process: Process) -> None:
    known = 0
    for operation in operations(process, OWN):
        assert hold(process.url, operation, GenerationMode.POSITIVE, [*ALWAYS, checks.positive_data_acceptance])
        known += 1
        if any(len(each) for each in (operation.query, operation.path_parameters)):
            hold(process.url, operation, GenerationMode.NEGATIVE, [*ALWAYS, checks.negative_data_rejection])
    assert known >= 14


def test_alertmanagers_api_answers_what_is_described(process: Process) -> None:
    known = 0
    for operation in operations(process, V2):
        assert hold(f"{process.url}/api/v2", operation, GenerationMode.POSITIVE, ALWAYS)
        known += 1
        if operation.body or any(len(each) for each in (operation.query, operation.path_parameters)):
            hold(f"{process.url}/api/v2", operation, GenerationMode.NEGATIVE, ALWAYS)
    assert known == 9
    process.get("/-/ready")
