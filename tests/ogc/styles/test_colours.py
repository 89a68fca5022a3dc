"""CSS colours, and what is none."""

from typing import Any

import pytest

from samsyn_provider.styles.colours import parse_colour


@pytest.mark.parametrize(
    ("text", "expected", "alpha"),
    [
        ("#c2410c", "#c2410c", 1),
        ("#C2410C", "#c2410c", 1),
        (" #abc ", "#aabbcc", 1),
        ("#abc8", "#aabbcc", 0x88 / 255),
        ("#c2410c80", "#c2410c", 0x80 / 255),
        ("teal", "#008080", 1),
        ("RebeccaPurple", "#663399", 1),
        ("transparent", "#000000", 0),
        ("rgb(194, 65, 12)", "#c2410c", 1),
        ("rgb(194 65 12 / 50%)", "#c2410c", 0.5),
        ("rgba(194,65,12,.25)", "#c2410c", 0.25),
        ("rgb(100%, 0%, 50%)", "#ff0080", 1),
        ("rgb(300, -5, 12.6)", "#ff000d", 1),
        ("hsl(120, 100%, 25%)", "#008000", 1),
        ("hsla(-240deg 100% 25% / 2)", "#008000", 1),
    ],
)
def test_colours(text: str, expected: str, alpha: float) -> None:
    colour = parse_colour(text)
    assert colour is not None
    assert (colour.hex, colour.alpha) == (expected, alpha)


@pytest.mark.parametrize(
    "value",
    [
        *(None, 1, True, 1e308, [], {}, ["#c2410c"], {"r": 1}),
        *("", " ", "#", "#c2", "#c2410", "#c2410c8", "#gggggg", "#c2410c\0", "c2410c"),
        *("reddish", "url(#a)", "currentcolor", "inherit", "var(--a)", "#１２３", "rgb(١, ٢, ٣)"),
        *("rgb(1,2)", "rgb(1,2,3,4,5)", "rgb(1%,2,3)", "rgb(a,b,c)", "rgb(1,2,3", "hsl(1,2,3)"),
        *("rgb(1e9999,2,3)", "rgb(nan,nan,nan)", "rgb(" + "1" * 10_000 + ",2,3)", "#" * 1_000_000),
        '"/><script>alert(1)</script>',
        "#c2410c</CssParameter>",
    ],
)  # fmt: skip
def test_what_is_no_colour(value: Any) -> None:
    assert parse_colour(value) is None
