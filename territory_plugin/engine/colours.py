"""The colours of territories, and how far apart people see them, with all cones or with two."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

PALETTE = ("#0488dc", "#7c4058", "#f4dc7c", "#4c6404", "#ace8e8", "#d06464", "#947ca0", "#d0dcb8")
"""Eight quiet colours, found by a search for the largest of the smallest differences (`apart`): between any two of the
first five, which do for most maps, and between any two of all."""
OPACITY = 0.55
"""Of a territory's fill, so that what lies below can be read."""
INK = "#22313f"
VISIONS = {
    "normal": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
    "protanopia": (
        (0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998),
    ),
    "deuteranopia": (
        (0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881),
    ),
    "tritanopia": (
        (1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900),
    ),
}  # fmt: skip
"""Matrices on linear RGB, of severity 1: Machado, Oliveira & Fernandes (2009), A physiologically-based model for
simulation of color vision deficiency, IEEE Transactions on Visualization and Computer Graphics 15(6), table 1."""
TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)


def rgb(colours: Sequence[str]) -> np.ndarray:
    """Return colours written #rrggbb as shares of red, green and blue, shape (n, 3)."""
    return np.array([list(bytes.fromhex(colour[1:])) for colour in colours], dtype=float).reshape(-1, 3) / 255


def over_white(colours: np.ndarray, opacity: float) -> np.ndarray:
    """Return colours, shape (n, 3), as they come out when drawn on white paper."""
    return 1 - opacity + opacity * colours


def as_seen(colours: np.ndarray, vision: str) -> np.ndarray:
    """Return colours as CIE L*a*b* (D65) after what a vision makes of them.

    Parameters
    ----------
    colours : numpy.ndarray of float, shape (n, 3)
        sRGB, 0 to 1.
    vision : str
        A key of `VISIONS`.
    """
    linear = np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ np.array(VISIONS[vision]).T, 0, 1)
    share = (seen @ TO_XYZ.T) / TO_XYZ.sum(axis=1)
    edge = 6 / 29
    x, y, z = np.where(share > edge**3, np.cbrt(share), share / (3 * edge**2) + 4 / 29).T
    return np.column_stack([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def difference(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return the CIEDE2000 difference of colours in L*a*b*, shapes (..., 3).

    Sharma, Wu & Dalal (2005), The CIEDE2000 color-difference formula, Color Research & Application 30(1).
    """
    (l1, a1, b1), (l2, a2, b2) = np.moveaxis(one, -1, 0), np.moveaxis(other, -1, 0)
    chroma = (np.hypot(a1, b1) + np.hypot(a2, b2)) / 2
    stretch = 1.5 - 0.5 * np.sqrt(chroma**7 / (chroma**7 + 25.0**7))
    c1, c2 = np.hypot(stretch * a1, b1), np.hypot(stretch * a2, b2)
    h1, h2 = np.degrees(np.arctan2(b1, stretch * a1)) % 360, np.degrees(np.arctan2(b2, stretch * a2)) % 360
    grey = c1 * c2 == 0
    turn = np.where(grey, 0.0, (h2 - h1 + 180) % 360 - 180)
    hue = np.where(grey, h1 + h2, (h1 + turn / 2) % 360)
    lightness, mean = (l1 + l2) / 2, (c1 + c2) / 2
    weight = (
        1 - 0.17 * np.cos(np.radians(hue - 30)) + 0.24 * np.cos(np.radians(2 * hue))
        + 0.32 * np.cos(np.radians(3 * hue + 6)) - 0.20 * np.cos(np.radians(4 * hue - 63))
    )  # fmt: skip
    by_lightness = (l2 - l1) / (1 + 0.015 * (lightness - 50) ** 2 / np.sqrt(20 + (lightness - 50) ** 2))
    by_chroma = (c2 - c1) / (1 + 0.045 * mean)
    by_hue = 2 * np.sqrt(c1 * c2) * np.sin(np.radians(turn / 2)) / (1 + 0.015 * mean * weight)
    bend = np.sin(np.radians(60 * np.exp(-(((hue - 275) / 25) ** 2))))
    rotation = -2 * bend * np.sqrt(mean**7 / (mean**7 + 25.0**7))
    return np.sqrt(by_lightness**2 + by_chroma**2 + by_hue**2 + rotation * by_chroma * by_hue)


def apart(colours: Sequence[str] = PALETTE, opacity: float = OPACITY) -> np.ndarray:
    """Return how far apart two colours are for whoever tells them apart worst, shape (n, n), CIEDE2000.

    Parameters
    ----------
    colours : sequence of str
        Written #rrggbb.
    opacity : float
        At which they are drawn on white.
    """
    drawn = over_white(rgb(colours), opacity)
    seen = [as_seen(drawn, vision) for vision in VISIONS]
    return np.min([difference(each[:, None], each[None]) for each in seen], axis=0)
