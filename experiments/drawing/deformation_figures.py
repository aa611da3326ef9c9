"""The figures of the study of deformations."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axis import Axis
from matplotlib.ticker import NullLocator

from gcnn import actions

from ..deformation_findings import at
from ..durable.records import replace_file

_COLOURS = {"p4": "#1f4e9c", "plain": "#c2571a", "fully connected": "#777777"}


def stability(path: Path, findings: dict[str, Any], delta: float) -> None:
    """R_f over the digits trained on, and the test error over R_f and over D_f."""
    fig, (training, relative, absolute) = plt.subplots(
        1, 3, figsize=(11.5, 3.9), layout="constrained"
    )
    for name, curve in findings["start"].items():
        colour = _COLOURS[name]
        training.axhline(at(curve, delta)["r_f"], color=colour, ls=":", lw=1)
        for warped, style in ((False, "o"), (True, "^")):
            mine = [
                n for n in findings["networks"]
                if n["architecture"] == name and n["warped"] == warped
            ]  # fmt: skip
            label = f"{name}{', warped' if warped else ''}"
            reports = [at(n["curve"], delta) for n in mine]
            size, error = ([n[key] for n in mine] for key in ("size", "test_error_percent"))
            r_f, d_f, bars = ([r[key] for r in reports] for key in ("r_f", "d_f", "standard_error"))
            line = "--" if warped else "-"
            training.errorbar(size, r_f, bars, fmt=style, ls=line, ms=5, color=colour, label=label)
            area = 15 + 15 * np.arange(len(size))
            relative.scatter(r_f, error, area, marker=style, color=colour, label=label)
            absolute.scatter(d_f, error, area, marker=style, color=colour, label=label)
    training.set(xscale="log", yscale="log", xlabel="digits trained on", ylabel="$R_f$")
    training.set_title("dotted: before training", fontsize=9)
    training.set_xticks(size, [str(s) for s in size], minor=False)
    training.xaxis.set_minor_locator(NullLocator())
    for axes, key, label in ((relative, "r_f", "R_f"), (absolute, "d_f", "D_f")):
        fitted = at(findings["relations"], delta)[key]
        axes.set(xscale="log", yscale="log", xlabel=f"${label}$", ylabel="test error [%]")
        ends = np.array(axes.get_xlim())
        line = 100 * fitted["prefactor"] * ends ** fitted["exponent"]
        axes.plot(ends, line, color="0.5", lw=1, zorder=0)
        axes.set_title(
            f"error ≈ {fitted['prefactor']:.2g} · ${label}^{{{fitted['exponent']:.2g}}}$, "
            f"correlation {fitted['correlation']:.2f}",
            fontsize=9,
        )
    _number(training.yaxis, relative.xaxis, relative.yaxis, absolute.xaxis, absolute.yaxis)
    fig.legend(*training.get_legend_handles_labels(), loc="outside lower center", ncols=6,
               frameon=False, fontsize=8)  # fmt: skip
    _save(fig, path)


def curves(path: Path, findings: dict[str, Any]) -> None:
    """R_f over the displacement, before training and trained on the most digits."""
    fig, axes = plt.subplots(figsize=(5.5, 3.6), layout="constrained")
    for name, start in findings["start"].items():
        largest = [
            n for n in findings["networks"] if n["architecture"] == name and not n["warped"]
        ][-1]
        for curve, style, text in (
            (start, ":", "before"),
            (largest["curve"], "o-", f"{largest['size']} digits"),
        ):
            delta, r_f = ([r[key] for r in curve] for key in ("delta", "r_f"))
            axes.plot(delta, r_f, style, ms=4, color=_COLOURS[name], label=f"{name}, {text}")
    axes.set(xlabel="displacement δ [pixels]", ylabel="$R_f$", yscale="log")
    _number(axes.yaxis)
    fig.legend(loc="outside right center", frameon=False, fontsize=8)
    _save(fig, path)


def warps(path: Path, image: np.ndarray, cut: int, deltas: list[float]) -> None:
    """A digit under one field, more and more of it, and with noise of the same size."""
    fig, axes = plt.subplots(
        2, len(deltas) + 1, figsize=(1.5 * len(deltas) + 1.5, 3.4), layout="constrained"
    )
    x = jnp.asarray(image[None, :, :, None], jnp.float32) / 255
    n, key = len(image), jax.random.key(0)
    grid = np.stack(np.meshgrid(*(np.arange(m) for m in image.shape), indexing="ij"), axis=-1)
    noise = jax.random.normal(jax.random.fold_in(key, 1), x.shape)
    for delta, (above, below) in zip([0.0, *deltas], axes.T, strict=True):
        t = actions.temperature_of(delta, n, cut)
        d = actions.max_entropy_displacement(key, n, cut, t)
        warped = actions.warp_interpolated(x, d)
        size = jnp.linalg.norm(warped - x) / jnp.linalg.norm(noise)
        above.imshow(warped[0, :, :, 0], cmap="gray_r", vmin=0, vmax=1)
        for axis in range(2):  # where the lines of a square grid have gone
            came = grid[..., axis] - np.asarray(d[..., axis])
            above.contour(came, range(0, n, 3), colors="#1f4e9c", linewidths=0.4, alpha=0.6)
        below.imshow((x + size * noise)[0, :, :, 0], cmap="gray_r", vmin=0, vmax=1)
        above.set_title(f"δ = {delta:g}", fontsize=9)
    axes[0, 0].set_ylabel("τx", rotation=0, labelpad=14)
    axes[1, 0].set_ylabel("x + η", rotation=0, labelpad=14)
    for ax in axes.flat:
        ax.set(xticks=[], yticks=[])
    _save(fig, path)


def _number(*axes: Axis) -> None:
    """Plain numbers on logarithmic axes, at 1, 2 and 5."""
    for axis in axes:
        axis.set_major_formatter(lambda v, _: f"{v:g}")
        axis.set_minor_formatter(lambda v, _: f"{v:g}" if f"{v:.0e}"[0] in "25" else "")


def _save(fig: Any, path: Path) -> None:
    replace_file(path, lambda p: fig.savefig(p, dpi=130))
    plt.close(fig)
