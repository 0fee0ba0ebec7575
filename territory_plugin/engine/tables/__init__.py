"""How people write things in tables: numbers, ids, ZIPs, yes and no, nothing at all, totals and headers.

Every table, layer field, typed list and file header is read here, so that the same text means the same thing
everywhere. What is not sure is refused or told, never read as another value.
"""

from . import cells, footers, headers, ids, missing, names, numbers, yes_no, zips

__all__ = ["cells", "footers", "headers", "ids", "missing", "names", "numbers", "yes_no", "zips"]
