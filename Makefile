# All targets build the whole workspace with the release profile, so that its dependencies are built once.
# A target directory set with CARGO_TARGET_DIR is honoured.

BIN := $(or $(CARGO_TARGET_DIR),target)/release
SECONDS ?= 60
SUITE ?= sql-tests/slt
ROUNDS ?= 100
SEEDS ?= 1000

OPERATIONS ?= 100000
STATEMENTS ?= 5000

.PHONY: help build demo test check drivers fuzz bench slt bank crash faults histories differential

help: ## Say what there is
	@sed -n 's/^\([a-z]*\):.*## /  make \1	/p' $(MAKEFILE_LIST)

build:
	cargo build --release --workspace --bins

demo: build ## Replay a year of flights; KEEP=1 leaves the server up for psql
	$(BIN)/flights $(if $(KEEP),--keep)

test: ## All tests
	cargo test --release --workspace

check: ## Formatting, lints, tests and documentation; all that a change must pass
	cargo fmt --all --check
	cargo clippy --release --workspace --all-targets -- -D warnings
	cargo test --release --workspace
	RUSTDOCFLAGS="-D warnings" cargo doc --release --workspace --no-deps

drivers: ## Install drivers and tools that connect, as far as they are not here, and test each of them
	sql-tests/drivers/prepare.sh $(dir $(BIN))drivers
	cargo test --release --workspace --test drivers -- --nocapture

fuzz: build ## Random views under random histories for SECONDS=60
	$(BIN)/fuzz --seconds $(SECONDS)

bench: build ## All benches, or one: WHAT=nexmark, change, visible, points, copy, hydrate, views, restart, past or commits; POSTGRES=url to compare with
	$(BIN)/bench $(WHAT) $(if $(POSTGRES),--postgres "$(POSTGRES)")

slt: build ## The sqllogictest files of SUITE=folder
	$(BIN)/slt $(SUITE)

bank: build ## Money moves between accounts for SECONDS=60 while readers check the total
	$(BIN)/bank --seconds $(SECONDS)

crash: build ## Kill a server ROUNDS=100 times in the middle of its work, and check what it kept; BUCKET=1 keeps its data in a bucket
	$(BIN)/crash kill --rounds $(ROUNDS) $(if $(BUCKET),--bucket)

faults: build ## Let SEEDS=1000 disks fail, lose and flip bits, and check what the database kept
	$(BIN)/crash faults --seeds $(SEEDS)

histories: build ## Record OPERATIONS=100000 of ten sessions on a server that is killed, and look for an order that explains what they saw
	$(BIN)/crash histories --operations $(OPERATIONS)

differential: build ## STATEMENTS=5000 random statements to the PostgreSQL at POSTGRES=url and to us; lists what differs
	$(BIN)/differential --postgres "$(POSTGRES)" --statements $(STATEMENTS)
