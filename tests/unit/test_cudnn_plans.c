/* What cuDNN would do on GPUs that are not here: its backend API takes a description of a GPU in JSON, and gives the
 * engines that its heuristics would choose there, with their notes and work areas.
 *
 * The device (cuda_conv.c) counts on a deterministic algorithm for every convolution of ResNet-34 and every pass, of
 * the wanted arithmetic and within the limit of the work area. It asks by the older calls, which need a GPU and choose
 * among the same engines. Descriptions are those of data sheets; the members of the JSON are those that OpenXLA writes
 * (xla/stream_executor/cuda/cuda_dnn.cc), cuDNN's manual does not list them. Needs cuDNN 9.8.
 */
#include "device/planning.h"
#include "graph/resnet.h"
#include "cudnn_backend.h"
#include "test.h"

#include <dlfcn.h>
#include <inttypes.h>

/* ---------------------------------------------------------------- cuDNN */

static int (*create)(int kind, cudnnBackendDescriptor_t *d);
static int (*set_attribute)(cudnnBackendDescriptor_t d, int name, int type, int64_t count, const void *values);
static int (*get_attribute)(cudnnBackendDescriptor_t d, int name, int type, int64_t room, int64_t *count, void *values);
static int (*finalize)(cudnnBackendDescriptor_t d);
static int (*destroy)(cudnnBackendDescriptor_t d);
static void (*last_error)(char *text, size_t size);

/* In the sanitizer's library, where that is linked: no leak is reported of what is allocated from then on. */
void __lsan_disable(void) __attribute__((weak));

/* NULL, or why cuDNN cannot be asked. */
static const char *open_cudnn(void)
{
    if (__lsan_disable)
        __lsan_disable(); /* engines keep handles of cuBLAS */
    const struct {
        const char *name;
        void *function; /* ISO C has no conversion from dlsym's value, POSIX has this one */
    } functions[] = {{"cudnnBackendCreateDescriptor", &create},    {"cudnnBackendSetAttribute", &set_attribute},
                     {"cudnnBackendGetAttribute", &get_attribute}, {"cudnnBackendFinalize", &finalize},
                     {"cudnnBackendDestroyDescriptor", &destroy},  {"cudnnGetLastErrorString", &last_error}};
    void *library = dlopen("libcudnn.so.9", RTLD_NOW | RTLD_LOCAL);
    if (!library)
        library = dlopen("/usr/local/cuda/lib64/libcudnn.so.9", RTLD_NOW | RTLD_LOCAL);
    if (!library)
        return "cuDNN 9 is not installed";
    for (size_t i = 0; i < COUNT(functions); i++) {
        void *function = dlsym(library, functions[i].name);
        if (!function)
            return "this cuDNN has no backend API";
        memcpy(functions[i].function, &function, sizeof function);
    }
    size_t (*version)(void);
    void *function = dlsym(library, "cudnnGetVersion");
    memcpy(&version, &function, sizeof function);
    return version() < 90800 ? "cuDNN before 9.8 takes no descriptions of GPUs" : NULL;
}

/* Living descriptors. */
static cudnnBackendDescriptor_t made[512];
static int made_count;

static cudnnBackendDescriptor_t make(int kind)
{
    cudnnBackendDescriptor_t d = NULL;
    const bool room = made_count < (int)COUNT(made);
    CHECK(!create(kind, &d) && room, "descriptor %d", kind);
    if (room)
        made[made_count++] = d;
    return d;
}

/* Releases all but the first `keep`. */
static void release(int keep)
{
    while (made_count > keep)
        destroy(made[--made_count]);
}

static void set(cudnnBackendDescriptor_t d, int name, int type, int64_t count, const void *values)
{
    CHECK(!set_attribute(d, name, type, count, values), "attribute %d", name);
}

static void set_descriptor(cudnnBackendDescriptor_t d, int name, cudnnBackendDescriptor_t value)
{
    set(d, name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &value);
}

static void done(cudnnBackendDescriptor_t d)
{
    char text[512] = "";
    int status = finalize(d);
    if (status)
        last_error(text, sizeof text);
    CHECK(!status, "status %d: %s", status, text);
}

/* ---------------------------------------------------------------- GPUs */

typedef struct gpu {
    const char *name;
    int version;             /* 750 is sm_75 */
    int processors;          /* streaming multiprocessors */
    int shared;              /* bytes a block may have */
    int threads, blocks;     /* a multiprocessor holds */
    int64_t memory, cache;   /* GiB, MiB */
    int clock, memory_clock; /* kHz */
} gpu;

static const gpu gpus[] = {
    {"Tesla T4", 750, 40, 65536, 1024, 16, 16, 4, 1590000, 5001000},
    {"NVIDIA A100", 800, 108, 166912, 2048, 32, 80, 40, 1410000, 1593000},
    {"NVIDIA A10", 860, 72, 101376, 1536, 16, 24, 6, 1695000, 6251000},
    {"NVIDIA L4", 890, 58, 101376, 1536, 24, 24, 48, 2040000, 6251000},
    {"NVIDIA H100", 900, 132, 232448, 2048, 32, 80, 50, 1980000, 2619000},
    {"NVIDIA B200", 1000, 148, 232448, 2048, 32, 180, 126, 1965000, 3996000},
    {"NVIDIA GeForce RTX 5090", 1200, 170, 101376, 1536, 24, 32, 96, 2407000, 14001000},
};

static cudnnBackendDescriptor_t describe(const gpu *g)
{
    char json[1024];
    int size = snprintf(
        json, sizeof json,
        "{\"deviceVer\":%d,\"multiProcessorCount\":%d,\"warpSize\":32,\"maxSharedMemoryPerBlock\":49152,"
        "\"maxSharedMemoryPerBlockOptin\":%d,\"reservedSharedMemoryPerBlock\":1024,\"maxRegistersPerSM\":65536,"
        "\"maxCtasPerSM\":%d,\"maxThreadsPerBlock\":1024,\"maxThreadsPerSM\":%d,\"regsPerBlock\":65536,"
        "\"totalGlobalMem\":%" PRId64 ",\"smClockRateKHz\":%d,\"l2CacheSize\":%" PRId64
        ",\"maxBlockSize\":[1024,1024,64],\"memClockRateKHz\":%d,\"maxGridSize\":[2147483647,65535,65535],"
        "\"supportCoopLaunch\":1,\"pciDeviceId\":0,\"isTccDriver\":0,\"cudaDeviceId\":0,\"driverVer\":13000,"
        "\"deviceName\":\"%s\"}",
        g->version, g->processors, g->shared, g->blocks, g->threads, g->memory << 30, g->clock, g->cache << 20,
        g->memory_clock, g->name);
    cudnnBackendDescriptor_t d = make(CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR);
    set(d, CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, CUDNN_TYPE_CHAR, size, json);
    done(d);
    return d;
}

/* ---------------------------------------------------------------- convolutions */

enum { DATA_FLOAT = 0, DATA_HALF = 2, DATA_BFLOAT16 = 9, CROSS_CORRELATION = 1 }; /* as in the stand-in's cudnn.h */

static cudnnBackendDescriptor_t tensor(int64_t id, int type, int n, int c, int h, int w)
{
    const int64_t size[] = {n, c, h, w}, strides[] = {(int64_t)h * w * c, 1, (int64_t)w * c, c}, alignment = 16;
    cudnnBackendDescriptor_t d = make(CUDNN_BACKEND_TENSOR_DESCRIPTOR);
    set(d, CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &type);
    set(d, CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, 4, size);
    set(d, CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, 4, strides);
    set(d, CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, 1, &id);
    set(d, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, CUDNN_TYPE_INT64, 1, &alignment);
    done(d);
    return d;
}

/* One pass of a convolution as a graph of one operation. */
static cudnnBackendDescriptor_t operation_graph(const conv_shape *s, conv_pass pass, int type)
{
    static const struct {
        int operation, alpha, beta, conv, x, w, y;
    } names[CONV_PASSES] = {
#define NAMES(kind, prefix, x, w, y)                                                                                   \
    {CUDNN_BACKEND_OPERATION_CONVOLUTION_##kind##_DESCRIPTOR, CUDNN_ATTR_OPERATION_CONVOLUTION_##prefix##_ALPHA,       \
     CUDNN_ATTR_OPERATION_CONVOLUTION_##prefix##_BETA,        CUDNN_ATTR_OPERATION_CONVOLUTION_##prefix##_CONV_DESC,   \
     CUDNN_ATTR_OPERATION_CONVOLUTION_##prefix##_##x,         CUDNN_ATTR_OPERATION_CONVOLUTION_##prefix##_##w,         \
     CUDNN_ATTR_OPERATION_CONVOLUTION_##prefix##_##y}
        [CONV_FORWARD] = NAMES(FORWARD, FORWARD, X, W, Y),
        [CONV_BACKWARD_DATA] = NAMES(BACKWARD_DATA, BWD_DATA, DX, W, DY),
        [CONV_BACKWARD_WEIGHTS] = NAMES(BACKWARD_FILTER, BWD_FILTER, X, DW, DY),
    };
    const int compute = DATA_FLOAT, mode = CROSS_CORRELATION;
    const int64_t dilations[] = {1, 1}, strides[] = {s->stride, s->stride}, paddings[] = {s->padding, s->padding},
                  spatial = 2;
    const double one = 1, zero = 0;
    cudnnBackendDescriptor_t conv = make(CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
    set(conv, CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &compute);
    set(conv, CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE, 1, &mode);
    set(conv, CUDNN_ATTR_CONVOLUTION_DILATIONS, CUDNN_TYPE_INT64, 2, dilations);
    set(conv, CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, CUDNN_TYPE_INT64, 2, strides);
    set(conv, CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, CUDNN_TYPE_INT64, 2, paddings);
    set(conv, CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, CUDNN_TYPE_INT64, 2, paddings);
    set(conv, CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, CUDNN_TYPE_INT64, 1, &spatial);
    done(conv);
    cudnnBackendDescriptor_t operation = make(names[pass].operation);
    set(operation, names[pass].alpha, CUDNN_TYPE_DOUBLE, 1, &one);
    set(operation, names[pass].beta, CUDNN_TYPE_DOUBLE, 1, &zero);
    set_descriptor(operation, names[pass].conv, conv);
    set_descriptor(operation, names[pass].x, tensor(1, type, s->n, s->c, s->h, s->w));
    set_descriptor(operation, names[pass].w, tensor(2, type, s->k, s->c, s->kernel, s->kernel));
    set_descriptor(operation, names[pass].y, tensor(3, type, s->n, s->k, s->oh, s->ow));
    done(operation);
    cudnnBackendDescriptor_t operations = make(CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
    set_descriptor(operations, CUDNN_ATTR_OPERATIONGRAPH_OPS, operation);
    done(operations);
    return operations;
}

/* ---------------------------------------------------------------- engines */

enum { ENGINES = 64, LIMIT_MIB = 512 }; /* ONEBOX_CUDA_WORKSPACE */

/* Whether an engine may be taken: deterministic, and with full factors where fp32 is asked for. */
static bool engine_fits(cudnnBackendDescriptor_t config, bool strict)
{
    cudnnBackendDescriptor_t engine = make(CUDNN_BACKEND_ENGINE_DESCRIPTOR);
    int notes[CUDNN_NUMERICAL_NOTE_TYPE_COUNT];
    int64_t count = 0, one = 0;
    CHECK(!get_attribute(config, CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &one, &engine),
          "engine");
    CHECK(!get_attribute(engine, CUDNN_ATTR_ENGINE_NUMERICAL_NOTE, CUDNN_TYPE_NUMERICAL_NOTE, COUNT(notes), &count,
                         notes),
          "notes");
    for (int i = 0; i < (int)count; i++)
        if (notes[i] == CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC ||
            (strict &&
             (notes[i] == CUDNN_NUMERICAL_NOTE_TENSOR_CORE || notes[i] == CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS)))
            return false;
    return true;
}

/* The work area of the first engine that fits, in bytes; -1: there is none. */
static int64_t first_engine(cudnnBackendDescriptor_t properties, cudnnBackendDescriptor_t operations, int mode,
                            bool strict)
{
    cudnnBackendDescriptor_t heuristics = make(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR), configs[ENGINES];
    set_descriptor(heuristics, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, operations);
    set(heuristics, CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, 1, &mode);
    set_descriptor(heuristics, CUDNN_ATTR_ENGINEHEUR_DEVICEPROP, properties);
    done(heuristics);
    for (int i = 0; i < ENGINES; i++)
        configs[i] = make(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR);
    int64_t count = 0, one = 0, bytes = -1;
    CHECK(!get_attribute(heuristics, CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_TYPE_BACKEND_DESCRIPTOR, ENGINES, &count,
                         configs),
          "engines");
    for (int i = 0; i < (int)count && i < ENGINES; i++) {
        if (!engine_fits(configs[i], strict))
            continue;
        cudnnBackendDescriptor_t execution = make(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
        set_descriptor(execution, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, configs[i]);
        set_descriptor(execution, CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP, properties);
        if (!finalize(execution) &&
            !get_attribute(execution, CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE, CUDNN_TYPE_INT64, 1, &one, &bytes) &&
            bytes <= (int64_t)LIMIT_MIB << 20)
            return bytes;
    }
    return -1;
}

typedef struct tally {
    int asked, found, fallback;
    int64_t most; /* bytes of work area */
} tally;

static void ask(cudnnBackendDescriptor_t properties, const conv_shape *s, conv_pass pass, int type, bool strict,
                tally *t)
{
    int keep = made_count;
    cudnnBackendDescriptor_t operations = operation_graph(s, pass, type);
    int64_t bytes = first_engine(properties, operations, CUDNN_HEUR_MODE_A, strict);
    if (bytes < 0) {
        bytes = first_engine(properties, operations, CUDNN_HEUR_MODE_FALLBACK, strict);
        t->fallback++;
    }
    t->asked++;
    t->found += bytes >= 0;
    t->most = bytes > t->most ? bytes : t->most;
    release(keep);
}

/* The shapes of g's convolutions, each once. */
static int shapes_of(const graph *g, int batch, conv_shape *shapes, int room)
{
    int count = 0;
    for (int i = 0; i < g->node_count; i++) {
        if (g->nodes[i].kind != NODE_CONV)
            continue;
        const conv_shape s = conv_shape_of(g, batch, i);
        bool known = false;
        for (int k = 0; k < count; k++)
            known |= memcmp(&shapes[k], &s, sizeof s) == 0;
        if (!known && count < room)
            shapes[count++] = s;
    }
    return count;
}

static void test_gpus(void)
{
    static const struct {
        const char *name;
        int type;
        bool strict;
    } precisions[] = {{"fp32", DATA_FLOAT, true},
                      {"tf32", DATA_FLOAT, false},
                      {"bf16", DATA_BFLOAT16, false},
                      {"fp16", DATA_HALF, false}};
    graph g = {0};
    error e = {0};
    conv_shape shapes[16];
    CHECK(!network_build(&g, TASK_DETN, ARCH_RESNET34, 224, 20, imagenet_mean, imagenet_std, &e), "%s", e.text);
    int count = shapes_of(&g, 64, shapes, COUNT(shapes));
    CHECK(count == 11, "%d shapes", count);
    for (size_t i = 0; i < COUNT(gpus); i++) {
        cudnnBackendDescriptor_t properties = describe(&gpus[i]);
        for (size_t p = 0; p < COUNT(precisions); p++) {
            tally t = {0};
            for (int s = 0; s < count; s++)
                for (int pass = 0; pass < CONV_PASSES; pass++)
                    if (pass != CONV_BACKWARD_DATA || shapes[s].c != 3) /* pictures need no gradient */
                        ask(properties, &shapes[s], (conv_pass)pass, precisions[p].type, precisions[p].strict, &t);
            printf("# sm_%d %s: %d of %d, %d by fallback, work area at most %" PRId64 " MiB\n", gpus[i].version / 10,
                   precisions[p].name, t.found, t.asked, t.fallback, t.most >> 20);
            bool refused = precisions[p].type == DATA_BFLOAT16 && gpus[i].version < 800;
            CHECK(t.found == (refused ? 0 : t.asked), "sm_%d %s: %d of %d", gpus[i].version / 10, precisions[p].name,
                  t.found, t.asked);
        }
        release(0);
    }
    graph_free(&g);
}

int main(void)
{
    const char *missing = open_cudnn();
    TEST("on every kind of GPU cuDNN has a deterministic engine for each convolution, pass and precision")
    {
        if (missing)
            SKIP("%s", missing);
        else
            test_gpus();
    }
    return test_end();
}
