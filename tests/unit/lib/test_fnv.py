from hypothesis import given
from hypothesis import strategies as st

from watcher.lib.fnv import fingerprint, fnv1a64


def reference(labels: dict[str, str]) -> str:
    """The definition, byte by byte."""
    digest = 0xCBF29CE484222325
    for name in sorted(labels, key=lambda each: each.encode()):
        for byte in name.encode() + b"\xff" + labels[name].encode() + b"\xff":
            digest = (digest ^ byte) * 0x100000001B3 % 2**64
    return f"{digest:016x}"


def test_alertmanagers_own_fingerprint_is_reproduced() -> None:
    labels = {"severity": "critical", "alertname": "A1", "cluster": "c1"}
    assert fingerprint(labels) == "af69f40dfc0853e0"


def test_no_labels_give_the_offset() -> None:
    assert fingerprint({}) == "cbf29ce484222325"


def test_published_vectors_of_fnv_1a_are_met() -> None:
    assert fnv1a64(b"a") == 0xAF63DC4C8601EC8C
    assert fnv1a64(b"foobar") == 0x85944171F73967E8


@given(st.dictionaries(st.text(), st.text(), max_size=5))
def test_any_labels_hash_as_the_definition_says(labels: dict[str, str]) -> None:
    usable = {
        name: value for name, value in labels.items() if not any("\ud800" <= rune <= "\udfff" for rune in name + value)
    }
    assert fingerprint(usable) == reference(usable)


def test_a_value_with_a_nul_is_not_confused_with_the_end_of_a_label() -> None:
    labels = {"a": "x\0y", "b": ""}
    assert fingerprint(labels) == reference(labels)
    assert fingerprint({"a": "x", "y": ""}) != fingerprint({"a": "x\0y\0"})


def test_a_lone_surrogate_does_not_raise() -> None:
    assert len(fingerprint({"a": "\ud800"})) == 16
