"""What the study of deformations found: the relations between its figures, and its table."""

from typing import Any

import numpy as np

MEASURES = ("r_f", "d_f", "g_f")


def at(curve: list[dict[str, Any]], delta: float) -> dict[str, Any]:
    """The report of a curve for one displacement."""
    return next(report for report in curve if report["delta"] == delta)


def relation(networks: list[dict[str, Any]], key: str, delta: float) -> dict[str, float]:
    """error ≈ prefactor · key^exponent, by least squares of logarithms, and their correlation."""
    pairs = [(at(n["curve"], delta)[key], n["test_error_percent"] / 100) for n in networks]
    measure, error = np.log(np.array([p for p in pairs if p[0] and p[1]])).T
    exponent, intercept = np.polyfit(measure, error, 1)
    correlation = np.corrcoef(measure, error)[0, 1]
    return {
        "prefactor": float(np.exp(intercept)), "exponent": float(exponent),
        "correlation": float(correlation),
    }  # fmt: skip


def augmentation(networks: list[dict[str, Any]], delta: float) -> dict[str, int]:
    """In how many pairs, alike but for the warps in training, R_f and the error are lower."""
    plain, warped = ([n for n in networks if n["warped"] == w] for w in (False, True))
    pairs = list(zip(plain, warped, strict=True))
    r_f = [[at(n["curve"], delta)["r_f"] for n in pair] for pair in pairs]
    error = [[n["test_error_percent"] for n in pair] for pair in pairs]
    return {
        "count": len(networks), "pairs": len(pairs),
        "stabler": sum(after < before for before, after in r_f),
        "better": sum(after < before for before, after in error),
    }  # fmt: skip


def rows(findings: dict[str, Any], delta: float) -> list[list[str]]:
    """The table of the page, a row for each network, and one for each before training."""

    def measured(curve: list[dict[str, Any]]) -> list[str]:
        r = at(curve, delta)
        return [f"{r['d_f']:.2g}", f"{r['g_f']:.2g}", f"{r['r_f']:.3g} ± {r['standard_error']:.1g}"]

    lines = []
    for name, curve in findings["start"].items():
        lines.append([name, "none", "", "", "", *measured(curve)])
        for n in findings["networks"]:
            if n["architecture"] == name:
                digits = f"{n['size']}{', warped' if n['warped'] else ''}"
                lines.append([
                    name, digits, str(n["parameters"]), f"{n['seconds']:.0f}",
                    f"{n['test_error_percent']:.2f} %", *measured(n["curve"]),
                ])  # fmt: skip
    return lines
