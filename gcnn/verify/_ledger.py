"""Where does the error of a model come from? Step by step, and cause by cause."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np

from ..actions import Action
from ..groups import Group
from ._bench import Bench, Overrides
from ._layers import shown
from ._split import Move, StepTest, energy, scale
from ._table import table

PARTS = ("precision", "boundary", "downsampling", "lattice")


@dataclasses.dataclass(frozen=True)
class LedgerRow:
    """The error of one step by its causes, relative to the norm of what the step returns.

    total² = precision² + boundary² + downsampling² + lattice², and the last three also add up to
    rim² + interior².

    Attributes:
      name: the path of the layer in the model, or "before" that of the next one.
      kind: the class of the layer, or the operations in between that are not pointwise.
      precision: what float64 mends.
      boundary: what padding that wraps around mends.
      downsampling: what another position of the sampling grid mends.
      lattice: what nothing mends: the step itself does not commute with the moves.
      rim: the error in float64 of the pixels that the boundary reaches.
      interior: that of all others.
    """

    name: str
    kind: str
    precision: float
    boundary: float
    downsampling: float
    lattice: float
    rim: float
    interior: float

    @property
    def total(self) -> float:
        """The root of the sum of squares of all causes."""
        return math.hypot(*(getattr(self, part) for part in PARTS))


@dataclasses.dataclass(frozen=True)
class Account:
    """One family of moves.

    Attributes:
      moves: "elements" of the group, or "shifts" by one pixel of a step's input.
      rows: the steps, in the order of evaluation.
      working: the error of the whole model, in the type that it works in.
      float64: the same in float64.
      circular: the same, with all padding wrapped around.
      culprit: the step and the part that are the largest of all, above the tolerance; or None.
    """

    moves: str
    rows: tuple[LedgerRow, ...]
    working: float
    float64: float
    circular: float
    culprit: tuple[str, str] | None


@dataclasses.dataclass(frozen=True)
class Ledger:
    """The errors of a model, by step, by cause and by family of moves.

    Attributes:
      group: the group's name and size.
      dtype: the coarsest type of all arrays between the steps.
      tolerance: the relative error up to which a part is not worth naming.
      accounts: for the elements of the group, and for shifts.
    """

    group: str
    dtype: str
    tolerance: float
    accounts: tuple[Account, ...]

    @property
    def culprit(self) -> dict[str, tuple[str, str] | None]:
        """The step and the part to blame, by family of moves."""
        return {account.moves: account.culprit for account in self.accounts}

    def to_dict(self) -> dict[str, Any]:
        """The ledger as JSON-ready values."""
        data = dataclasses.asdict(self)
        for account, values in zip(self.accounts, data["accounts"], strict=True):
            for row, of_row in zip(account.rows, values["rows"], strict=True):
                of_row["total"] = row.total
        return data

    def __str__(self) -> str:
        """A table for each family of moves, all errors relative."""
        return "\n\n".join([f"{self.group}, {self.dtype}", *map(self._table, self.accounts)])

    def _table(self, account: Account) -> str:
        columns = ("total", *PARTS, "rim", "interior")
        rows = [(r.name, r.kind, *(shown(getattr(r, c)) for c in columns)) for r in account.rows]
        whole = (
            f"the whole model: {shown(account.working)}; in float64 {shown(account.float64)}; "
            f"there with circular padding {shown(account.circular)}"
        )
        blame = f"no part is above {self.tolerance:.1e}"
        if account.culprit:
            name, part = account.culprit
            blame = f"the largest part is the {part} of {name}"
        body = table(("step", "kind", *columns), rows)
        return f"{account.moves}\n{body}\n{whole}\n{blame}"


def ledger(
    f: Callable[[Any], Any],
    group: Group,
    x: Any,
    *,
    act_in: Action | None = None,
    act_out: Action | None = None,
    act: Overrides | None = None,
    tolerance: float | None = None,
) -> Ledger:
    """Where does the error of a model come from? Step by step, cause by cause.

    A model is cut into steps as in `layer_equivariance`, and every step φ is given the exactly
    moved value of what x makes it read, so that its error

        ‖φ(m·v) - m·φ(v)‖ / ‖φ(v)‖

    is its own. The moves m are the elements of the group, and shifts by one pixel of the step's
    own input, on the torus. Errors are root mean squares over the moves of a family, and are split
    by what mends them, one remedy after the other:

    - precision: computing in float64, the difference of the error in both as vectors. Casts to a
      narrower type within the model are left out too, but for those in a loop or a branch; what
      it writes as a constant of a narrower type stays rounded.
    - boundary: padding that wraps around. A step that crops (a VALID convolution) has none: there,
      under shifts, and where all that is left lies on the rim (mirrored padding), the energy of
      the interior stands for that of the whole.
    - downsampling: of all positions of the sampling grid of a step with stride s, those that a
      shift of its input by 0 to s - 1 pixels gives, the best. Under a shift by one pixel the
      output should move by 1/s: it is compared with both whole pixels around that, for each
      sample with the nearer one, so that adaptive polyphase sampling is exact.
    - lattice: the rest, which nothing mends: filters without the symmetry, weights or offsets that
      depend on the position.

    The squares of boundary, downsampling and lattice add up to that of the error in float64, and
    so do the squares of rim and interior. The rim is what the outermost pixels of the input and
    the padding reach, found by putting NaN there: it needs no remedy, and is a second opinion.

    An output without space axes should not change under a shift. So a step that flattens an image,
    or makes one from a vector, has an error of the lattice.

    A large error is one of that step alone: what it does to the result depends on all that
    follows. For each family the error of the whole model stands below its steps, in three
    settings.

    Args:
      f: a function that JAX can trace, or a module; its parameters are the arrays among its
        pytree leaves. What a function only closes over stays in its type.
      group: the group.
      x: the batch, with no symmetry of its own; the best is real data.
      act_in: as in `equivariance`.
      act_out: as in `equivariance`.
      act: as in `layer_equivariance`.
      tolerance: the largest part that is not worth naming a culprit, by default as in
        `equivariance`.

    Raises:
      ValueError: as `layer_equivariance`.

    Example:
      >>> import jax
      >>> from flax import nnx
      >>> from gcnn import groups, nn, verify
      >>> p4 = groups.p4()
      >>> conv = nn.LiftingConv(p4, 1, 4, 3, padding="CIRCULAR", rngs=nnx.Rngs(0))
      >>> net = nnx.Sequential(conv, lambda x: nn.max_pool(p4, x, 2, 2))
      >>> x = jax.random.normal(jax.random.key(0), (4, 8, 8, 1))
      >>> verify.ledger(net, p4, x).culprit
      {'elements': None, 'shifts': ('layers.1', 'downsampling')}
    """
    bench = Bench(f, group, x, act_in, act_out, act)
    if tolerance is None:
        tolerance = min(64 * float(jnp.finfo(bench.dtype).eps), 0.05)
    still, e = (0,) * group.dim, group.identity
    families = {
        "elements": [Move(g, still) for g in range(group.order) if g != e],
        "shifts": [Move(e, tuple(t)) for t in np.eye(group.dim, dtype=int).tolist()],
    }
    tests = [StepTest(bench, i) for i in range(len(bench.names))]
    accounts = (
        _account(family, moves, bench, tests, tolerance)
        for family, moves in families.items()
        if moves
    )
    return Ledger(str(group), bench.dtype.name, tolerance, tuple(accounts))


def _account(
    family: str, moves: list[Move], bench: Bench, tests: list[StepTest], tolerance: float
) -> Account:
    rows = tuple(_row(test, moves) for test in tests)
    parts = [(getattr(row, part), row.name, part) for row in rows for part in PARTS]
    largest, name, part = max(parts, key=lambda entry: entry[0])
    culprit = (name, part) if largest > tolerance else None
    last = tests[bench.output - 1]
    working, wide, circular = (
        _whole(bench, last, moves, *setting)
        for setting in ((False, False), (True, False), (True, True))
    )
    return Account(family, rows, working, wide, circular, culprit)


def _row(test: StepTest, moves: list[Move]) -> LedgerRow:
    energies = np.mean([test.split(move) for move in moves], axis=0)
    return LedgerRow(test.name, test.kind, *np.sqrt(energies).tolist())


def _whole(bench: Bench, last: StepTest, moves: list[Move], wide: bool, circular: bool) -> float:
    """The error of the whole model, which returns what its step `last` does."""

    def run(x: np.ndarray) -> np.ndarray:
        nodes = bench.apart(x.shape, wide=wide).nodes(x, circular=circular)
        return nodes[bench.output].astype(np.float64)

    x = bench.nodes[0]
    y = run(x)
    grid = tuple(map(scale, last.space(x), last.space(y) or last.space(x)))
    energies = []
    for move in moves:
        moved = run(last.rolled(bench.moved(0, move.g), move.t))
        error, _ = last.nearest(moved, last.images(y, move, grid))
        energies.append(energy(error) / (energy(y) or 1.0))
    return math.sqrt(np.mean(energies))
