"""Rotation of 28 x 28 images in integer arithmetic: the same bytes on every machine.

Floating-point sines differ in the last bit between mathematical libraries, and one bit is enough
to change a rounded pixel. Here an angle is an integer number of 65 536ths of a turn, sines are
integers over 2^24, positions integers over 2^10 and weights integers over 2^10, so that

    rotate(x, t + QUARTER) == rot90(rotate(x, t)) == rotate(rot90(x), t)
    rotate(flip(x), -t) == flip(rotate(x, t))

hold exactly for every t, not only up to rounding.
"""

import math

import numpy as np
from numpy.typing import NDArray

TURN = 1 << 16  # angle units in a full turn
QUARTER = TURN // 4
SINE_BITS = 24  # twice a distance to the centre fits int32: 2^24 * 27 sqrt 2 < 2^31
POSITION_BITS = 10  # a source position is known to 1/1024 of a pixel
WEIGHT_BITS = 10

_SIDE = 28
_PAD = 7  # a corner is 19.1 pixels off the centre 13.5 and its taps reach two more: -7 ... 34
_PADDED = _SIDE + 2 * _PAD
_TAPS = 4
_CHUNK = 32  # images per pass; the working arrays then stay in the second-level cache


def sine_table() -> NDArray[np.int32]:
    """The sine of every angle, rounded to the nearest integer over 2^24.

    table[t] = round(2^24 sin(2 pi t / 65536)), int32 [65536 + 16384]; cos(t) = table[t + 16384].

    The first quarter of a turn comes from the addition theorem,
    (c, s)[t + 1] = (c, s)[t] * (cos 1, sin 1), in integers over 2^128: 16 384 roundings cost
    14 of the 104 bits to spare. There are no ties: the only rational sines are 0, 1/2 and 1, and a
    twelfth of a turn is not on this grid.
    """
    one = 1 << 128
    step = _pi(128) // (TURN // 2)
    cos_step, sin_step, term = 0, 0, one
    for n in range(1, 20, 2):  # Taylor; the step is below 1e-4, so order 20 is far below 2^-128
        cos_step += term
        term = term * step // (n * one)
        sin_step += term
        term = -term * step // ((n + 1) * one)
    cosine, sine, quarter = one, 0, []
    for _ in range(QUARTER + 1):
        quarter.append((sine + (1 << 103)) >> 104)
        cosine, sine = (
            (cosine * cos_step - sine * sin_step) >> 128,
            (sine * cos_step + cosine * sin_step) >> 128,
        )
    rising = np.array(quarter, dtype=np.int32)
    half = np.concatenate([rising, rising[-2:0:-1]])
    return np.concatenate([half, -half, rising[:-1]])


def _pi(bits: int) -> int:
    """Pi over 2^bits by Machin's formula, pi = 16 arctan(1/5) - 4 arctan(1/239)."""

    def arctan_of_inverse(x: int) -> int:
        power, total, n = (1 << (bits + 16)) // x, 0, 1
        while power:
            total += power // n if n % 4 == 1 else -(power // n)
            power, n = power // (x * x), n + 2
        return total

    return (16 * arctan_of_inverse(5) - 4 * arctan_of_inverse(239)) >> 16


def radians(turns: NDArray[np.integer]) -> NDArray[np.float64]:
    """The angles 2 pi turns[n] / 65536, float64 [n]: one IEEE product, so the same everywhere."""
    return turns.astype(np.float64) * (2 * math.pi / TURN)


def keys_table() -> NDArray[np.int32]:
    """The cubic convolution weights of Keys (1981) with a = -1/4, integers over 2^10.

    table[tap, f] weighs the pixel at floor(p) + tap - 1 for a position p whose fraction is
    f / 1024, int32 [4, 1024]. Every column sums to 2^10 (a constant image stays constant) and
    table[tap, f] == table[3 - tap, 1024 - f] (no direction is preferred).
    """
    one = 1 << POSITION_BITS
    columns = []
    for f in range(one // 2 + 1):
        # Four times the weights times 2^30, exact.
        outer = -f * one**2 + 2 * f**2 * one - f**3
        inner = f * one**2 + 10 * f**2 * one - 7 * f**3
        last = -(f**2) * one + f**3
        before, after, beyond = ((w + (1 << 21)) >> 22 for w in (outer, inner, last))
        columns.append((before, one - before - after - beyond, after, beyond))
    mirrored = [column[::-1] for column in columns[one // 2 - 1 : 0 : -1]]
    return np.array(columns + mirrored, dtype=np.int32).T.copy()


def rotate(images: NDArray[np.uint8], turns: NDArray[np.integer]) -> NDArray[np.uint8]:
    """Turns every image counter-clockwise about its centre (13.5, 13.5).

    With (y, x) measured from the centre and theta = 2 pi turns[n] / 65536,

        out[n, y, x] = images[n](y cos theta + x sin theta, x cos theta - y sin theta),

    where images[n](., .) is the cubic interpolant (Keys 1981, a = -1/4) of the image
    continued by zeros, rounded and clipped to 0 ... 255. This is the sense of `np.rot90(image)`.

    Args:
        images: uint8 [n, 28, 28], pixel (y, x) of image n.
        turns: integers [n], the angle of image n in 65 536ths of a turn, of either sign.

    Returns:
        uint8 [n, 28, 28].
    """
    if images.dtype != np.uint8 or images.shape[1:] != (_SIDE, _SIDE):
        raise ValueError(
            f"rotate needs uint8 images [n, 28, 28], got {images.dtype} {list(images.shape)}"
        )
    if turns.shape != images.shape[:1] or not np.issubdtype(turns.dtype, np.integer):
        raise ValueError(
            f"rotate needs one integer angle for each of {len(images)} images, "
            f"got {turns.dtype} {list(turns.shape)}"
        )
    sines, weights = sine_table(), keys_table()
    out = np.empty_like(images)
    for start in range(0, len(images), _CHUNK):
        chunk = slice(start, start + _CHUNK)
        angle = turns[chunk].astype(np.int64) % TURN
        out[chunk] = _rotate_chunk(images[chunk], sines[angle + QUARTER], sines[angle], weights)
    return out


def _rotate_chunk(
    images: NDArray[np.uint8],
    cosine: NDArray[np.int32],
    sine: NDArray[np.int32],
    weights: NDArray[np.int32],
) -> NDArray[np.uint8]:
    """`rotate` for a few images; cosine and sine are int32 [n] over 2^24."""
    n = len(images)
    offset = np.arange(1 - _SIDE, _SIDE, 2, dtype=np.int32)  # twice the distance to the centre
    c, s = cosine[:, None, None], sine[:, None, None]
    x, x_fraction = _nearest_position(c * offset - s * offset[:, None])  # [n, y, x]
    y, y_fraction = _nearest_position(s * offset + c * offset[:, None])

    # Four neighbours in a row share one 32-bit word, so that a pixel costs 4 reads and not 16.
    padded = np.zeros((n, _PADDED, _PADDED), np.uint32)
    padded[:, _PAD:-_PAD, _PAD:-_PAD] = images
    width = _PADDED - _TAPS + 1
    words = padded[:, :, :width].copy()
    for tap in range(1, _TAPS):
        words |= padded[:, :, tap : tap + width] << (8 * tap)
    first = np.arange(n).reshape(-1, 1, 1) * (_PADDED * width) + y * width + x

    x_weight = [row.take(x_fraction) for row in weights]
    total = np.zeros((n, _SIDE, _SIDE), np.int32)
    for row in range(_TAPS):
        word = words.take(first + row * width)
        line = x_weight[0] * (word & 255).view(np.int32)
        for tap in range(1, _TAPS):
            line += x_weight[tap] * ((word >> (8 * tap)) & 255).view(np.int32)
        total += weights[row].take(y_fraction) * line
    rounded = (total + (1 << (2 * WEIGHT_BITS - 1))) >> (2 * WEIGHT_BITS)
    return rounded.clip(0, 255).astype(np.uint8)


def _nearest_position(doubled: NDArray[np.int32]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Splits 13.5 + doubled / 2^25 into the index of the first tap and the fraction in 1/1024.

    Halves are rounded away from the centre: mirrored positions then round to mirrored positions,
    without which turning or flipping the input first would change pixels by a level.
    """
    shift = SINE_BITS + 1 - POSITION_BITS
    away = (doubled + (1 << (shift - 1)) + (doubled >> 31)) >> shift
    position = away + ((_PAD - 1) * 2 + _SIDE - 1) * (1 << (POSITION_BITS - 1))
    return position >> POSITION_BITS, position & ((1 << POSITION_BITS) - 1)
