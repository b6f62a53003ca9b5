# onebox: builds bin/, runs the tests, installs; the way from data/ to out/ is in pipeline.mk.
# `make` builds, `make help` lists everything.

ifeq ($(origin CC),default)
CC      := gcc
endif
BUILD   ?= build
BIN     ?= bin
PREFIX  ?= /usr/local
CFLAGS  ?= -O2 -g
WARN    := -Wall -Wextra -Wpedantic -Wshadow -Wconversion
comma   := ,
SAN     := $(if $(ASAN),-fsanitize=address$(comma)undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer)

override CPPFLAGS += -D_GNU_SOURCE -Icommon
override CFLAGS   += -std=gnu11 $(WARN) -fopenmp -ffp-contract=off -fno-math-errno -fno-trapping-math $(SAN)
override LDFLAGS  += -fopenmp -Wl,--as-needed -Wl,--gc-sections $(SAN)
LDLIBS  := -ldnnl -lexpat -ljpeg -lpng -lcairo -lnettle -lm -lpthread

LIB_C   := $(wildcard common/*/*.c)
LIB_O   := $(LIB_C:%.c=$(BUILD)/%.o)
LIB     := $(BUILD)/libonebox.a
STAGES  := $(patsubst stages/%.c,%,$(wildcard stages/*.c))
PROGRAMS := $(STAGES:%=$(BIN)/%)
UNITS   := $(patsubst tests/unit/%.c,$(BUILD)/tests/%,$(wildcard tests/unit/test_*.c))

.DELETE_ON_ERROR:
.SECONDARY:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules

.PHONY: all
all: $(PROGRAMS)

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

# Kernels for one instruction set live in files of their own; the processor is asked at run time.
$(BUILD)/common/device/%_avx512.o: override CFLAGS += -O3 -mavx512f -mavx512bw -mavx512dq -mavx512vl -mfma -mprefer-vector-width=512 -ffp-contract=fast
$(BUILD)/common/device/%_avx2.o $(BUILD)/common/image/%_avx2.o: override CFLAGS += -O3 -mavx2 -mfma
$(BUILD)/common/device/%_sse2.o: override CFLAGS += -O3

$(LIB): $(LIB_O)
	@rm -f $@
	$(AR) rcs $@ $^

$(PROGRAMS): $(BIN)/%: $(BUILD)/stages/%.o $(LIB)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $< $(LIB) $(LDLIBS)

$(UNITS): $(BUILD)/tests/%: $(BUILD)/tests/unit/%.o $(LIB)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $< $(LIB) $(LDLIBS)

.PHONY: units
units: $(UNITS)

.PHONY: check
check: all units
	@BIN=$(abspath $(BIN)) UNITS="$(UNITS)" tests/run

.PHONY: clean
clean:
	rm -rf build bin

-include $(LIB_O:.o=.d) $(STAGES:%=$(BUILD)/stages/%.d) $(UNITS:$(BUILD)/tests/%=$(BUILD)/tests/unit/%.d)
