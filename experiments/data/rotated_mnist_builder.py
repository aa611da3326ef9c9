"""Rotated MNIST as a tensorflow-datasets builder, without TensorFlow.

TensorFlow Datasets reads and writes array_record files without TensorFlow as long as images are
plain tensors and the data is read as a data source:

    builder = RotatedMnist(config="generated", data_dir=..., file_format="array_record")
    builder.download_and_prepare()
    train = builder.as_data_source(split="train")
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import tensorflow_datasets as tfds

from . import original, rotated_mnist

_DESCRIPTION = """
MNIST digits, each turned about the centre of its image by an angle uniform on [0, 2 pi): 10 000
for training, 2 000 for validation, 50 000 for testing, no digit twice (Larochelle et al., 2007).
"""

_CITATION = """
@inproceedings{larochelle2007empirical,
  title = {An empirical evaluation of deep architectures on problems with many factors of
           variation},
  author = {Larochelle, Hugo and Erhan, Dumitru and Courville, Aaron and Bergstra, James and
            Bengio, Yoshua},
  booktitle = {International Conference on Machine Learning},
  year = {2007},
}
@article{lecun1998gradient,
  title = {Gradient-based learning applied to document recognition},
  author = {LeCun, Yann and Bottou, L{\\'e}on and Bengio, Yoshua and Haffner, Patrick},
  journal = {Proceedings of the IEEE},
  volume = {86}, number = {11}, pages = {2278--2324},
  year = {1998},
}
"""


class RotatedMnist(tfds.core.GeneratorBasedBuilder):
    """Example n of a split is example n of `rotated_mnist.load`: nothing is shuffled.

    The two sources are two configurations, so that prepared files are never mixed up.
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: ClassVar[dict[str, str]] = {"1.0.0": "First release."}
    BUILDER_CONFIGS: ClassVar[list[tfds.core.BuilderConfig]] = [
        tfds.core.BuilderConfig(name="generated", description="Made here from MNIST."),
        tfds.core.BuilderConfig(name="original", description="The archive of Larochelle et al."),
    ]
    MANUAL_DOWNLOAD_INSTRUCTIONS = (
        f"Only for the configuration `original`: put {original.NAME} from {original.URL} "
        f"(MD5 {original.MD5}) into manual_dir."
    )

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description=_DESCRIPTION,
            citation=_CITATION,
            features=tfds.features.FeaturesDict(
                {
                    # Image would need TensorFlow to encode.
                    "image": tfds.features.Tensor(shape=(28, 28, 1), dtype=np.uint8),
                    "label": tfds.features.ClassLabel(num_classes=10),
                }
            ),
            supervised_keys=("image", "label"),
            disable_shuffling=True,
        )

    def _split_generators(
        self, dl_manager: tfds.download.DownloadManager
    ) -> dict[str, Iterator[tuple[int, dict[str, Any]]]]:
        is_original = self.builder_config.name == "original"
        splits = rotated_mnist.load(Path(dl_manager.manual_dir) if is_original else None)
        return {
            "train": self._generate_examples(splits["train"]),
            "validation": self._generate_examples(splits["valid"]),
            "test": self._generate_examples(splits["test"]),
        }

    def _generate_examples(
        self, split: rotated_mnist.Split
    ) -> Iterator[tuple[int, dict[str, Any]]]:
        for n, (image, label) in enumerate(zip(split.images, split.labels, strict=True)):
            yield n, {"image": image[..., None], "label": int(label)}
