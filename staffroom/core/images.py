"""Pictures from outside: read with distrust, given back as small squares in which nothing of the upload is left.

What is kept is drawn anew (WebP), so no metadata, no second frame and nothing that hid beside the picture survives.
A few bytes can ask for gigabytes or minutes, so before anything is decoded its kind, its pixels and its passes are
looked at, and one process decodes one picture at a time.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Final

from django.core.files.base import File
from django.utils.translation import gettext as _
from PIL import Image, ImageOps, UnidentifiedImageError

from .errors import Invalid

MOST_BYTES: Final = 5 * 1024 * 1024
# A JPEG is decoded at a part of its size; what others need, up to 24 bytes for a pixel, is held in memory at once.
MOST_PIXELS: Final = 16_000_000
_MOST_OF_A_JPEG: Final = 25_000_000
_MOST_SCANS: Final = 32  # of a JPEG: each goes over the whole picture again and may be ten bytes long
_FORMATS: Final = ("PNG", "JPEG", "WEBP", "GIF")
_SCAN: Final = b"\xff\xda"

Image.MAX_IMAGE_PIXELS = _MOST_OF_A_JPEG
_one_at_a_time = Lock()
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Crop:
    """A square of a picture that stands upright. `x` and `y` are its corner as parts of width and height, `side` its
    edge as a part of the shorter one."""

    x: float
    y: float
    side: float

    @classmethod
    def read(cls, text: str) -> Crop | None:
        """`x,y,side`; None for nothing at all. Raises ValueError."""
        if not text.strip():
            return None
        x, y, side = (float(part) for part in text[:100].split(","))
        if not (0 <= x < 1 and 0 <= y < 1 and 0 < side <= 1):
            raise ValueError(text)
        return cls(x, y, side)

    def box(self, width: int, height: int) -> tuple[int, int, int, int]:
        side = max(1, round(self.side * min(width, height)))
        left = min(round(self.x * width), width - side)
        top = min(round(self.y * height), height - side)
        return left, top, left + side, top + side


def uploaded(file: File[bytes] | None, field: str) -> bytes:
    """What a form sent along, if it may be looked at. Raises `Invalid`."""
    if file is None:
        raise Invalid({field: [_("Choose a picture first.")]})
    if file.size > MOST_BYTES:
        raise Invalid({field: [_too_heavy()]})
    return bytes(file.read())


def squares(content: bytes, field: str, *, sizes: tuple[int, ...], crop: str = "") -> Mapping[int, bytes]:
    """The picture's square in each size (pixels, the largest first), as WebP; the middle where no `crop` is given.

    Raises `Invalid` for `field`.
    """
    try:
        chosen = Crop.read(crop)
    except ValueError:
        raise Invalid({field: [_("The part of the picture that was chosen cannot be read.")]}) from None
    if len(content) > MOST_BYTES:
        raise Invalid({field: [_too_heavy()]})
    with _one_at_a_time:
        return _drawn(_square(content, field, chosen, sizes[0]), sizes)


def _too_heavy() -> str:
    return _("This file is larger than %(most)s MB.") % {"most": MOST_BYTES // 1024**2}


def _square(content: bytes, field: str, crop: Crop | None, size: int) -> Image.Image:
    try:
        picture = _opened(content, field)
        if crop and crop.side * min(picture.size) > 2 * size:
            enough = 2 * size / (crop.side * min(picture.size))
            picture.draft(None, (round(picture.width * enough), round(picture.height * enough)))
        ImageOps.exif_transpose(picture, in_place=True)
        box = (crop or _middle(picture)).box(*picture.size)
        return _plain(picture.crop(box))
    except Invalid:
        raise
    except Exception as error:
        # What a decoder makes of garbage cannot be listed; all of it means that this is no picture.
        log.info("a picture was refused: %s", type(error).__name__)
        raise Invalid({field: [_("This picture is damaged: it cannot be read to its end.")]}) from None


def _opened(content: bytes, field: str) -> Image.Image:
    """Only the header has been read."""
    is_jpeg = content.startswith(b"\xff\xd8")
    most = _MOST_OF_A_JPEG if is_jpeg else MOST_PIXELS
    try:
        picture = Image.open(io.BytesIO(content), formats=_FORMATS)
    except Image.DecompressionBombError:
        raise Invalid({field: [_too_large(most)]}) from None
    except UnidentifiedImageError:
        raise Invalid({field: [_("Choose a PNG, JPEG, WebP or GIF picture.")]}) from None
    if picture.width * picture.height > most:
        raise Invalid({field: [_too_large(most)]})
    if is_jpeg and content.count(_SCAN) > _MOST_SCANS:
        raise Invalid(
            {field: [_("This JPEG is put together in too many passes. Save it anew and try again.")]}
        )
    return picture


def _too_large(most: int) -> str:
    return _("This picture has more than %(most)s million pixels. Make it smaller and try again.") % {
        "most": most // 1_000_000
    }


def _middle(picture: Image.Image) -> Crop:
    width, height = picture.size
    side = min(width, height)
    return Crop((width - side) / 2 / width, (height - side) / 2 / height, 1)


def _plain(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith("I"):  # 16 bits of grey; Pillow would cut off all but the darkest
        picture = picture.convert("I").point(lambda value: value * (1 / 256)).convert("L")
    return picture.convert("RGBA" if picture.has_transparency_data else "RGB")


def _drawn(picture: Image.Image, sizes: tuple[int, ...]) -> dict[int, bytes]:
    drawn = {}
    for size in sizes:
        picture = picture.resize((size, size), Image.Resampling.LANCZOS, reducing_gap=3)
        picture.info.clear()
        file = io.BytesIO()
        picture.save(file, "WEBP", quality=86, method=4)
        drawn[size] = file.getvalue()
    return drawn
