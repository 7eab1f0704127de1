PYTHON ?= python3
SUDO ?=
SERVERS ?= required
VENV := .venv
BIN := $(VENV)/bin
PYTEST := pytest --numprocesses 2 --dist loadfile
# Tests start hundreds of processes: each of them would compile all modules anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: bench demo test test-slow coverage mutants test-models test-buckets test-ssh test-slurm test-deaths test-browser test-release test-minimum check docs docs-links clean

demo: $(VENV)/.demo
	$(BIN)/birddask demo

test: $(VENV)/.test
	$(BIN)/python -m $(PYTEST) -m 'not slow'

# Whole matrices, and pages that run BirdNET again and again: minutes each.
test-slow: $(VENV)/.test
	$(BIN)/python -m $(PYTEST) -m slow

# Lines and branches that `make test` and `make test-slow` run, in all their processes; fails where they are together below 95 %.
coverage: $(VENV)/.test
	$(BIN)/python -m coverage erase
	$(BIN)/python -m coverage run -m $(PYTEST)
	$(BIN)/python -m coverage combine --quiet
	$(BIN)/python -m coverage report

# The pure modules with one thing changed at a time: which changes no test notices (docs/design/0013-tests.md).
mutants: $(VENV)/.test
	$(BIN)/python -m pip install --quiet --editable . --group mutants
	$(BIN)/mutmut run
	$(BIN)/mutmut results

# The page on models of one's own, with PyTorch.
test-models: $(VENV)/.models
	$(BIN)/python -m pytest tests/models

# With a real object store, an SFTP and an SMB server on this machine (Debian's openssh-server and samba).
test-buckets: $(VENV)/.servers
	BIRDDASK_SERVERS=$(SERVERS) $(BIN)/python -m pytest tests/buckets

# On three hosts, all of them this machine (Debian's openssh-server).
test-ssh: $(VENV)/.ssh
	BIRDDASK_SERVERS=$(SERVERS) $(BIN)/python -m pytest tests/ssh

# On a SLURM of two nodes, both of them this machine (Debian's slurmctld, slurmd, slurm-client and munge).
test-slurm: $(VENV)/.slurm
	BIRDDASK_SERVERS=$(SERVERS) $(BIN)/python -m pytest tests/slurm

# Processes die, hosts are cut off, disks get full, at exact moments (as root; Debian's iproute2).
test-deaths: $(VENV)/.deaths
	BIRDDASK_SERVERS=$(SERVERS) $(BIN)/python -m pytest tests/deaths

# The pages in a real browser without a window (Debian's chromium and chromium-driver).
test-browser: $(VENV)/.browser
	BIRDDASK_SERVERS=$(SERVERS) $(BIN)/python -m pytest tests/browser

# What would be uploaded: installed by pip, pipx and uv, on every Python from 3.11 that is on the PATH, of pyenv, or in
# BIRDDASK_PYTHONS. Downloads much.
test-release: $(VENV)/.release
	$(BIN)/python -m pytest tests/release --ignore tests/release/test_minimum.py

# With the oldest versions of everything that pyproject.toml allows.
test-minimum: $(VENV)/.release
	$(BIN)/python -m pytest tests/release/test_minimum.py

# Into docs/benchmarks.md, on a machine that does nothing else.
bench: $(VENV)/.test
	$(BIN)/python -m pip install --quiet --editable . --group benchmark
	$(BIN)/birddask models get birdnet-v2.4
	$(BIN)/python jobs/benchmark.py

# The documentation, into docs/_build/html, all of it anew as it is made from the code; links within it are checked.
docs: $(VENV)/.docs
	$(BIN)/sphinx-build -E -W --keep-going -n -q docs docs/_build/html
	$(BIN)/python -m tests.support.site docs/_build/html

# Links to other sites, which need a network.
docs-links: $(VENV)/.docs
	$(BIN)/sphinx-build -W --keep-going -b linkcheck docs docs/_build/linkcheck

# All that must hold of a change: format, lint, types, documentation, layering and tests.
check: $(VENV)/.test $(VENV)/.docs
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(MAKE) docs
	$(MAKE) test

clean:
	rm -rf $(VENV)

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip

$(VENV)/.demo: $(BIN)/python pyproject.toml
	$(BIN)/python -m pip install --quiet --editable '.[birdnet]'
	touch $@

$(VENV)/.test: $(BIN)/python pyproject.toml
	$(BIN)/python -m pip install --quiet --editable '.[birdnet,birdvoxdetect,analysis,dashboard,pictures,sftp,ssh,slurm,kubernetes]' --group test
	touch $@ $(VENV)/.demo

$(VENV)/.models: $(VENV)/.test
	$(BIN)/python -m pip install --quiet --editable . --group torch
	touch $@

$(VENV)/.servers: $(VENV)/.test
	(command -v sshd && command -v smbd) >/dev/null || $(SUDO) apt-get install -y --no-install-recommends openssh-server samba || test $(SERVERS) != required
	mkdir -p /run/sshd || $(SUDO) mkdir -p /run/sshd || test $(SERVERS) != required
	$(BIN)/python -m pip install --quiet --editable . --group servers
	touch $@

$(VENV)/.ssh: $(VENV)/.test
	command -v sshd >/dev/null || $(SUDO) apt-get install -y --no-install-recommends openssh-server || test $(SERVERS) != required
	mkdir -p /run/sshd || $(SUDO) mkdir -p /run/sshd || test $(SERVERS) != required
	touch $@

$(VENV)/.slurm: $(VENV)/.test
	(command -v slurmctld && command -v slurmd && command -v sbatch && command -v munged) >/dev/null || $(SUDO) apt-get install -y --no-install-recommends slurmctld slurmd slurm-client munge || test $(SERVERS) != required
	touch $@

$(VENV)/.deaths: $(VENV)/.test
	command -v ip >/dev/null || $(SUDO) apt-get install -y --no-install-recommends iproute2 || test $(SERVERS) != required
	touch $@

$(VENV)/.release: $(VENV)/.test
	$(BIN)/python -m pip install --quiet --editable . --group release
	touch $@

$(VENV)/.browser: $(VENV)/.test
	(command -v chromium && command -v chromedriver) >/dev/null || $(SUDO) apt-get install -y --no-install-recommends chromium chromium-driver || test $(SERVERS) != required
	$(BIN)/python -m pip install --quiet --editable . --group browser
	touch $@

$(VENV)/.docs: $(BIN)/python pyproject.toml
	$(BIN)/python -m pip install --quiet --editable . --group docs
	touch $@
