# Healthcare Territories: everything from a fresh clone. Each target installs what it misses.

PYTHON := .venv/bin/python
export PROFILE
UNDER_QGIS := eval "$$(.ci/env)" &&

.DEFAULT_GOAL := help
.PHONY: help demo test lint models package install bench env setup clean

help:  ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: setup  ## Run the main job on the bundled sample; GeoPackage, project and map land in demo/
	@$(UNDER_QGIS) $(PYTHON) docs/demo.py

test: setup  ## Run all tests: the engine's without QGIS, then the others with it (ARGS='-k name' narrows)
	@$(PYTHON) .ci/test $(ARGS)

lint: setup  ## Check style, and what ships for what the plugin site refuses (ruff, Bandit, detect-secrets)
	@.ci/lint

models: setup  ## Make the models that the plugin ships from .ci/models.py
	@$(UNDER_QGIS) QT_HASH_SEED=0 $(PYTHON) .ci/models.py

package:  ## Make dist/healthcare_territories-VERSION.zip of the last commit, for the plugin site
	@.ci/package

install:  ## Link the plugin into your own QGIS profile (PROFILE=name, else default)
	@.ci/install

bench: setup  ## Run the benchmarks against their peers (ARGS='balance --states RI' runs one with options)
	@.ci/setup peers && .ci/bench $(ARGS)

env:  ## Print export lines: eval "$(make -s env)" and qgis, qgis_process have the plugin enabled
	@.ci/setup >&2 && .ci/env

setup:  ## Install what is missing: QGIS 3.40 or later, its Python packages, the repo's own QGIS profile
	@.ci/setup

clean:  ## Remove all that the other targets made in this folder
	rm -rf .venv .qgis .qgis-settings dist demo .pytest_cache .ruff_cache .hypothesis
