.PHONY: setup demo demo-seg test test-forks soak lint bench bench-gpu study transfer

ROUNDS ?= 12

setup:
	@tools/setup.sh

demo: setup
	@tools/demo.sh faster_rcnn_r50_dmsca_digits

demo-seg: setup
	@tools/demo.sh upernet_r50_dmsca_digits

# A worker for each core, which computes with one thread.
PYTEST = OMP_NUM_THREADS=1 $(1)/bin/python -m pytest -n auto --dist worksteal

test: setup
	$(call PYTEST,.venv)

# The same tests on the maintained forks of OpenMMLab's packages, in an environment of their own.
test-forks:
	@tools/setup.sh forks
	$(call PYTEST,.venv-forks)

# The long tests, with what they measure: 45 minutes on two cores, bounded at two hours.
soak: setup
	timeout 7200 .venv/bin/python -m pytest -m soak -v -s --durations=0

lint: setup
	.venv/bin/ruff check .

bench: setup
	for depth in 50 18; do .venv/bin/python benchmarks/cost.py --level backbone --depth $$depth --rounds $(ROUNDS) || exit; done
	.venv/bin/python benchmarks/cost.py --level operator --rounds $(ROUNDS)
	.venv/bin/python benchmarks/scaling.py --rounds $(ROUNDS)
	.venv/bin/python benchmarks/page.py

# The shapes of detection, in the three precisions that people train in.
bench-gpu: setup
	for dtype in bf16 amp fp32; do for level in backbone operator; do \
	.venv/bin/python benchmarks/cost.py --level $$level --size 800x1344 --batch 8 --device cuda --dtype $$dtype --rounds $(ROUNDS) || exit; \
	done; done
	.venv/bin/python benchmarks/page.py

# Hours; the same command goes on where it stopped.
study: setup
	.venv/bin/python benchmarks/study.py
	.venv/bin/python benchmarks/study_page.py

# Does pretraining help a detector? The same command goes on where it stopped.
transfer: setup
	.venv/bin/python benchmarks/transfer.py
