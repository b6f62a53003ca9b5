/* planning.h - what all devices do alike when they turn a graph into a plan: which nodes run together, which
 * values need gradients, and which pieces of memory may lie in the same place. Private to common/device; it
 * knows no device.
 */
#ifndef ONEBOX_DEVICE_PLANNING_H
#define ONEBOX_DEVICE_PLANNING_H

#include "device/device.h"

enum { NONE = -1 };

typedef enum step_kind {
    STEP_NORMALIZE,
    STEP_CONV,
    STEP_BATCHNORM,
    STEP_RELU,
    STEP_ADD,
    STEP_SUM, /* backward only: two gradients of one value */
    STEP_MAXPOOL,
    STEP_CONCATPOOL,
    STEP_FLATTEN,
    STEP_LINEAR,
    STEP_DROPOUT,
} step_kind;

typedef enum conv_pass { CONV_FORWARD, CONV_BACKWARD_DATA, CONV_BACKWARD_WEIGHTS, CONV_PASSES } conv_pass;

/* Sizes of a convolution or a pooling. */
typedef struct conv_shape {
    int n, c, h, w; /* input */
    int k, oh, ow;  /* output */
    int kernel, stride, padding;
} conv_shape;

conv_shape conv_shape_of(const graph *g, int batch, int node);

/* ---- memory: a buffer lives from its first to its last step. Sizes and offsets in a unit of the device's.
 */

typedef struct buffer {
    size_t size, offset;
    int first, last; /* steps between which it is in use; -1: never */
} buffer;

typedef struct buffer_list {
    buffer *items;
    size_t count, capacity;
    size_t total; /* what all of them take, once placed */
} buffer_list;    /* zero-initialise; free(items) */

/* The new buffer's number, or NONE with e set. */
int buffer_new(buffer_list *l, size_t size, error *e);

/* Buffer `which` (NONE: nothing) is read or written by step `at`. */
void buffer_use(buffer_list *l, int which, int at);

/* Gives offsets so that buffers that live at the same time don't overlap: largest first, each at the lowest
 * place that is free. Returns 0 or a code. */
int buffer_place(buffer_list *l, error *e);

/* ---- nodes */

/* What is known of each node while a plan is made. */
typedef struct node_info {
    int consumers, consumer; /* how many nodes read it, and the last of them */
    int root;      /* the node that holds its value: itself, or another for nodes that do nothing here */
    bool absorbed; /* runs inside a later member of its chain */
    bool flat;     /* [N,F], not a picture of channels */
    bool needs_gradient; /* a trainable parameter lies at or before it */
    int buffer;          /* of its value, or NONE */
    int gradient[2], gradients;
} node_info;

typedef struct planning {
    const graph *g;
    const char *name; /* of the device, for errors */
    node_info *info;  /* g->node_count */
    bool training;
    int first_group;
    error *e;
} planning;

/* Surveys the graph: consumers, layouts, roots, and which values need gradients. ERR_SYSTEM for graphs that
 * no device runs: the picture read by anything but a convolution, dropout before the flatten. planning_end
 * also after a failure. */
int planning_begin(planning *w, const graph *g, const plan_options *options, const char *name, error *e);
void planning_end(planning *w);

/* Buffer of the value of node n, or NONE. */
int planning_buffer(const planning *w, int n);

bool planning_frozen(const planning *w, int n);

/* True for a node that needs a step of its own: not one inside a chain, nor one that does nothing here. */
bool planning_wants_step(const planning *w, int n);

/* The only reader of n, if it is of this kind, or NONE. */
int planning_only_consumer(const planning *w, int n, node_kind kind);

/* A chain of nodes that run as one step: a convolution with its batch norm folded in, or a batch norm, and
 * the addition and the ReLU behind. It runs where its last member stands, and its value is its last member's.
 */
typedef struct chain {
    int end;    /* its last member */
    int folded; /* the batch norm in a convolution, or NONE */
    int adder;  /* the addition, or NONE */
    int addend; /* its other operand, which is there before the chain runs, or NONE */
    bool relu;
} chain;

/* The chain that node `owner`, a convolution or a batch norm, begins. Marks its members. */
chain planning_chain(planning *w, int owner);

/* Notes that buffer `which` will hold a part of the gradient of node n's value; there are two parts at most.
 */
void planning_push_gradient(planning *w, int n, int which);

/* Whether the value of node n needs a gradient. */
bool planning_needs_gradient(const planning *w, int n);

#endif
