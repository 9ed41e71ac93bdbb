"""The pages about rules say what the code says."""

import inspect
import re
from pathlib import Path

from watcher.lib.yamlpos import load
from watcher.model import signals
from watcher.rules.compile import compile_rules
from watcher.rules.document import signals_page
from watcher.settings.shipped import directory

DOCS = Path(__file__).parents[3] / "docs"


def shipped_alerts() -> set[str]:
    rules, _ = compile_rules([load(path.read_bytes(), str(path)) for path in sorted(directory("rules").glob("*.yaml"))])
    return {rule.alert for rule in rules}


def test_the_page_about_signals_is_up_to_date() -> None:
    page = (DOCS / "signals.md").read_text(encoding="utf-8")
    assert page == signals_page(inspect.getsource(signals)), "run: python -m watcher.rules.document > docs/signals.md"


def test_the_page_about_signals_names_every_signal_with_every_field() -> None:
    page = signals_page(inspect.getsource(signals))
    for name, signal in signals.SIGNALS.items():
        assert f"\n## {name}\n" in page
        for field in signal.__struct_fields__:
            assert f"| `{field}` |" in page


def test_a_field_shows_its_type_and_the_text_below_it() -> None:
    source = (
        "class Signal(msgspec.Struct):\n    '''Every.'''\n    OCCURRENCE: ClassVar[bool] = False\n"
        "    size: int | None = None\n    '''In bytes,\n    or a|b.'''\n"
        "class Broken(Signal, tag='Broken'):\n    '''It broke.'''\n    OCCURRENCE: ClassVar[bool] = True\n"
        "class Other:\n    pass\n"
    )
    page = signals_page(source)
    assert "| `size` | whole number, may be unknown | In bytes, or a\\|b. |" in page
    assert "## Broken\n\nIt broke.\n\nAn *occurrence*, with the fields of [every signal](#every-signal).\n" in page
    assert "OCCURRENCE" not in page
    assert "Other" not in page


def test_each_shipped_alert_has_a_runbook_with_all_its_parts() -> None:
    text = (DOCS / "runbooks.md").read_text(encoding="utf-8")
    sections = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL))
    assert set(sections) == shipped_alerts()
    for part in ("**Means.**", "**Look first.**", "**Usually.**", "**Do.**"):
        assert {name for name, body in sections.items() if part not in body} == set()
