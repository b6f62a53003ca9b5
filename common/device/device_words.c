/* device_words.c - the words of precisions and algorithms. Apart from dispatch.c, so that a program that only names
 * them (report) is linked without what computes. */
#include "device/device.h"

#include <string.h>

static const char *const precision_names[PRECISIONS] = {[PRECISION_FP32] = "fp32",
                                                        [PRECISION_BF16] = "bf16",
                                                        [PRECISION_AUTO] = "auto",
                                                        [PRECISION_TF32] = "tf32",
                                                        [PRECISION_FP16] = "fp16"};
static const char *const conv_names[CONV_ALGORITHMS] = {
    [CONV_AUTO] = "auto", [CONV_DIRECT] = "direct", [CONV_WINOGRAD] = "winograd", [CONV_ONEDNN] = "onednn"};

const char *precision_name(precision p)
{
    return precision_names[p];
}

precision precision_of(const char *word)
{
    for (int i = 0; i < PRECISIONS; i++)
        if (strcmp(word, precision_names[i]) == 0)
            return (precision)i;
    return PRECISION_AUTO;
}

conv_algorithm conv_algorithm_of(const char *word)
{
    for (int i = 0; i < CONV_ALGORITHMS; i++)
        if (strcmp(word, conv_names[i]) == 0)
            return (conv_algorithm)i;
    return CONV_AUTO;
}
