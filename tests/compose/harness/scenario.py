"""What a scenario is: a function that is given a site."""

from collections.abc import Callable
from dataclasses import dataclass

from .site import Site


@dataclass(frozen=True)
class Scenario:
    """`anywhere`: it asks for nothing but a broker's address."""

    name: str
    run: Callable[[Site], None]
    anywhere: bool
    alone: bool


SCENARIOS: list[Scenario] = []


def scenario(name: str, anywhere: bool = False, alone: bool = False):
    """Makes a scenario of a function. `alone`: no other runs meanwhile."""
    def made(run: Callable[[Site], None]):
        SCENARIOS.append(Scenario(name, run, anywhere, alone))
        return run
    return made
