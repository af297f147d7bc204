# Everything a fresh Debian or Ubuntu with a Rust toolchain needs is installed on the way.
#
#   make demo                scan a real image, put together here; from clone to verdict in minutes
#   make demo IMAGE=name     scan that image instead (any target of `dogwatch scan`)
#   make test                what the pipeline runs: format, lints, licences, all tests, end to end
#   make fuzz                every fuzz target for a minute (FUZZ_SECONDS=n for longer)
#   make dist                what is released, in target/dist (cargo xtask dist --check builds it twice and compares)
#   make bench               the figures that docs/PERFORMANCE.md quotes
#
# The work is in xtask, in Rust.

IMAGE ?=
FUZZ_SECONDS ?= 60

.PHONY: demo test fuzz bench dist linker

demo: linker
	@cargo xtask demo $(IMAGE)

test: linker
	@cargo xtask test

fuzz: linker
	@cargo xtask fuzz --seconds $(FUZZ_SECONDS)

bench: linker
	@cargo xtask bench

dist: linker
	@cargo xtask dist

# Rust links with the C compiler, which a minimal Debian lacks; all else xtask can install itself.
linker:
	@command -v cc >/dev/null || { \
	  [ "$$(id -u)" = 0 ] && sudo= || sudo=sudo; \
	  $$sudo apt-get update -q && $$sudo apt-get install -q -y --no-install-recommends gcc libc6-dev; }
