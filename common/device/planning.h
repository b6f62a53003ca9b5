/* planning.h - how all devices turn a graph into a plan: which nodes run together, the list of steps forward and
 * backward, which values need gradients, and which pieces of memory may lie in the same place. Private to
 * common/device; it knows no device: what differs between them they say in a table of functions (planner).
 */
#ifndef ONEBOX_DEVICE_PLANNING_H
#define ONEBOX_DEVICE_PLANNING_H

#include "device/conv_shape.h"
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
    STEP_UPSAMPLE,
    STEP_CONCATPOOL,
    STEP_FLATTEN,
    STEP_LINEAR,
    STEP_DROPOUT,
} step_kind;

conv_shape conv_shape_of(const graph *g, int batch, int node);

/* ---- memory: a buffer lives from its first to its last step. Sizes and offsets in a unit of the device's. */

typedef struct buffer {
    size_t size, offset;
    int first, last; /* steps between which it is in use; -1: never */
} buffer;

typedef struct buffer_list {
    buffer *items;
    size_t count, capacity;
    size_t total; /* what all of them take, once placed */
} buffer_list;    /* zero-initialise; free(items) */

/* ---- steps */

typedef struct step {
    step_kind kind;
    bool backward;
    int node;                      /* the graph's node: parameters and shapes */
    int value;                     /* forward: the node whose value is made (the end of the chain) */
    int source;                    /* forward: the node whose value is read */
    int addend;                    /* forward: the node whose value is added, or NONE */
    int in, add, out;              /* buffers of those values */
    int gradient[2];               /* backward: buffers with the gradient of `out`; the second may be NONE */
    int in_gradient, add_gradient; /* backward: buffers that receive gradients, or NONE */
    int extra;                     /* buffer for what forward tells backward: positions of maxima */
    bool relu;
    bool stored; /* batch norm: running statistics instead of the batch's */
    bool flat;   /* makes (backward: reads the gradient of) a flat value */
    int folded;  /* batch norm node folded into a convolution, or NONE */
    /* A convolution can gather the sums of the batch norm behind it (forward) or in front of it (backward). */
    int norm;           /* convolution: the forward step of that batch norm, or NONE */
    int norm_x, norm_y; /* backward: buffers with that batch norm's input and, with a ReLU, output, or NONE */
    bool sums_forward;  /* batch norm: its sums are gathered so */
    bool sums_backward; /* likewise; its gradient is summed and masked then */
    void *work;         /* the device's own; forward steps own it, the backward step refers to the same */
} step;

/* A plan's steps, forward then backward, and the buffers that they use. Zero-initialise; free steps and
 * buffers.items. */
typedef struct schedule {
    step *steps;
    size_t count, capacity;
    int forward_steps;
    buffer_list buffers;
    int output, output_gradient; /* buffers */
} schedule;

/* ---- nodes */

/* What is known of each node while a plan is made. */
typedef struct node_info {
    int consumers, consumer;    /* how many nodes read it, and the last of them */
    int root;                   /* the node that holds its value: itself, or another for nodes that do nothing here */
    bool absorbed;              /* runs inside a later member of its chain */
    bool flat;                  /* [N,F], not a picture of channels */
    bool needs_gradient;        /* a trainable parameter lies at or before it */
    int buffer;                 /* of its value, or NONE */
    int gradient[2], gradients; /* buffers with parts of its gradient that are not summed yet */
    int parts;                  /* how many of its readers have written theirs */
} node_info;

/* A chain of nodes that run as one step: a convolution with its batch norm folded in, or a batch norm, and
 * the addition and the ReLU behind; or an upsampling and the addition behind. It runs where its last member stands,
 * and its value is its last member's. */
typedef struct chain {
    int end;    /* its last member */
    int folded; /* the batch norm in a convolution, or NONE */
    int adder;  /* the addition, or NONE */
    int addend; /* its other operand, which is there before the chain runs, or NONE */
    bool relu;
} chain;

typedef struct planning planning;

/* What a device adds to the planning. Functions return 0 or a code, with planning.e set. */
typedef struct planner {
    const char *name;    /* of the device, for errors */
    size_t spare, align; /* a buffer of `size` takes (size + spare) / align * align */
    /* Size of the value of node n for the whole batch. */
    size_t (*value_size)(const planning *w, int n);
    /* Makes s->work, s->extra and, where the result shall lie in a buffer that is there already, s->out. */
    int (*prepare)(planning *w, step *s, const chain *run);
    /* NULL, or: has backward convolution step s gather sums. True when s adds what it makes to a part of the gradient,
     * which lies in s->in_gradient already. */
    bool (*gather)(planning *w, step *s);
} planner;

struct planning {
    const planner *device;
    void *plan; /* the device's */
    schedule *s;
    const graph *g;
    const plan_options *options;
    node_info *info; /* g->node_count */
    error *e;
};

/* Plans `options` of g for a device: fills *s and gives the buffers their places. ERR_SYSTEM for graphs that no device
 * runs: the picture read by anything but a convolution, a flat value added to a picture of channels, dropout before the
 * flatten, a convolution, pooling or upsampling behind it, an output that is not flat. After a failure *s holds what
 * there is. */
int planning_run(const planner *table, void *owner, schedule *s, const graph *g, const plan_options *options, error *e);

/* ---- for the planner's functions */

/* A new buffer's number, or NONE with w->e set. */
int planning_room(planning *w, size_t size);

/* Buffer of the value of node n, or NONE. */
int planning_buffer(const planning *w, int n);

/* Whether node n is in evaluation mode: nothing of it is trained. */
bool planning_frozen(const planning *w, int n);

/* Whether the value of node n needs a gradient. */
bool planning_needs_gradient(const planning *w, int n);

/* Whether a node behind `owner`, other than `except`, reads the value of n. */
bool planning_read_later(const planning *w, int n, int owner, int except);

/* The forward step that makes the value of node n, or NONE. */
int planning_producer(const planning *w, int n);

#endif
