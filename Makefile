.PHONY: setup demo demo-seg test lint bench

setup:
	@tools/setup.sh

demo: setup
	@tools/demo.sh faster_rcnn_r50_dmsca_digits

demo-seg: setup
	@tools/demo.sh upernet_r50_dmsca_digits

test: setup
	.venv/bin/python -m pytest

lint: setup
	.venv/bin/ruff check .

bench: setup
	.venv/bin/python benchmarks/cost.py --level backbone
	.venv/bin/python benchmarks/cost.py --level operator
	.venv/bin/python benchmarks/scaling.py
	.venv/bin/python benchmarks/page.py
