"""How people write things in tables: numbers, ids, ZIPs, yes and no, nothing at all, totals and headers.

Every table, layer field, typed list and file header is read here, so that the same text means the same thing
everywhere. What is not sure is refused or told, never read as another value. The modules load when first used, as
those of `engine` do.
"""

from importlib import import_module
from pkgutil import iter_modules

__all__ = [module.name for module in iter_modules(__path__)]


def __getattr__(name):
    if name in __all__:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
