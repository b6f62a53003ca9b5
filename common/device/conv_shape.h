/* conv_shape.h - sizes and passes of convolutions and poolings. Private to common/device. */
#ifndef ONEBOX_DEVICE_CONV_SHAPE_H
#define ONEBOX_DEVICE_CONV_SHAPE_H

typedef enum conv_pass { CONV_FORWARD, CONV_BACKWARD_DATA, CONV_BACKWARD_WEIGHTS, CONV_PASSES } conv_pass;

/* Sizes of a convolution or a pooling. */
typedef struct conv_shape {
    int n, c, h, w; /* input */
    int k, oh, ow;  /* output */
    int kernel, stride, padding;
} conv_shape;

#endif
