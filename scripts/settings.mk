# settings.mk - what can be set, and where annotations, pictures and weights are. Included by pipeline.mk.

# Settings that belong to an OUT, and those of them that this command gives. When OUT is named too, scripts/stage keeps
# them in OUT/config.mk (scripts/remember), so that later commands need only OUT.
kept    := VOC SPLIT JSON IMAGES WEIGHTS ORDER VAL_PCT SPLIT_SEED VAL MAX_BAD SIZE SEED RECIPES TRAINFLAGS
by_user  = $(foreach v,$1,$(if $(filter command,$(origin $v)),$v))
given   := $(call by_user,$(kept))
named   := $(filter-out undefined,$(origin OUT))
-include config.mk
-include $(patsubst ~/%,$(HOME)/%,$(or $(OUT),out))/config.mk

# VOC on the command line is meant in place of a JSON that was kept.
ifneq ($(and $(filter VOC,$(given)),$(JSON)$(IMAGES)),)
$(foreach v,$(filter-out $(given),JSON IMAGES),$(eval override $v :=)$(eval given += $v))
endif

##@ Settings of the pipeline (make VARIABLE=VALUE …, or lines in config.mk)
#? DATA        folder that `make data` fills
DATA       ?= data
#? VOC         folder of annotations and pictures, as VOC, CVAT, VoTT, labelImg, LabelMe, Label Studio and Roboflow
#?             make them: XML, YOLO text or COCO JSON (doc/own-pictures.md)
VOC        ?= $(DATA)/VOC2007
#? SPLIT       the list of VOC/ImageSets/Main to use, or the folder of train, valid and test; empty: all annotations
split_given := $(filter-out undefined,$(origin SPLIT))
SPLIT      ?= train
#? JSON        COCO-like annotations instead of VOC's, together with IMAGES
JSON       ?=
#? IMAGES      folder of the pictures [VOC/JPEGImages, VOC/images or VOC]
IMAGES     ?=
#? WEIGHTS     ImageNet weights to start from, safetensors or PyTorch's .pth, or none
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
#? MAX_BAD     so many pictures may be missing or damaged: they are named and left out [none]
MAX_BAD    ?=
#? SIZE        side of the network's input, a multiple of 32; gives OUT/SIZE.cache its name
SIZE       ?= 224
#? SEED        seed of the trainings [the recipe's]
SEED       ?=
#? THREADS     threads of each program [all processors]
THREADS    ?=
#? RECIPES     folder of cls.recipe, bbox.recipe, detn.recipe and objects.recipe
RECIPES    ?= $(here)recipes
#? TRAINFLAGS  more options for the trainings: TRAINFLAGS='--epochs 1 --set batch=32'
TRAINFLAGS ?=
#? FRESH       1: trainings that were interrupted start anew; else they go on from OUT/MODEL.state by themselves
FRESH      ?=
#? RESUME      1: a training stops if OUT/MODEL.state is of other settings, rather than start anew
RESUME     ?=

##@ Settings of the demo and the downloads
#? DEMO_OUT       folder of all that the demo makes; then `make status OUT=out/demo`, why, params-diff …
DEMO_OUT      ?= out/demo
#? DEMO_PICTURES  how many drawings; fewer are faster and worse
DEMO_PICTURES ?= 4000
#? DEMO_SEED      another number draws other pictures
DEMO_SEED     ?= 1
#? VOC_MIRRORS      folders (URLs) of the tar files [host.robots.ox.ac.uk, pjreddie.com]
VOC_MIRRORS     ?=
#? WEIGHTS_MIRRORS  files (URLs), safetensors or .pth [huggingface.co, download.pytorch.org]
WEIGHTS_MIRRORS ?=

# ---------------------------------------------------------------- names make cannot work with

paths   := DATA VOC JSON IMAGES WEIGHTS OUT VAL RECIPES BIN DEMO_OUT
awkward := : ; % $(hash) ' " ` $$ * ? & | < > ( ) [ ] \$(blank)
$(call at_home,$(paths))
demo_settings := VOC=$(DEMO_OUT)/voc SPLIT=trainval JSON= IMAGES= WEIGHTS=none SIZE=96 RECIPES=$(here)recipes/demo \
  VAL=$(DEMO_OUT)/val.txt DEMO_PICTURES=$(DEMO_PICTURES) DEMO_SEED=$(DEMO_SEED)

refuse_path = $(error $1='$($1)': make cannot handle $2 in a file name; give it a plain name with `ln -s`)
refuse_empty = $(error $1 is empty: give it a name, or leave it out)
$(foreach p,$(filter-out JSON IMAGES,$(paths)),$(if $($p),,$(call refuse_empty,$p)))
$(foreach p,$(paths),$(if $(word 2,$($p)),$(call refuse_path,$p,a blank)))
$(foreach p,$(paths),$(if $(filter -%,$($p)),$(call refuse_path,$p,a leading -)))
# Products are goals of status, why and demo, and make takes a goal with = for a setting.
$(foreach p,OUT DEMO_OUT,$(if $(findstring =,$($p)),$(call refuse_path,$p,=)))
$(foreach p,$(paths),$(foreach c,$(awkward),$(if $(findstring $c,$($p)),$(call refuse_path,$p,$c))))

# $(call kept_line,VARIABLE): as a makefile has it.
kept_line = $1=$(subst $(hash),\$(hash),$(subst $$,$$$$,$($1)))
ifneq ($(and $(named),$(given)),)
export ONEBOX_SETTINGS := $(subst $(nl)$(blank),$(nl),$(foreach v,$(given),$(call kept_line,$v)$(nl)))
endif

# ---------------------------------------------------------------- names that are not there

# $(call nearest,KIND,WORD,COMMAND that prints "KIND NAME" lines): " (do you mean NAME?)", or nothing.
nearest = $(foreach w,$(patsubst ?%,%,$(filter-out ?,$(shell \
  $3 | awk -v kind=$1 -v word='$2' -f $(here)scripts/nearest.awk))), (do you mean $w?))
# $(call near,PATH): the same for what lies in the folder of a path.
near    = $(call nearest,file,$(notdir $(patsubst %/,%,$1)),ls '$(dir $(patsubst %/,%,$1))' 2>/dev/null | \
  sed 's|^|file $(filter-out ./,$(dir $(patsubst %/,%,$1)))|')

# A variable on the command line that nothing reads is misspelt. (Builds take those of other packages, too.)
helped  := $(if $(here),,Makefile) $(addprefix $(here)scripts/,settings.mk published.mk records.mk) $(here)pipeline.mk
others  := V T BIN BUILD DESTDIR CUDA_HOME CUDNN_HOME PYTHON MYPETS MAKE SHELL CPPFLAGS LDFLAGS LDLIBS AR CXX LD RANLIB
names   := awk -v names=1 -f $(here)scripts/help.awk $(helped)
strange := $(filter-out $(kept) $(others),$(call by_user,$(.VARIABLES)))
strange := $(if $(strange),$(filter-out $(patsubst %=,%,$(filter %=,$(shell $(names)))),$(strange)))
ifneq ($(strange),)
strange := $(firstword $(strange))
meant   := $(call nearest,setting,$(strange),$(names))
ifneq ($(meant)$(filter-out $(build_targets) $(BUILD)/% $(BIN)/%,$(or $(MAKECMDGOALS),all)),)
$(error there is no setting $(strange)$(meant); `$(typed) help` lists them)
endif
endif

# Files that the user names are targets that can't be made.
define no_file
$1: ; $$(error there is no file $1$$(call near,$1), which is to be $2)
endef
$(if $(filter $(patsubst ./%,%,$(OUT))/val.txt,$(patsubst ./%,%,$(VAL)))$(wildcard $(VAL)),,$(eval $(call \
  no_file,$(VAL),VAL: the file names of validation pictures$(comma) one a line)))
define no_recipe
$(RECIPES)/$1.recipe: ; $$(error there is no file '$$@'$(if $(wildcard $(RECIPES)/.),$$(call near,$$@),$(comma) \
  and no folder RECIPES=$(RECIPES)$$(call near,$(RECIPES))))
endef
$(foreach m,cls bbox detn objects,$(if $(wildcard $(RECIPES)/$m.recipe),,$(eval $(call no_recipe,$m))))

# ---------------------------------------------------------------- annotations: SOURCE; pictures: PICTURES; or a refusal

json_of_voc := $(VOC)/annotations/pascal_$(SPLIT)2007.json
# The forms in which annotation tools export COCO.
coco_of_voc := $(wildcard $(VOC)/annotations/*.json $(VOC)/annotations.json $(VOC)/result.json \
  $(VOC)/_annotations.coco.json)
PICTURES    := $(or $(IMAGES),$(patsubst %/.,%,$(firstword $(wildcard $(VOC)/JPEGImages/. $(VOC)/images/. $(VOC)/.))),\
  $(VOC)/JPEGImages)
# The list is asked for when it is there, or when the user named it; voc2json says which there are.
with_split  := $(if $(and $(SPLIT),$(split_given)$(wildcard $(VOC)/ImageSets/Main/$(SPLIT).txt)),--split $(SPLIT))
refusal     :=

ifneq ($(JSON),)
SOURCE  := $(JSON)
ifeq ($(wildcard $(JSON)),)
refusal := there is no file JSON=$(JSON)$(call near,$(JSON))
else ifeq ($(IMAGES),)
refusal := JSON=$(JSON) needs IMAGES=DIR, the folder of its pictures
endif
else ifneq ($(wildcard $(json_of_voc)),)
SOURCE  := $(json_of_voc)
else ifneq ($(wildcard $(VOC)/Annotations/.),)
SOURCE  := $(OUT)/voc.json
else ifneq ($(coco_of_voc),)
SOURCE  := $(firstword $(coco_of_voc))
ifneq ($(word 2,$(coco_of_voc)),)
refusal := there are $(words $(coco_of_voc)) JSON files in $(VOC); name one: JSON=$(SOURCE) IMAGES=$(PICTURES)
endif
else ifneq ($(shell find -L $(VOC) \( -iname '*.xml' -o -iname '*.txt' -o -name '*.coco.json' \) \
  ! -iname 'readme*' -print -quit 2>/dev/null),)
SOURCE  := $(OUT)/voc.json
else ifeq ($(words $(wildcard $(VOC)/*.json)),1)
SOURCE  := $(wildcard $(VOC)/*.json)
else ifneq ($(and $(wildcard $(VOC)/.),$(filter-out $(DATA)/VOC2007,$(VOC))),)
# voc2json says what there is in place of annotations.
SOURCE  := $(OUT)/voc.json
else
no_folder = $(if $(wildcard $(VOC)/.)$(filter $(DATA)/VOC2007,$(VOC)),,$(or \
  $(call near,$(VOC)),$(blank)(there is no such folder)))
define refusal
no annotations in $(VOC)$(no_folder): `$(typed) data` downloads VOC 2007 (1 GB), `$(typed) demo` needs no data;
`VOC=DIR` names a folder of pictures and annotations, `JSON=FILE IMAGES=DIR` the two one by one
endef
endif
ifeq ($(refusal)$(wildcard $(PICTURES)/.),)
refusal := there is no folder $(PICTURES)$(call near,$(PICTURES)): name the folder of the pictures with IMAGES=DIR
endif

# Folders of validation pictures, as Roboflow makes them: voc2json looks closer.
valid := $(if $(filter $(OUT)/voc.json,$(SOURCE)),$(if $(wildcard \
  $(foreach f,valid val validation obj_valid_data,$(VOC)/$f/. $(VOC)/*/$f/.)),$(OUT)/valid.txt))

near_weights = $(call near,$(WEIGHTS))
define weights_refusal
no weights at $(WEIGHTS)$(near_weights): `$(typed) weights` downloads torchvision's, `$(typed) demo` needs none;
`WEIGHTS=FILE` names your own (safetensors, .pth, .pt), `WEIGHTS=none` starts from random ones
endef

# PyTorch's files are known by their names, or are zip files. They are imported first (pipeline.mk).
maybe_torch := $(filter-out %.safetensors %.ckpt %.pth %.pt none,$(wildcard $(WEIGHTS)))
torch       := $(or $(filter %.pth %.pt,$(WEIGHTS)),$(if $(maybe_torch),$(filter PK,$(shell \
  head -c 2 '$(WEIGHTS)' 2>/dev/null | tr -dc A-Z))))
weights     := $(if $(torch),$(OUT)/weights.safetensors,$(WEIGHTS))

# Prerequisites of what needs data or weights: building them is refused in these words.
.PHONY: no-data no-weights
no-data:
	$(error $(refusal))
no-weights:
	$(error $(weights_refusal))
