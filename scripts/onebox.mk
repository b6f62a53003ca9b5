# The pipeline of an installed copy, which the command onebox runs in the present folder: pipeline.mk with the
# installed programs and recipes. Installed as share/onebox/onebox.mk.

share := $(patsubst %/,%,$(dir $(realpath $(lastword $(MAKEFILE_LIST)))))
BIN   := $(abspath $(share)/../../bin)
BUILD := build

.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules
build_targets := all help
.PHONY: $(build_targets)
help:
	@awk -v installed=1 -f $(share)/scripts/help.awk $(addprefix $(share)/,scripts/settings.mk pipeline.mk \
	  scripts/published.mk scripts/records.mk)
all: ;

include $(share)/scripts/make.mk
include $(share)/pipeline.mk
