.PHONY: setup demo demo-seg test test-slow test-forks test-pythons soak sanitize lint wheel bench bench-gpu gpu-report study

ROUNDS ?= 12
# The environment, as tools/setup.sh has it.
VENV ?= .venv
export VENV

setup:
	@tools/setup.sh

demo: setup
	@tools/demo.sh faster_rcnn_r50_dmsca_digits

demo-seg: setup
	@tools/demo.sh upernet_r50_dmsca_digits

# A worker for each core, which computes with one thread.
PYTEST = OMP_NUM_THREADS=1 $(1)/bin/python -m pytest -n auto --dist worksteal

test: setup
	$(call PYTEST,$(VENV))

# Trainings, tests and reports as a person runs them.
test-slow: setup
	$(call PYTEST,$(VENV)) -m 'slow and not soak'

# The same tests on the maintained forks of OpenMMLab's packages, in an environment of their own.
test-forks:
	@STACK=forks VENV=.venv-forks tools/setup.sh
	$(call PYTEST,.venv-forks) -m 'not soak'

# The quick tests on each Python, in environments of their own; PYTHONS="3.12 3.13" goes on with these.
PYTHONS ?= 3.10 3.11 3.12 3.13
test-pythons:
	@for version in $(PYTHONS); do \
	PYTHON=python$$version VENV=.venv-$$version tools/setup.sh && \
	OMP_NUM_THREADS=1 timeout 3600 .venv-$$version/bin/python -m pytest -n auto --dist worksteal || exit; \
	done

# The long tests, with what they measure: one to two hours on two cores, bounded at three.
soak: setup
	timeout 10800 $(VENV)/bin/python -m pytest -m soak -v -s --durations=0

# The CPU kernels over 1,000 random shapes under AddressSanitizer and UndefinedBehaviorSanitizer: in make soak, too.
sanitize: setup
	$(VENV)/bin/python -m pytest -m soak -v -s tests/attention/dmsca/cpu/test_sanitize.py

lint: setup
	$(VENV)/bin/ruff check .

# A wheel and a source distribution in dist/, with configs, tools and the CPU kernels of this platform.
wheel: setup
	$(VENV)/bin/python -m build --no-isolation --outdir dist

# What it costs on the CPU, each setting in a table of its own.
COST = $(VENV)/bin/python benchmarks/cost.py --rounds $(ROUNDS)
bench: setup
	$(COST) --level backbone --depth 50
	$(COST) --level backbone --depth 18
	$(COST) --level backbone --depth 50 --size 800x1344 --batch 1 --contenders se cbam ca fast
	$(COST) --level backbone --depth 50 --memory-format channels_last --contenders se eca cbam ca fast
	$(COST) --level backbone --depth 50 --dtype amp --contenders se eca cbam ca fast
	$(COST) --level operator
	$(VENV)/bin/python benchmarks/scaling.py --rounds $(ROUNDS)
	$(VENV)/bin/python benchmarks/gpu_traffic.py
	$(VENV)/bin/python benchmarks/page.py

# The shapes of detection, in the three precisions that people train in.
bench-gpu: setup
	for dtype in bf16 amp fp32; do for level in backbone operator; do \
	$(COST) --level $$level --size 800x1344 --batch 8 --device cuda --dtype $$dtype || exit; \
	done; done
	$(VENV)/bin/python benchmarks/page.py

# On a GPU: at most 30 minutes; writes two files to send back.
GPUS ?= 1
gpu-report: setup
	$(VENV)/bin/python benchmarks/gpu_report.py --gpus $(GPUS)

# The study: hours; the same command resumes.
study: setup
	$(VENV)/bin/python benchmarks/study.py --results benchmarks/results/study.csv
	$(VENV)/bin/python benchmarks/study_page.py
