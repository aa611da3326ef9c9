"""The data room: MNIST, rotated MNIST by the protocol, the original archive, the tfds builder."""

import gzip
import hashlib
import importlib.util
import lzma
import math
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from experiments.data import compare_resampling, mnist, original, pack_mnist, rotated_mnist
from experiments.data.rotation import QUARTER, TURN, keys_table, radians, rotate, sine_table

# SHA-256 of images, labels and angles (little-endian) of every split. A change of one bit here is
# a change of the data set: raise the version of the builder and redo the published numbers.
PINS = {
    "train": (
        "3c2e0de753d8b802582ae1303225040e51b27bcda3d757728a01c18b832e6304",
        "73dc33e3a757add8fad161a00e1aecca7e8a714973215af40bedc720f4f31abd",
        "0635dd4cac99f566a8cc48f4ee5169fd4a0908b4bba8342348d62da121b2ca89",
    ),
    "valid": (
        "3019a295342f693ab62edbe85451f6547c366e1b03f0a6a92154526ef2f98dae",
        "fb3f86bec27e39681888ae68ca573e27a6e8436e9f7ec8e296fcbac56be39b22",
        "51fa824fc789b37e770e3a2d5ccaa2fe0f590855b7bcb4d195a02499881d4b96",
    ),
    "test": (
        "1ba4cc794bfce78482d98ea0609d948e2fd7c36a5db0a28c406a6c72375f8e52",
        "39c0a4d23bd83e4fbc6c915e70073207b8da2af10acced01ada76f838d738962",
        "15b79714e58bd2afc7a048d4e34a367a78eae5396ea80dbe7d7ebc639aa2ac35",
    ),
}
SIZES = {"train": 10_000, "valid": 2_000, "test": 50_000}


@pytest.fixture(scope="module")
def digits():
    """All of MNIST: images [70000, 28, 28] and labels [70000]."""
    return mnist.load()


@pytest.fixture(scope="module")
def generated():
    """The generated splits."""
    return rotated_mnist.generate()


def sha256(array, dtype):
    """The checksum of the values in C order and little-endian."""
    return hashlib.sha256(np.ascontiguousarray(array, dtype).tobytes()).hexdigest()


# The rotation


def test_sine_table_is_the_rounded_sine():
    angles = np.arange(TURN + QUARTER) * (2 * math.pi / TURN)
    table = sine_table()
    exact = np.array([math.sin(angle) for angle in angles]) * 2**24
    # Half a unit by rounding; 2^24 * 2^-52 * (2 pi + 1) < 1e-7 by math.sin and its argument.
    assert table.shape == exact.shape
    assert np.abs(table - exact).max() <= 0.5 + 1e-7
    assert list(table[: TURN + 1 : QUARTER]) == [0, 2**24, 0, -(2**24), 0]


def test_weights_keep_constants_and_prefer_no_direction():
    table = keys_table()
    t = np.arange(1024) / 1024
    exact = np.array([compare_resampling.keys(-0.25)(np.abs(t - tap)) for tap in range(-1, 3)])
    assert table.shape == (4, 1024)
    assert (table.sum(0) == 1024).all()
    assert (table[:, 1:] == table[::-1, :0:-1]).all()
    assert list(table[:, 0]) == [0, 1024, 0, 0]
    # Half a unit for three of the weights, and the fourth takes up all three.
    assert np.abs(table - 1024 * exact).max() <= 1.5


@pytest.mark.parametrize("quarters", range(4))
def test_quarter_turns_are_exact(digits, quarters):
    images = digits[0][:500]
    turns = np.full(len(images), quarters * QUARTER)
    assert (rotate(images, turns) == np.rot90(images, quarters, axes=(1, 2))).all()


@pytest.fixture(scope="module")
def noise():
    """Noise up to the border [4000, 28, 28], angles [4000], the result: each rounding counts."""
    bits = hashlib.shake_256(b"noise").digest(4000 * 28 * 28)
    images = np.frombuffer(bits, np.uint8).reshape(-1, 28, 28)
    turns = np.arange(4000) * 33 % TURN
    return images, turns, rotate(images, turns)


@pytest.mark.parametrize("quarters", range(1, 4))
def test_quarter_turns_commute_with_every_angle(noise, quarters):
    images, turns, rotated = noise
    expected = np.rot90(rotated, quarters, (1, 2))
    assert (rotate(images, turns + quarters * QUARTER) == expected).all()
    assert (rotate(np.rot90(images, quarters, (1, 2)), turns) == expected).all()
    assert not (rotate(images, turns + quarters * QUARTER + 1) == expected).all()


@pytest.mark.parametrize("axis", [1, 2])
def test_a_flip_reverses_every_angle(noise, axis):
    images, turns, rotated = noise
    assert (rotate(np.flip(images, axis), -turns) == np.flip(rotated, axis)).all()
    assert not (rotate(np.flip(images, axis), turns) == np.flip(rotated, axis)).all()


def test_a_full_turn_is_the_identity(digits):
    images, turns = digits[0][:500], np.arange(500) * 131
    assert (rotate(images, np.full(500, TURN)) == images).all()
    assert (rotate(images, turns + TURN) == rotate(images, turns)).all()
    assert (rotate(images, turns - TURN) == rotate(images, turns)).all()


def test_rotating_back_approximates_the_identity(digits):
    images, turns = digits[0][:1000], np.arange(1000) * 65
    back = rotate(rotate(images, turns), -turns)
    error = np.sqrt(np.mean((back / 255 - images / 255) ** 2))
    wrong = np.sqrt(np.mean((rotate(rotate(images, turns), turns) / 255 - images / 255) ** 2))
    assert error < 0.05  # found .035: two interpolations, and strokes are two pixels wide
    assert wrong > 0.3


def test_rotation_agrees_with_floating_point(digits):
    images, turns = digits[0][:200], np.arange(200) * 327 + 5
    angles = radians(turns)
    exact = compare_resampling.resample(
        images.astype(float), angles, compare_resampling.keys(-0.25)
    ).clip(0, 255)
    error = np.abs(rotate(images, turns) - exact)
    # Found .86 and .14: half a level by rounding, the rest by positions to 1/2048 pixel, which
    # the steepest stroke turns into 1/8 of a level on each axis, and by weights to 1.5/1024.
    assert error.max() < 1
    assert np.sqrt(np.mean(error**2)) < 0.2


def test_a_constant_image_stays_constant_inside():
    images = np.full((64, 28, 28), 200, np.uint8)
    rotated = rotate(images, np.arange(64) * 1021)
    assert (rotated[:, 6:22, 6:22] == 200).all()
    assert (rotated[1:, 0, 0] == 0).any()  # outside is paper


@pytest.mark.parametrize(
    ("shape", "dtype"), [((2, 28, 28), np.float32), ((2, 28, 27), np.uint8), ((28, 28), np.uint8)]
)
def test_rotate_refuses_other_images(shape, dtype):
    with pytest.raises(ValueError, match=r"rotate needs uint8 images \[n, 28, 28\], got"):
        rotate(np.zeros(shape, dtype), np.zeros(2, int))


@pytest.mark.parametrize("turns", [np.zeros(3, int), np.zeros(2), np.zeros((2, 1), int)])
def test_rotate_refuses_other_angles(turns):
    with pytest.raises(ValueError, match="one integer angle for each of 2 images, got"):
        rotate(np.zeros((2, 28, 28), np.uint8), turns)


# The protocol


def test_sizes_and_types(generated):
    assert list(generated) == list(SIZES)
    for name, split in generated.items():
        n = SIZES[name]
        assert split.images.shape == (n, 28, 28) and split.images.dtype == np.uint8
        assert split.labels.shape == (n,) and split.labels.dtype == np.uint8
        assert split.angles.shape == (n,) and split.angles.dtype == np.float64


def test_no_digit_is_in_two_splits():
    source, turns = rotated_mnist.draw()
    assert len(source) == len(turns) == len(np.unique(source)) == 62_000
    assert source.min() >= 0 and source.max() < 70_000


@pytest.mark.parametrize("name", SIZES)
def test_bytes_are_pinned(generated, name):
    split = generated[name]
    found = (sha256(split.images, "u1"), sha256(split.labels, "u1"), sha256(split.angles, "<f8"))
    assert found == PINS[name]


def test_examples_are_the_rotated_digits(generated, digits):
    images, labels = digits
    source, turns = rotated_mnist.draw()
    for name, start in (("train", 0), ("valid", 10_000), ("test", 12_000)):
        split, first = generated[name], slice(start, start + 100)
        assert (split.images[:100] == rotate(images[source[first]], turns[first])).all()
        assert (split.labels[:100] == labels[source[first]]).all()
        assert np.allclose(split.angles[:100], turns[first] / TURN * 2 * math.pi, rtol=1e-15)


def test_upright_has_the_same_digits_in_the_same_order(generated, digits):
    upright = rotated_mnist.upright()
    source, _ = rotated_mnist.draw()
    assert list(upright) == list(SIZES)
    assert (np.concatenate([s.images for s in upright.values()]) == digits[0][source]).all()
    for name, split in upright.items():
        assert (split.labels == generated[name].labels).all()
        assert (split.angles == 0).all() and split.angles.shape == (SIZES[name],)


@pytest.mark.parametrize("name", SIZES)
def test_angles_are_uniform(generated, name):
    angles = generated[name].angles
    assert angles.min() >= 0 and angles.max() < 2 * math.pi
    counts = np.histogram(angles, 100, (0, 2 * math.pi))[0]
    expected = len(angles) / 100
    # Chi-square with 99 degrees of freedom: 99 +- 14; five deviations.
    assert np.sum((counts - expected) ** 2 / expected) < 99 + 5 * 14
    # Independent of the digit: the mean direction of each class vanishes like 1 / sqrt(n).
    for digit in range(10):
        of_digit = angles[generated[name].labels == digit]
        assert abs(np.mean(np.exp(1j * of_digit))) < 4 / math.sqrt(len(of_digit))


@pytest.mark.parametrize("name", SIZES)
def test_classes_are_those_of_mnist(generated, digits, name):
    share = np.bincount(digits[1], minlength=10) / 70_000
    counts = np.bincount(generated[name].labels, minlength=10)
    expected = share * SIZES[name]
    # Chi-square with 9 degrees of freedom: 9 +- 4.2; five deviations.
    assert np.sum((counts - expected) ** 2 / expected) < 9 + 5 * 4.2


def test_statistics_are_near_the_original(generated):
    images = np.concatenate([generated[name].images for name in ("train", "valid")])
    mean, std = compare_resampling.statistics(images)
    # The original's 12 000: mean .130, std .297; README.md compares the ways of resampling.
    assert abs(mean - 0.130) < 0.001
    assert abs(std - 0.297) < 0.0005


def test_statistics_of_a_known_image():
    images = np.zeros((2, 28, 28), np.uint8)
    images[0] = 255
    assert compare_resampling.statistics(images) == (0.5, 0.5)


# The MNIST file


def test_mnist_is_whole(digits):
    images, labels = digits
    assert images.shape == (70_000, 28, 28) and images.dtype == np.uint8
    assert labels.shape == (70_000,) and labels.dtype == np.uint8
    # LeCun's own counts, and the first labels of his two files.
    assert list(np.bincount(labels[:60_000])[:3]) == [5923, 6742, 5958]
    assert list(labels[:5]) == [5, 0, 4, 1, 9] and list(labels[60_000:60_005]) == [7, 2, 1, 0, 4]
    assert hashlib.sha256(mnist.PATH.read_bytes()).hexdigest() == mnist.FILE_SHA256


@pytest.mark.parametrize("place", [0, 1_000, 4_000_000, -20])
def test_a_flipped_byte_is_found(tmp_path, place):
    data = bytearray(mnist.PATH.read_bytes())
    data[place] ^= 1
    path = tmp_path / "mnist.xz"
    path.write_bytes(data)
    found = hashlib.sha256(data).hexdigest()
    with pytest.raises(
        ValueError,
        match=rf"mnist\.xz is corrupt or truncated .*{mnist.FILE_SHA256}, found {found}.*git",
    ):
        mnist.load(path)


@pytest.mark.parametrize("size", [0, 100, 5_000_000, 9_000_000])
def test_a_truncated_file_is_found(tmp_path, size):
    path = tmp_path / "mnist.xz"
    path.write_bytes(mnist.PATH.read_bytes()[:size])
    with pytest.raises(ValueError, match=r"mnist\.xz is corrupt or truncated .*expected SHA-256"):
        mnist.load(path)


def test_another_xz_file_is_found(tmp_path):
    path = tmp_path / "mnist.xz"
    path.write_bytes(lzma.compress(b"something else"))
    found = hashlib.sha256(b"something else").hexdigest()
    with pytest.raises(ValueError, match=rf"is not MNIST: .*{mnist.CONTENT_SHA256}.*found {found}"):
        mnist.load(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"MNIST is not at .*mnist\.xz .*pack_mnist"):
        mnist.load(tmp_path / "mnist.xz")


@pytest.fixture
def idx_folder(tmp_path):
    """Small idx files, two plain and two gzipped, and the checksum of their content."""
    folder = tmp_path / "idx"
    folder.mkdir()
    bodies = [bytes(range(n, n + 9)) for n in range(4)]
    for k, ((name, header), body) in enumerate(zip(pack_mnist.PARTS, bodies, strict=True)):
        data = b"h" * header + body
        if k % 2:
            (folder / f"{name}.gz").write_bytes(gzip.compress(data))
        else:
            (folder / name).write_bytes(data)
    return folder, b"".join(bodies)


def test_packing_joins_the_bodies(tmp_path, idx_folder):
    folder, content = idx_folder
    target = tmp_path / "out" / "mnist.xz"
    target.parent.mkdir()
    target.write_bytes(b"old")
    pack_mnist.pack(folder, target, hashlib.sha256(content).hexdigest())
    assert lzma.decompress(target.read_bytes()) == content
    assert list(target.parent.iterdir()) == [target]


def test_packing_refuses_other_files(tmp_path, idx_folder):
    folder, content = idx_folder
    found = hashlib.sha256(content).hexdigest()
    with pytest.raises(ValueError, match=rf"not those of MNIST: .*{mnist.CONTENT_SHA256}.*{found}"):
        pack_mnist.pack(folder, tmp_path / "mnist.xz")
    assert not (tmp_path / "mnist.xz").exists()


def test_packing_names_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"neither train-images-idx3-ubyte nor .* lies in"):
        pack_mnist.pack(tmp_path, tmp_path / "mnist.xz")


def test_packing_leaves_nothing_half_written(tmp_path, idx_folder, monkeypatch):
    folder, content = idx_folder
    target = tmp_path / "out" / "mnist.xz"
    target.parent.mkdir()

    def full_disk(*_):
        raise OSError("disk full")

    monkeypatch.setattr(pack_mnist.os, "replace", full_disk)
    with pytest.raises(OSError, match="disk full"):
        pack_mnist.pack(folder, target, hashlib.sha256(content).hexdigest())
    assert list(target.parent.iterdir()) == []


# The original archive, made up: 3 + 2 + 4 rows

SMALL = {"train": 3, "valid": 2, "test": 4}


def amat(pixels, labels):
    """The text of an amat file: 784 floats and a label in a row."""
    rows = np.column_stack([pixels.reshape(len(pixels), -1), labels])
    return "".join("  ".join(f"{value:.16e}" for value in row) + "\n" for row in rows)


@pytest.fixture
def small():
    """Nine images [9, 28, 28] that are not symmetric, and their labels."""
    images = np.arange(9 * 784).reshape(9, 28, 28) * 7 % 256
    return images.astype(np.uint8), np.arange(9, dtype=np.uint8)


def write_archive(path, members):
    """Writes a zip of the given texts and returns its MD5."""
    with zipfile.ZipFile(path, "w") as zipped:
        for name, text in members.items():
            zipped.writestr(name, text)
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()


def members_of(images, labels):
    """The two amat files of the nine images."""
    return {
        original.TRAIN_VALID: amat(images[:5] / 255, labels[:5]),
        original.TEST: amat(images[5:] / 255, labels[5:]),
    }


@pytest.mark.parametrize("as_folder", [False, True])
def test_the_archive_is_read_row_by_row(tmp_path, small, as_folder):
    images, labels = small
    path = tmp_path / original.NAME
    md5 = write_archive(path, members_of(images, labels))
    splits = original.read(tmp_path if as_folder else path, md5, SMALL)
    assert {name: len(split[1]) for name, split in splits.items()} == SMALL
    for k in (0, 1):
        joined = np.concatenate([splits[name][k] for name in SMALL])
        assert joined.dtype == np.uint8
        assert (joined == small[k]).all()


def test_floats_are_rounded_to_the_nearest_level(tmp_path, small):
    images, labels = small
    members = members_of(images, labels)
    members[original.TEST] = amat((images[5:] + 0.49).clip(0, 255) / 255, labels[5:])
    path = tmp_path / "any.zip"
    splits = original.read(path, write_archive(path, members), SMALL)
    assert (splits["test"][0] == images[5:]).all()


def test_load_prefers_the_archive(tmp_path, small, monkeypatch):
    images, labels = small
    seen = []

    def read(path: Path):
        seen.append(path)
        return {"train": (images, labels)}

    monkeypatch.setattr(original, "read", read)
    split = rotated_mnist.load(tmp_path)["train"]
    assert seen == [tmp_path]
    assert split.images is images and split.labels is labels and split.angles is None


def test_load_generates_without_an_archive(monkeypatch):
    monkeypatch.setattr(rotated_mnist, "generate", lambda: {"train": "generated"})
    assert rotated_mnist.load() == {"train": "generated"}


def test_a_wrong_archive_is_found(tmp_path, small):
    path = tmp_path / original.NAME
    md5 = write_archive(path, members_of(*small))
    with pytest.raises(ValueError, match=rf"expected MD5 {original.MD5}, found {md5}\. Fetch"):
        rotated_mnist.load(path)


def test_a_truncated_archive_is_found(tmp_path, small):
    path = tmp_path / original.NAME
    md5 = write_archive(path, members_of(*small))
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(ValueError, match=rf"is not the original: expected MD5 {md5}, found"):
        original.read(path, md5, SMALL)


@pytest.mark.parametrize("name", ["", original.NAME])
def test_a_missing_archive_is_named(tmp_path, name):
    with pytest.raises(
        FileNotFoundError, match=rf"no archive at .*{original.NAME}.*{original.MD5}"
    ):
        rotated_mnist.load(tmp_path / name)


def broken_pixels(value):
    """Replaces the first pixel of the test file by a number."""

    def change(members):
        members[original.TEST] = f"{value} " + members[original.TEST].split(maxsplit=1)[1]

    return change


def without_test_file(members):
    """Removes the test file."""
    del members[original.TEST]


def without_last_row(members):
    """Cuts the last row of the test file."""
    members[original.TEST] = "".join(members[original.TEST].splitlines(keepends=True)[:-1])


def with_half_a_row(members):
    """Cuts the test file within its last row."""
    members[original.TEST] = members[original.TEST][:-500]


def with_short_rows(members):
    """Cuts the label off each row of the test file."""
    lines = members[original.TEST].splitlines()
    members[original.TEST] = "\n".join(line.rsplit(maxsplit=1)[0] for line in lines)


def with_label_ten(members):
    """Makes the last label of the test file 10."""
    members[original.TEST] = members[original.TEST].rsplit(maxsplit=1)[0] + " 10\n"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without_test_file, "lacks mnist_all_rotation_normalized_float_test.amat; it holds"),
        (without_last_row, "_test.amat has 3 rows, expected 4: it is truncated"),
        (with_half_a_row, "_test.amat is not a table of numbers: "),
        (with_short_rows, "_test.amat has 784 numbers in a row, expected 784 pixels and a label"),
        (with_label_ten, r"_test.amat has labels \[ 5.  6.  7. 10.\], expected integers 0 to 9"),
        (broken_pixels(1.01), r"_test.amat has pixels from 0.0 to 1.01, expected all in \[0, 1\]"),
        (broken_pixels(-0.5), r"_test.amat has pixels from -0.5 to 1.0, expected all in"),
        (broken_pixels("nan"), "_test.amat has pixels from nan to nan, expected all in"),
        (broken_pixels("ink"), "_test.amat is not a table of numbers: .*ink"),
    ],
)
def test_an_unexpected_content_is_found(tmp_path, small, change, message):
    members = members_of(*small)
    change(members)
    path = tmp_path / original.NAME
    md5 = write_archive(path, members)
    with pytest.raises(ValueError, match=message):
        original.read(path, md5, SMALL)


# The tensorflow-datasets builder

needs_array_record = pytest.mark.skipif(
    importlib.util.find_spec("array_record") is None,
    reason="array_record, which tensorflow-datasets writes, is not installed (extra `data`)",
)


@needs_array_record
@pytest.mark.parametrize("config", ["generated", "original"])
def test_builder_returns_the_same_arrays(tmp_path, small, monkeypatch, config):
    import tensorflow_datasets as tfds

    from experiments.data.rotated_mnist_builder import RotatedMnist

    images, labels = small
    parts = {"train": slice(0, 3), "valid": slice(3, 5), "test": slice(5, 9)}
    splits = {k: rotated_mnist.Split(images[p], labels[p], None) for k, p in parts.items()}
    manual = tmp_path / "manual"
    manual.mkdir()
    (manual / original.NAME).touch()
    expected = {"generated": None, "original": manual}[config]
    monkeypatch.setattr(rotated_mnist, "load", lambda archive: {expected: splits}[archive])
    had_tensorflow = "tensorflow" in sys.modules

    builder = RotatedMnist(config=config, data_dir=tmp_path, file_format="array_record")
    builder.download_and_prepare(download_config=tfds.download.DownloadConfig(manual_dir=expected))
    for name, key in (("train", "train"), ("validation", "valid"), ("test", "test")):
        examples = list(builder.as_data_source(split=name))
        assert (np.stack([e["image"] for e in examples]) == splits[key].images[..., None]).all()
        assert [e["label"] for e in examples] == list(splits[key].labels)
    assert ("tensorflow" in sys.modules) == had_tensorflow
    assert "Larochelle" in builder.info.citation
