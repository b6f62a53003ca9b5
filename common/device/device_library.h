/* device_library.h - what the programs open when they want it, so that they need none of its libraries: the GPU device
 * (onebox-cuda.so) and oneDNN (onebox-onednn.so). Private to common/device.
 *
 * Such a shared object has one symbol: a table of functions (device_library in device_ops.h, onednn_library in
 * onednn.h) that begins with `build`. The Makefile defines DEVICE_BUILD, a checksum of the sources of these objects and
 * of the headers that they share with the programs, for the files that need it; an object made of other sources is
 * refused. The object lies beside the running program, or an environment variable names it. It is opened once and kept.
 */
#ifndef ONEBOX_DEVICE_DEVICE_LIBRARY_H
#define ONEBOX_DEVICE_DEVICE_LIBRARY_H

#include "device/device_ops.h"

struct onednn_library;

/* The GPU device, from the file that ONEBOX_CUDA_LIBRARY names, else from onebox-cuda.so. NULL with e set (ERR_SYSTEM)
 * when it is not there or cannot be opened; *there tells whether there was a file. */
const device_library *cuda_library(bool *there, error *e);

/* oneDNN, from the file that ONEBOX_ONEDNN_LIBRARY names, else from onebox-onednn.so. NULL with e set (ERR_SYSTEM) when
 * it is not there or cannot be opened. */
const struct onednn_library *onednn_library_open(error *e);

#endif
