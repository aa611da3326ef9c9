"""Between a group and its subgroup, and fields of representations that are not regular."""

from collections.abc import Iterator
from typing import Any

from .. import groups, nn
from ..actions import AnyArray, act_on_field, act_on_group_axis, act_on_quotient, act_on_space
from ..groups import Group
from ..representations import Representation, direct_sum, irreps, standard, trivial
from ._case import Case, channels, few, normal, options


def vectors_of(group: Group) -> Representation:
    """A vector and a scalar, in one field."""
    return direct_sum(standard(group), trivial(group))


def of_field(rho_in: Representation, rho_out: Representation, features: int) -> dict[str, Any]:
    """What a `Case` has to know of a layer between fields of representations."""
    return {
        "act_in": act_on_field(rho_in),
        "act_out": act_on_field(rho_out),
        "field": (rho_in.dim, features),
    }


def vector_cases(group: Group) -> Iterator[Case]:
    """Layers on fields of vectors."""
    c, n, made = channels(group), few(group), options()
    vectors, arrows = vectors_of(group), standard(group)
    whole = vectors.is_orthogonal and bool((vectors.matrices % 1 == 0).all())
    conv = nn.SteerableConv(vectors, vectors, c, c, 3, **made)
    same = of_field(vectors, vectors, c)
    yield Case("SteerableConv of vectors", conv, n, False, integer=whole, **same)
    norm = nn.FieldNorm(vectors, c, scale_init=normal, bias_init=normal, rngs=made["rngs"])
    yield Case("FieldNorm of vectors, training", norm, n, False, integer=False, **same)
    turned = max(irreps(group), key=lambda rho: rho.dim)
    length = nn.NormNonlinearity(turned, c, bias_init=normal, rngs=made["rngs"])
    own = of_field(turned, turned, c)
    yield Case("NormNonlinearity of an irrep", length, n, False, integer=False, **own)
    gated, opened = nn.GatedNonlinearity(arrows), of_field(vectors, arrows, c)
    yield Case("GatedNonlinearity of vectors", gated, n, False, integer=False, **opened)


def coset_cases(group: Group) -> Iterator[Case]:
    """Between the group and a subgroup, one that is not normal if there is any."""
    proper = group.subgroups[1:-1] or group.subgroups[1:]
    part = next((k for k in proper if not groups.is_normal(group, k)), proper[0])
    small, over = group.subgroup(part), f"{{{', '.join(group.names[k] for k in part)}}}"
    cosets, c, n = group.order // len(part), channels(group), few(group)
    pool, quotient = nn.CosetPool(group, part), act_on_quotient(group, part)
    yield Case(f"CosetPool over {over}", pool, n, True, act_out=quotient)
    unpool = nn.CosetUnpool(group, part)
    yield Case("CosetUnpool", unpool, n, False, act_in=quotient, field=(cosets, c))

    def of_group(small: Group, k: int, f: AnyArray) -> AnyArray:
        # in space as an element of the subgroup, which may move pixels that the group leaves alone
        moved = act_on_space(small, k, f, range(1, 1 + group.dim))
        return act_on_group_axis(group, part[k], moved, -2)

    yield Case("Restrict", nn.Restrict(group, part), n, True, act_in=of_group, under=small)
    induce, fields = nn.Induce(group, part), (len(part), cosets * c)
    yield Case("Induce", induce, n, False, act_out=of_group, under=small, field=fields)
