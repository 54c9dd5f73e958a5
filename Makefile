# Two commands matter: `make run` serves the product with demo data, `make test` proves it.
PYTHON ?= python3.11
PORT ?= 8000
VENV := .venv
BIN := $(VENV)/bin

# What is told again on PostgreSQL, by a server of the tests' own.
ON_POSTGRES := tests/unit/jobs tests/unit/backups tests/unit/accounts tests/unit/api \
	tests/integration/jobs/test_lost_workers.py::test_a_worker_killed_in_the_middle_of_a_copy_is_followed_by_another

# A test that fails is tried once more, and listed at the end whatever comes of it: servers, browsers and clocks of a busy
# machine fail alone, a mistake fails twice. What needs its second try is a test to mend.
SECOND_TRY := --reruns 1 -rfER

.PHONY: run test check unit integration postgres browser fuzz torture access screenshots clean

run: $(VENV)/.runtime
	@PORT=$(PORT) exec $(BIN)/python -m backupsite.up

test: $(VENV)/.development
	@$(BIN)/python -m tests.parts
	@# The slow ones first, so that the many quick ones fill what is left of every processor at the end.
	$(BIN)/python -m pytest tests/integration tests/fuzz tests/unit -q -n 4 --dist loadscope --no-loadscope-reorder $(SECOND_TRY)
	@$(MAKE) --no-print-directory -j2 --output-sync=target postgres browser

unit: $(VENV)/.development
	$(BIN)/python -m pytest tests/unit -q

integration: $(VENV)/.development
	$(BIN)/python -m pytest tests/integration -q

postgres: $(VENV)/.development
	$(BIN)/python -m tests.postgres $(BIN)/python -m pytest $(ON_POSTGRES) -q -n 2 --dist loadscope $(SECOND_TRY)

browser: $(VENV)/.development
	$(BIN)/python -m pytest tests/browser -q $(SECOND_TRY)

# Requests that make no sense, to every address, as everybody; `make test` sends a thousand of them.
fuzz: $(VENV)/.development
	FUZZ_REQUESTS=$(or $(REQUESTS),10000) FUZZ_SEED=$(or $(SEED),0) $(BIN)/python -m pytest tests/fuzz -q -s

# Kills, freezes, unplugs and fills up what the site runs on, and counts what that did; zero everywhere is the aim.
torture: $(VENV)/.development
	$(BIN)/python -m tests.torture --rounds $(or $(ROUNDS),100) --database $(or $(DATABASE),sqlite) \
		--broker $(or $(BROKER),none) $(if $(SEED),--seed $(SEED))

check: $(VENV)/.development
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy .
	DJANGO_SETTINGS_MODULE=tests.settings $(BIN)/python manage.py makemigrations --check --dry-run
	$(BIN)/python -m tests.deploy_check
	$(BIN)/python -m pytest tests/unit/test_layers.py -q

# Writes docs/access.md anew: every address, and what each role is answered.
access: $(VENV)/.development
	ACCESS_TABLE=write $(BIN)/python -m pytest tests/unit/dashboard/test_access.py -q

screenshots: $(VENV)/.development
	$(BIN)/python -m tests.browser.screenshots

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis

# An environment without a working pip is what a Python without ensurepip or a Ctrl-C leaves behind: made anew.
$(VENV)/.runtime: requirements.txt
	@command -v $(PYTHON) >/dev/null || { echo "Python 3.11 is needed and '$(PYTHON)' was not found. Install it (Debian: sudo apt-get install python3.11-venv) or name yours: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "'$(PYTHON)' cannot make environments, because its venv module is not complete. On Debian: sudo apt-get install python3.11-venv"; exit 1; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || { rm -rf $(VENV); $(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

$(VENV)/.development: requirements-dev.txt $(VENV)/.runtime
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@
