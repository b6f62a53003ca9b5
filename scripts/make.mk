# make.mk - words of make that Makefile and the pipeline share. Included first by Makefile, and by onebox.mk.

empty :=
blank := $(empty) $(empty)
tab   := $(empty)	$(empty)
comma := ,
hash  := \#
define nl


endef
# $(call recorded,TEXT OF A FILE,WANTED): something when they are equal. Make 4.3 does not always take the last newline
# off what it reads with $(file <…), so the text may have one.
recorded = $(or $(call equal,$1,$2),$(call equal,$1,$2$(nl)))
equal    = $(if $(subst x$1,,x$2)$(subst x$2,,x$1),,equal)
# $(call at_home,VARIABLES): a leading ~/ in their values is the home folder, whether or not a shell has seen it.
at_home  = $(foreach v,$1,$(eval override $v := $$(patsubst ~/%,$$(HOME)/%,$$($v))))
# $(call operands,FILES): as awk takes them for files even when they hold a "=".
operands = $(foreach f,$1,$(if $(filter /%,$f),$f,./$f))
# All processors, unless make was told how many jobs to run.
jobs     = $(if $(filter -j% --jobserver%,$(MAKEFLAGS)),,-j$$(nproc))
