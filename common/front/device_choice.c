#include "front/device_choice.h"

#include <string.h>

conv_algorithm conv_of(const char *word)
{
    return strcmp(word, "direct") == 0     ? CONV_DIRECT
           : strcmp(word, "winograd") == 0 ? CONV_WINOGRAD
                                           : CONV_AUTO;
}

precision precision_of(const char *word)
{
    return strcmp(word, "fp32") == 0   ? PRECISION_FP32
           : strcmp(word, "bf16") == 0 ? PRECISION_BF16
           : strcmp(word, "tf32") == 0 ? PRECISION_TF32
           : strcmp(word, "fp16") == 0 ? PRECISION_FP16
                                       : PRECISION_AUTO;
}
