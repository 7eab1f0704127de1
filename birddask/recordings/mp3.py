"""What an MP3 file says of its length; pure.

A frame is here what MPEG calls so: a piece of the file that stands for 576 or 1152 samples of each channel.
"""

from __future__ import annotations

import re

# The first frame of most files is no sound: behind its header are zeros, as many as Layer III's side information takes
# by version of MPEG and number of channels, then a mark, flags, the number of frames and that of bytes.
_COUNTS = re.compile(
    rb"\xff(?:"
    rb"[\xfa\xfb].(?:[\x00-\xbf]\0{32}|[\xc0-\xff]\0{17})"
    rb"|[\xe2\xe3\xf2\xf3].(?:[\x00-\xbf]\0{17}|[\xc0-\xff]\0{9})"
    rb")(?:Xing|Info)\0{3}[\x03\x07\x0b\x0f](?!\0{4})(?P<frames>.{4})(?P<size>.{4})",
    re.DOTALL,
)
# 8 kbit/s at 24 kHz.
_SMALLEST_FRAME_BYTES = 24
_ID3_HEAD_BYTES = 10
_ID3_FOOTER = 0x10


def stated_end(head: bytes) -> int | None:
    """Where the last frame ends, in bytes from the start of the file, as its first frame says.

    None if that does not say both this and the number of frames, or what can't be: then only the file itself tells.

    Args:
        head: the first bytes of the file.
    """
    start = _first_frame(head)
    counts = _COUNTS.match(head, start)
    if counts is None:
        return None
    frames, size = (int.from_bytes(counts[name], "big") for name in ("frames", "size"))
    return start + size if frames * _SMALLEST_FRAME_BYTES <= size else None


def _first_frame(head: bytes) -> int:
    """What is behind an ID3v2 tag (section 3.1 of version 2.4), if there is one."""
    if not head.startswith(b"ID3") or len(head) < _ID3_HEAD_BYTES:
        return 0
    size = 0
    for seven_bits in head[6:10]:
        size = size << 7 | seven_bits & 0x7F
    return _ID3_HEAD_BYTES + size + (_ID3_HEAD_BYTES if head[5] & _ID3_FOOTER else 0)
