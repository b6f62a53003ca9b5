# What Makefile and pipeline.mk both need. Included first by Makefile, and by onebox.mk of an installed copy.

comma := ,
# $(call recorded,TEXT OF A FILE,WANTED): something when they are equal. Make 4.3 doesn't always take the last newline off
# what it reads with $(file <…), so the text may have one.
recorded = $(or $(call equal,$1,$2),$(call equal,$1,$2$(nl)))
equal    = $(if $(subst x$1,,x$2)$(subst x$2,,x$1),,equal)
define nl


endef
# All processors, unless make was told how many jobs to run.
jobs = $(if $(filter -j% --jobserver%,$(MAKEFLAGS)),,-j$$(nproc))
