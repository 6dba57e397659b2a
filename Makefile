# setup is what demo and test share; it is redone only when the pins change.
PYTHON ?= python3.11
BIN := .venv/bin
export OMP_WAIT_POLICY := PASSIVE
export DO_NOT_TRACK := 1

.PHONY: setup demo test check bench fix schema clean

setup: .venv/ready

.venv/ready: pyproject.toml requirements/*.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --requirement requirements/torch.txt
	$(BIN)/python -m pip install --quiet --requirement requirements/torch.txt --constraint requirements/pins.txt --editable '.[dev]'
	$(BIN)/python -m pip install --quiet --no-deps --requirement requirements/nodeps.txt
	touch .venv/ready

demo: setup
	$(BIN)/prefect deployment run build-domain-model --field demo
	$(BIN)/fieldsmith status demo

test: check
	$(BIN)/python -m pytest

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	cd benchmarks && ../$(BIN)/mypy --config-file ../pyproject.toml *.py
	$(BIN)/lint-imports

# What is compared is in the extra `bench`; pdftotext is a program (poppler-utils). Missing readers are named, not run.
bench: setup
	$(BIN)/python -m pip install --quiet --requirement requirements/torch.txt --constraint requirements/pins.txt --editable '.[bench]'
	mkdir -p runs
	$(BIN)/python benchmarks/extraction.py --out runs/extraction.json

fix: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf .venv runs

schema: setup
	$(BIN)/python -c "from pathlib import Path; from flows.starter import field_schema; Path('examples/field.schema.json').write_text(field_schema())"
