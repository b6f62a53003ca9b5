# pipeline.mk: the way from data/ to out/, one rule for each program. Included by Makefile; in an installed copy by
# onebox.mk. `make help` lists goals and settings. Four more files belong to it:
#
#   scripts/make.mk        words that all of these use, such as $$(call recorded,…)
#   scripts/settings.mk    what can be set; where annotations, pictures and weights are
#   scripts/records.mk     when a program must run again; why, params-diff, accept
#   scripts/published.mk   learning-rate curves and pictures of the published run
#
# How make decides what to run:
# * OUT/.made/NAME records the settings that run NAME had. $$(call changed,NAME,OUTPUTS) among the prerequisites of a
#   rule is nothing, or the reason why NAME must run again: other settings, an output that was deleted.
# * Before the trainings the target of a rule is the record, and a program leaves an output alone that would get the
#   same bytes. The recipe `+` below makes make look at the output's own time afterwards, so that equal content starts
#   no training. (A dry run cannot know whether content will be equal: it lists what is certain.)
# * Programs that take seconds run again when the program itself is new. Trainings do not: raise MODEL_VERSION when a
#   change of the code makes different models.

MODEL_VERSION := 1
# The three of the lesson, and all that can be trained.
MODELS        := cls bbox detn
TRAINED       := $(MODELS) objects

# The folder of this file: nothing in a checkout, share/onebox/ of an installed copy; how make gets here again; and
# the command that the user types.
here  := $(patsubst ./%,%,$(dir $(lastword $(MAKEFILE_LIST))))
again := $(if $(here),-f $(firstword $(MAKEFILE_LIST)))
typed := $(if $(here),onebox,make)
# Runs a program, shows and logs its command, and writes the record.
stage = $(here)scripts/stage --for $@

include $(here)scripts/settings.mk
include $(here)scripts/records.mk
.SECONDEXPANSION:

##@ The demo
.PHONY: demo weights data data-test
demo: ## draw a small set, train and judge all three models on it, with nothing but this checkout: some minutes
	@+MAKE='$(MAKE) $(again)' JOBS=$(jobs) TYPED=$(typed) RUN='$(if $(here),onebox ,$(BIN)/)' \
	  $(here)scripts/demo '$(DEMO_OUT)' $(demo_settings)

##@ Downloads
fetch = BIN='$(BIN)' VOC_MIRRORS='$(VOC_MIRRORS)' WEIGHTS_MIRRORS='$(WEIGHTS_MIRRORS)' \
  $(here)scripts/data --into '$(DATA)'
weights: $(if $(torch),$(weights))
weights: $(BIN)/import-weights ## ImageNet weights alone (87 MB); with WEIGHTS=FILE.pth import that file into OUT
	$(if $(torch),,@$(fetch) weights)
data: $(BIN)/import-weights ## download VOC 2007 and ImageNet weights into DATA (550 MB, on disk 1 GB); again: check
	@$(fetch) trainval weights
data-test: $(BIN)/import-weights ## the same, and the pictures of VOC 2007 test
	@$(fetch) trainval test weights

##@ Products
#? out/anno.tsv out/largest.tsv out/lrg.csv out/bb.csv out/val.txt out/224.cache
#? out/MODEL.{ckpt,history.tsv,batches.tsv,pred.tsv,metrics.json,grid.png,curves.png}   MODEL: cls, bbox, detn
#? out/objects.{tsv,ckpt,history.tsv,batches.tsv,pred.tsv,all.tsv,metrics.json,ap.json,grid.png,curves.png}
#? out/report.html   one page over all three models: figures, tables, pictures
#? out/lr/MODEL.{head,top}.{tsv,png} out/pictures/NN-NAME.{png,txt}

# ---------------------------------------------------------------- data

# The demo's drawings, and its settings for everyone who names its OUT.
$(OUT)/.made/drawn: $(BIN)/draw-set $$(call changed,drawn,$$(OUT)/voc/drawn.txt $$(OUT)/config.mk)
	@mkdir -p $(OUT) && printf '%s\n' $(demo_settings) | $(here)scripts/copy - $(OUT)/config.mk
	@$(stage) $(OUT)/drawn $(BIN)/draw-set --pictures $(DEMO_PICTURES) --seed $(DEMO_SEED) $(with_threads) -o $(OUT)/voc
$(OUT)/voc/drawn.txt: $(OUT)/.made/drawn ; +

$(OUT)/.made/json: $$(if $$(refusal),no-data) $(BIN)/voc2json \
  $$(call changed,json,$$(OUT)/voc.json $$(valid)) $$(call newer,json,$$(or $$(wildcard $$(VOC)/Annotations),$$(VOC)) \
  $$(wildcard $$(VOC)/ImageSets/Main))
	@$(stage) $(OUT)/json $(BIN)/voc2json $(with_split) $(if $(IMAGES),--images $(IMAGES)) -o $(OUT)/voc.json \
	  $(if $(valid),--val $(valid)) $(VOC)
$(OUT)/voc.json $(valid): $(OUT)/.made/json ; +

# Annotations are held against the pictures; so many pictures may be missing or damaged.
with_max_bad := $(if $(MAX_BAD),--max-bad $(MAX_BAD))
$(OUT)/.made/anno: $$(if $$(refusal),no-data) $(SOURCE) $(BIN)/json2anno \
  $$(call changed,anno,$$(OUT)/anno.tsv) $$(call newer,anno,$$(PICTURES))
	@$(stage) $(OUT)/anno $(BIN)/json2anno --images $(PICTURES) $(with_max_bad) -o $(OUT)/anno.tsv $(SOURCE)
$(OUT)/anno.tsv: $(OUT)/.made/anno ; +

# The same with the objects that are to be ignored, for the detector of all objects.
$(OUT)/.made/all: $$(if $$(refusal),no-data) $(SOURCE) $(BIN)/json2anno \
  $$(call changed,all,$$(OUT)/objects.tsv) $$(call newer,all,$$(PICTURES))
	@$(stage) $(OUT)/all $(BIN)/json2anno --keep-ignored --images $(PICTURES) $(with_max_bad) -o $(OUT)/objects.tsv \
	  $(SOURCE)
$(OUT)/objects.tsv: $(OUT)/.made/all ; +

$(OUT)/.made/largest: $(OUT)/anno.tsv $(BIN)/largest $$(call changed,largest,$$(OUT)/largest.tsv)
	@$(stage) $(OUT)/largest $(BIN)/largest -o $(OUT)/largest.tsv $(OUT)/anno.tsv
$(OUT)/largest.tsv: $(OUT)/.made/largest ; +

csv_files := $(OUT)/lrg.csv $(OUT)/bb.csv $(OUT)/val.txt
$(OUT)/.made/csv: $(OUT)/largest.tsv $(valid) $(BIN)/mkcsv $$(call changed,csv,$$(csv_files))
	@$(stage) $(OUT)/csv $(BIN)/mkcsv --order $(ORDER) --lrg $(OUT)/lrg.csv --bb $(OUT)/bb.csv \
	  --val $(OUT)/val.txt $(if $(valid),--val-from $(valid)) --val-pct $(VAL_PCT) --seed $(SPLIT_SEED) \
	  $(OUT)/largest.tsv
$(csv_files): $(OUT)/.made/csv ; +

cache        := $(OUT)/$(SIZE).cache
with_size    := $(if $(filter-out 224,$(SIZE)),--size $(SIZE))
with_threads := $(if $(THREADS),--threads $(THREADS))
# $(call other_caches,SIZE): those of folders beside OUT, above it and in it.
other_caches = $(patsubst ./%,%,$(wildcard $(addsuffix $1.cache,$(dir $(OUT))*/ $(dir $(OUT)) $(OUT)/*/)))
$(OUT)/.made/cache: $(OUT)/lrg.csv $(BIN)/resize-cache \
  $$(call changed,cache,$$(cache)) $$(call newer,cache,$$(PICTURES))
	$(if $(wildcard $(cache)),,@$(here)scripts/share-cache $(cache) $(call other_caches,$(SIZE)))
	@$(stage) $(OUT)/cache $(BIN)/resize-cache $(with_size) $(with_threads) $(with_max_bad) --images $(PICTURES) \
	  -o $(cache) $(OUT)/lrg.csv
$(cache): $(OUT)/.made/cache ; +

# The detector of all objects looks at larger pictures, unless SIZE is another than the lesson's.
size.objects  := $(if $(filter 224,$(SIZE)),320,$(SIZE))
cache.objects := $(OUT)/$(size.objects).cache
ifneq ($(cache.objects),$(cache))
$(OUT)/.made/large: $(OUT)/lrg.csv $(BIN)/resize-cache \
  $$(call changed,large,$$(cache.objects)) $$(call newer,large,$$(PICTURES))
	$(if $(wildcard $(cache.objects)),,@$(here)scripts/share-cache $(cache.objects) $(call other_caches,$(size.objects)))
	@$(stage) $(OUT)/large $(BIN)/resize-cache --size $(size.objects) $(with_threads) $(with_max_bad) \
	  --images $(PICTURES) -o $(cache.objects) $(OUT)/lrg.csv
$(cache.objects): $(OUT)/.made/large ; +
endif
# $(call cache_of,MODEL), $(call size_of,MODEL): what a model looks at.
cache_of = $(or $(cache.$1),$(cache))
size_of  = $(or $(size.$1),$(SIZE))

$(OUT)/.made/imported: $(or $(wildcard $(WEIGHTS)),no-weights) $(BIN)/import-weights \
  $$(call changed,imported,$$(OUT)/weights.safetensors)
	@$(stage) $(OUT)/imported $(BIN)/import-weights -o $(OUT)/weights.safetensors $(WEIGHTS)
$(OUT)/weights.safetensors: $(OUT)/.made/imported ; +

# A training depends on what the weights are, not on where the file lies or how old it is.
$(OUT)/.made/weights: $(if $(torch),$(weights),$(or $(wildcard $(WEIGHTS)),no-weights)) \
  $$(call changed,weights,$$(OUT)/weights.sha256)
	@$(stage) $(OUT)/weights $(here)scripts/checksum -o $(OUT)/weights.sha256 $(weights)
$(OUT)/weights.sha256: $(OUT)/.made/weights ; +

# ---------------------------------------------------------------- trainings, one at a time

labels.cls  := --lrg $(OUT)/lrg.csv
labels.bbox := --bb $(OUT)/bb.csv
labels.detn := --lrg $(OUT)/lrg.csv --bb $(OUT)/bb.csv
labels.objects := --anno $(OUT)/objects.tsv
identity    := $(if $(filter-out none,$(WEIGHTS)),$(OUT)/weights.sha256)

# $(call inputs,MODEL): what its training reads; $(call made,MODEL): what it makes;
# $(call train,MODEL,WHERE THE WEIGHTS COME FROM): its command.
inputs = $(if $(refusal),no-data) $(call absent,$(filter-out $(OUT)/%,$(VAL)) $(RECIPES)/$1.recipe) \
  $(identity) $(filter-out --%,$(labels.$1)) $(VAL) $(call cache_of,$1)
absent = $(filter-out $(wildcard $1),$1)
made   = $(OUT)/$1.ckpt $(OUT)/$1.history.tsv $(OUT)/$1.batches.tsv
train  = $(BIN)/train-$1 --cache $(call cache_of,$1) $(labels.$1) --val $(VAL) $2 --recipe $(RECIPES)/$1.recipe \
  $(if $(SEED),--seed $(SEED)) $(with_size) $(with_threads) $(TRAINFLAGS)

# The files of a run are newer than its record, which has the time of its start. What a failed training leaves stays:
# its history, and the checkpoints after its phases.
$(TRAINED:%=$(OUT)/.made/%): $(OUT)/.made/%: $$(call inputs,$$*) $$(call changed,$$*,$$(call made,$$*)) \
  | $(BIN)/train-% $(RECIPES)/%.recipe
	@$(stage) --alone $(OUT)/$* $(call train,$*,--weights $(weights)) \
	  $(if $(FRESH),--fresh) $(if $(RESUME),--resume) -o $(OUT)/$*.ckpt
$(TRAINED:%=$(OUT)/%.ckpt): $(OUT)/%.ckpt: $(OUT)/.made/% ;
$(TRAINED:%=$(OUT)/%.history.tsv): $(OUT)/%.history.tsv: $(OUT)/.made/% ;
$(TRAINED:%=$(OUT)/%.batches.tsv): $(OUT)/%.batches.tsv: $(OUT)/.made/% ;

# ---------------------------------------------------------------- predictions, figures, pictures, page

# It looks at each picture mirrored, too; and where two objects are nearly equal, either is a right answer.
flip.objects := --flip
near.objects := --near 0.8

$(TRAINED:%=$(OUT)/%.pred.tsv): $(OUT)/%.pred.tsv: $(OUT)/%.ckpt $$(call cache_of,$$*) $(VAL) $(BIN)/predict
	@$(stage) $(OUT)/$*.pred $(BIN)/predict $(with_threads) --ckpt $(OUT)/$*.ckpt \
	  --cache $(call cache_of,$*) --only $(VAL) --frame $(call size_of,$*) $(flip.$*) -o $@

# Every object that it finds, judged against all of them.
$(OUT)/objects.all.tsv: $(OUT)/objects.ckpt $(cache.objects) $(VAL) $(BIN)/predict
	@$(stage) $(OUT)/objects.all $(BIN)/predict $(with_threads) --all --min 0.01 $(flip.objects) \
	  --ckpt $(OUT)/objects.ckpt --cache $(cache.objects) --only $(VAL) -o $@
$(OUT)/objects.ap.json: $(OUT)/objects.tsv $(OUT)/objects.all.tsv $(BIN)/evaluate
	@$(stage) $(OUT)/objects.ap $(BIN)/evaluate --all --anno $(OUT)/objects.tsv --pred $(OUT)/objects.all.tsv -o $@

$(TRAINED:%=$(OUT)/%.metrics.json): $(OUT)/%.metrics.json: $(OUT)/anno.tsv $(OUT)/%.pred.tsv $(BIN)/evaluate
	@$(stage) $(OUT)/$*.metrics $(BIN)/evaluate $(if $(filter-out 224,$(call size_of,$*)),--frame $(call size_of,$*)) \
	  $(near.$*) --anno $(OUT)/anno.tsv --pred $(OUT)/$*.pred.tsv -o $@

# The grid of the detector of all objects shows all of them.
$(OUT)/objects.grid.png: $(OUT)/objects.all.tsv $(OUT)/objects.tsv $(BIN)/render
	@$(stage) $(OUT)/objects.grid $(BIN)/render --kind objects --pred $(OUT)/objects.all.tsv \
	  --anno $(OUT)/objects.tsv --images $(PICTURES) -o $@
$(MODELS:%=$(OUT)/%.grid.png): $(OUT)/%.grid.png: $(OUT)/%.pred.tsv $(OUT)/largest.tsv $(BIN)/render
	@$(stage) $(OUT)/$*.grid $(BIN)/render --kind grid --pred $(OUT)/$*.pred.tsv --anno $(OUT)/largest.tsv \
	  --images $(PICTURES) -o $@

$(TRAINED:%=$(OUT)/%.curves.png): $(OUT)/%.curves.png: $(OUT)/%.history.tsv $(OUT)/%.batches.tsv $(BIN)/render
	@$(stage) $(OUT)/$*.curves $(BIN)/render --kind curves --history $(OUT)/$*.history.tsv \
	  --batches $(OUT)/$*.batches.tsv -o $@

report = $(stage) $(OUT)/report $(BIN)/report $(if $(filter-out $(OUT)/val.txt,$(VAL)),--val $(VAL)) \
  -o $(OUT)/report.html $(OUT)
$(OUT)/report.html: $(foreach m,$(MODELS),$(addprefix $(OUT)/$m.,ckpt history.tsv metrics.json grid.png curves.png)) \
  $(wildcard $(OUT)/lr/*.png $(OUT)/pictures/*.png) $(BIN)/report
	@$(report)

##@ The pipeline, step by step
of_model := ckpt history.tsv batches.tsv pred.tsv metrics.json grid.png curves.png
products := $(addprefix $(OUT)/,anno.tsv largest.tsv lrg.csv bb.csv val.txt $(SIZE).cache) \
  $(foreach m,$(MODELS),$(addprefix $(OUT)/$m.,$(of_model)))
.PHONY: anno csv cache $(TRAINED) report
anno: $(OUT)/anno.tsv ## annotations as a table, out/anno.tsv
csv: $(csv_files) ## labels and split: out/lrg.csv, out/bb.csv, out/val.txt
cache: $(cache) ## scaled pictures, out/224.cache
cls: ## the classifier of the largest object, with its figures and pictures
bbox: ## the regressor of its box
detn: ## the detector of both
objects: $(OUT)/objects.ap.json ## the detector of all objects, at 320 pixels
$(TRAINED): %: $(OUT)/%.ckpt $(OUT)/%.metrics.json $(OUT)/%.grid.png $(OUT)/%.curves.png
# The goals of the same command come first.
report: | $(filter $(TRAINED) lr pictures,$(MAKECMDGOALS))
report: $(BIN)/report ## out/report.html, of what is there; trains nothing
	@$(report)

include $(here)scripts/published.mk

# Each of these files is put in place whole, by a program or by scripts/copy, and maybe by another make on the same OUT:
# make removes none of them when a step fails or is interrupted.
.PRECIOUS: $(records:%=$(OUT)/.made/%) $(OUT)/report.html $(curves:%=$(OUT)/lr/%.png) \
  $(addprefix $(OUT)/objects.,all.tsv ap.json) $(foreach m,$(TRAINED),$(addprefix $(OUT)/$m.,$(of_model))) \
  $(foreach p,01-image-% 02-image-% 03-image-% 04-largest-% $(pictures),$(call both,$p))
