"""How far apart two masks are: the overlap of areas and of contours, the distance of contours."""

import numpy as np
from jaxtyping import Array, Bool, Float64

# [b, y, x, m]; that two of them fit is checked with a message
Masks = Bool[Array, "b _ _ _"] | Bool[np.ndarray, "b _ _ _"]


def mask_iou(a: Masks, b: Masks) -> Float64[np.ndarray, "b"]:
    """The intersection over union of two masks, for each sample.

        IoU(A, B) = |A ∩ B| / |A ∪ B|

    With several classes it is the mean over those that occur in A or B; where none does, both
    masks are empty, and the value is 1.

    Args:
      a: masks `[b, y, x, m]`, one for each of m classes.
      b: likewise.

    Raises:
      ValueError: the shapes differ.

    Example:
      >>> import numpy as np
      >>> from gcnn import verify
      >>> square = np.zeros((1, 8, 8, 1), bool)
      >>> square[:, 2:6, 2:6] = True
      >>> float(verify.mask_iou(square, np.roll(square, 1, axis=2))[0])  # (w - s) / (w + s)
      0.6
    """
    return mean_ratio(*overlap(a, b))


def overlap(a: Masks, b: Masks) -> tuple[Float64[np.ndarray, "b m"], Float64[np.ndarray, "b m"]]:
    """Pixels of the intersection and of the union, for each sample and class."""
    a, b = np.asarray(a), np.asarray(b)
    if a.shape != b.shape:
        raise ValueError(f"Masks of shapes {a.shape} and {b.shape} cannot be compared.")
    return (a & b).sum(axis=(1, 2), dtype=float), (a | b).sum(axis=(1, 2), dtype=float)


def mean_ratio(
    intersection: Float64[np.ndarray, "*n m"], union: Float64[np.ndarray, "*n m"]
) -> Float64[np.ndarray, "*n"]:
    """The mean of intersection / union over the classes that occur, 1 where none does."""
    occurs = union > 0
    ratio = np.where(occurs, intersection / np.maximum(union, 1), 0.0)
    classes = occurs.sum(axis=-1)
    return np.where(classes > 0, ratio.sum(axis=-1) / np.maximum(classes, 1), 1.0)


def boundary_band(mask: Masks, width: int = 1) -> Bool[np.ndarray, "b _ _ _"]:
    """The pixels of a mask that lie within `width` pixels of its contour, on its inner side.

    The mask without what `width` erosions by a square of 3 x 3 leave of it. The border of the
    image is contour, as if all around it were background.

    Args:
      mask: `[b, y, x, m]`.
      width: of the band, in pixels, 1 or more.

    Raises:
      ValueError: the width is not positive.
    """
    if width < 1:
        raise ValueError(f"The width of a boundary is 1 pixel or more, got {width}.")
    mask = np.asarray(mask)
    ny, nx = mask.shape[1:3]
    eroded = mask
    for _ in range(width):
        padded = np.pad(eroded, ((0, 0), (1, 1), (1, 1), (0, 0)))
        rows = padded[:, :ny] & padded[:, 1 : ny + 1] & padded[:, 2:]
        eroded = rows[:, :, :nx] & rows[:, :, 1 : nx + 1] & rows[:, :, 2:]
    return mask & ~eroded


def boundary_iou(a: Masks, b: Masks, width: int = 1) -> Float64[np.ndarray, "b"]:
    """The intersection over union of the boundary bands of two masks, for each sample.

        IoU(A_d, B_d),  A_d = {p in A : p is within d pixels of the contour of A}

    The boundary IoU of Cheng et al. 2021, "Boundary IoU: improving object-centric image
    segmentation evaluation". Where the area of a large mask hides an error of its contour, this
    does not. Distances are those of `boundary_band`: the larger one of rows and columns.

    Args:
      a: masks `[b, y, x, m]`.
      b: likewise.
      width: d, in pixels; the paper takes 2 % of the diagonal of the image.

    Raises:
      ValueError: the shapes differ, or the width is not positive.
    """
    return mask_iou(boundary_band(a, width), boundary_band(b, width))


def surface_distance(a: Masks, b: Masks) -> Float64[np.ndarray, "b"]:
    """The mean distance in pixels between the contours of two masks, for each sample.

        ( Σ_{p ∈ ∂A} d(p, ∂B) + Σ_{q ∈ ∂B} d(q, ∂A) ) / ( |∂A| + |∂B| )

    with Euclidean distances, and ∂A the boundary band of A of width 1. With several classes it is
    the mean over those that occur in A or B. If one mask is empty and the other is not, the
    distance is the diagonal of the image; if both are, it is 0.

    Args:
      a: masks `[b, y, x, m]`.
      b: likewise.

    Raises:
      ValueError: the shapes differ.
    """
    return contour_distance(boundary_band(a), boundary_band(b))


def contour_distance(a: Masks, b: Masks) -> Float64[np.ndarray, "b"]:
    """`surface_distance` of masks whose contours are given as masks."""
    a, b = np.asarray(a), np.asarray(b)
    if a.shape != b.shape:
        raise ValueError(f"Masks of shapes {a.shape} and {b.shape} cannot be compared.")
    diagonal = float(np.hypot(*a.shape[1:3]))
    means = np.zeros(len(a))
    for i in np.flatnonzero((a != b).any(axis=(1, 2, 3))):
        classes = np.flatnonzero((a[i] | b[i]).any(axis=(0, 1)))
        both = [
            np.concatenate(
                [_nearest(a[i, ..., c], b[i, ..., c]), _nearest(b[i, ..., c], a[i, ..., c])]
            )
            for c in classes
        ]
        means[i] = np.mean([np.minimum(d, diagonal).mean() for d in both])
    return means


def _nearest(
    points: Bool[np.ndarray, "y x"], others: Bool[np.ndarray, "y x"]
) -> Float64[np.ndarray, "n"]:
    """From each of the points the distance to the nearest of the others; infinite if none."""
    ny, nx = others.shape
    row = np.arange(ny)[:, None]
    above = np.maximum.accumulate(np.where(others, row, -np.inf), axis=0)
    below = np.minimum.accumulate(np.where(others, row, np.inf)[::-1], axis=0)[::-1]
    in_column = np.minimum(row - above, below - row)  # to the nearest one of the same column
    y, x = np.nonzero(points)
    across = x[:, None] - np.arange(nx)
    return np.sqrt(np.min(in_column[y] ** 2 + across**2, axis=1, initial=np.inf))
