"""Hostile and odd pictures: each becomes a clean square, or a sentence under the field."""

from __future__ import annotations

import contextlib
import io
import random
import struct
import time
import zlib
from typing import Any

import pytest
from PIL import Image

from staffroom.core import images
from staffroom.core.errors import Invalid

RED, BLUE = (200, 30, 30), (30, 30, 200)


def file(picture: Image.Image, kind: str, **how: Any) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, **how)
    return out.getvalue()


def halves(size: tuple[int, int] = (80, 40), mode: str = "RGB") -> Image.Image:
    """The left half red, the right one blue."""
    picture = Image.new("RGB", size, RED)
    picture.paste(BLUE, (size[0] // 2, 0, *size))
    return picture.convert(mode)


def square(content: bytes, crop: str = "") -> Image.Image:
    drawn = images.squares(content, "avatar", sizes=(256, 96), crop=crop)
    assert list(drawn) == [256, 96]
    pictures = [Image.open(io.BytesIO(one)) for one in drawn.values()]
    assert [(one.format, one.size) for one in pictures] == [("WEBP", (256, 256)), ("WEBP", (96, 96))]
    assert not {"exif", "icc_profile", "xmp"} & set(pictures[0].info)
    assert getattr(pictures[0], "n_frames", 1) == 1
    return pictures[0].convert("RGBA")


def refused(content: bytes, crop: str = "") -> str:
    with pytest.raises(Invalid) as wrong:
        images.squares(content, "avatar", sizes=(256, 96), crop=crop)
    return wrong.value.errors["avatar"][0]


def is_like(picture: Image.Image, at: tuple[int, int], colour: tuple[int, int, int]) -> bool:
    found = picture.getpixel(at)
    assert isinstance(found, tuple)
    return all(abs(one - other) < 30 for one, other in zip(found, colour, strict=False))


def png_head(width: int, height: int, *more: bytes) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    body = b"".join(more) or chunk(b"IDAT", zlib.compress(bytes(1000)))
    return b"\x89PNG\r\n\x1a\n" + head + body + chunk(b"IEND", b"")


class TestWhatIsDrawn:
    @pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF"])
    def test_the_middle_of_a_wide_picture(self, kind: str) -> None:
        drawn = square(file(halves(), kind))
        assert is_like(drawn, (40, 128), RED)
        assert is_like(drawn, (216, 128), BLUE)

    def test_the_part_that_was_chosen(self) -> None:
        drawn = square(file(halves(), "PNG"), crop="0.5,0,1")
        assert all(is_like(drawn, at, BLUE) for at in ((10, 10), (245, 245)))
        assert is_like(square(file(halves((4000, 2000)), "JPEG"), crop="0,0.5,0.25"), (250, 250), RED)

    def test_a_part_that_reaches_over_the_edge_is_moved_back(self) -> None:
        assert is_like(square(file(halves(), "PNG"), crop="0.99,0.99,1"), (128, 128), BLUE)

    @pytest.mark.parametrize("crop", ["1,2", "a,b,c", "nan,0,1", "-1,0,1", "0,0,0", "0,0,inf", "0,0,1,1"])
    def test_a_part_that_is_none(self, crop: str) -> None:
        assert "cannot be read" in refused(file(halves(), "PNG"), crop)

    def test_a_photograph_stands_upright(self) -> None:
        """Orientation 6: the camera was held so that its left is up."""
        exif = Image.Exif()
        exif[0x0112] = 6
        exif[0x010E] = "taken at home"
        content = file(halves((80, 80)), "JPEG", exif=exif)
        drawn = square(content)
        assert is_like(drawn, (128, 20), RED)
        assert is_like(drawn, (128, 236), BLUE)
        assert b"taken at home" in content
        assert all(
            b"taken at home" not in one for one in images.squares(content, "a", sizes=(256, 96)).values()
        )

    def test_transparency_stays(self) -> None:
        for kind, mode in (("PNG", "RGBA"), ("PNG", "LA"), ("WEBP", "RGBA")):
            picture = Image.new(mode, (10, 10), (0,) * len(mode))
            assert square(file(picture, kind)).getpixel((128, 128))[3] == 0  # type: ignore[index]
        palette = Image.new("P", (10, 10), 0)
        assert square(file(palette, "PNG", transparency=0)).getpixel((1, 1))[3] == 0  # type: ignore[index]
        assert square(file(palette, "GIF", transparency=0)).getpixel((1, 1))[3] == 0  # type: ignore[index]

    @pytest.mark.parametrize(
        ("mode", "kind"), [("CMYK", "JPEG"), ("1", "PNG"), ("L", "JPEG"), ("P", "PNG"), ("L", "WEBP")]
    )
    def test_every_way_to_store_colours(self, mode: str, kind: str) -> None:
        square(file(halves(mode=mode), kind))

    def test_sixteen_bits_of_grey_stay_grey(self) -> None:
        grey = Image.new("I;16", (10, 10), 128 * 256)
        assert is_like(square(file(grey, "PNG")), (5, 5), (128, 128, 128))

    @pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
    def test_of_an_animation_the_first_frame(self, kind: str) -> None:
        frames = [Image.new("RGB", (20, 20), colour) for colour in (RED, BLUE)]
        content = file(frames[0], kind, save_all=True, append_images=frames[1:], duration=50)
        assert is_like(square(content), (128, 128), RED)

    def test_one_pixel_is_enough(self) -> None:
        assert is_like(square(file(Image.new("RGB", (1, 1), RED), "PNG")), (128, 128), RED)
        square(file(Image.new("RGB", (1, 5000), RED), "PNG"))

    def test_what_hides_behind_a_picture_is_gone(self) -> None:
        script = b"/*<script>alert(1)</script>*/"
        for content in (file(halves(), "GIF") + script, file(halves(mode="P"), "GIF", comment=script)):
            square(content)
            assert all(b"script" not in one for one in images.squares(content, "a", sizes=(256, 96)).values())


class TestWhatIsRefused:
    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b"<svg xmlns='http://www.w3.org/2000/svg'/>",
            b"<?xml version='1.0'?><svg/>",
            b"%PDF-1.7",
            b"GIF89a",
            b"II*\0" + bytes(100),
            file(Image.new("RGB", (4, 4)), "TIFF"),
            file(Image.new("RGB", (4, 4)), "BMP"),
            file(Image.new("RGB", (4, 4)), "ICO"),
            file(Image.new("RGB", (4, 4)), "PPM"),
        ],
        ids=range(10),
    )
    def test_other_kinds_whatever_they_are_called(self, content: bytes) -> None:
        assert refused(content) == "Choose a PNG, JPEG, WebP or GIF picture."

    @pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
    def test_half_a_picture(self, kind: str) -> None:
        noise = Image.frombytes("RGB", (64, 64), random.Random(7).randbytes(64 * 64 * 3))
        content = file(noise, kind)
        assert refused(content[: len(content) // 2])

    def test_more_bytes_than_fit(self) -> None:
        assert "5 MB" in refused(b"\x89PNG" + bytes(images.MOST_BYTES))

    def test_a_few_bytes_that_ask_for_gigabytes(self) -> None:
        gif = bytearray(file(halves(), "GIF"))
        gif[6:10] = struct.pack("<HH", 60_000, 60_000)
        frames = b"\x02\0\0\0" + b"\xff\x3f\0" * 2
        webp = b"RIFF" + struct.pack("<I", 22) + b"WEBPVP8X" + struct.pack("<I", 10) + frames
        began = time.monotonic()
        for content in (
            png_head(30_000, 30_000),
            png_head(2**31 - 1, 1),
            png_head(4100, 4100),
            bytes(gif),
            webp,
        ):
            assert refused(content)
        assert "16 million pixels" in refused(png_head(4100, 4100))
        assert time.monotonic() - began < 1

    def test_a_jpeg_of_a_thousand_passes(self) -> None:
        content = file(halves((2000, 2000)), "JPEG", progressive=True)
        start = content.rindex(b"\xff\xda")
        assert "passes" in refused(content[:start] + content[start:-2] * 100 + content[-2:])

    def test_whatever_is_broken_in_it_is_said_and_nothing_else_is_raised(self) -> None:
        luck = random.Random(5)
        exif = Image.Exif()
        exif[0x0112] = 6
        whole = [file(halves(), kind, **how) for kind, how in (("PNG", {}), ("GIF", {}), ("WEBP", {"exif": exif}),
                 ("JPEG", {"exif": exif}), ("JPEG", {"progressive": True}))]  # fmt: skip
        for _try in range(600):
            content = bytearray(luck.choice(whole))
            for _bit in range(luck.randint(1, 12)):
                content[luck.randrange(len(content))] = luck.randrange(256)
            with contextlib.suppress(Invalid):
                images.squares(bytes(content), "avatar", sizes=(256, 96))
