# onebox: builds bin/, runs the tests, installs; the way from data/ to out/ is in pipeline.mk.
# `make` builds, `make help` lists everything.

include scripts/make.mk

##@ Settings of the build
#? CC CFLAGS   compiler and its options; objects are made anew when they change
ifeq ($(origin CC),default)
CC      := gcc
endif
CFLAGS  ?= -O2 -g
#? BUILD BIN   folders of objects and programs; another compiler: make CC=clang BUILD=build/clang BIN=build/clang/bin
BUILD   ?= build
BIN     ?= bin
#? ASAN=1      build with the address and undefined-behaviour sanitizers (give BUILD and BIN as well)
#? TSAN=1      the same with the thread sanitizer (with gcc); COVERAGE=1: so that gcov can count the lines that run
#? STATIC=1    put all libraries into the programs, for another machine (give BUILD and BIN as well)
#? V=1         show whole commands
#? CUDA=auto   the GPU device: 1 builds it or stops, 0 leaves it out, auto builds it where nvcc and cuDNN are
#?             (CUDA_HOME and CUDNN_HOME say where; else the PATH, pkg-config and the usual folders are tried)
CUDA    ?= auto
#? ONEDNN=auto oneDNN's convolutions, for --conv onednn: 1 builds them or stops, 0 leaves them out, auto builds them
#?             where oneDNN's headers are (libdnnl-dev)
ONEDNN  ?= auto
#? PREFIX      where install puts things [/usr/local]; DESTDIR is put before it
#? LINKS=1     install the programs under their own names too, beside the command onebox
PREFIX  ?= /usr/local
$(call at_home,BUILD BIN PREFIX DESTDIR CUDA_HOME CUDNN_HOME)
WARN    := -Wall -Wextra -Wpedantic -Wshadow -Wconversion
# How threads meet in gcc's OpenMP library is shown to the thread sanitizer by tests/lib/openmp_seen.c.
SAN     := $(strip \
  $(if $(ASAN),-fsanitize=address$(comma)undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer) \
  $(if $(TSAN),-fsanitize=thread $(addprefix -Wl$(comma)--wrap=GOMP_,parallel barrier loop_end)) \
  $(if $(COVERAGE),-O1 --coverage -fprofile-update=atomic -Wl$(comma)--exclude-libs=libgcov.a))

machine := $(firstword $(subst -, ,$(shell $(CC) -dumpmachine 2>/dev/null)))
# Overruns of buffers and of the stack end a program instead of doing harm, and its tables of functions are read-only
# (without sanitizers, which see more; the first needs some optimisation). What that costs is in SPEED.md.
FORTIFY := $(if $(filter-out -O0,$(filter -O%,$(CFLAGS))),-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3)
HARDEN  := $(if $(SAN),,$(FORTIFY) -fstack-protector-strong -fstack-clash-protection \
  $(if $(filter x86_64,$(machine)),-fcf-protection) \
  $(if $(filter aarch64 arm64,$(machine)),-mbranch-protection=standard))
# Of the unrolled kernels: with sanitizers, and counters of gcov, full optimisation takes gcc minutes. They compute with
# our own numbers alone, so their stacks need no guards.
kernel_level := $(if $(ASAN)$(TSAN)$(COVERAGE),-O1,-O3) \
  $(if $(HARDEN),-fno-stack-protector -fno-stack-clash-protection)

override CPPFLAGS += -D_GNU_SOURCE -Icommon
override CFLAGS   += -std=gnu11 $(WARN) -fopenmp -ffp-contract=off -fno-math-errno -fno-trapping-math $(HARDEN) $(SAN)
override LDFLAGS  += -fopenmp -Wl,--as-needed -Wl,--gc-sections -Wl,-z,relro,-z,now $(SAN)
# Debian 12 has archives of all, and of those that they need (cairo: the four behind it). Debian 13 has none of cairo:
# there the programs that draw are linked as without STATIC=1.
dynamic  := -lexpat -ljpeg -lpng -lcairo -lnettle -lz -lxxhash
archives := -lexpat -ljpeg -lpng -lz -lxxhash -lnettle
cairo    := -lcairo -lpixman-1 -lfontconfig -lfreetype -lexpat -lpng -lz -lbrotlidec -lbrotlicommon
system   := -lm -ldl -lpthread
ifeq ($(STATIC),)
LDLIBS   := $(dynamic) $(system)
else
ifneq ($(filter 1,$(CUDA) $(ONEDNN)),)
$(error STATIC=1 makes programs that open no libraries: leave CUDA=1 and ONEDNN=1 out)
endif
override CPPFLAGS += -DONEBOX_STATIC
has_cairo := $(filter /%,$(shell $(CC) -print-file-name=libcairo.a))
# (libgomp has a dlopen for what we do not use, of which the linker warns.)
LDLIBS   := -static -Wl,--no-warnings $(if $(has_cairo),$(cairo)) $(archives) $(system)
endif

# Files for one instruction set are named by it; those of another processor are left out.
foreign := $(if $(filter aarch64 arm64,$(machine)),%_sse2.c %_avx2.c %_avx512.c,%_neon.c)

# The GPU device and oneDNN are libraries of their own, which the programs open when they run.
CUDA_C  := $(wildcard common/device/cuda*.c)
ONEDNN_C := $(wildcard common/device/onednn*.c)
LIB_C   := $(filter-out $(CUDA_C) $(ONEDNN_C) $(foreign),$(wildcard common/*/*.c))
LIB_O   := $(LIB_C:%.c=$(BUILD)/%.o) $(if $(TSAN),$(BUILD)/tests/lib/openmp_seen.o)
LIB     := $(BUILD)/libonebox.a
STAGES  := $(patsubst stages/%.c,%,$(wildcard stages/*.c))
PROGRAMS := $(STAGES:%=$(BIN)/%)
UNITS   := $(patsubst tests/unit/%.c,$(BUILD)/tests/%,$(filter-out $(foreign),$(wildcard tests/unit/test_*.c)))
HELPERS := $(patsubst tests/lib/%.c,$(BUILD)/tests/%,$(filter-out %/inject.c %/openmp_seen.c,$(wildcard tests/lib/*.c)))
INJECT  := $(BUILD)/tests/inject.so

.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules

# Recipes print "CC file" in place of the command, unless V=1.
Q   := $(if $(V),,@)
say  = @mkdir -p $(@D)$(if $(V),, && printf '  %-5s %s\n' $1 '$@')
# $(call quoted,TEXT): TEXT as one word of the shell.
quoted = '$(subst ','\'',$1)'
# The recipe of a program: all prerequisites, and the libraries.
define link
	$(call say,LINK)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)
endef
# $(call differs,FILE,TEXT): a prerequisite that makes FILE be written anew unless it holds TEXT.
differs = $(if $(call recorded,$(file <$1),$2),,force)

##@ Build and test
all: $(PROGRAMS) $(BIN)/onebox ## build all programs into bin/ (this is what bare `make` does)

# Compiler, options and list of files are remembered as text; the file is written when they differ.
compiler := $(firstword $(realpath $(CC) $(addsuffix /$(CC),$(subst :, ,$(PATH)))))
flags    := $(CC) $(compiler) $(CPPFLAGS) $(CFLAGS) $(kernel_level) $(LDFLAGS) $(LDLIBS)
$(BUILD)/.flags: $(call differs,$(BUILD)/.flags,$(flags))
	@mkdir -p $(@D) && printf '%s\n' $(call quoted,$(flags)) >$@
$(BUILD)/.objects: $(call differs,$(BUILD)/.objects,$(LIB_O))
	@mkdir -p $(@D) && printf '%s\n' '$(LIB_O)' >$@

# Once for each folder of objects: are compiler and libraries there?
$(BUILD)/.ready:
	@mkdir -p $(@D) && CC='$(CC)' scripts/deps --ready build && touch $@

$(BUILD)/%.o: %.c $(BUILD)/.flags | $(BUILD)/.ready
	$(call say,CC)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

# The GPU device, where CUDA is: a library that the programs open when they run, so that they need none of it.
# cuda is "yes NVCC INCLUDES LIBRARIES" or "no REASON"; empty with CUDA=0.
CUDA_CU  := $(wildcard common/device/*.cu)
CUDA_ALL_C := $(CUDA_C) common/base/error.c common/device/planning.c
CUDA_O   := $(CUDA_ALL_C:%.c=$(BUILD)/cuda/%.o) $(CUDA_CU:common/device/%.cu=build/cuda/%.o)
CUDA_SO  := $(BIN)/onebox-cuda.so
ifneq ($(and $(CUDA_CU),$(filter-out 0,$(if $(STATIC),0,$(CUDA)))),)
cuda     := $(shell CUDA_HOME=$(call quoted,$(CUDA_HOME)) CUDNN_HOME=$(call quoted,$(CUDNN_HOME)) scripts/cuda --probe)
all: $(BUILD)/.cuda
endif
cuda_dirs = $(subst :, ,$(word $1,$(cuda)))
ifeq ($(firstword $(cuda)),yes)
all: $(CUDA_SO)
cuda_inc := $(patsubst %,-isystem %,$(filter-out /usr/include,$(call cuda_dirs,3)))
cuda_lib := $(foreach d,$(call cuda_dirs,4),-L$d -Wl,-rpath,$d)
cuda_say := the GPU device is built ($(word 2,$(cuda)))
else
cuda_say := the GPU device is left out: $(wordlist 2,99,$(cuda))
endif
# One line when what was found is new; an error with CUDA=1 when that is not enough.
cuda_stops := $(and $(filter 1,$(CUDA)),$(filter no,$(firstword $(cuda))))
$(BUILD)/.cuda: $(if $(cuda_stops),force,$(call differs,$(BUILD)/.cuda,$(cuda)))
	@mkdir -p $(@D) && echo $(call quoted,cuda: $(cuda_say))
	@$(if $(cuda_stops),echo 'cuda: CUDA=1 asks for it: stopping' >&2; exit 1)
	@printf '%s\n' $(call quoted,$(cuda)) >$@

$(BUILD)/cuda/%.o: %.c $(BUILD)/.flags $(BUILD)/.cuda | $(BUILD)/.ready
	$(call say,CC)
	$(Q)$(CC) $(CPPFLAGS) $(cuda_inc) $(CFLAGS) -fPIC -fvisibility=hidden -MMD -MP -c -o $@ $<
# The programs and the libraries know each other by a checksum of the sources that they are made of.
device_sources := $(CUDA_C) $(ONEDNN_C) $(wildcard $(addprefix common/device/,*.cu kernels*.h planning.[ch] device*.h \
  conv_shape.h cuda.h onednn*.h) common/graph/graph.h common/base/error.[ch] common/base/random.h)
device_build := $(firstword $(shell cat $(device_sources) /dev/null | sha256sum))
$(BUILD)/.device: $(call differs,$(BUILD)/.device,$(device_build))
	@mkdir -p $(@D) && echo $(device_build) >$@
device_users := $(addprefix $(BUILD)/,$(addsuffix common/device/cuda_device.o,cuda/ standin/) \
  onednn/common/device/onednn.o common/device/device_library.o)
$(device_users): override CPPFLAGS += -DDEVICE_BUILD='"$(device_build)"'
$(device_users): $(BUILD)/.device

# For every GPU that this nvcc knows; the same whatever compiles the rest.
build/cuda/%.o: common/device/%.cu $(wildcard common/device/kernels*.h common/graph/graph.h) $(BUILD)/.cuda
	$(call say,NVCC)
	$(Q)$(word 2,$(cuda)) -Icommon -O3 -t 0 $$(scripts/cuda --codes $(word 2,$(cuda))) \
	  -Xcompiler -fPIC,-fvisibility=hidden -c -o $@ $<
$(CUDA_SO): $(CUDA_O)
	$(call say,LINK)
	$(Q)$(CC) -shared $(LDFLAGS) -o $@ $^ $(cuda_lib) -lcudnn -lcublas -lcudart -lstdc++ -lm -Wl,-z,defs

# oneDNN, where its headers are. onednn is "yes VERSION" or "no REASON".
ONEDNN_O  := $(patsubst %.c,$(BUILD)/onednn/%.o,$(ONEDNN_C) common/base/error.c)
ONEDNN_SO := $(BIN)/onebox-onednn.so
ifneq ($(ONEDNN_C),)
onednn   := $(if $(STATIC),no STATIC=1,$(if $(filter 0,$(ONEDNN)),no ONEDNN=0,\
  $(shell CC='$(CC)' scripts/deps --onednn)))
all: $(BUILD)/.onednn
endif
has_onednn := $(filter yes,$(firstword $(onednn)))
ifneq ($(has_onednn),)
all: $(ONEDNN_SO)
onednn_say := oneDNN $(word 2,$(onednn)) can be used (--conv onednn)
else
onednn_say := oneDNN is left out: $(wordlist 2,99,$(onednn))
endif
$(BUILD)/.onednn: $(call differs,$(BUILD)/.onednn,$(onednn))
	@mkdir -p $(@D) && echo $(call quoted,onednn: $(onednn_say))
	@$(if $(has_onednn),,rm -f $(ONEDNN_SO); $(if $(filter 1,$(ONEDNN)),\
	  echo 'onednn: ONEDNN=1 asks for it: stopping' >&2; exit 1))
	@printf '%s\n' $(call quoted,$(onednn)) >$@
$(BUILD)/onednn/%.o: %.c $(BUILD)/.flags $(BUILD)/.onednn | $(BUILD)/.ready
	$(call say,CC)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -fPIC -fvisibility=hidden -MMD -MP -c -o $@ $<
$(ONEDNN_SO): $(ONEDNN_O)
	$(call say,LINK)
	$(Q)$(CC) -shared $(LDFLAGS) -o $@ $^ -ldnnl -Wl,-z,defs
# Tests and benches look for it beside themselves.
onednn_links := $(if $(has_onednn),$(BUILD)/tests/onebox-onednn.so $(BUILD)/bench/onebox-onednn.so)
$(onednn_links): $(ONEDNN_SO)
	@mkdir -p $(@D) && ln -sf '$(abspath $(ONEDNN_SO))' $@

# Kernels for one instruction set live in files of their own; the processor is asked at run time.
$(BUILD)/%_avx512.o: override CFLAGS += $(kernel_level) -mavx512f -mavx512bw -mavx512dq -mavx512vl -mfma \
  -mprefer-vector-width=512 -ffp-contract=fast
$(BUILD)/%_bf16_avx512.o: override CFLAGS += -mavx512bf16
$(BUILD)/%_avx2.o: override CFLAGS += $(kernel_level) -mavx2 -mfma
$(BUILD)/%_sse2.o $(BUILD)/%_neon.o: override CFLAGS += $(kernel_level)
# For ARM gcc would load more ahead of products than 32 registers hold.
$(BUILD)/%_neon.o: override CFLAGS += $(if $(findstring clang,$(CC)),,-fno-schedule-insns)
$(BUILD)/%_bf16_neon.o: override CFLAGS += -march=armv8.2-a+bf16

$(LIB): $(LIB_O) $(BUILD)/.objects
	$(call say,AR)
	@rm -f $@
	$(Q)$(AR) rcs $@ $(LIB_O)

$(PROGRAMS): $(BIN)/%: $(BUILD)/stages/%.o $(LIB)
	$(link)

# Those that draw, where cairo has no archive.
$(if $(STATIC),$(if $(has_cairo),,$(patsubst %,$(BIN)/%,draw-set predict render))): LDLIBS := $(dynamic) $(system)

# The command that has them all: bin/onebox predict …
$(BIN)/onebox: scripts/onebox
	$(call say,COPY)
	@cp $< $@

BENCHES := $(patsubst tests/bench/%.c,$(BUILD)/bench/%,$(wildcard tests/bench/*.c))
$(BENCHES): $(BUILD)/bench/%: $(BUILD)/tests/bench/%.o $(LIB)
	$(link)

# The stand-in for CUDA, cuDNN and cuBLAS (tests/cuda-standin), and the tests of it.
STANDIN_O := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/cuda-standin/*.c))
STANDIN_UNITS := $(filter $(BUILD)/tests/test_standin_%,$(UNITS))
$(STANDIN_O): override CFLAGS += $(kernel_level) -fPIC
$(STANDIN_O) $(STANDIN_UNITS:$(BUILD)/tests/%=$(BUILD)/tests/unit/%.o) $(BUILD)/tests/unit/test_cuda_%.o: \
  override CPPFLAGS += -Itests/cuda-standin -Itests/cuda-standin/include
$(STANDIN_UNITS): $(BUILD)/tests/%: $(BUILD)/tests/unit/%.o $(STANDIN_O) $(LIB)
	$(link)

# The GPU device over the stand-in: the same sources, with the kernels compiled as C. Tests open it.
STANDIN_SO := $(BUILD)/tests/standin/onebox-cuda.so
STANDIN_SO_O := $(CUDA_ALL_C:%.c=$(BUILD)/standin/%.o) $(CUDA_CU:%.cu=$(BUILD)/standin/%.o)
$(STANDIN_SO_O): override CFLAGS += -fPIC
$(STANDIN_SO_O): override CPPFLAGS += -Itests/cuda-standin -Itests/cuda-standin/include
$(BUILD)/standin/%.o: %.c $(BUILD)/.flags | $(BUILD)/.ready
	$(call say,CC)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<
$(BUILD)/standin/%.o: %.cu $(BUILD)/.flags | $(BUILD)/.ready
	$(call say,CC)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -x c -include tests/cuda-standin/standin_kernel.h -MMD -MP -c -o $@ $<
$(STANDIN_SO): $(STANDIN_SO_O) $(STANDIN_O)
	$(call say,LINK)
	$(Q)$(CC) $(LDFLAGS) -shared -o $@ $^ -lm
# This test has the device's own objects, and stands between them and the stand-in where descriptors are made.
wrapped := $(foreach d,Tensor Filter Convolution Activation,Create$dDescriptor Destroy$dDescriptor) \
  SetTensor4dDescriptor SetTensor4dDescriptorEx SetFilter4dDescriptor SetConvolution2dDescriptor \
  SetConvolutionMathType SetActivationDescriptor GetConvolutionForwardAlgorithm_v7
$(BUILD)/tests/test_standin_descriptors: $(filter $(BUILD)/standin/common/device/%,\
  $(filter-out %/planning.o,$(STANDIN_SO_O)))
$(BUILD)/tests/test_standin_descriptors: override LDFLAGS += $(wrapped:%=-Wl,--wrap=cudnn%)

$(filter-out $(STANDIN_UNITS),$(UNITS)): $(BUILD)/tests/%: $(BUILD)/tests/unit/%.o $(LIB)
	$(link)

# Tests of what is written for an instruction set, linked without any library: for emulators of other processors.
kernel_units := $(addprefix $(BUILD)/tests/static/test_,cpu_kernels maxpool direct matmul winograd strided)
STATIC_UNITS := $(patsubst $(BUILD)/tests/%,$(BUILD)/tests/static/%,$(filter $(BUILD)/tests/test_vector_%,$(UNITS))) \
  $(kernel_units)
static-units: $(STATIC_UNITS)
$(kernel_units): $(filter $(addprefix $(BUILD)/common/,base/error.o base/random.o device/instructions.o \
  $(addprefix device/,cpu_kernels_% matmul_% winograd_% strided_% direct_%)),$(LIB_O))
$(STATIC_UNITS): $(BUILD)/tests/static/%: $(BUILD)/tests/unit/%.o
	$(call say,LINK)
	$(Q)$(CC) $(LDFLAGS) -static -o $@ $^ -lm
# Their names for the tests.
print-static-units:
	@printf '%s\n' $(STATIC_UNITS)

$(HELPERS): $(BUILD)/tests/%: $(BUILD)/tests/lib/%.o $(LIB)
	$(link)

# A library to be loaded before others: it makes calls fail.
$(BUILD)/tests/lib/inject.o: override CFLAGS := $(filter-out --coverage,$(CFLAGS)) -fPIC -fno-builtin
$(INJECT): $(BUILD)/tests/lib/inject.o
	$(call say,LINK)
	$(Q)$(CC) $(filter-out -fsanitize% --coverage,$(LDFLAGS)) -shared -o $@ $< -ldl

build_targets := all units static-units print-static-units check asan coverage analyze faults storm fuzz bench \
  gpu-check lint print-sources print-shells documents deps man install uninstall clean distclean help
.PHONY: $(build_targets) force
units: $(UNITS) $(HELPERS) $(INJECT) $(STANDIN_SO) $(onednn_links) ## build the unit tests and what they run

#? TESTS       what check, asan and coverage run: names of files in tests/ [all]
TESTS ?=
check: ## install what is missing, build, run all tests
	@CC='$(CC)' scripts/deps check
	@+$(MAKE) --no-print-directory $(jobs) all units
	@BIN='$(BIN)' HELPERS='$(BUILD)/tests' UNITS='$(UNITS)' tests/run $(TESTS)

asan: ## run all tests with the address and undefined-behaviour sanitizers
	@CC='$(CC)' scripts/deps check
	@+$(MAKE) --no-print-directory $(jobs) ASAN=1 BUILD=$(BUILD)/asan BIN=$(BUILD)/asan/bin all units
	@BIN='$(BUILD)/asan/bin' HELPERS='$(BUILD)/asan/tests' UNITS='$(UNITS:$(BUILD)/%=$(BUILD)/asan/%)' ASAN=1 \
	  tests/run $(TESTS)

#? ANALYZE     what analyze does: cppcheck tidy threads memory [all]
ANALYZE ?= cppcheck tidy threads memory
analyze: all units ## cppcheck, clang-tidy, ThreadSanitizer and valgrind on all that is ours; 1 when one finds a fault
	@scripts/deps --ready analyze
	@+$(if $(filter threads,$(ANALYZE)),$(MAKE) --no-print-directory $(jobs) CC=gcc TSAN=1 CFLAGS='-O1 -g' \
	  BUILD=$(BUILD)/tsan BIN=$(BUILD)/tsan/bin all units)
	@BUILD='$(BUILD)' BIN='$(BIN)' SOURCES='$(sources)' tests/lib/analyze $(ANALYZE)

coverage: ## run all tests (or those of TESTS more) and say which share of the lines of common/ ran; 1 below 92 %
	@CC=gcc scripts/deps check
	@+$(MAKE) --no-print-directory $(jobs) CC=gcc COVERAGE=1 BUILD=$(BUILD)/coverage BIN=$(BUILD)/coverage/bin all units
	@$(if $(TESTS),,find $(BUILD)/coverage -name '*.gcda' -delete)
	@code=0; BIN='$(BUILD)/coverage/bin' HELPERS='$(BUILD)/coverage/tests' COVERAGE=1 \
	  UNITS='$(UNITS:$(BUILD)/%=$(BUILD)/coverage/%)' tests/run $(TESTS) || code=1; \
	  tests/lib/coverage report $(BUILD)/coverage 92 || code=1; exit $$code

#? FAULTS      programs that faults and storm run; for storm also make, pairs [all]
FAULTS ?=
faults: all units ## let every write, sync, rename, open, mapping and allocation of the programs fail, one by one
	@BIN='$(BIN)' HELPERS='$(BUILD)/tests' tests/lib/faults $(BUILD)/faults 0 $(FAULTS)

#? TIMES       how often storm kills each program [100]
TIMES ?= 100
storm: all units ## kill every program, and make, at random moments; let two write one file; look what is left
	@BIN='$(BIN)' HELPERS='$(BUILD)/tests' tests/lib/storm $(BUILD)/storm $(TIMES) $$$$ $(FAULTS)

# What reads files once more, for libFuzzer, which is clang's.
$(BUILD)/libreaders.a: $(filter-out $(addprefix $(BUILD)/common/,device/% front/%),$(LIB_O)) \
  $(BUILD)/common/device/device_words.o
	$(call say,AR)
	$(Q)rm -f $@ && $(AR) rcs $@ $^
$(BUILD)/readers: $(BUILD)/tests/fuzz/readers.o $(BUILD)/libreaders.a
	$(call say,LINK)
	$(Q)$(CC) $(LDFLAGS) -fsanitize=fuzzer -o $@ $^ $(LDLIBS)
#? TIME READERS  seconds that fuzz spends on each reader [60], and which [all]
TIME ?= 60
READERS ?=
fuzz: all ## feed every reader of files with what libFuzzer makes of small good files (needs clang)
	@command -v clang >/dev/null || { echo 'fuzz: there is no clang here (apt-get install clang)' >&2; exit 1; }
	@+$(MAKE) --no-print-directory $(jobs) CC=clang ASAN=1 CUDA=0 ONEDNN=0 CFLAGS='-O1 -g -fsanitize=fuzzer-no-link' \
	  BUILD=$(BUILD)/fuzz BIN=$(BUILD)/fuzz/bin $(BUILD)/fuzz/readers
	@BIN='$(BIN)' tests/fuzz/run $(BUILD)/fuzz/readers $(BUILD)/fuzz/work '$(TIME)' $(READERS)

# Peers are timed where they are there: PyTorch, OpenCV and Pillow of PYTHON, and jq.
PYTHON ?= python3
#? BENCH       what bench times: steps latency prediction pictures annotations start size kernels roofline
#?             occupancy [all]
BENCH ?=
bench: $(onednn_links)
bench: all $(BENCHES) ## time everything on this (idle) machine, beside PyTorch, OpenCV … where PYTHON has them
	@BIN='$(BIN)' BENCH='$(BUILD)/bench' PYTHON='$(PYTHON)' VOC='$(VOC)' tests/bench/run $(BENCH)

gpu-check: $(BUILD)/tests/test_device $(BUILD)/bench/bench_step $(onednn_links)
gpu-check: all ## on a machine with a GPU: parity, trainings on both devices, images a second; a report to paste
	@BIN='$(BIN)' BUILD='$(BUILD)' PYTHON='$(PYTHON)' tests/bench/gpu-check

sources := $(wildcard common/*/*.[ch] common/*/*.cu stages/*.c \
  $(addprefix tests/,unit/*.[ch] golden/*.[ch] bench/*.[ch] lib/*.c fuzz/*.c cuda-standin/*.[ch] \
  cuda-standin/include/*.h))
shells  := $(filter-out %.awk %.mk,$(wildcard .ci/run scripts/* \
  $(addprefix tests/,run bench/run bench/gpu-check bench/occupancy lib/standin lib/faulty-set lib/faults lib/storm \
  lib/analyze lib/coverage fuzz/run lib/*.bash bats/*.bats bats/*.bash)))
lint: ## format of the sources, shellcheck, gcc and clang without a warning (needs clang, clang-format, shellcheck)
	@scripts/deps --ready lint
	clang-format --dry-run -Werror $(sources)
	shellcheck $(shells)
	+$(MAKE) $(lint_build) CC=gcc BUILD=$(BUILD)/gcc BIN=$(BUILD)/gcc/bin all units
	+$(MAKE) $(lint_build) CC=clang BUILD=$(BUILD)/clang BIN=$(BUILD)/clang/bin all units
lint_build = --no-print-directory $(jobs) CFLAGS='-O2 -Werror'
# Both lists for the tests, which look at the same files.
print-sources print-shells:
	@printf '%s\n' $($(@:print-%=%))

#? DOCUMENTS   what `make documents` runs; those of VOC need DATA, doc/own-pictures.md a folder MYPETS of photos
DOCUMENTS ?= doc/lesson.md doc/lesson-2.md $(if $(wildcard $(VOC)/JPEGImages/.),doc/published-run.md \
  $(and $(MYPETS),doc/own-pictures.md) doc/make.md $(and $(MYPETS),README.md) doc/files.md doc/experiments.md)
documents: all ## run the commands that the documents show and write what they say into the documents (an hour)
	@tests/lib/documents.bash checkout $(BUILD)/documents '$(BIN)' '$(DATA)' '$(MYPETS)'
	@tests/lib/documents.bash write $(BUILD)/documents $(DOCUMENTS)
	@cd $(BUILD)/documents && [ ! -s out/demo/detn.pred.tsv ] || bin/render --kind grid --rows 1 --columns 4 \
	  --figure 8x2.2 --pred out/demo/detn.pred.tsv --anno out/demo/largest.tsv --images out/demo/voc/JPEGImages \
	  -o '$(CURDIR)/doc/img/detector.png' >/dev/null

deps: ## install the Debian packages that building and testing need (root or sudo)
	@CC='$(CC)' scripts/deps check

##@ Install and clean
# Manual pages: a program prints its own; those of man/ are filled in from them, from the headers that hold the columns,
# and from the words of the recipe language.
MAN1 := $(STAGES:%=$(BUILD)/man/%.1)
MAN5 := $(patsubst man/%,$(BUILD)/man/%,$(wildcard man/*.5))
MAN  := $(MAN1) $(MAN5) $(BUILD)/man/onebox.7
filling := $(wildcard common/voc/anno.h common/nn/history.h) \
  $(if $(filter train-cls,$(STAGES)),$(BUILD)/man/recipe.words)
man: $(MAN) ## manual pages in build/man: man -l build/man/predict.1
$(MAN1): $(BUILD)/man/%.1: $(BIN)/%
	$(call say,MAN)
	$(Q)$< --man >$@
$(BUILD)/man/recipe.words: $(BIN)/train-cls
	$(call say,MAN)
	$(Q)$< --help-recipe >$@
$(BUILD)/man/onebox.7 $(MAN5): $(BUILD)/man/%: man/% scripts/man.awk $(filling) $(MAN1)
	$(call say,MAN)
	$(Q)awk -f scripts/man.awk $(MAN1) $(filling) $< >$@

# What install puts where, below PREFIX; uninstall removes that, and the folders of ours that are empty then.
to          := $(DESTDIR)$(PREFIX)
completions := share/bash-completion/completions
libexec     := $(STAGES) $(if $(filter yes,$(firstword $(cuda))),onebox-cuda.so) \
  $(if $(has_onednn),onebox-onednn.so)
not_shared  := deps cuda completion.bash onebox man.awk
shared      := $(wildcard README*.md NEWS.md SPEED.md CONTRIBUTING.md LICENSE THIRD-PARTY.md doc/*.md doc/img/*.png \
  pipeline.mk recipes/*.recipe recipes/*/*.recipe) $(filter-out $(not_shared:%=scripts/%),$(wildcard scripts/*))
# $(call put,FOLDER,WHAT,FILES,OPTIONS OF install): copies files into a folder and says so in one line.
put = $(if $3,@$(if $V,set -x;) install -D $(or $4,-m 644) -t '$(to)/$1' $3 && \
  printf '  %-7s %s\n' INSTALL '$(words $3) $2 in $(to)/$1')
# $(call link_to,FOLDER,TARGET): in FOLDER a link to TARGET under each program's name; what is in the way stays.
link_to = @cd '$(to)/$1' && for name in $(STAGES); do target="$2"; [ "$$(readlink $$name)" = "$$target" ] || \
  ln -sT "$$target" $$name || exit; done
# Manual pages of programs have plain names, which other packages may have used: such a page stays.
man1  = '$(to)/share/man/man1'
ours  = grep -q '^\.TH .*"onebox ' $1
# $(call unlink,FOLDER,TARGET): removes those links.
unlink  = @for name in $(STAGES); do link='$(to)/$1'/$$name; [ "$$(readlink "$$link")" != "$2" ] || rm "$$link"; done

install: all man ## install the command onebox, all that it runs, manual pages and completion below PREFIX
	$(call put,bin,command$(comma) onebox$(comma),$(BIN)/onebox,-m 755)
	$(call put,libexec/onebox,programs,$(libexec:%=$(BIN)/%),-m 755 -s)
	@n=0; for page in $(MAN1); do to=$(man1)/$${page##*/}; if [ ! -e "$$to" ] || $(call ours,"$$to"); then \
	  install -D -m 644 -t $(man1) $$page && n=$$((n + 1)) || exit; else \
	  printf '  %-7s %s\n' KEEP "$$to, which is not onebox's (onebox help $$(basename $$page .1) shows ours)"; fi; done; \
	  printf '  %-7s %s\n' INSTALL "$$n manual pages in "$(man1)
	$(call put,share/man/man5,manual pages,$(MAN5))
	$(call put,share/man/man7,manual page,$(BUILD)/man/onebox.7)
	@ln -sfT ../man7/onebox.7 $(man1)/onebox.1
	@install -D -m 644 scripts/completion.bash '$(to)/$(completions)/onebox'
	@printf '  %-7s %s\n' INSTALL 'completion in $(to)/$(completions)'
	@for file in $(shared); do install -D -m "$$([ -x $$file ] && echo 755 || echo 644)" $$file \
	  '$(to)/share/onebox'/$$file || exit; done
	@printf '  %-7s %s\n' INSTALL '$(words $(shared)) files of the pipeline in $(to)/share/onebox'
ifneq ($(LINKS),)
	$(call link_to,bin,../libexec/onebox/$$name)
	$(call link_to,$(completions),onebox)
	@printf '  %-7s %s\n' INSTALL '$(words $(STAGES)) links to the programs in $(to)/bin'
endif
uninstall: ## remove what install put there
	$(call unlink,bin,../libexec/onebox/$$name)
	$(call unlink,$(completions),onebox)
	@for page in $(STAGES:%=$(man1)/%.1); do [ ! -e "$$page" ] || ! $(call ours,"$$page") || rm "$$page"; done
	@rm -f $(patsubst %,'$(to)/%',bin/onebox $(STAGES:%=libexec/onebox/%) libexec/onebox/onebox-cuda.so \
	  libexec/onebox/onebox-onednn.so \
	  share/man/man1/onebox.1 \
	  $(patsubst $(BUILD)/man/%,share/man/man5/%,$(MAN5)) share/man/man7/onebox.7 $(completions)/onebox \
	  $(shared:%=share/onebox/%))
	@for dir in libexec/onebox share/onebox $(patsubst %/,share/onebox/%,$(filter-out ./,$(sort $(dir $(shared))))); do \
	  echo "$$dir"; done | sort -r | while read -r dir; do \
	  [ ! -d '$(to)'/"$$dir" ] || rmdir --ignore-fail-on-non-empty '$(to)'/"$$dir"; done
	@printf '  %-7s %s\n' REMOVE 'onebox from $(to)'
clean: ## remove objects and programs; data and products stay
	rm -rf $(sort build bin $(filter-out . /% ..%,$(BUILD) $(BIN)))
distclean: clean ## remove the products too: trained models, predictions, pictures (data stays)
	find '$(OUT)' -mindepth 1 ! -name .gitignore -delete
help: ## this text
	@awk -f scripts/help.awk Makefile scripts/settings.mk pipeline.mk scripts/published.mk scripts/records.mk

-include $(patsubst %.o,%.d,$(LIB_O) $(CUDA_O) $(ONEDNN_O) $(STANDIN_O) $(STANDIN_SO_O)) \
  $(STAGES:%=$(BUILD)/stages/%.d) $(BENCHES:$(BUILD)/bench/%=$(BUILD)/tests/bench/%.d) \
  $(HELPERS:$(BUILD)/tests/%=$(BUILD)/tests/lib/%.d) $(BUILD)/tests/lib/inject.d $(BUILD)/tests/fuzz/readers.d \
  $(UNITS:$(BUILD)/tests/%=$(BUILD)/tests/unit/%.d)
include pipeline.mk
