"""The plain All-CNN-C beside those of p4 and p4m on CIFAR-10, and the control.

    python -m experiments.train cifar10_all_cnn_z2 --archive PATH

1 372 254 parameters, as published (1.37M), and 0.3 GMAC an image. Verified against p4m, it
must be found not to be invariant.

Published, trained on all 50 000 images: 9.44 % test error; 8.86 % with small shifts and mirrors
(here --augment.shift 2 --augment.mirror). A PATH with 10 000 of them gives another, higher number,
and the record says of how many images it is.

Contrast is normalised and photographs are whitened as published, but in all positions that the
group knows. The schedule is ours: what the paper used is not in its code. See
experiments/data/README.md for PATH.
"""

from flax import nnx

from gcnn import groups, models

from ..config import Config

config = Config(
    name="cifar10_all_cnn_z2",
    model=lambda rngs: models.AllCNN(
        groups.p1(), channels=96, kernel_init=nnx.initializers.normal(0.05), rngs=rngs
    ),
    symmetry=groups.p4m(),
    claims_symmetry=False,
    data="cifar10",
    whiten=True,
    epochs=100,
    optimizer="sgd",
    learning_rate=0.05,
    weight_decay=1e-3,
    curve=False,
)
