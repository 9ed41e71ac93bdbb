"""Alerts that others post (Prometheus, vmalert, scripts): what they say."""

from __future__ import annotations

from datetime import datetime

import msgspec

POSTED_NAMES = {"starts_at": "startsAt", "ends_at": "endsAt", "generator_url": "generatorURL"}
"""What Alertmanager's JSON calls them."""


class PostedAlert(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True, rename=POSTED_NAMES):
    """As Alertmanager's API takes it; its shape has been checked. None: not told."""

    labels: dict[str, str]
    annotations: dict[str, str] = {}
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    generator_url: str = ""


class Posting(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What is remembered of one: from when until when it fires unless it is posted again."""

    starts_at: datetime
    ends_at: datetime
    updated_at: datetime
    timeout: bool = False
    """`ends_at` was not told: it is so much later than the post as `resolve_timeout` says."""
    generator_url: str = ""
