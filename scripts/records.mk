# records.mk - when a program must run again. Included by pipeline.mk.
#
# OUT/.made/NAME holds the settings of the last run NAME that succeeded, as text; its time is the start of that run.
# Make compares that text with parameters.NAME, the settings that it would use now, when it considers a rule. Nothing
# is written for the comparison, so -n and -q change nothing.

# Building asks for none of this.
ifneq ($(filter-out $(build_targets) $(BUILD)/% $(BIN)/%,$(or $(MAKECMDGOALS),all)),)
# $(call changed,NAME,OUTPUTS): nothing, or the reasons to run NAME again, as names of phony prerequisites.
changed = $(strip $(if $(wildcard $(OUT)/.made/$1),\
  $(if $(call recorded,$(file <$(OUT)/.made/$1),$(parameters.$1)),,parameters-of-$1) \
  $(if $(filter-out $(wildcard $2),$2),a-deleted-file),no-finished-run))
# $(call newer,NAME,FOLDERS): a reason when anything in the folders, or in folders of them, changed since run NAME.
# Names that begin with a dot do not count, nor do products.
newer = $(if $(and $(wildcard $2),$(wildcard $(OUT)/.made/$1)),$(if $(shell \
  find -L $(wildcard $2) \( -name '.[!.]*' -o -samefile $(OUT) \) -prune -o -cnewer $(OUT)/.made/$1 -print -quit \
  2>/dev/null),new-files-in-$(firstword $2)))
endif

curves  := $(foreach m,$(MODELS),$m.head $m.top)
records := drawn json anno all largest csv cache large imported weights $(TRAINED) $(MODELS:%=lr.%.0) $(curves:%=lr.%)
.PHONY: no-finished-run a-deleted-file $(records:%=parameters-of-%) \
  $(addprefix new-files-in-,$(sort $(PICTURES) $(VOC)/Annotations $(VOC)))

# ---------------------------------------------------------------- settings of each run

parameters.drawn   = pictures $(DEMO_PICTURES)$(nl)seed $(DEMO_SEED)
parameters.json    = voc $(VOC)$(nl)split $(if $(with_split),$(SPLIT))$(if $(IMAGES),$(nl)images $(IMAGES))
parameters.anno    = json $(SOURCE)$(nl)images $(PICTURES)
parameters.all     = $(parameters.anno)
parameters.largest =
parameters.csv     = order $(ORDER)$(nl)val_pct $(VAL_PCT)$(nl)split_seed $(SPLIT_SEED)
parameters.cache   = images $(PICTURES)$(nl)size $(SIZE)
parameters.large   = images $(PICTURES)$(nl)size $(size.objects)
parameters.imported = file $(WEIGHTS)
parameters.weights = file $(WEIGHTS)

# Trainings: these, then the recipe.
define of_training
model_version $(MODEL_VERSION)
weights $(if $(identity),given,none)
split $(if $(filter $(OUT)/val.txt,$(VAL)),$(SPLIT) $(VAL_PCT) $(SPLIT_SEED) $(ORDER),$(VAL))
size $(SIZE)
seed $(or $(SEED),of the recipe)
options $(TRAINFLAGS)

endef
# $(call recipe,MODEL) and the parts of it that recipe.awk describes, a setting a line; asked for once, when needed.
recipe  = $(subst |,$(nl),$(subst \,$(blank),$(patsubst $1:%,%,$(filter $1:%,$(recipes)))))
recipes = $(eval recipes := $(shell \
  awk -f $(here)scripts/recipe.awk $(call operands,$(wildcard $(TRAINED:%=$(RECIPES)/%.recipe))) </dev/null))$(recipes)

parameters.cls  = $(of_training)$(call recipe,cls)
parameters.bbox = $(of_training)$(call recipe,bbox)
parameters.detn = $(of_training)$(call recipe,detn)
parameters.objects = $(of_training)$(call recipe,objects)

# Learning-rate curves depend on phase head and on the layers that train, not on the rates that they are for.
of_curve = $(of_training)rates $(rates.$1)$(nl)$(call recipe,$1)
parameters.lr.cls.head  = $(call of_curve,cls.head)
parameters.lr.cls.0     = $(of_training)$(call recipe,cls.0)
parameters.lr.cls.top   = $(call of_curve,cls.top)
parameters.lr.bbox.head = $(call of_curve,bbox.head)
parameters.lr.bbox.0    = $(of_training)$(call recipe,bbox.0)
parameters.lr.bbox.top  = $(call of_curve,bbox.top)
parameters.lr.detn.head = $(call of_curve,detn.head)
parameters.lr.detn.0    = $(of_training)$(call recipe,detn.0)
parameters.lr.detn.top  = $(call of_curve,detn.top)

# scripts/stage writes them down, for the rule of each record; the three goals below read them.
# (Lists of targets, not patterns: make 4.4 exports no private variable of a pattern.)
$(records:%=$(OUT)/.made/%): private export PARAMETERS = $(parameters.$(@F))

# ---------------------------------------------------------------- goals that look at records

##@ Looking at the pipeline
#? T           the files that why and status speak of [all products]
.PHONY: why status params-diff accept
T ?=
why: ## what make would run now for T, and why
	@$(MAKE) $(again) --no-print-directory -n --trace $(or $(T),$(products)) | \
	  awk -v out='$(OUT)' -v typed=$(typed) -f $(here)scripts/why.awk
status: ## each product: size, age, up to date or not, seconds of its last run
	@MAKE='$(make_again)' $(here)scripts/status $(or $(T),$(products))
params-diff: $(records:%=params-diff-of-%) ## settings that differ from those of the last runs
accept: ## call the trained models up to date as they are, without training again
	@MAKE='$(make_again)' $(here)scripts/accept $(OUT) $(TRAINED)
# Under another name than MAKE, so that `make -n` runs no recipe that uses it. (scripts/stage asks it, too.)
make_again = $(MAKE) $(again) --no-print-directory
export ONEBOX_MAKE = $(make_again)

.PHONY: $(records:%=params-diff-of-%)
$(records:%=params-diff-of-%): private export PARAMETERS = $(parameters.$*)
$(records:%=params-diff-of-%): params-diff-of-%:
	$(if $(wildcard $(OUT)/.made/$*),@$(here)scripts/params-diff $(OUT)/.made/$*)
$(foreach m,$(TRAINED),$(eval accept: private export PARAMETERS_$m = $$(parameters.$m)))
