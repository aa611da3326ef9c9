"""The nuclei: the small set as committed bytes, the full one by checksum, and how each is made."""

import hashlib
import lzma
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imsave

from experiments.data import nuclei, pack_nuclei
from experiments.data.nuclei import Split

ROOT = Path(__file__).parents[1]
FULL = ROOT.parent / "shared" / "data" / "nuclei_dsb2018" / "nuclei_dsb2018_256.npz"

needs_full_set = pytest.mark.skipif(
    not FULL.is_file(), reason=f"the full set of nuclei is not beside the project ({FULL.name})"
)


def made_up(n: int = 334, side: int = 16) -> Split:
    """Examples of the right number and another content."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (n, side, side), np.uint8)
    return Split(images, images > 200)


# The small set


def test_the_splits_are_whole():
    splits = nuclei.load()
    assert {name: len(split.images) for name, split in splits.items()} == nuclei.SIZES
    for name, split in splits.items():
        assert split.images.shape == split.masks.shape == (nuclei.SIZES[name], 64, 64)
        assert split.images.dtype == np.uint8
        assert split.masks.dtype == np.bool_
        assert split.masks.any(axis=(1, 2)).all()  # some nucleus in every image
        assert 0.1 < split.masks.mean() < 0.2
    assert hashlib.sha256(nuclei.PATH.read_bytes()).hexdigest() == nuclei.FILE_SHA256
    assert nuclei.PATH.stat().st_size < 600_000


def test_no_two_images_are_alike():
    whole = nuclei.read_small()
    assert len(np.unique(whole.images.reshape(nuclei.COUNT, -1), axis=0)) == nuclei.COUNT


def test_nuclei_are_brighter_than_the_rest():
    whole = nuclei.read_small()
    inside = [image[mask].mean() for image, mask in zip(whole.images, whole.masks, strict=True)]
    outside = [image[~mask].mean() for image, mask in zip(whole.images, whole.masks, strict=True)]
    assert (np.array(inside) > np.array(outside)).all()


@pytest.mark.parametrize("place", [0, 1_000, 400_000, -20])
def test_a_flipped_byte_is_found(tmp_path, place):
    data = bytearray(nuclei.PATH.read_bytes())
    data[place] ^= 1
    path = tmp_path / "nuclei.xz"
    path.write_bytes(data)
    found = hashlib.sha256(data).hexdigest()
    expected = rf"nuclei\.xz is corrupt or truncated .*{nuclei.FILE_SHA256}, found {found}.*git"
    with pytest.raises(ValueError, match=expected):
        nuclei.read_small(path)


def test_another_xz_file_is_found(tmp_path):
    path = tmp_path / "nuclei.xz"
    path.write_bytes(lzma.compress(b"something else"))
    with pytest.raises(ValueError, match=rf"the set of nuclei: .*{nuclei.CONTENT_SHA256}.*found"):
        nuclei.read_small(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nuclei is not at .*nuclei\.xz .*pack_nuclei"):
        nuclei.read_small(tmp_path / "nuclei.xz")


# The full set


@needs_full_set
def test_the_small_set_is_made_of_the_full_one(tmp_path):
    target = tmp_path / "nuclei.xz"
    pack_nuclei.pack(FULL, target)
    assert lzma.decompress(target.read_bytes()) == lzma.decompress(nuclei.PATH.read_bytes())


@needs_full_set
def test_the_full_set_has_the_splits_of_its_source():
    splits = nuclei.load(FULL)
    with np.load(FULL) as arrays:
        for name, theirs in (("train", "train"), ("valid", "val"), ("test", "test")):
            chosen = arrays["split"] == theirs
            assert (splits[name].images == arrays["images"][chosen]).all()
            assert (splits[name].masks == (arrays["instances"][chosen] > 0)).all()


def write_npz(path: Path, **arrays) -> Path:
    np.savez(path, **arrays)
    return path


def test_another_full_set_is_found(tmp_path):
    other = made_up()
    path = write_npz(tmp_path / "other.npz", images=other.images, instances=other.masks)
    with pytest.raises(ValueError, match=rf"other images or masks .*{nuclei.FULL_SHA256}.*found"):
        nuclei.load(path)


def test_a_file_that_is_no_full_set_is_found(tmp_path):
    lacking = write_npz(tmp_path / "lacking.npz", images=made_up().images)
    text = tmp_path / "text.npz"
    text.write_text("no arrays")
    for path in (lacking, text):
        with pytest.raises(ValueError, match="is no npz file with `images` and `instances`"):
            nuclei.read_full(path)
    with pytest.raises(FileNotFoundError, match=r"no npz file at .*none\.npz.*README"):
        nuclei.read_full(tmp_path / "none.npz")


def test_a_small_set_that_comes_out_otherwise_is_refused(tmp_path, monkeypatch):
    other = made_up(side=128)
    path = write_npz(tmp_path / "other.npz", images=other.images, instances=other.masks)
    found = hashlib.sha256(nuclei.content_of(other)).hexdigest()
    monkeypatch.setattr(nuclei, "FULL_SHA256", found)
    with pytest.raises(ValueError, match=rf"came out with SHA-256 .*{nuclei.CONTENT_SHA256}"):
        pack_nuclei.pack(path, tmp_path / "nuclei.xz")
    assert not (tmp_path / "nuclei.xz").exists()


def test_halving_takes_the_mean_and_the_majority():
    image = np.array([[[1, 2, 9, 9], [3, 4, 9, 8], [0, 0, 5, 5], [0, 1, 5, 7]]], np.uint8)
    mask = np.array([[[1, 0, 1, 1], [0, 0, 1, 0], [0, 0, 0, 1], [0, 0, 1, 0]]], bool)
    small = pack_nuclei.reduce(Split(image, mask), side=2)
    assert small.images.tolist() == [[[3, 9], [0, 6]]]  # 2.5, 8.75, 0.25, 5.5: half goes up
    assert small.masks.tolist() == [[[False, True], [False, True]]]  # 1, 3, 0 and 2 of four


def test_the_square_with_the_most_nuclei_is_taken():
    quarter = np.arange(128) // 64
    places = 2 * quarter[:, None] + quarter  # 0 and 1 above, 2 and 3 below
    masks = np.zeros((4, 128, 128), bool)
    masks[0, 100, 100:110] = True
    masks[1, 100, 20:24] = masks[1, 20, 100:108] = True  # more on the upper right
    masks[2, 100, 20:24] = masks[2, 20, 100:104] = True  # as much: the first in reading order
    images = np.broadcast_to(places.astype(np.uint8), masks.shape)
    small = pack_nuclei.reduce(Split(images, masks), side=32)
    assert small.images.shape == small.masks.shape == (4, 32, 32)
    assert (small.images == np.array([3, 1, 1, 0])[:, None, None]).all()
    assert small.masks.sum(axis=(1, 2)).tolist() == [5, 4, 2, 0]


def write_png(path: Path, image: np.ndarray) -> None:
    """A png file with alpha, of grey levels as they are."""
    path.parent.mkdir(parents=True, exist_ok=True)
    alpha = np.full_like(image, 255)
    imsave(path, np.stack([image, image, image, alpha], axis=-1))


@pytest.fixture
def folder(tmp_path):
    """A made-up stage1_train: two images with two masks each, and one of another size."""
    full = made_up(2)
    for name, image, mask in zip(("b", "a"), full.images, full.masks, strict=True):
        write_png(tmp_path / "in" / name / "images" / f"{name}.png", image)
        for half in (slice(0, 8), slice(8, 16)):
            part = np.zeros_like(image)
            part[half] = 255 * mask[half]
            write_png(tmp_path / "in" / name / "masks" / f"{half.start:02}.png", part)
    write_png(tmp_path / "in" / "c" / "images" / "c.png", np.zeros((8, 16), np.uint8))
    return tmp_path / "in", full


def test_merging_joins_the_masks_in_the_order_of_ids(tmp_path, folder):
    source, full = folder
    pack_nuclei.merge(source, tmp_path / "out.npz", side=16)
    with np.load(tmp_path / "out.npz") as arrays:
        assert (arrays["images"] == full.images[::-1]).all()
        expected = full.masks[::-1] * np.repeat([1, 2], 8)[:, None]
        assert (arrays["instances"] == expected).all()


def test_merging_refuses_another_folder_and_colours(tmp_path, folder):
    source, _ = folder
    with pytest.raises(FileNotFoundError, match=r"no image of 256 x 256 .*is that stage1_train\?"):
        pack_nuclei.merge(source, tmp_path / "out.npz")
    imsave(
        source / "a" / "images" / "a.png", np.arange(16 * 16 * 3, dtype=np.uint8).reshape(16, 16, 3)
    )
    with pytest.raises(ValueError, match=r"a\.png is not grey"):
        pack_nuclei.merge(source, tmp_path / "out.npz", side=16)
    assert not (tmp_path / "out.npz").exists()


@pytest.mark.newest
def test_the_command_says_how_it_is_used():
    command = [sys.executable, "-m", "experiments.data.pack_nuclei"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("usage: python -m experiments.data.pack_nuclei [STAGE1_TRAIN]")
