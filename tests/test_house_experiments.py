"""The upper floor: rooms of experiments/ import what lies below them, and nothing in a circle."""

import graphlib

import pytest

from .test_house import ROOT, imported

HOUSE = ROOT / "experiments"
# Each room: the modules and rooms of experiments that it may import; at the top are the commands.
ROOMS = {
    "durable": {"durable"},
    "data": {"data", "durable"},
    "drawing": {"drawing", "durable", "deformation_findings"},
    "training": {"training", "config"},
    "parallel": {"parallel", "training", "config"},
    "configs": {"config", "training"},
}
MODULES = {
    ".".join(("experiments", *path.relative_to(HOUSE).with_suffix("").parts)): path
    for path in HOUSE.rglob("*.py")
}


def below(name: str) -> set[str]:
    """The modules of experiments that one imports."""
    found = set()
    for target in imported(MODULES[name], MODULES[name].read_text()):
        parts = target.split(".")
        while parts and ".".join(parts) not in MODULES:
            parts.pop()
        if parts:
            found.add(".".join(parts))
    return found


@pytest.mark.parametrize("name", sorted(MODULES))
def test_rooms_import_what_lies_below(name):
    room = name.split(".")[1]
    if room in ROOMS and len(name.split(".")) > 2:
        assert {target.split(".")[1] for target in below(name)} <= ROOMS[room]


def test_a_room_that_imported_the_command_would_be_seen():
    above = {target.split(".")[1] for target in below("experiments.train")}
    assert not any(above <= allowed for allowed in ROOMS.values())


def test_nothing_imports_in_a_circle():
    graph = {name: below(name) for name in MODULES}
    assert graph["experiments.train"] >= {"experiments.config", "experiments.training.step"}
    tuple(graphlib.TopologicalSorter(graph).static_order())
    with pytest.raises(graphlib.CycleError):
        looped = {**graph, "experiments.config": {"experiments.train"}}
        tuple(graphlib.TopologicalSorter(looped).static_order())


def test_every_room_says_what_it_is_for():
    for room in ROOMS:
        assert (HOUSE / room / "__init__.py").read_text().startswith('"""')
