# pipeline.mk: the way from data/ to out/, one rule for each program. Included by Makefile; see `make help`.
#
# How it decides what to run again:
# * out/.made/NAME records the settings a run had, as text; its time is the run's start. Make compares settings
#   when it considers a rule, and repeats a run whose settings differ or whose output was deleted. Nothing is
#   written for the comparison, so -n and -q change nothing.
# * Between the data and the trainings the rule's target is the record, and a program leaves an output alone
#   that would get the same bytes. The rules with the recipe `+` make make look at the output's own time
#   afterwards, so equal content starts no training. (A dry run can't know whether content will be equal: it
#   lists what is certain.)
# * Programs that take seconds are repeated when the program itself is new. Trainings are not: raise
#   MODEL_VERSION when a change of the code makes different models.

# The folder of this file: nothing in a checkout, share/onebox/ of an installed copy; how make gets here again; and
# the command that the user types.
here  := $(patsubst ./%,%,$(dir $(lastword $(MAKEFILE_LIST))))
again := $(if $(here),-f $(firstword $(MAKEFILE_LIST)))
typed := $(if $(here),onebox,make)

MODEL_VERSION := 1
MODELS        := cls bbox detn

# Settings; put lines like "VOC = /data/VOC2007" into config.mk to keep them, or into OUT/config.mk for one OUT.
-include config.mk
-include $(or $(OUT),out)/config.mk
##@ Settings of the pipeline (make VARIABLE=VALUE …, or lines in config.mk)
#? DATA        folder that `make data` fills
DATA       ?= data
#? VOC         folder with annotations/pascal_train2007.json or Annotations/*.xml, and JPEGImages/;
#?             or with one COCO JSON (annotations/*.json, result.json, _annotations.coco.json), and images/
VOC        ?= $(DATA)/VOC2007
#? SPLIT       the list of VOC/ImageSets/Main to use
SPLIT      ?= train
#? JSON        COCO-like annotations instead of VOC's, together with IMAGES
JSON       ?=
#? IMAGES      folder of the pictures [VOC/JPEGImages, VOC/images, or beside the JSON]
IMAGES     ?=
#? WEIGHTS     ImageNet weights to start from (safetensors), or none
WEIGHTS    ?= $(DATA)/resnet34.safetensors
#? ORDER       row order of the CSV files: set (that of the reference run) or id
ORDER      ?= set
#? VAL_PCT     share of validation pictures
VAL_PCT    ?= 0.2
#? SPLIT_SEED  seed of the split into training and validation
SPLIT_SEED ?= 42
#? OUT         folder of all products
OUT        ?= out
#? VAL         list of validation pictures; name one of your own to use it instead of OUT/val.txt
VAL        ?= $(OUT)/val.txt
#? SIZE        side of the network's input, a multiple of 32; gives OUT/SIZE.cache its name
SIZE       ?= 224
#? SEED        seed of the trainings [the recipe's]
SEED       ?=
#? THREADS     threads of each program [all processors]
THREADS    ?=
#? RECIPES     folder of cls.recipe, bbox.recipe and detn.recipe
RECIPES    ?= $(here)recipes
#? TRAINFLAGS  more options for the trainings: TRAINFLAGS='--epochs 1 --set batch=32'
TRAINFLAGS ?=
#? RESUME      1: trainings that were interrupted go on after the last epoch that OUT/MODEL.state holds
RESUME     ?=

##@ The demo
demo: ## draw a small set, train and judge all three models on it, with nothing but this checkout: some minutes
	@+MAKE='$(MAKE) $(again)' JOBS=$(jobs) TYPED=$(typed) BIN='$(BIN)' $(here)scripts/demo '$(DEMO_OUT)' $(demo_settings)
#? DEMO_OUT       folder of all that the demo makes; then `make status OUT=out/demo`, why, params-diff …
DEMO_OUT      ?= out/demo
#? DEMO_PICTURES  how many drawings; fewer are faster and worse
DEMO_PICTURES ?= 4000
#? DEMO_SEED      another number draws other pictures
DEMO_SEED     ?= 1
.PHONY: demo
demo_settings := VOC=$(DEMO_OUT)/voc SPLIT=trainval JSON= IMAGES= WEIGHTS=none SIZE=96 RECIPES=$(here)recipes/demo \
  VAL=$(DEMO_OUT)/val.txt DEMO_PICTURES=$(DEMO_PICTURES) DEMO_SEED=$(DEMO_SEED)

##@ Downloads
data: $(BIN)/import-weights ## download VOC 2007 trainval and ImageNet weights into DATA (1 GB of disk); again: check them
	@$(fetch) trainval weights
data-test: $(BIN)/import-weights ## the same, and the pictures of VOC 2007 test
	@$(fetch) trainval test weights
#? VOC_MIRRORS      folders (URLs) of the tar files [host.robots.ox.ac.uk, pjreddie.com]
VOC_MIRRORS     ?=
#? WEIGHTS_MIRRORS  files (URLs), safetensors or .pth [huggingface.co, download.pytorch.org]
WEIGHTS_MIRRORS ?=
.PHONY: data data-test
fetch = BIN='$(BIN)' VOC_MIRRORS='$(VOC_MIRRORS)' WEIGHTS_MIRRORS='$(WEIGHTS_MIRRORS)' $(here)scripts/data --into '$(DATA)'

# ---------------------------------------------------------------- names make can't work with

empty :=
blank := $(empty) $(empty)
hash  := \#
tab   := $(empty)	$(empty)
awkward := : ; % $(hash) ' " ` $$ * ? & | < > ( ) \$(blank)
paths   := DATA VOC JSON IMAGES WEIGHTS OUT VAL RECIPES BIN DEMO_OUT

override DATA    := $(patsubst ~/%,$(HOME)/%,$(DATA))
override VOC     := $(patsubst ~/%,$(HOME)/%,$(VOC))
override JSON    := $(patsubst ~/%,$(HOME)/%,$(JSON))
override IMAGES  := $(patsubst ~/%,$(HOME)/%,$(IMAGES))
override WEIGHTS := $(patsubst ~/%,$(HOME)/%,$(WEIGHTS))

refuse_path = $(error $1='$($1)': make cannot handle $2 in a file name; give it a plain name with `ln -s`)
$(foreach p,$(paths),$(if $(word 2,$($p)),$(call refuse_path,$p,a blank)))
$(foreach p,$(paths),$(foreach c,$(awkward),$(if $(findstring $c,$($p)),$(call refuse_path,$p,$c))))

# ---------------------------------------------------------------- where the data is

json_of_voc := $(VOC)/annotations/pascal_$(SPLIT)2007.json
refusal     :=
# The forms in which annotation tools export COCO.
coco_of_voc := $(wildcard $(VOC)/annotations/*.json $(VOC)/annotations.json $(VOC)/result.json $(VOC)/_annotations.coco.json)
PICTURES    := $(or $(IMAGES),$(patsubst %/.,%,$(firstword $(wildcard $(VOC)/JPEGImages/. $(VOC)/images/.) \
  $(if $(wildcard $(VOC)/_annotations.coco.json),$(VOC)/.))),$(VOC)/JPEGImages)

ifneq ($(JSON),)
SOURCE  := $(JSON)
refusal := $(if $(IMAGES),,JSON=$(JSON) needs IMAGES=DIR$(comma) the folder of its pictures)$(if \
  $(wildcard $(JSON)),,there is no file JSON=$(JSON))
else ifneq ($(wildcard $(json_of_voc)),)
SOURCE  := $(json_of_voc)
else ifneq ($(wildcard $(VOC)/Annotations/.),)
SOURCE  := $(OUT)/voc.json
else ifneq ($(coco_of_voc),)
SOURCE  := $(firstword $(coco_of_voc))
refusal := $(if $(word 2,$(coco_of_voc)),there are $(words $(coco_of_voc)) JSON files in $(VOC); name one: JSON=$(SOURCE) IMAGES=$(PICTURES))
else
define refusal
no annotations in $(VOC): `$(typed) data` downloads VOC 2007 and ImageNet weights (1 GB of disk);
`VOC=DIR` names a folder with Annotations/*.xml or annotations/*.json, and its pictures; `JSON=FILE IMAGES=DIR` name them one by one;
`$(typed) demo` draws pictures of its own and trains on them in some minutes, without any data
endef
endif
ifeq ($(refusal)$(wildcard $(PICTURES)/.),)
refusal := there is no folder $(PICTURES): name the folder of the pictures with IMAGES=DIR
endif

ifeq ($(WEIGHTS),none)
identity :=
else
identity := $(OUT)/weights.sha256
endif
define weights_refusal
no weights at $(WEIGHTS): `$(typed) data` downloads those of torchvision's ImageNet ResNet-34 (87 MB);
`WEIGHTS=FILE` names a file of your own, as $(BIN)/import-weights makes it of PyTorch's; `WEIGHTS=none` starts from random weights;
`$(typed) demo` trains a small network without any
endef

.PHONY: no-data no-weights
no-data:
	$(error $(refusal))
no-weights:
	$(error $(weights_refusal))

# ---------------------------------------------------------------- reasons to run again

curves  := $(foreach m,$(MODELS),$m.head $m.top)
records := drawn json anno largest csv cache weights $(MODELS) $(MODELS:%=lr.%.0) $(curves:%=lr.%)

# The text of a recipe without comments and with single blanks, one setting a line. $(call canonical,FILE)
canonical = $(call unfolded,$(call canonical_lines,$1))
# The same as a list of words, each of them a line with \1 for its blanks, and back.
canonical_lines = $(strip $(foreach l,$(subst $(nl), ,$(subst \
  $(tab),\1,$(subst $(blank),\1,$(file <$1)))),$(call canonical_line,$l)))
unfolded = $(subst \1, ,$(subst $(blank),$(nl),$1))
canonical_line = $(subst $(blank),\1,$(strip $(subst \1, ,$(patsubst _%,%,$(firstword $(subst $(hash), ,_$1))))))

# $(call changed,NAME,OUTPUTS): the reasons, as names of phony prerequisites, or nothing.
changed = $(strip $(if $(wildcard $(OUT)/.made/$1),$(if \
  $(call recorded,$(file <$(OUT)/.made/$1),$(parameters.$1)),,parameters-of-$1) $(if \
  $(filter-out $(wildcard $2),$2),a-deleted-file),no-finished-run))

# $(call newer,NAME,FOLDERS): a reason when anything in the folders changed since run NAME. Building asks for no such thing.
ifneq ($(filter-out $(build_targets) $(BUILD)/% $(BIN)/%,$(or $(MAKECMDGOALS),all)),)
newer = $(if $(and $(wildcard $2),$(wildcard $(OUT)/.made/$1)),$(if $(shell \
  find -L $(wildcard $2) -maxdepth 1 -cnewer $(OUT)/.made/$1 -print -quit),new-files-in-$(firstword $2)))
endif

reasons := no-finished-run a-deleted-file $(records:%=parameters-of-%) \
  $(addprefix new-files-in-,$(PICTURES) $(VOC)/Annotations)
.PHONY: $(reasons)
.SECONDEXPANSION:

# ---------------------------------------------------------------- data
##@ Products
#? out/anno.tsv out/largest.tsv out/lrg.csv out/bb.csv out/val.txt out/224.cache
#? out/MODEL.{ckpt,history.tsv,batches.tsv,pred.tsv,metrics.json,grid.png,curves.png}   MODEL: cls, bbox, detn
#? out/report.html   one page over all three models: figures, tables, pictures
#? out/lr/MODEL.{head,top}.{tsv,png} out/pictures/NN-NAME.{png,txt}

stage := $(here)scripts/stage

parameters.drawn   = pictures $(DEMO_PICTURES)$(nl)seed $(DEMO_SEED)
parameters.json    = voc $(VOC)$(nl)split $(SPLIT)
parameters.anno    = json $(SOURCE)
parameters.largest =
parameters.csv     = order $(ORDER)$(nl)val_pct $(VAL_PCT)$(nl)split_seed $(SPLIT_SEED)
parameters.cache   = images $(PICTURES)$(nl)size $(SIZE)
parameters.weights = file $(WEIGHTS)
$(foreach r,$(records),$(eval $(OUT)/.made/$r: private export PARAMETERS = $$(parameters.$r)))

# The demo's drawings, and its settings for everyone who names its OUT.
$(OUT)/.made/drawn: $(BIN)/draw-set $$(call changed,drawn,$(OUT)/voc/drawn.txt $(OUT)/config.mk)
	@mkdir -p $(OUT) && printf '%s\n' $(demo_settings) >$(OUT)/config.mk
	@$(stage) $(OUT)/drawn $(BIN)/draw-set --pictures $(DEMO_PICTURES) --seed $(DEMO_SEED) $(with_threads) -o $(OUT)/voc
$(OUT)/voc/drawn.txt: $(OUT)/.made/drawn ; +

voc_lists := $(wildcard $(VOC)/ImageSets/Main)
$(OUT)/.made/json: $$(if $$(refusal),no-data) $(BIN)/voc2json \
  $$(call changed,json,$(OUT)/voc.json) $$(call newer,json,$(VOC)/Annotations $(voc_lists))
	@$(stage) $(OUT)/json $(BIN)/voc2json $(if $(voc_lists),--split $(SPLIT)) -o $(OUT)/voc.json $(VOC)
$(OUT)/voc.json: $(OUT)/.made/json ; +

$(OUT)/.made/anno: $$(if $$(refusal),no-data) $(SOURCE) $(BIN)/json2anno $$(call changed,anno,$(OUT)/anno.tsv)
	@$(stage) $(OUT)/anno $(BIN)/json2anno -o $(OUT)/anno.tsv $(SOURCE)
$(OUT)/anno.tsv: $(OUT)/.made/anno ; +

$(OUT)/.made/largest: $(OUT)/anno.tsv $(BIN)/largest $$(call changed,largest,$(OUT)/largest.tsv)
	@$(stage) $(OUT)/largest $(BIN)/largest -o $(OUT)/largest.tsv $(OUT)/anno.tsv
$(OUT)/largest.tsv: $(OUT)/.made/largest ; +

csv_files := $(OUT)/lrg.csv $(OUT)/bb.csv $(OUT)/val.txt
$(OUT)/.made/csv: $(OUT)/largest.tsv $(BIN)/mkcsv $$(call changed,csv,$(csv_files))
	@$(stage) $(OUT)/csv $(BIN)/mkcsv --order $(ORDER) --lrg $(OUT)/lrg.csv --bb $(OUT)/bb.csv \
	  --val $(OUT)/val.txt --val-pct $(VAL_PCT) --seed $(SPLIT_SEED) $(OUT)/largest.tsv
$(csv_files): $(OUT)/.made/csv ; +

cache        := $(OUT)/$(SIZE).cache
with_size    := $(if $(filter-out 224,$(SIZE)),--size $(SIZE))
with_threads := $(if $(THREADS),--threads $(THREADS))
$(OUT)/.made/cache: $(OUT)/lrg.csv $(BIN)/resize-cache \
  $$(call changed,cache,$(cache)) $$(call newer,cache,$(PICTURES))
	@$(stage) $(OUT)/cache $(BIN)/resize-cache $(with_size) $(with_threads) --images $(PICTURES) -o $(cache) $(OUT)/lrg.csv
$(cache): $(OUT)/.made/cache ; +

# A training depends on what the weights are, not on where the file lies or how old it is.
$(OUT)/.made/weights: $(or $(wildcard $(WEIGHTS)),no-weights) $$(call changed,weights,$(OUT)/weights.sha256)
	@$(stage) $(OUT)/weights $(here)scripts/checksum -o $(OUT)/weights.sha256 $(WEIGHTS)
$(OUT)/weights.sha256: $(OUT)/.made/weights ; +

# ---------------------------------------------------------------- trainings, one at a time

define run_parameters
model_version $(MODEL_VERSION)
weights $(if $(identity),given,none)
split $(if $(filter $(OUT)/val.txt,$(VAL)),$(SPLIT) $(VAL_PCT) $(SPLIT_SEED) $(ORDER),$(VAL))
size $(SIZE)
seed $(or $(SEED),of the recipe)
options $(TRAINFLAGS)
endef
define training_parameters
$(run_parameters)
$(call canonical,$(RECIPES)/$1.recipe)
endef
$(foreach m,$(MODELS),$(eval parameters.$m = $$(call training_parameters,$m)))

labels.cls  := --lrg $(OUT)/lrg.csv
labels.bbox := --bb $(OUT)/bb.csv
labels.detn := --lrg $(OUT)/lrg.csv --bb $(OUT)/bb.csv

# $(call training_command,MODEL,WHERE THE WEIGHTS COME FROM)
training_command = $(BIN)/train-$1 --cache $(cache) $(labels.$1) --val $(VAL) $2 --recipe $(RECIPES)/$1.recipe \
  $(if $(SEED),--seed $(SEED)) $(with_size) $(with_threads) $(TRAINFLAGS)

# $(call training,MODEL). The files of a run are newer than its record, which has the time of its start. What a
# failed training leaves stays: its history, and the checkpoints after its phases.
define training
made.$1 := $(addprefix $(OUT)/$1.,ckpt history.tsv batches.tsv)
$(OUT)/.made/$1: $$$$(if $$$$(refusal),no-data) $(identity) $(filter-out --%,$(labels.$1)) $(VAL) $(cache) \
  $$$$(call changed,$1,$$$$(made.$1)) | $(BIN)/train-$1 $(RECIPES)/$1.recipe
	@$(stage) --alone $(OUT)/$1 $(call training_command,$1,--weights $(WEIGHTS)) $(if $(RESUME),--resume) -o $(OUT)/$1.ckpt
$$(made.$1): $(OUT)/.made/$1 ;
endef
$(foreach m,$(MODELS),$(eval $(call training,$m)))

# ---------------------------------------------------------------- learning-rate curves
#
# The six of the published run: MODEL.head before any training, MODEL.top after phase head. They are for choosing
# the rates of what follows, so they depend on the recipe's settings and on phase head, not on other phases or
# rates, and MODEL.top asks for no whole training: out/lr/MODEL.0.ckpt is a copy of out/MODEL.0.ckpt when MODEL's
# training is there and up to date, else phase head is trained alone, which gives the same bytes in minutes.

# Rates of the first batch and of the last one of a whole epoch: those of the published run, whose later ones are
# a thousandth of the phase's own.
rates.cls.head  := 1e-5 100
rates.cls.top   := 2e-8,2e-7,2e-5 10
rates.bbox.head := 1e-5 100
rates.bbox.top  := 2e-8,2e-7,2e-6 10
rates.detn.head := 1e-5 10
rates.detn.top  := 1e-7,1e-6,1e-5 10
# Points that the plots leave out at the start and at the end, where the published run shows most.
trim.cls.head   := --skip 5 --skip-end 1
trim.cls.top    := --skip 1
trim.bbox.head  := --skip 5
trim.bbox.top   := --skip 1
trim.detn.head  := --skip 5 --skip-end 1
trim.detn.top   := --skip 0

# $(call phase,MODEL,NAME): its line; $(call layers,MODEL,NAME): the part before its rates.
lines.of = $(call canonical_lines,$(RECIPES)/$1.recipe)
phase    = $(filter phase\1$2\1%,$(lines.of))
layers   = $(subst $(blank),\1,$(wordlist 1,4,$(subst \1, ,$(phase))))
no_curves := $(foreach c,$(curves),$(if $(call phase,$(basename $c),$(patsubst .%,%,$(suffix $c))),,$c))
define curve_parameters
$(run_parameters)
$(if $3,rates $3
)$(call unfolded,$(strip $(filter-out phase\1%,$(lines.of)) $2))
endef
$(foreach m,$(MODELS),\
  $(eval parameters.lr.$m.head = $$(call curve_parameters,$m,$$(call layers,$m,head),$$(rates.$m.head)))\
  $(eval parameters.lr.$m.0 = $$(call curve_parameters,$m,$$(call phase,$m,head)))\
  $(eval parameters.lr.$m.top = $$(call curve_parameters,$m,$$(call phase,$m,head) $$(call layers,$m,top),$$(rates.$m.top))))

# $(call curve,MODEL,PHASE,WHERE THE WEIGHTS COME FROM)
curve = $(stage) --alone $(OUT)/lr.$1.$2 $(call training_command,$1,$3) --phase $2 \
  --lr-start $(word 1,$(rates.$1.$2)) --lr-end $(word 2,$(rates.$1.$2)) --lr-find $(OUT)/lr/$1.$2.tsv
# Is phase head the recipe's first one, and MODEL's training there with these settings?
trained = $(if $(call changed,$1,$(made.$1)),,$(and $(call phase,$1,head),$(filter \
  $(call phase,$1,head),$(firstword $(filter phase\1%,$(lines.of)))),$(wildcard $(OUT)/$1.0.ckpt)))
define curves_of
inputs.$1 := $(identity) $(filter-out --%,$(labels.$1)) $(VAL) $(cache)
$(OUT)/.made/lr.$1.head: $$$$(if $$$$(refusal),no-data) $$(inputs.$1) \
  $$$$(call changed,lr.$1.head,$(OUT)/lr/$1.head.tsv) | $(BIN)/train-$1 $(RECIPES)/$1.recipe $(OUT)/lr
	@$$(call curve,$1,head,--weights $(WEIGHTS))
$(OUT)/.made/lr.$1.0: $$$$(if $$$$(refusal),no-data) $$(inputs.$1) \
  $$$$(call changed,lr.$1.0,$(OUT)/lr/$1.0.ckpt) | $(BIN)/train-$1 $(RECIPES)/$1.recipe $(OUT)/lr
	@if $$(if $$(call trained,$1),[ -z "$$$$(find $$(inputs.$1) -newer $(OUT)/.made/$1 -print -quit)" ],false); \
	then $(stage) $(OUT)/lr.$1.0 cp $(OUT)/$1.0.ckpt $(OUT)/lr/$1.0.ckpt; \
	else $(stage) --alone $(OUT)/lr.$1.0 $$(call training_command,$1,--weights $(WEIGHTS)) --until head -o $(OUT)/lr/$1.0.ckpt; fi
$(OUT)/.made/lr.$1.top: $(OUT)/lr/$1.0.ckpt $$$$(call changed,lr.$1.top,$(OUT)/lr/$1.top.tsv)
	@$$(call curve,$1,top,--init $(OUT)/lr/$1.0.ckpt)
$(OUT)/lr/$1.0.ckpt: $(OUT)/.made/lr.$1.0 ;
$(OUT)/lr/$1.head.tsv: $(OUT)/.made/lr.$1.head ;
$(OUT)/lr/$1.top.tsv: $(OUT)/.made/lr.$1.top ;
endef
$(foreach m,$(MODELS),$(eval $(call curves_of,$m)))

$(OUT)/lr $(OUT)/pictures:
	@mkdir -p $@

$(curves:%=$(OUT)/lr/%.png): $(OUT)/lr/%.png: $(OUT)/lr/%.tsv $(BIN)/render
	@$(stage) $(OUT)/lr.$*.plot $(BIN)/render --kind lr-find --lr $< $(trim.$*) --title $* -o $@

# ---------------------------------------------------------------- predictions, figures, pictures

$(MODELS:%=$(OUT)/%.pred.tsv): $(OUT)/%.pred.tsv: $(OUT)/%.ckpt $(cache) $(VAL) $(BIN)/predict
	@$(stage) $(OUT)/$*.pred $(BIN)/predict $(with_threads) --ckpt $(OUT)/$*.ckpt \
	  --cache $(cache) --only $(VAL) --frame $(SIZE) -o $@

$(MODELS:%=$(OUT)/%.metrics.json): $(OUT)/%.metrics.json: $(OUT)/anno.tsv $(OUT)/%.pred.tsv $(BIN)/evaluate
	@$(stage) $(OUT)/$*.metrics $(BIN)/evaluate $(if $(with_size),--frame $(SIZE)) --anno $(OUT)/anno.tsv --pred $(OUT)/$*.pred.tsv -o $@

$(MODELS:%=$(OUT)/%.grid.png): $(OUT)/%.grid.png: $(OUT)/%.pred.tsv $(OUT)/largest.tsv $(BIN)/render
	@$(stage) $(OUT)/$*.grid $(BIN)/render --kind grid --pred $(OUT)/$*.pred.tsv --anno $(OUT)/largest.tsv \
	  --images $(PICTURES) -o $@

$(MODELS:%=$(OUT)/%.curves.png): $(OUT)/%.curves.png: $(OUT)/%.history.tsv $(OUT)/%.batches.tsv $(BIN)/render
	@$(stage) $(OUT)/$*.curves $(BIN)/render --kind curves --history $(OUT)/$*.history.tsv \
	  --batches $(OUT)/$*.batches.tsv -o $@

# ---------------------------------------------------------------- the pictures of the published run
#
# Each is a target of its own, out/pictures/NAME.png, and what it shows in numbers stands beside it in NAME.txt.
# Only pictures 01 to 04 have an image's number in their names: any image can be asked for, 01-image-7.png, and
# `make pictures` takes those of the published run where they show what is wanted, else others of the annotations.

# $(call picture,OPTIONS OF RENDER)
picture = $(stage) $(OUT)/pictures.$(basename $(@F)) $(BIN)/render $1 --values $(basename $@).txt -o $(basename $@).png
image   = --image $* --images $(PICTURES)
at_pictures = $(foreach e,png txt,$(patsubst %,$(OUT)/pictures/%.$e,$1))

$(call at_pictures,01-image-%): $(OUT)/anno.tsv $(BIN)/render | $(OUT)/pictures
	@$(call picture,--kind boxes --anno $(OUT)/anno.tsv $(image) --label-size 14)
$(foreach n,02 03,$(eval $(call at_pictures,$n-image-%): $(OUT)/anno.tsv $(BIN)/render | $(OUT)/pictures ;\
  @$$(call picture,--kind boxes --anno $(OUT)/anno.tsv $$(image) --figure 16x8)))
$(call at_pictures,04-largest-%): $(OUT)/anno.tsv $(BIN)/render | $(OUT)/pictures
	@$(call picture,--kind largest --anno $(OUT)/anno.tsv $(image))

# $(call draw,NAME,INPUTS,OPTIONS). val_number: that one of the validation pictures, or the last one.
pictures :=
define draw
pictures += $1
$(call at_pictures,$1) &: $2 $(BIN)/render | $(OUT)/pictures
	@$$(call picture,$3)
endef
val_number = $$$$(awk 'END { print (NR > $1 ? $1 : NR - 1) }' $(VAL))
sample     = --cache $(cache) --val $(VAL) --first $(val_number)
curve_plot = $(eval $(call draw,$1,$(OUT)/lr/$2.tsv,--kind lr-find --lr $(OUT)/lr/$2.tsv --title $2 $3))
grid_plot  = $(eval $(call draw,$1,$(OUT)/$2.pred.tsv $(cache),--kind grid --pred $(OUT)/$2.pred.tsv --cache $(cache)))
schedule_plot = $(eval $(call draw,$1,$(OUT)/$2.batches.tsv,--kind schedule --batches $(OUT)/$2.batches.tsv --title $2))
history_plot  = $(eval $(call draw,$1,$(OUT)/$2.history.tsv $(OUT)/$2.batches.tsv,--kind curves \
  --history $(OUT)/$2.history.tsv --batches $(OUT)/$2.batches.tsv --title $2))

$(eval $(call draw,05-cls-sample,$(cache) $(VAL),--kind sample $(call sample,0)))
$(call curve_plot,06-cls-lr,cls.head)
$(call curve_plot,07-cls-lr-trimmed,cls.head,--skip 5 --skip-end 1)
$(call curve_plot,08-cls-top-lr,cls.top,--skip 1)
$(call grid_plot,09-cls-grid,cls)
augmented := --kind augment --anno $(OUT)/largest.tsv $(call sample,5)
$(eval $(call draw,10-augment-wrong,$(cache) $(VAL) $(OUT)/largest.tsv,$(augmented) --leave-boxes))
$(eval $(call draw,11-augment-right,$(cache) $(VAL) $(OUT)/largest.tsv,$(augmented)))
$(call curve_plot,12-bbox-lr,bbox.head,--skip 5)
$(call curve_plot,13-bbox-top-lr,bbox.top,--skip 1)
$(call grid_plot,14-bbox-grid,bbox)
$(eval $(call draw,15-detn-sample,$(cache) $(VAL) $(OUT)/largest.tsv,--kind sample --anno $(OUT)/largest.tsv $(call sample,3)))
$(call curve_plot,16-detn-lr,detn.head)
$(call curve_plot,17-detn-lr-trimmed,detn.head,--skip 5 --skip-end 1)
$(call curve_plot,18-detn-top-lr,detn.top,--skip 0)
$(call grid_plot,19-detn-grid,detn)
$(call schedule_plot,20-cls-schedule,cls)
$(call history_plot,21-cls-curves,cls)
$(call schedule_plot,22-bbox-schedule,bbox)
$(call history_plot,23-bbox-curves,bbox)
$(call schedule_plot,24-detn-schedule,detn)
$(call history_plot,25-detn-curves,detn)

# Those of a curve whose phase the recipe hasn't got.
phaseless = $(foreach p,$(filter %-lr %-lr-trimmed,$(pictures)),$(if $(filter $(no_curves),$(word 2,$(subst \
  -, ,$p)).$(if $(findstring -top-,$p),top,head)),$p))
images = $(or $(shell awk -f $(here)scripts/pictures.awk $(OUT)/anno.tsv 2>/dev/null),12 9654 17)
shown  = 01-image-$(word 1,$1) 02-image-$(word 2,$1) 03-image-$(word 3,$1) 04-largest-$(word 3,$1) \
  $(filter-out $(phaseless),$(pictures))

# ---------------------------------------------------------------- the page over everything

page := $(BIN)/report $(if $(filter-out $(OUT)/val.txt,$(VAL)),--val $(VAL)) -o $(OUT)/report.html $(OUT)
$(OUT)/report.html: $(foreach m,$(MODELS),$(addprefix $(OUT)/$m.,ckpt history.tsv metrics.json grid.png curves.png)) \
  $(wildcard $(OUT)/lr/*.png $(OUT)/pictures/*.png) $(BIN)/report
	@$(stage) $(OUT)/report $(page)

# The goals of the same command come first.
.PHONY: report
report: $(BIN)/report | $(filter $(MODELS) lr pictures,$(MAKECMDGOALS)) ## out/report.html over what has been made so far; trains nothing
	@$(stage) $(OUT)/report $(page)

# ---------------------------------------------------------------- short names

products := $(addprefix $(OUT)/,anno.tsv largest.tsv lrg.csv bb.csv val.txt $(SIZE).cache) \
  $(foreach m,$(MODELS),$(addprefix $(OUT)/$m.,ckpt history.tsv batches.tsv pred.tsv metrics.json grid.png curves.png))

##@ The pipeline, step by step
.PHONY: anno csv cache $(MODELS)
anno: $(OUT)/anno.tsv ## annotations as a table, out/anno.tsv
csv: $(OUT)/lrg.csv $(OUT)/bb.csv $(OUT)/val.txt ## labels and split: out/lrg.csv, out/bb.csv, out/val.txt
cache: $(cache) ## scaled pictures, out/224.cache
cls: ## the classifier of the largest object, with its figures and pictures
bbox: ## the regressor of its box
detn: ## the detector of both
$(foreach m,$(MODELS),$(eval $m: $(addprefix $(OUT)/$m.,ckpt metrics.json grid.png curves.png)))

.PHONY: lr
lr: $(foreach c,$(filter-out $(no_curves),$(curves)),$(addprefix $(OUT)/lr/$c.,tsv png)) ## the six curves that help to choose a rate, in out/lr
	@$(foreach c,$(no_curves),echo 'no $(OUT)/lr/$c.tsv: the recipe has no such phase';)

.PHONY: pictures
pictures: $(OUT)/anno.tsv ## the nineteen pictures of the published run and six more, in out/pictures
	@$(foreach p,$(phaseless),echo 'no $(OUT)/pictures/$p.png: the recipe has no such phase';)
	@+$(MAKE) $(again) --no-print-directory all-pictures
# Which pictures these are is known when the annotations are there.
.PHONY: all-pictures
all-pictures: $$(if $$(filter $$@,$$(MAKECMDGOALS)),$$(call at_pictures,$$(call shown,$$(images))))
	@echo '$(words $(call shown,$(images))) pictures in $(OUT)/pictures, what they show in numbers beside them in .txt'

##@ Looking at the pipeline
#? T           the files that why and status speak of [all products]
.PHONY: why status params-diff accept
T ?=
why: ## what make would run now for T, and why
	@$(MAKE) $(again) --no-print-directory -n --trace $(or $(T),$(products)) | awk -v out='$(OUT)' -v typed=$(typed) -f $(here)scripts/why.awk
status: ## each product: size, age, up to date or not, seconds of its last run
	@MAKE='$(MAKE) $(again)' $(here)scripts/status $(or $(T),$(products))
params-diff: $(records:%=params-diff-of-%) ## settings that differ from those of the last runs
accept: $(MODELS:%=accept-of-%) ## call the trained models up to date as they are, without training again

.PHONY: $(records:%=params-diff-of-%) $(MODELS:%=accept-of-%)
$(foreach r,$(records),$(eval params-diff-of-$r accept-of-$r: private export PARAMETERS = $$(parameters.$r)))
$(records:%=params-diff-of-%): params-diff-of-%:
	$(if $(wildcard $(OUT)/.made/$*),@$(here)scripts/params-diff $(OUT)/.made/$*)
$(MODELS:%=accept-of-%): accept-of-%:
	$(if $(wildcard $(OUT)/$*.ckpt),@$(stage) --accept $(OUT)/$* $(addprefix $(OUT)/$*.,ckpt history.tsv batches.tsv))
