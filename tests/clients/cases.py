"""Which scenarios are played by which generations of the driver, and for whom."""

from __future__ import annotations

from dataclasses import dataclass

EVERY_GENERATION = ("470", "510", "535.43", "550", "580")


@dataclass(frozen=True)
class Case:
    """`devices` is how many gpumem shows, GPUs and MIG instances."""

    scenario: str
    generation: str
    devices: int

    def __str__(self) -> str:
        return f"{self.scenario} on {self.generation}"


def cases(scenario: str, devices: int, generations: tuple[str, ...] = EVERY_GENERATION) -> list[Case]:
    return [Case(scenario, generation, devices) for generation in generations]


PLAIN = cases("plain", devices=3)
OLDEST = cases("plain", devices=3, generations=("418",))  # before the suffixes; nvidia-ml-py does not load it
MPS = cases("mps", devices=1)
MIG = cases("mig", devices=4)
WSL = cases("wsl", devices=1)
GB10 = cases("gb10", devices=1, generations=("580",))
LOOKUPS = ("15", "999")  # what drivers answer when a lost GPU is looked up
EIGHT = cases("eight", devices=8, generations=("550",))
