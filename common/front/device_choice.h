/* device_choice.h - the command-line words for what computes, and how. */
#ifndef ONEBOX_FRONT_DEVICE_CHOICE_H
#define ONEBOX_FRONT_DEVICE_CHOICE_H

#include "device/device.h"

#define CONV_CHOICES "auto|direct|winograd"
#define PRECISION_CHOICES "fp32|tf32|bf16|fp16|auto"

/* One of the words above; CONV_AUTO, PRECISION_AUTO for any other. */
conv_algorithm conv_of(const char *word);
precision precision_of(const char *word);

#endif
