"""Z2CNN of Cohen & Welling 2016 on their own schedule, to calibrate our copy of the benchmark.

Dropout, 300 epochs of Adam at a constant 1e-3: where network and training are the published ones,
the error should be, too, or the digits differ.

    python -m experiments.train z2cnn_published

Published: 5.03 ± 0.20 % test error. Takes one or two minutes on a GPU, and more
than an hour on a CPU core.
"""

from gcnn import groups, models

from ..config import Config

config = Config(
    name="z2cnn_published",
    model=lambda rngs: models.Z2CNN(rngs=rngs),
    symmetry=groups.p4(),
    claims_symmetry=False,
    epochs=300,
    learning_rate=1e-3,
    schedule="constant",
)
