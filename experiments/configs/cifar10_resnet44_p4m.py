"""ResNet-44 with p4m of Cohen & Welling 2016 on CIFAR-10.

    python -m experiments.train cifar10_resnet44_p4m --archive PATH

2 619 728 parameters, as published (2.62M), and 3.1 GMAC an image. `gcnn.models.ResNet` says
how it differs from theirs, which was not exactly invariant.

Published, trained on all 50 000 images: 6.46 % test error; 4.94 % with small shifts and mirrors
(here --augment.shift 2 --augment.mirror). A PATH with 10 000 of them gives another, higher number,
and the record says of how many images it is.

Contrast is normalised and photographs are whitened as published, but in all positions that the
group knows. The schedule is ours: what the paper used is not in its code. See
experiments/data/README.md for PATH.
"""

from gcnn import groups, models

from ..config import Config

config = Config(
    name="cifar10_resnet44_p4m",
    model=lambda rngs: models.ResNet(groups.p4m(), channels=(11, 23, 45), blocks=7, rngs=rngs),
    symmetry=groups.p4m(),
    data="cifar10",
    whiten=True,
    epochs=100,
    optimizer="sgd",
    learning_rate=0.05,
    weight_decay=1e-3,
    curve=False,
)
