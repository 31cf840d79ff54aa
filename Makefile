# One command sets everything up and runs; another sets everything up and tests.
# A machine without a GPU saves gigabytes with: make test PIP_ARGS="--extra-index-url https://download.pytorch.org/whl/cpu"

PYTHON ?= python3
PIP_ARGS ?=
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready

.PHONY: demo test lint types docs check-docs bench curves nano clean

demo: $(READY)  ## ask a question about a short video
	$(BIN)/tempo ask examples/chase.mp4 "what color was the car" --model nano
	@echo
	@echo "Ask a question of your own, look into another video, or ask from Python:"
	@echo "  $(BIN)/tempo ask examples/chase.mp4 \"which way did the car move\" --model nano"
	@echo "  $(BIN)/tempo inspect examples/harbour.webm \"when does the blue tree appear\" --model nano"
	@echo "  $(BIN)/python examples/questions.py examples/sky.mkv \"which way did the plane go\" --model nano"
	@echo "What works on this machine: $(BIN)/tempo doctor"

test: $(READY)  ## run every test, in as many processes as there are cores, at most 4
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)  ## the package, the Python in the documents, the examples
	$(BIN)/mypy
	$(BIN)/python docs/snippets.py

docs: $(READY)  ## write docs/cli.md from the command's own help
	$(BIN)/python docs/generate.py

check-docs: $(READY)
	$(BIN)/python docs/generate.py --check

bench: $(READY)  ## speed and memory: half an hour on an idle machine
	$(BIN)/python bench/stages.py
	$(BIN)/python bench/startup.py
	$(BIN)/python bench/decode.py
	$(BIN)/python bench/ask.py
	$(BIN)/python bench/clip.py
	$(BIN)/python bench/memory.py

curves: $(READY)  ## a whole ask over clips of up to four hours: an hour or two, and 12 GB of disk
	$(BIN)/python bench/stages.py --curves --minutes 1,10,60,240 --keyframes 2,5,10 --questions 1,2,5

nano: $(READY)  ## train the model that ships with tempo further: resumable, under 2 hours on 2 cores
	$(BIN)/python -m training.sources work/sources
	$(BIN)/python -m training.corpus work/corpus
	$(BIN)/python -m training.foreign work/foreign --sources work/sources
	test -d work/start || cp -r src/tempo_cli/nano work/start
	$(BIN)/python -m training.train work/nano --corpus work/corpus --foreign work/foreign --sources work/sources \
		--start work/start
	$(BIN)/python -m training.export work/nano src/tempo_cli/nano --start work/start
	$(BIN)/python -m training.evaluate src/tempo_cli/nano/Tempo-nano training/results/shipped.json
	$(BIN)/python -m training.footage src/tempo_cli/nano/Tempo-nano training/results/footage.json \
		--sources work/sources
	$(BIN)/python -m training.export work/nano src/tempo_cli/nano --start work/start --measured training/results/shipped.json
	cp work/nano/log.jsonl training/results/shipped-log.jsonl
	$(BIN)/python -m training.tables

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check $(PIP_ARGS) -c constraints.txt -e '.[dev]'
	touch $(READY)
