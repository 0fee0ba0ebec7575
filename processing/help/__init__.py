"""Help for each parameter, which QGIS shows as its tooltip and in ``qgis_process help``."""

from __future__ import annotations

from . import design, imports, prepare, shared

OWN: dict[str, dict[str, str]] = {**imports.TEXTS, **prepare.TEXTS, **design.TEXTS}
"""By the id of an algorithm: help for parameters that no other has, or that mean something else there."""


def help_of(algorithm: str, parameter: str) -> str:
    """Return the help of a parameter of an algorithm; "" where there is none, which a test finds."""
    return OWN.get(algorithm, {}).get(parameter) or shared.TEXTS.get(parameter, "")
