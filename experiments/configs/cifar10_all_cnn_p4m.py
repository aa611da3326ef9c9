"""All-CNN-C with p4m of Cohen & Welling 2016 on CIFAR-10.

    python -m experiments.train cifar10_all_cnn_p4m --archive PATH

1 219 678 parameters, as published (1.22M), and 2.0 GMAC an image. `gcnn.models.AllCNN` says
how it differs from theirs, which was not exactly invariant.

Published, trained on all 50 000 images: 7.59 % test error; 7.04 % with small shifts and mirrors
(here --augment.shift 2 --augment.mirror). A PATH with 10 000 of them gives another, higher number,
and the record says of how many images it is.

Contrast is normalised and photographs are whitened as published, but in all positions that the
group knows. The schedule is ours: what the paper used is not in its code. See
experiments/data/README.md for PATH.
"""

from gcnn import groups, models

from ..config import Config

config = Config(
    name="cifar10_all_cnn_p4m",
    model=lambda rngs: models.AllCNN(groups.p4m(), channels=32, rngs=rngs),
    symmetry=groups.p4m(),
    data="cifar10",
    whiten=True,
    epochs=100,
    optimizer="sgd",
    learning_rate=0.05,
    weight_decay=1e-3,
    curve=False,
)
