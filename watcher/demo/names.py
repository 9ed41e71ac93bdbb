"""Names, hashes and ids as Kubernetes makes them, but drawn from a seed: the same scenario has the same names."""

from __future__ import annotations

import hashlib

# apimachinery/pkg/util/rand: no vowels, so that no word appears by chance.
_SAFE = "bcdfghjklmnpqrstvwxz2456789"


def digest(*parts: str) -> bytes:
    return hashlib.sha256("\0".join(parts).encode()).digest()


def suffix(*parts: str, length: int = 5) -> str:
    """The random end of a generated name: `x7k2p`."""
    return "".join(_SAFE[byte % len(_SAFE)] for byte in digest("suffix", *parts)[:length])


def template_hash(*parts: str) -> str:
    """A pod-template-hash: the decimal digits of a 32-bit hash, in safe letters, as `rand.SafeEncodeString` does."""
    number = int.from_bytes(digest("template", *parts)[:4], "big")
    return "".join(_SAFE[ord(digit) % len(_SAFE)] for digit in str(number))


def container_id(*parts: str) -> str:
    return f"containerd://{digest('container', *parts).hex()}"


def image_id(image: str) -> str:
    """`repository@sha256:…`, the same for the same image."""
    name, _, tag = image.rpartition(":")
    repository = name if name and "/" not in tag else image
    return f"{repository.partition('@')[0]}@sha256:{digest('image', image).hex()}"


def fraction(*parts: str) -> float:
    """A number from 0 up to 1 that stands for chance."""
    return int.from_bytes(digest("fraction", *parts)[:6], "big") / 2**48


def pod_address(*parts: str) -> str:
    one, two, three = digest("address", *parts)[:3]
    return f"10.{240 + one % 8}.{two}.{2 + three % 250}"
