"""The hash function of caches and module identities: BLAKE2b.

The interpreter's own implementation, without `hashlib`: that one loads OpenSSL, which takes as long as all of our own
modules together and is not used here.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hashlib import blake2b
else:
    try:
        from _blake2 import blake2b
    except ImportError:
        from hashlib import blake2b

__all__ = ["blake2b", "digest"]


def digest(data: bytes | bytearray | memoryview, size: int = 32) -> bytes:
    """The checksum of some bytes, `size` bytes long."""
    return blake2b(data, digest_size=size).digest()
