"""Texts of successive revisions, stored small: each is compressed against a nearby earlier text.

Two revisions of a page differ by a sentence, so zstd with an earlier text as its dictionary stores little more
than that sentence. The earlier text is a *keyframe*: about every 64th text of a page, itself stored whole, so
reading any text costs at most two decompressions.
"""

from functools import lru_cache
from typing import Final, Protocol

import zstandard

_INTERVAL: Final = 64
_LEVEL: Final = 3


class TextWriter:
    """Compresses the texts of pages in the order they come."""

    def __init__(self) -> None:
        self._whole = zstandard.ZstdCompressor(level=_LEVEL)
        self._keyframe = 0
        self._against: zstandard.ZstdCompressor | None = None
        self._left = 0

    def start_page(self) -> None:
        """Forget the last keyframe: the next text is another page's."""
        self._against = None

    def add(self, position: int, text: str) -> tuple[int | None, bytes]:
        """Return the position of the keyframe used (None for a keyframe) and the compressed text."""
        data = text.encode()
        if self._against is not None and self._left > 0:
            self._left -= 1
            return self._keyframe, self._against.compress(data)
        if data:  # an empty text would help none of the following
            prefix = zstandard.ZstdCompressionDict(data, dict_type=zstandard.DICT_TYPE_RAWCONTENT)
            self._against = zstandard.ZstdCompressor(level=_LEVEL, dict_data=prefix)
            self._keyframe = position
            self._left = _INTERVAL - 1
        return None, self._whole.compress(data)


class TextTable(Protocol):
    """Where compressed texts are kept."""

    def __call__(self, position: int) -> tuple[int | None, bytes]:
        """Return what :meth:`TextWriter.add` returned for a position."""


class TextReader:
    """Decompresses what :class:`TextWriter` made; remembers the keyframes used last."""

    def __init__(self, table: TextTable) -> None:
        self._table = table
        self._whole = zstandard.ZstdDecompressor()
        self._against = lru_cache(maxsize=32)(self._decompressor)

    def text(self, position: int) -> str:
        """Return the text at a position."""
        keyframe, data = self._table(position)
        reader = self._whole if keyframe is None else self._against(keyframe)
        return reader.decompress(data).decode()

    def _decompressor(self, keyframe: int) -> zstandard.ZstdDecompressor:
        _, data = self._table(keyframe)
        prefix = zstandard.ZstdCompressionDict(
            self._whole.decompress(data), dict_type=zstandard.DICT_TYPE_RAWCONTENT
        )
        return zstandard.ZstdDecompressor(dict_data=prefix)
