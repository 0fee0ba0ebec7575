"""One file, one class, one algorithm id."""
