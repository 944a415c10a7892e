"""Device memory that is reused, because freeing it makes the whole GPU wait."""

from __future__ import annotations

from collections.abc import Callable

SMALLEST = 2**16
LARGEST = 2**26
LIMIT = 2**29


class Blocks:
    """Blocks of device memory, in sizes that are powers of two. What is larger than ``LARGEST`` is not reused.

    Whoever gives a block back has waited for all work on it. Its content is whatever was there.
    """

    def __init__(self, allocate: Callable[[int], int], free: Callable[[int], None], limit: int = LIMIT) -> None:
        """``limit`` is the most bytes of unused blocks."""
        self._allocate, self._free, self._most = allocate, free, limit
        self._unused: dict[int, list[int]] = {}
        self._held = 0

    def take(self, nbytes: int) -> int:
        """The address of at least ``nbytes`` bytes. Raises what ``allocate`` raises once nothing unused is left."""
        size = self._size(nbytes)
        unused = self._unused.get(size)
        if unused:
            self._held -= size
            return unused.pop()
        try:
            return self._allocate(size)
        except RuntimeError:
            if not self._held:
                raise
            self.release()
            return self._allocate(size)

    def give(self, address: int, nbytes: int) -> None:
        """Return the block that was taken for ``nbytes``."""
        size = self._size(nbytes)
        if size > LARGEST or self._held + size > self._most:
            self._free(address)
        else:
            self._held += size
            self._unused.setdefault(size, []).append(address)

    def release(self) -> None:
        """Free all unused blocks."""
        for addresses in self._unused.values():
            while addresses:
                self._free(addresses.pop())
        self._held = 0

    @staticmethod
    def _size(nbytes: int) -> int:
        return nbytes if nbytes > LARGEST else max(SMALLEST, 1 << (nbytes - 1).bit_length())
