"""`check_criterion` on criteria that measure networks; tests/test_criteria.py has those that need none, and bad ones."""

from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from criteria.network import NetworkScorer
from criteria.registry import criteria, register
from harness.testing import check_criterion

# Criteria that other test files define are registered, too.
MEASURING = [name for name in criteria.names() if "network" in criteria.describe(name).needs and not name.endswith("_in_a_test")]
LONG = ("az_nas", "gradient_matching", "gradsign", "knas", "ntk", "te_nas")
CALLS = count()


@register("unsteady_in_a_test")
@dataclass(frozen=True)
class Unsteady(NetworkScorer):
    """How often it was called."""

    def measure(self, subnet: Any, images: Any, labels: Any) -> float:
        return float(next(CALLS))


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.slow) if name in LONG else name for name in MEASURING])
def test_every_built_in_that_measures_networks_conforms(name: str) -> None:
    check_criterion(name)


def test_gradient_matching_on_few_images_conforms() -> None:
    check_criterion("gradient_matching[batches=1,batch=8,levels=1]")


def test_an_ensemble_conforms() -> None:
    check_criterion("ensemble[of=synflow+params]")


def test_a_measurement_that_is_not_one_of_the_network_is_found(results_home: Path) -> None:
    with pytest.raises(AssertionError, match="gives another partition when it is called again"):
        check_criterion("unsteady_in_a_test")
    assert not results_home.exists()  # what the kit measures is not kept
