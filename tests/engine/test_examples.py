"""The examples in the engine's docstrings are true."""

from __future__ import annotations

import doctest
from importlib import import_module
from pkgutil import walk_packages

import pytest
from healthcare_territories.territory_plugin import engine

MODULES = sorted(module.name for module in walk_packages(engine.__path__, f"{engine.__name__}."))


def test_all_rooms_are_seen():
    assert f"{engine.__name__}.tables.numbers" in MODULES
    assert len(MODULES) > 60


@pytest.mark.parametrize("name", MODULES, ids=lambda name: name.removeprefix(f"{engine.__name__}."))
def test_examples(name):
    assert doctest.testmod(import_module(name), optionflags=doctest.ELLIPSIS).failed == 0
