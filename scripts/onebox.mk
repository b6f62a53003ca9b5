# onebox.mk - the pipeline as the command onebox runs it, in the present folder: with the programs in BIN, which the
# command gives, and with the recipes of the copy that it belongs to.

home     := $(patsubst %/scripts/,%,$(dir $(realpath $(lastword $(MAKEFILE_LIST)))))
BUILD    := $(home)/build
programs := $(filter-out onebox %.so,$(notdir $(wildcard $(BIN)/*)))

.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules
build_targets := all help names
.PHONY: $(build_targets)
helped := $(addprefix $(home)/,scripts/settings.mk pipeline.mk scripts/published.mk scripts/records.mk)
help:
	@awk -v typed=onebox -f $(home)/scripts/help.awk $(helped)
	@printf '\nPrograms (onebox help PROGRAM):\n'
	@for program in $(programs); do $(BIN)/$$program --help | sed 's/ - /\t/; q'; done | \
	  awk -F '\t' '{ printf "  %-15s %s\n", $$1, $$2 }'
names:
	@printf 'program %s\n' $(programs)
	@awk -v names=1 -f $(home)/scripts/help.awk $(helped)
all: ;

include $(home)/scripts/make.mk
include $(home)/pipeline.mk
