"""Fingerprints of label sets, the same as Alertmanager's.

FNV-1a with 64 bits over, for each label sorted by name, the name, 0xFF, the value and 0xFF
(`LabelSet.Fingerprint` in prometheus/common). Go sorts names by their bytes; Python's order of code points
is the same order in UTF-8. Labels with an empty value are the caller's to drop: Alertmanager drops them on
intake.
"""

from collections.abc import Mapping
from typing import Final

_OFFSET: Final = 0xCBF29CE484222325
_PRIME: Final = 0x100000001B3
_MASK: Final = 0xFFFFFFFFFFFFFFFF


def fnv1a64(data: bytes) -> int:
    """The FNV-1a hash with 64 bits of `data`; of no bytes it is the offset 0xcbf29ce484222325."""
    digest = _OFFSET
    for byte in data:
        digest = ((digest ^ byte) * _PRIME) & _MASK
    return digest


def fingerprint(labels: Mapping[str, str]) -> str:
    """The fingerprint of `labels` as 16 lower-case hex digits.

    Lone surrogates, which no UTF-8 text can hold, are hashed as their three raw bytes and raise nothing.
    """
    text = "".join([f"{name}\0{value}\0" for name, value in sorted(labels.items())])
    if text.count("\0") == 2 * len(labels):
        data = text.encode("utf-8", "surrogatepass").replace(b"\0", b"\xff")
    else:
        data = b"".join(_pair(name, value) for name, value in sorted(labels.items()))
    return f"{fnv1a64(data):016x}"


def _pair(name: str, value: str) -> bytes:
    return name.encode("utf-8", "surrogatepass") + b"\xff" + value.encode("utf-8", "surrogatepass") + b"\xff"
