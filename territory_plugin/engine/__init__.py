"""Pure computation: arrays, frames and graphs in; arrays, frames and graphs out.

The modules load when first used (PEP 562), so that the plugin loads and can say what is missing
on a machine that lacks one of the scientific packages.
"""

from importlib import import_module
from pkgutil import iter_modules
from warnings import catch_warnings, simplefilter

__all__ = [module.name for module in iter_modules(__path__)]


def __getattr__(name):
    if name in __all__:
        with catch_warnings():
            simplefilter("ignore")  # what libraries tell each other while they load is not for the log of QGIS
            return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
