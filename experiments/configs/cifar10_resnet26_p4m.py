"""ResNet-26 with p4m of Cohen & Welling 2016 on CIFAR-10: their best network.

    python -m experiments.train cifar10_resnet26_p4m --archive PATH

7 166 110 parameters, as published (7.17M), and 8.5 GMAC an image. `gcnn.models.ResNet` says
how it differs from theirs, which was not exactly invariant.

Published, trained on all 50 000 images: 5.74 % test error; 4.19 % with small shifts and mirrors
(here --augment.shift 2 --augment.mirror). A PATH with 10 000 of them gives another, higher number,
and the record says of how many images it is.

Contrast is normalised and photographs are whitened as published, but in all positions that the
group knows. The schedule is ours: what the paper used is not in its code. See
experiments/data/README.md for PATH.
"""

from gcnn import groups, models

from ..config import Config

config = Config(
    name="cifar10_resnet26_p4m",
    model=lambda rngs: models.ResNet(groups.p4m(), channels=(25, 50, 100), blocks=4, rngs=rngs),
    symmetry=groups.p4m(),
    data="cifar10",
    whiten=True,
    epochs=100,
    optimizer="sgd",
    learning_rate=0.05,
    weight_decay=1e-3,
    curve=False,
)
