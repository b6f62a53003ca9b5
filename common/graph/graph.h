/* graph.h - the network as a plain list of nodes with named parameters. It knows nothing of hardware.
 *
 * Nodes are in execution order: a node's inputs have smaller numbers. Node 0 is the input (N x size x size x
 * 3, float32 NHWC in [0,1]; the device normalises). The last node is the output, batch x outputs. Losses are
 * not nodes.
 *
 * Parameters live in one flat float array owned by whoever holds the network (struct weights); each has an
 * offset there, in the order in which they were added, in PyTorch's memory layout (convolution OIHW, linear
 * [out][in]). Running statistics of batch norms are parameters with trainable = false.
 */
#ifndef ONEBOX_GRAPH_GRAPH_H
#define ONEBOX_GRAPH_GRAPH_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

typedef enum node_kind {
    NODE_INPUT,
    NODE_CONV,      /* [N,C,H,W] -> [N,K,H',W']; kernel, stride, padding; params = weight OIHW, bias [K] or none */
    NODE_BATCHNORM, /* per channel, on [N,C,H,W] or [N,C], with the two constants below; the running variance
                       takes the unbiased batch variance. params = weight, bias, running_mean, running_var */
    NODE_RELU,
    NODE_ADD,        /* inputs[0] + inputs[1], equal shapes */
    NODE_MAXPOOL,    /* kernel, stride, padding (padding never wins) */
    NODE_UPSAMPLE,   /* [N,C,H,W] -> [N,C,2H,2W]: each number four times (nearest neighbour) */
    NODE_CONCATPOOL, /* [N,C,H,W] -> [N,2C]: global maximum first, then global average */
    NODE_FLATTEN,    /* [N,C,H,W] -> [N,C*H*W], order C, H, W */
    NODE_LINEAR,     /* [N,I] -> [N,O]; params = weight [O][I], bias [O] */
    NODE_DROPOUT,    /* probability p; kept values are divided by (1-p); identity in evaluation */
} node_kind;

/* Of every batch norm: what is added to the variance, and the weight of a new value in the running statistics. */
#define BATCHNORM_EPS 1e-5
#define BATCHNORM_MOMENTUM 0.1

/* Layer groups of the recipes: frozen prefixes end at one of their borders. */
enum { GROUP_STEM, GROUP_TOP, GROUP_HEAD, GROUPS };

typedef struct node {
    node_kind kind;
    int inputs[2]; /* node numbers; -1 where unused */
    int params[4]; /* parameter numbers; -1 where unused */
    int group;     /* GROUP_STEM (conv1 to layer2), GROUP_TOP (layer3, layer4, default pooling), GROUP_HEAD */
    int kernel, stride, padding; /* conv, max-pool */
    float p;                     /* dropout */
    int c, h, w;                 /* output shape per sample; flat nodes have h = w = 1 */
    char name[48];               /* PyTorch's module name where there is one: "layer1.0.conv1", "head.4" */
} node;

typedef struct param {
    char name[64]; /* state-dict name: "layer1.0.bn1.running_mean", "head.8.weight" */
    int node;
    int dims, shape[4];
    size_t count;  /* product of shape */
    size_t offset; /* in the flat array, in floats */
    int group;
    bool trainable; /* false: running statistics */
} param;

typedef struct graph {
    node *nodes;
    int node_count;
    param *params;
    int param_count;
    size_t param_floats;   /* size of the flat array */
    int size;              /* side of the square input */
    int outputs;           /* per sample */
    float mean[3], std[3]; /* normalisation of the input, (x - mean) / std */
    size_t node_capacity, param_capacity;
} graph;

/* Starts a graph with its input node. graph_free releases what it owns. */
int graph_begin(graph *g, int size, const float mean[3], const float std[3], error *e);
void graph_free(graph *g);

/* Append a node behind `input` (a node number) and return its number, or -1 with e set (bad shapes, no
 * memory). `name` is the module name; parameters get ".weight", ".bias", ".running_mean", ".running_var"
 * behind it. `group` is the layer group. */
int graph_conv(graph *g, int input, const char *name, int group, int channels, int kernel, int stride, int padding,
               error *e); /* no bias */
int graph_conv_bias(graph *g, int input, const char *name, int group, int channels, int kernel, int stride, int padding,
                    error *e);
int graph_batchnorm(graph *g, int input, const char *name, int group, error *e);
int graph_relu(graph *g, int input, const char *name, int group, error *e);
int graph_add(graph *g, int a, int b, const char *name, int group, error *e);
int graph_maxpool(graph *g, int input, const char *name, int group, int kernel, int stride, int padding, error *e);
int graph_upsample(graph *g, int input, const char *name, int group, error *e);
int graph_concatpool(graph *g, int input, const char *name, int group, error *e);
int graph_flatten(graph *g, int input, const char *name, int group, error *e);
int graph_linear(graph *g, int input, const char *name, int group, int outputs, error *e);
int graph_dropout(graph *g, int input, const char *name, int group, float p, error *e);

/* Number of the parameter with this state-dict name, or -1. */
int graph_find_param(const graph *g, const char *name);

#endif
