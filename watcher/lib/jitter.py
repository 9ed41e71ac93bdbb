"""Chance that a replay repeats: a share of a pause, drawn from a text.

FNV-1a alone does not do: the last characters of a text hardly reach its high bits, so that the attempts of one message
(`…/1`, `…/2`) would all draw the same share. MurmurHash3's finalizer spreads them.
Source: https://github.com/aappleby/smhasher/blob/master/src/MurmurHash3.cpp (fmix64)
"""

from typing import Final

from watcher.lib.fnv import fnv1a64

_MASK: Final = 0xFFFFFFFFFFFFFFFF
_ALL: Final = float(2**53)


def share(text: str) -> float:
    """At least 0, less than 1; always the same for the same text."""
    mixed = fnv1a64(text.encode())
    for factor in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
        mixed = ((mixed ^ (mixed >> 33)) * factor) & _MASK
    return ((mixed ^ (mixed >> 33)) >> 11) / _ALL
