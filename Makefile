PYTHON ?= python3
SUDO ?=
SERVERS ?= required
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test test-buckets check clean

demo: $(VENV)/.demo
	$(BIN)/birddask demo

test: $(VENV)/.test
	$(BIN)/python -m pytest

# With a real object store, an SFTP and an SMB server on this machine (Debian's openssh-server and samba).
test-buckets: $(VENV)/.servers
	BIRDDASK_SERVERS=$(SERVERS) $(BIN)/python -m pytest tests/buckets

check: $(VENV)/.test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

clean:
	rm -rf $(VENV)

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip

$(VENV)/.demo: $(BIN)/python pyproject.toml
	$(BIN)/python -m pip install --quiet --editable '.[birdnet]'
	touch $@

$(VENV)/.test: $(BIN)/python pyproject.toml
	$(BIN)/python -m pip install --quiet --editable '.[birdnet,analysis,dashboard]' --group test
	touch $@ $(VENV)/.demo

$(VENV)/.servers: $(VENV)/.test
	(command -v sshd && command -v smbd) >/dev/null || $(SUDO) apt-get install -y --no-install-recommends openssh-server samba || test $(SERVERS) != required
	mkdir -p /run/sshd || $(SUDO) mkdir -p /run/sshd || test $(SERVERS) != required
	$(BIN)/python -m pip install --quiet --editable . --group servers
	touch $@
