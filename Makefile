# Every target sets itself up. `only=part/slug` narrows serve, test and bench to one chapter.
PYTHON ?= python3
# The set-up runs in the Python outside; everything after it in the environment that it made.
OUTSIDE := $(PATH)
SETUP = PATH="$(OUTSIDE)" $(PYTHON) lib/press/install.py
assignment ?= linear_regression
export OMP_NUM_THREADS ?= 1
export OMP_WAIT_POLICY ?= PASSIVE
export PATH := $(CURDIR)/.venv/bin:$(PATH)

.PHONY: help serve test test-gpu check lab grade bench new rename lock notebooks clean

help:  ## show this list
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:[^#]*##/ /' | awk '{ name = $$1; $$1 = ""; printf "  make %-10s%s\n", name, $$0 }'

serve:  ## build the book, executing what changed, and serve it here   [only= port=]
	@$(SETUP)
	@press serve --only "$(only)" --port "$(or $(port),8000)"

test:  ## everything that CI runs   [only=]
	@$(SETUP) test
	@press test --only "$(only)"

test-gpu:  ## the device tests and parity on a real accelerator
	@$(SETUP) test
	@press test-gpu

check:  ## in seconds: lint, types, layers, spelling, what is out of step
	@$(SETUP) test
	@press check

lab:  ## JupyterLab with your copies of the assignments in work/   [fresh=assignment port=]
	@$(SETUP)
	@press lab --fresh "$(fresh)" --port "$(or $(port),8888)"

grade:  ## a class: collect, grade in the pen, marks, feedback; without class=, a small sample   [assignment= class=place]
	@$(SETUP)
ifdef class
	@proctor grade "$(assignment)" --class "$(class)"
else
	@rm -rf _grading/sample
	@proctor sample "$(assignment)" _grading/sample
	@proctor grade "$(assignment)" --class _grading/sample
endif
	@proctor feedback "$(assignment)"

new:  ## lay out a draft with all its homes   [chapter=part/slug]
	@$(SETUP) test
	@press new --chapter "$(chapter)"

rename:  ## give a chapter another name everywhere   [chapter=part/slug to=part/slug]
	@$(SETUP) test
	@press rename --chapter "$(chapter)" --to "$(to)"

bench:  ## side by side with what you would otherwise pick   [only=]
	@$(SETUP) test
	@press bench --only "$(only)"

notebooks:  ## solutions and releases from their texts   [only=]
	@$(SETUP) test
	@proctor build $(notdir $(only))

lock:  ## pin what is installed now in requirements.lock
	@press lock

clean:  ## remove what was built, keep the environment
	@rm -rf _build _grading
