"""CIFAR-10 from every source, and the whitening that commutes with a group."""

import dataclasses
import hashlib
import importlib.util
import io
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest

from experiments.data import cifar10, compare_whitening, whitening
from experiments.data.cifar10 import Arrays
from gcnn import groups
from gcnn.actions import act_on_image

SHARED = Path(__file__).parents[2] / "shared" / "data" / "cifar10"
P1, P4, P4M = groups.p1(), groups.p4(), groups.p4m()

needs_images = pytest.mark.skipif(
    not SHARED.is_dir(), reason="a part of CIFAR-10 is not beside the project"
)
needs_array_record = pytest.mark.skipif(
    importlib.util.find_spec("array_record") is None,
    reason="array_record, which tensorflow-datasets writes, is not installed (extra `data`)",
)


def made_up(train: int = 10, test: int = 3) -> Arrays:
    """Images and labels of no meaning."""
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (train + test, 32, 32, 3), np.uint8)
    y = rng.integers(0, 10, train + test, np.uint8)
    return Arrays(x[:train], y[:train], x[train:], y[train:])


def write_npz(path: Path, **changed) -> Path:
    np.savez(path, **{**made_up()._asdict(), **changed})
    return path


def rows(x, y) -> bytes:
    """The layout of the original: a label, then the planes of red, green and blue."""
    return np.column_stack([y, np.moveaxis(x, -1, 1).reshape(len(x), -1)]).astype("u1").tobytes()


def equal(splits, arrays: Arrays) -> bool:
    images = np.concatenate([splits["train"].images, splits["valid"].images])
    labels = np.concatenate([splits["train"].labels, splits["valid"].labels])
    found = (images, labels, splits["test"].images, splits["test"].labels)
    return all(np.array_equal(a, b) for a, b in zip(found, arrays, strict=True))


# Splits


def test_the_last_fifth_is_held_back(tmp_path):
    splits = cifar10.load(write_npz(tmp_path / "cifar.npz"))
    assert {name: len(split.labels) for name, split in splits.items()} == {
        "train": 8,
        "valid": 2,
        "test": 3,
    }
    assert equal(splits, made_up())
    for split in splits.values():
        assert split.images.dtype == split.labels.dtype == np.uint8
        assert split.images.shape == (len(split.labels), 32, 32, 3)
        assert split.angles is None


@pytest.mark.parametrize(
    ("n", "name"),
    [
        (50_000, "CIFAR-10, all 50 000 training images"),
        (10_000, "CIFAR-10, 10 000 of its 50 000 training images"),
        (10, "CIFAR-10, 10 of its 50 000 training images"),
    ],
)
def test_a_part_of_the_training_images_is_named_as_such(n, name):
    cut = n * 4 // 5
    none = np.zeros((n, 0), np.uint8)
    parts = {"train": none[:cut], "valid": none[cut:]}
    splits = {k: cifar10.Split(part, part, None) for k, part in parts.items()}
    assert cifar10.description(splits) == name


# npz


def test_labels_of_any_integer_type_are_taken(tmp_path):
    path = write_npz(tmp_path / "cifar.npz", y_train=made_up().y_train.astype(np.int64))
    assert equal(cifar10.load(path), made_up())


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"x_train": np.zeros((10, 32, 32, 3))}, r"images of train float64\[10, 32, 32, 3\], expe"),
        ({"x_test": np.zeros((3, 3, 32, 32), "u1")}, r"images of test uint8\[3, 3, 32, 32\], expe"),
        (
            {"x_train": np.zeros((4, 32, 32, 3), "u1")},
            r"images of train uint8\[4, .* with n of 5 or more",
        ),
        (
            {"x_test": np.zeros((0, 32, 32, 3), "u1")},
            r"images of test uint8\[0, .* with n of 1 or more",
        ),
        ({"x_test": np.uint8(0)}, r"images of test uint8\[\], expected"),
        ({"y_train": np.zeros(9, int)}, r"labels of train int64\[9\], expected integers \[10\]"),
        ({"y_train": np.zeros((10, 1), int)}, r"labels of train int64\[10, 1\], expected integers"),
        ({"y_test": np.zeros(3)}, r"labels of test float64\[3\], expected integers \[3\]"),
        ({"y_test": np.array([0, 1, 10])}, "labels of test from 0 to 10, expected 0 to 9"),
        ({"y_test": np.array([0, -1, 9])}, "labels of test from -1 to 9, expected 0 to 9"),
    ],
)
def test_other_arrays_are_refused(tmp_path, changed, message):
    with pytest.raises(ValueError, match=rf"cifar\.npz has {message}"):
        cifar10.load(write_npz(tmp_path / "cifar.npz", **changed))


def test_a_file_that_is_no_whole_npz_is_refused(tmp_path):
    whole = write_npz(tmp_path / "whole.npz").read_bytes()
    damaged = bytearray(whole)
    damaged[len(whole) // 3] ^= 1
    with io.BytesIO() as stream:
        np.save(stream, made_up().x_train)
        array = stream.getvalue()
    for data in (whole[:-200], bytes(damaged), b"text", b"", array):
        path = tmp_path / "cifar.npz"
        path.write_bytes(data)
        with pytest.raises(ValueError, match=r"cifar\.npz is no whole npz file with x_train, y_t"):
            cifar10.load(path)
    np.savez(path, x_train=made_up().x_train)
    with pytest.raises(ValueError, match=r"no whole npz file .*y_train.*cifar-10-binary"):
        cifar10.load(path)


# The original archive, made up: 5 x 2 + 3 images


def members() -> dict[str, bytes]:
    x, y, x_test, y_test = made_up()
    parts = {name: slice(2 * k, 2 * k + 2) for k, name in enumerate(list(cifar10.MD5)[:-1])}
    files = {name: rows(x[part], y[part]) for name, part in parts.items()}
    return {**files, "test_batch.bin": rows(x_test, y_test)}


def checksums(files: dict[str, bytes]) -> dict[str, str]:
    return {k: hashlib.md5(v, usedforsecurity=False).hexdigest() for k, v in files.items()}


def write_tar(path: Path, files: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        folder = tarfile.TarInfo("cifar-10-batches-bin")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
        for name, data in files.items():
            info = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def in_another_order(files: dict[str, bytes]) -> dict[str, bytes]:
    """As in the real archive, where the files lie in no order, with others between them."""
    return {"readme.html": b"text", **dict(reversed(files.items()))}


def test_the_original_archive_is_read(tmp_path, monkeypatch):
    path = write_tar(tmp_path / cifar10.NAME, in_another_order(members()))
    found = cifar10.read_binary(path, checksums(members()))
    assert all(np.array_equal(a, b) for a, b in zip(found, made_up(), strict=True))
    monkeypatch.setattr(cifar10, "read_binary", lambda path: made_up())
    assert equal(cifar10.load(path), made_up())
    assert equal(cifar10.load(tmp_path), made_up())


def test_another_archive_is_refused(tmp_path):
    path = write_tar(tmp_path / "cifar.tar.gz", members())
    found = checksums(members())["data_batch_1.bin"]
    expected = cifar10.MD5["data_batch_1.bin"]
    with pytest.raises(
        ValueError, match=rf"data_batch_1\.bin in .* expected MD5 {expected}, found {found}\. It"
    ):
        cifar10.load(path)


def test_an_archive_of_other_files_is_refused(tmp_path):
    python = {name.removesuffix(".bin"): data for name, data in members().items()}
    path = write_tar(tmp_path / "cifar-10-python.tar.gz", python)
    with pytest.raises(ValueError, match=r"lacks data_batch_1\.bin, .*Python or Matlab\? It takes"):
        cifar10.load(path)


def test_a_truncated_archive_is_refused(tmp_path):
    path = write_tar(tmp_path / "cifar.tar.gz", members())
    whole = path.read_bytes()
    for data in (whole[: len(whole) // 2], b"text", b""):
        path.write_bytes(data)
        with pytest.raises(ValueError, match=r"cifar\.tar\.gz is no whole tar\.gz file \("):
            cifar10.load(path)


# tensorflow-datasets


def prepare(folder: Path, names=("train", "test"), file_format="array_record"):
    """The made-up images as tensorflow-datasets stores CIFAR-10, shuffled, at version 3.0.2."""
    import tensorflow_datasets as tfds
    from PIL import Image

    parts = {"train": made_up()[:2], "test": made_up()[2:]}

    def examples(name):
        for n, (x, y) in enumerate(zip(*parts[name], strict=True)):
            stream = io.BytesIO()
            Image.fromarray(x).save(stream, "PNG")
            stream.seek(0)
            yield f"{name}_{n:05d}", {"id": f"{name}_{n:05d}", "image": stream, "label": int(y)}

    class Cifar10(tfds.core.GeneratorBasedBuilder, skip_registration=True):
        """Made up."""

        VERSION = tfds.core.Version("3.0.2")

        def _info(self):
            features = {
                "id": tfds.features.Text(),
                "image": tfds.features.Image(shape=(32, 32, 3)),
                "label": tfds.features.ClassLabel(num_classes=10),
            }
            return tfds.core.DatasetInfo(
                builder=self, features=tfds.features.FeaturesDict(features)
            )

        def _split_generators(self, dl_manager):
            return {name: examples(name) for name in names}

        def _generate_examples(self):
            raise NotImplementedError

    Cifar10(data_dir=folder, file_format=file_format).download_and_prepare()


@needs_array_record
def test_prepared_images_are_read_in_the_original_order(tmp_path):
    had_tensorflow = "tensorflow" in sys.modules
    prepare(tmp_path)
    assert equal(cifar10.load(tmp_path), made_up())
    assert equal(cifar10.load(tmp_path / "cifar10" / "3.0.2"), made_up())
    assert ("tensorflow" in sys.modules) == had_tensorflow


@needs_array_record
def test_images_prepared_otherwise_are_refused(tmp_path):
    prepare(tmp_path, names=("train",))
    with pytest.raises(ValueError, match=r"is not CIFAR-10 as .*file_format=\"array_record\""):
        cifar10.load(tmp_path)


def test_without_tensorflow_datasets_it_is_asked_for(tmp_path, monkeypatch):
    folder = tmp_path / "cifar10" / "3.0.2"
    folder.mkdir(parents=True)
    (folder / "dataset_info.json").write_text("{}")
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    with pytest.raises(ValueError, match=r"takes tensorflow-datasets to read: pip install 'gcnn"):
        cifar10.load(tmp_path)


# Folders, and nothing


def test_without_an_archive_it_says_where_to_get_one():
    with pytest.raises(FileNotFoundError, match=r"does not travel .*https://www\.cs\.toronto"):
        cifar10.load()


def test_a_missing_archive_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no file or folder at .*nothing\.npz\. It takes"):
        cifar10.load(tmp_path / "nothing.npz")


def test_a_folder_must_hold_one_source(tmp_path):
    with pytest.raises(ValueError, match=r"should hold one source of CIFAR-10, and has none\. It"):
        cifar10.load(tmp_path)
    write_npz(tmp_path / "a.npz")
    assert equal(cifar10.load(tmp_path), made_up())
    write_npz(tmp_path / "b.npz")
    with pytest.raises(ValueError, match=r"should hold one source .* and has a\.npz, b\.npz\. It"):
        cifar10.load(tmp_path)


# The real images


@needs_images
def test_the_images_beside_the_project_are_the_original_ones():
    splits = cifar10.load(SHARED)
    assert {k: len(s.labels) for k, s in splits.items()} == {
        "train": 8_000,
        "valid": 2_000,
        "test": 10_000,
    }
    assert cifar10.description(splits) == "CIFAR-10, 10 000 of its 50 000 training images"
    joined = [np.concatenate([getattr(splits[k], what) for k in ("train", "valid")])
              for what in ("images", "labels")]  # fmt: skip
    test = splits["test"]
    for name, arrays in (
        ("data_batch_1.bin", joined),
        ("test_batch.bin", (test.images, test.labels)),
    ):
        assert checksums({name: rows(*arrays)})[name] == cifar10.MD5[name]


# Contrast normalisation


def photographs(n: int = 600, side: int = 6) -> np.ndarray:
    """Images that are smooth, lighter at the top, and of different contrast."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(n, side + 2, side + 2, 3))
    x = x[:, 1:, 1:] + x[:, :-1, 1:] + x[:, 1:, :-1] + x[:, :-1, :-1]
    x = x[:, 1:, 1:] + 0.5 * x[..., [1, 2, 0]][:, 1:, 1:] + np.linspace(2, -2, side)[:, None, None]
    x *= rng.uniform(5, 15, (n, 1, 1, 1))
    return np.clip(128 + x, 0, 255).astype(np.uint8)


def test_images_get_mean_0_and_deviation_1():
    x = whitening.normalise_contrast(photographs())
    assert x.dtype == np.float32 and x.shape == (600, 6, 6, 3)
    assert np.abs(x.mean(axis=(1, 2, 3))).max() < 1e-6
    np.testing.assert_allclose(x.std(axis=(1, 2, 3), ddof=1), 1, rtol=1e-5)


def test_an_image_of_one_value_becomes_0():
    flat = np.full((1, 6, 6, 3), 7, np.uint8)
    assert not whitening.normalise_contrast(flat).any()
    one = flat.copy()
    one[0, 0, 0, 0] = 8  # the least contrast there is
    assert whitening.normalise_contrast(one).std(ddof=1) == pytest.approx(1)


def test_contrast_normalisation_commutes_with_the_group_to_the_last_bit():
    x = photographs()
    for g in range(P4M.order):
        turned = whitening.normalise_contrast(act_on_image(P4M, g, x))
        assert np.array_equal(turned, act_on_image(P4M, g, whitening.normalise_contrast(x)))


# Whitening


def worst(whiten, group, x) -> float:
    """The largest ‖z(g·x) - g·z(x)‖ / ‖z(x)‖ over the elements of the group."""
    z = whiten(x)
    errors = [
        np.linalg.norm(whiten(act_on_image(group, g, x)) - act_on_image(group, g, z))
        for g in range(group.order)
    ]
    return max(errors) / np.linalg.norm(z)


def test_whitening_by_the_orbit_commutes_with_the_group_and_plain_whitening_does_not():
    x = photographs()
    assert worst(whitening.fit(x, P4M), P4M, x) < 1e-5
    assert worst(whitening.fit(x, P1), P4M, x) > 0.1
    turned = whitening.fit(x, P4)
    assert worst(turned, P4, x) < 1e-5
    assert worst(turned, P4M, x) > 0.01


@pytest.mark.parametrize("group", [P1, P4M], ids=["p1", "p4m"])
def test_the_orbit_of_the_training_images_becomes_white(group):
    x = photographs()
    whiten = whitening.fit(x, group)
    orbit = np.concatenate([act_on_image(group, g, x) for g in range(group.order)])
    z = whiten(orbit).reshape(len(orbit), -1).astype(np.float64)
    assert z.mean() == pytest.approx(0, abs=1e-4)
    expected = np.eye(108) - 1 / 108  # all but the mean of an image, which has no variance
    np.testing.assert_allclose(z.T @ z / len(z), expected, atol=2e-4)
    before = whitening.normalise_contrast(x).reshape(len(x), -1)
    assert np.abs(before.T @ before / len(x) - expected).max() > 0.5


def test_the_fit_is_that_of_the_orbit_written_out():
    x = photographs(200)
    orbit = np.concatenate([act_on_image(P4M, g, x) for g in range(P4M.order)])
    short, long = whitening.fit(x, P4M), whitening.fit(orbit, P1)
    np.testing.assert_allclose(short.mean, long.mean, atol=1e-6)
    np.testing.assert_allclose(short.matrix, long.matrix, atol=1e-4 * np.abs(long.matrix).max())


def test_the_matrix_is_that_of_the_published_code():
    """Written as there: by the singular values of the images, ε added to their size."""
    x = photographs()
    flat = whitening.normalise_contrast(x).reshape(len(x), -1).astype(np.float64)
    u, s, _ = np.linalg.svd((flat - flat.mean(axis=0)).T / np.sqrt(len(x)), full_matrices=False)
    u, s = u[:, :-1], s[:-1]  # the last is the mean of an image, 0 but for rounding
    for epsilon in (1e-5, 0.5):
        found = whitening.fit(x, P1, epsilon).matrix.reshape(108, 108)
        np.testing.assert_allclose(found, u @ np.diag(1 / (s + epsilon)) @ u.T, atol=1e-4)


def test_images_are_whitened_alike_in_parts(monkeypatch):
    x = photographs()
    whole = whitening.fit(x, P4)
    z = whole(x)
    monkeypatch.setattr(whitening, "_CHUNK", 70)
    np.testing.assert_allclose(whole(x), z, atol=1e-5)
    np.testing.assert_allclose(whitening.fit(x, P4).matrix, whole.matrix, atol=1e-5)


@pytest.mark.parametrize(
    "images", [np.zeros((9, 6, 6, 3)), np.zeros((1, 6, 6, 3), "u1"), np.zeros((9, 6, 6), "u1")]
)
def test_other_images_cannot_be_fitted(images):
    with pytest.raises(ValueError, match=r"Whitening takes uint8 images \[n, y, x, c\], two or mo"):
        whitening.fit(images, P1)


def test_sides_that_the_group_swaps_must_be_equal():
    x = photographs()[:, 1:]
    with pytest.raises(ValueError, match=r"under .*p4.* equal sides, which r90 swaps, got 5 x 6"):
        whitening.fit(x, P4)
    assert worst(whitening.fit(x, groups.pmm()), groups.pmm(), x) < 1e-5


@pytest.mark.parametrize("images", [np.zeros((9, 5, 6, 3), "u1"), np.zeros((9, 6, 6, 3))])
def test_other_images_cannot_be_whitened(images):
    whiten = whitening.fit(photographs(), P4)
    with pytest.raises(ValueError, match=r"fitted on uint8 images \[n, 6, 6, 3\], got .*Fit it on"):
        whiten(images)


def test_a_fit_is_a_value():
    whiten = whitening.fit(photographs(), P4)
    assert whiten.mean.dtype == whiten.matrix.dtype == np.float32
    with pytest.raises(dataclasses.FrozenInstanceError):
        whiten.mean = 0


def test_the_table_tells_the_orbit_from_the_images():
    x = photographs()
    table = compare_whitening.compare(x[:300], x[300:])
    assert list(table) == ["p1", "p4", "p4m"]
    errors, deviations, largest = np.transpose(list(table.values()))
    assert errors[0] > errors[1] > 0.01 and errors[2] < 1e-5
    assert np.abs(deviations[2] - 1) < np.abs(deviations[0] - 1)  # more images, and so whiter ones
    assert (largest > deviations).all()
