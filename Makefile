# Everything a fresh machine needs is set up here; `make run` and `make test` are enough.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SHOPFLOW := $(BIN)/shopflow
# Not the whole directory: a user's own scripts may lie beside.
CHECKED := src tests bench docs README.md
# A Shopify product export; where the default is not there, `make run` loads a generated shop.
SHOPIFY ?= ../shared/data/shopify-apparel.csv

.PHONY: run test setup check bench docs lock

run: setup
	@if [ ! -f "$(SHOPIFY)" ] && [ "$(origin SHOPIFY)" != file ]; then \
	  echo "SHOPIFY=$(SHOPIFY): there is no such file" >&2; exit 1; fi
	@echo "== starting the database and bringing its schema up"
	@if [ -f "$(SHOPIFY)" ]; then $(SHOPFLOW) up --once; else \
	  echo "no product export at $(SHOPIFY): a generated shop instead (make run SHOPIFY=file.csv)"; \
	  $(SHOPFLOW) up --once --demo; fi
	@if [ -f "$(SHOPIFY)" ]; then echo "== importing $(SHOPIFY)"; \
	  $(SHOPFLOW) import shopify "$(SHOPIFY)"; fi
	@echo "== taking an order from cart to confirmed"
	@$(SHOPFLOW) demo order
	@echo "== the shop is running. Next:"
	@echo '  $(SHOPFLOW) psql -c "SELECT name, price, stock_quantity FROM products LIMIT 5"'
	@echo "  $(SHOPFLOW) status"
	@case "$$($(SHOPFLOW) status --json)" in *'"embedded": true'*) echo "  $(SHOPFLOW) down";; esac

test: setup check
	@echo "== tests, against a real PostgreSQL"
	@$(BIN)/pytest -n 2

setup: $(VENV)/.ready

$(VENV)/.ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("ShopFlow needs Python 3.11 or later, this is " + sys.version.split()[0] + ": make PYTHON=python3.12 ...")'
	@echo "== making $(VENV) with the locked dependencies (about a minute, once)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements.lock
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

check: setup
	@echo "== lint, format, types, import contracts"
	@$(BIN)/ruff check --quiet $(CHECKED)
	@$(BIN)/ruff format --quiet --check $(CHECKED)
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

bench: setup
	@$(BIN)/python -m bench all

# After a change of a command's help or of the schema.
docs: setup
	@$(SHOPFLOW) up --once
	@$(BIN)/python -m docs.generate

# After a change of the dependencies in pyproject.toml.
lock: setup
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-annotate \
	  --python-version 3.11 --all-extras --custom-compile-command "make lock" \
	  --output-file requirements.lock pyproject.toml
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-annotate \
	  --python-version 3.11 --custom-compile-command "make lock" \
	  --output-file bench/oscar-requirements.lock bench/oscar-requirements.in
