# published.mk - the learning-rate curves and the pictures of the published run. Included by pipeline.mk.

# ---------------------------------------------------------------- learning-rate curves
#
# Six: MODEL.head before any training, MODEL.top after phase head. They are for choosing the rates of what follows.
# MODEL.top asks for no whole training: out/lr/MODEL.0.ckpt is a copy of out/MODEL.0.ckpt when MODEL's training is
# there and up to date, else phase head is trained alone, which gives the same bytes in minutes.

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

# $(call curve,MODEL,PHASE,WHERE THE WEIGHTS COME FROM)
curve = $(stage) --alone $(OUT)/lr.$1.$2 $(call train,$1,$3) --phase $2 \
  --lr-start $(word 1,$(rates.$1.$2)) --lr-end $(word 2,$(rates.$1.$2)) --lr-find $(OUT)/lr/$1.$2.tsv

$(MODELS:%=$(OUT)/.made/lr.%.head): $(OUT)/.made/lr.%.head: $$(call inputs,$$*) \
  $$(call changed,lr.$$*.head,$$(OUT)/lr/$$*.head.tsv) | $(BIN)/train-% $(RECIPES)/%.recipe $(OUT)/lr
	@$(call curve,$*,head,--weights $(weights))

# Something when MODEL's training is up to date and begins with phase head.
with_head = $(if $(call changed,$1,$(call made,$1))$(shell \
  find $(call inputs,$1) -newer $(OUT)/.made/$1 -print -quit 2>/dev/null),,$(and \
  $(filter head,$(firstword $(call recipe,$1.phases))),$(wildcard $(OUT)/$1.0.ckpt)))
$(MODELS:%=$(OUT)/.made/lr.%.0): $(OUT)/.made/lr.%.0: $$(call inputs,$$*) \
  $$(call changed,lr.$$*.0,$$(OUT)/lr/$$*.0.ckpt) | $(BIN)/train-% $(RECIPES)/%.recipe $(OUT)/lr
	@$(stage) $(if $(call with_head,$*),$(OUT)/lr.$*.0 $(here)scripts/copy $(OUT)/$*.0.ckpt $(OUT)/lr/$*.0.ckpt,\
	  --alone $(OUT)/lr.$*.0 $(call train,$*,--weights $(weights)) --until head -o $(OUT)/lr/$*.0.ckpt)

$(MODELS:%=$(OUT)/.made/lr.%.top): $(OUT)/.made/lr.%.top: $(OUT)/lr/%.0.ckpt \
  $$(call changed,lr.$$*.top,$$(OUT)/lr/$$*.top.tsv)
	@$(call curve,$*,top,--init $(OUT)/lr/$*.0.ckpt)

$(MODELS:%=$(OUT)/lr/%.head.tsv): $(OUT)/lr/%.head.tsv: $(OUT)/.made/lr.%.head ;
$(MODELS:%=$(OUT)/lr/%.0.ckpt): $(OUT)/lr/%.0.ckpt: $(OUT)/.made/lr.%.0 ;
$(MODELS:%=$(OUT)/lr/%.top.tsv): $(OUT)/lr/%.top.tsv: $(OUT)/.made/lr.%.top ;

$(curves:%=$(OUT)/lr/%.png): $(OUT)/lr/%.png: $(OUT)/lr/%.tsv $(BIN)/render
	@$(stage) $(OUT)/lr.$*.plot $(BIN)/render --kind lr-find --lr $< $(trim.$*) --title $* -o $@

$(OUT)/lr $(OUT)/pictures:
	@mkdir -p $@

# Curves whose phase the recipe lacks are left out, and so are their pictures below.
no_curves   = $(foreach m,$(MODELS),$(addprefix $m.,$(filter-out $(call recipe,$m.phases),head top)))
curve_files = $(foreach c,$(filter-out $(no_curves),$(curves)),$(OUT)/lr/$c.tsv $(OUT)/lr/$c.png)
.PHONY: lr
lr: $$(if $$(filter $$@,$$(MAKECMDGOALS)),$$(curve_files)) ## the six curves that help to choose a rate, in out/lr
	@$(foreach c,$(no_curves),echo 'no $(OUT)/lr/$c.tsv: the recipe has no such phase';)

# ---------------------------------------------------------------- the pictures
#
# Each is a target of its own, out/pictures/NAME.png, and what it shows in numbers stands beside it in NAME.txt.
# Only pictures 01 to 04 have an image's number in their names: any image can be asked for, 01-image-7.png, and
# `make pictures` takes those of the published run where they show what is wanted, else others of the annotations.

# $(call both,NAME): the two files of a picture; $(call picture,OPTIONS OF RENDER): the recipe that draws them.
both    = $(OUT)/pictures/$1.png $(OUT)/pictures/$1.txt
picture = $(stage) $(OUT)/pictures.$(basename $(@F)) $(BIN)/render $1 --values $(basename $@).txt -o $(basename $@).png
# $(call nth,N): options for validation picture N, counted from 0, or the last one.
nth     = --cache $(cache) --val $(VAL) --first $$(awk 'END { print (NR > $1 ? $1 : NR - 1) }' $(call operands,$(VAL)))
needed := $(BIN)/render | $(OUT)/pictures

$(call both,01-image-%): $(OUT)/anno.tsv $(needed)
	@$(call picture,--kind boxes --anno $< --image $* --images $(PICTURES) --label-size 14)
$(call both,02-image-%): $(OUT)/anno.tsv $(needed)
	@$(call picture,--kind boxes --anno $< --image $* --images $(PICTURES) --figure 16x8)
$(call both,03-image-%): $(OUT)/anno.tsv $(needed)
	@$(call picture,--kind boxes --anno $< --image $* --images $(PICTURES) --figure 16x8)
$(call both,04-largest-%): $(OUT)/anno.tsv $(needed)
	@$(call picture,--kind largest --anno $< --image $* --images $(PICTURES))
$(call both,05-cls-sample) &: $(cache) $(VAL) $(needed)
	@$(call picture,--kind sample $(call nth,0))
$(call both,06-cls-lr) &: $(OUT)/lr/cls.head.tsv $(needed)
	@$(call picture,--kind lr-find --lr $< --title cls.head)
$(call both,07-cls-lr-trimmed) &: $(OUT)/lr/cls.head.tsv $(needed)
	@$(call picture,--kind lr-find --lr $< --title cls.head $(trim.cls.head))
$(call both,08-cls-top-lr) &: $(OUT)/lr/cls.top.tsv $(needed)
	@$(call picture,--kind lr-find --lr $< --title cls.top $(trim.cls.top))
$(call both,09-cls-grid) &: $(OUT)/cls.pred.tsv $(cache) $(needed)
	@$(call picture,--kind grid --pred $< --cache $(cache))
$(call both,10-augment-wrong) &: $(OUT)/largest.tsv $(cache) $(VAL) $(needed)
	@$(call picture,--kind augment --anno $< $(call nth,5) --leave-boxes)
$(call both,11-augment-right) &: $(OUT)/largest.tsv $(cache) $(VAL) $(needed)
	@$(call picture,--kind augment --anno $< $(call nth,5))
$(call both,12-bbox-lr) &: $(OUT)/lr/bbox.head.tsv $(needed)
	@$(call picture,--kind lr-find --lr $< --title bbox.head $(trim.bbox.head))
$(call both,13-bbox-top-lr) &: $(OUT)/lr/bbox.top.tsv $(needed)
	@$(call picture,--kind lr-find --lr $< --title bbox.top $(trim.bbox.top))
$(call both,14-bbox-grid) &: $(OUT)/bbox.pred.tsv $(cache) $(needed)
	@$(call picture,--kind grid --pred $< --cache $(cache))
$(call both,15-detn-sample) &: $(OUT)/largest.tsv $(cache) $(VAL) $(needed)
	@$(call picture,--kind sample --anno $< $(call nth,3))
$(call both,16-detn-lr) &: $(OUT)/lr/detn.head.tsv $(needed)
	@$(call picture,--kind lr-find --lr $< --title detn.head)
$(call both,17-detn-lr-trimmed) &: $(OUT)/lr/detn.head.tsv $(needed)
	@$(call picture,--kind lr-find --lr $< --title detn.head $(trim.detn.head))
$(call both,18-detn-top-lr) &: $(OUT)/lr/detn.top.tsv $(needed)
	@$(call picture,--kind lr-find --lr $< --title detn.top $(trim.detn.top))
$(call both,19-detn-grid) &: $(OUT)/detn.pred.tsv $(cache) $(needed)
	@$(call picture,--kind grid --pred $< --cache $(cache))
$(call both,20-cls-schedule) &: $(OUT)/cls.batches.tsv $(needed)
	@$(call picture,--kind schedule --batches $< --title cls)
$(call both,21-cls-curves) &: $(OUT)/cls.history.tsv $(OUT)/cls.batches.tsv $(needed)
	@$(call picture,--kind curves --history $< --batches $(OUT)/cls.batches.tsv --title cls)
$(call both,22-bbox-schedule) &: $(OUT)/bbox.batches.tsv $(needed)
	@$(call picture,--kind schedule --batches $< --title bbox)
$(call both,23-bbox-curves) &: $(OUT)/bbox.history.tsv $(OUT)/bbox.batches.tsv $(needed)
	@$(call picture,--kind curves --history $< --batches $(OUT)/bbox.batches.tsv --title bbox)
$(call both,24-detn-schedule) &: $(OUT)/detn.batches.tsv $(needed)
	@$(call picture,--kind schedule --batches $< --title detn)
$(call both,25-detn-curves) &: $(OUT)/detn.history.tsv $(OUT)/detn.batches.tsv $(needed)
	@$(call picture,--kind curves --history $< --batches $(OUT)/detn.batches.tsv --title detn)

pictures := 05-cls-sample 06-cls-lr 07-cls-lr-trimmed 08-cls-top-lr 09-cls-grid 10-augment-wrong 11-augment-right \
  12-bbox-lr 13-bbox-top-lr 14-bbox-grid 15-detn-sample 16-detn-lr 17-detn-lr-trimmed 18-detn-top-lr 19-detn-grid \
  20-cls-schedule 21-cls-curves 22-bbox-schedule 23-bbox-curves 24-detn-schedule 25-detn-curves
# Those that show a curve.
of.cls.head  := 06-cls-lr 07-cls-lr-trimmed
of.cls.top   := 08-cls-top-lr
of.bbox.head := 12-bbox-lr
of.bbox.top  := 13-bbox-top-lr
of.detn.head := 16-detn-lr 17-detn-lr-trimmed
of.detn.top  := 18-detn-top-lr
no_pictures   = $(foreach c,$(no_curves),$(of.$c))
# Images of pictures 01, 02 and 03; 04 shows that of 03.
images = $(or $(shell awk -f $(here)scripts/pictures.awk $(call operands,$(OUT)/anno.tsv) 2>/dev/null),12 9654 17)
shown  = 01-image-$(word 1,$(images)) 02-image-$(word 2,$(images)) 03-image-$(word 3,$(images)) \
  04-largest-$(word 3,$(images)) $(filter-out $(no_pictures),$(pictures))

.PHONY: pictures all-pictures
pictures: $(OUT)/anno.tsv ## the nineteen pictures of the published run and six more, in out/pictures
	@$(foreach p,$(no_pictures),echo 'no $(OUT)/pictures/$p.png: the recipe has no such phase';)
	@+$(MAKE) $(again) --no-print-directory all-pictures
# Which pictures these are is known when the annotations are there.
all-pictures: $$(if $$(filter $$@,$$(MAKECMDGOALS)),$$(foreach p,$$(shown),$$(call both,$$p)))
	@echo '$(words $(shown)) pictures in $(OUT)/pictures, what they show in numbers beside them in .txt'
