/* The table of a network's modules, and the noise that moves its running statistics. */
#include "nn/summary.h"

#include "base/random.h"
#include "nn/initial.h"
#include "test.h"

#include <math.h>
#include <stdlib.h>

enum { LINES_MAX = 200, MODULES_TINY = 4 + 7 + 3 * 9 + 2 };

/* A summary cut into its lines; line 0 is the header. */
typedef struct listing {
    text_buffer text;
    char *lines[LINES_MAX];
    int count, modules;
    graph g;
} listing;

/* Lists l->g. */
static void list_graph(listing *l, task t, int first_group)
{
    error e = {0};
    summary_table(&l->g, t, first_group, &l->text, &l->modules);
    CHECK(!text_done(&l->text, &e), "%s", e.text);
    for (char *line = l->text.data; line && *line && l->count < LINES_MAX;) {
        char *end = strchr(line, '\n');
        l->lines[l->count++] = line;
        if (!end)
            break;
        *end = 0;
        line = end + 1;
    }
}

static void list(listing *l, task t, arch a, int size, int classes, int first_group)
{
    error e = {0};
    *l = (listing){0};
    CHECK(!network_build(&l->g, t, a, size, classes, imagenet_mean, imagenet_std, &e), "%s", e.text);
    list_graph(l, t, first_group);
}

static void drop(listing *l)
{
    text_free(&l->text);
    graph_free(&l->g);
}

/* Line number k has these columns. */
static void expect(const listing *l, int k, const char *module, const char *in, const char *out, const char *trainable,
                   const char *params)
{
    char c[5][64] = {"", "", "", "", ""};
    if (k < l->count)
        sscanf(l->lines[k], "%63s %63s %63s %63s %63s", c[0], c[1], c[2], c[3], c[4]);
    CHECK(strcmp(c[0], module) == 0 && strcmp(c[1], in) == 0 && strcmp(c[2], out) == 0 &&
              strcmp(c[3], trainable) == 0 && strcmp(c[4], params) == 0,
          "line %d: %s", k, k < l->count ? l->lines[k] : "not there");
}

static void test_tables(void)
{
    listing l;
    TEST("the box regressor's modules are numbered 1 to 124")
    {
        list(&l, TASK_BBOX, ARCH_RESNET34, 224, 0, GROUP_HEAD);
        CHECK(l.count == 125 && l.modules == 124, "%d lines, %d modules", l.count, l.modules);
        expect(&l, 0, "module", "input_shape", "output_shape", "trainable", "nb_params");
        expect(&l, 1, "Conv2d-1", "[-1,3,224,224]", "[-1,64,112,112]", "False", "9408");
        expect(&l, 2, "BatchNorm2d-2", "[-1,64,112,112]", "[-1,64,112,112]", "False", "128");
        expect(&l, 3, "ReLU-3", "[-1,64,112,112]", "[-1,64,112,112]", "-", "0");
        expect(&l, 4, "MaxPool2d-4", "[-1,64,112,112]", "[-1,64,56,56]", "-", "0");
        expect(&l, 11, "BasicBlock-11", "[-1,64,56,56]", "[-1,64,56,56]", "-", "0");
        /* the first block with a shortcut: 9 entries, its convolution and batch norm before the second relu
         */
        expect(&l, 26, "Conv2d-26", "[-1,64,56,56]", "[-1,128,28,28]", "False", "73728");
        expect(&l, 30, "BatchNorm2d-30", "[-1,128,28,28]", "[-1,128,28,28]", "False", "256");
        expect(&l, 31, "Conv2d-31", "[-1,64,56,56]", "[-1,128,28,28]", "False", "8192");
        expect(&l, 32, "BatchNorm2d-32", "[-1,128,28,28]", "[-1,128,28,28]", "False", "256");
        expect(&l, 33, "ReLU-33", "[-1,128,28,28]", "[-1,128,28,28]", "-", "0");
        expect(&l, 34, "BasicBlock-34", "[-1,64,56,56]", "[-1,128,28,28]", "-", "0");
        expect(&l, 116, "Conv2d-116", "[-1,512,7,7]", "[-1,512,7,7]", "False", "2359296");
        expect(&l, 117, "BatchNorm2d-117", "[-1,512,7,7]", "[-1,512,7,7]", "False", "1024");
        expect(&l, 122, "BasicBlock-122", "[-1,512,7,7]", "[-1,512,7,7]", "-", "0");
        expect(&l, 123, "Flatten-123", "[-1,512,7,7]", "[-1,25088]", "-", "0");
        expect(&l, 124, "Linear-124", "[-1,25088]", "[-1,4]", "True", "100356");
        drop(&l);
    }
    TEST("the parameters of all modules add up to those of the network")
    {
        list(&l, TASK_DETN, ARCH_RESNET50, 224, 20, GROUP_TOP);
        size_t sum = 0, trainable = 0;
        for (int i = 1; i < l.count; i++) {
            char yes[16];
            size_t n = 0;
            sscanf(l.lines[i], "%*s %*s %*s %15s %zu", yes, &n);
            sum += n;
            trainable += yes[0] == 'T' ? n : 0;
        }
        CHECK(sum == graph_learnable(&l.g, GROUP_STEM, GROUP_HEAD), "%zu", sum);
        CHECK(trainable == graph_learnable(&l.g, GROUP_TOP, GROUP_HEAD), "%zu trainable", trainable);
        /* 4 of the stem, 3 x 3 + 1 for each of 16 blocks, 2 for each of 4 shortcuts, 8 of the head */
        CHECK(l.modules == 4 + 16 * 10 + 4 * 2 + 8, "%d", l.modules);
        expect(&l, 16, "Bottleneck-16", "[-1,64,56,56]", "[-1,256,56,56]", "-", "0");
        drop(&l);
    }
    TEST("the classifier's pooling counts as four modules, and its output as one")
    {
        list(&l, TASK_CLS, ARCH_RESNET34, 224, 20, GROUP_HEAD);
        CHECK(l.modules == 134, "%d", l.modules);
        expect(&l, 123, "AdaptiveMaxPool2d-123", "[-1,512,7,7]", "[-1,512,1,1]", "-", "0");
        expect(&l, 124, "AdaptiveAvgPool2d-124", "[-1,512,7,7]", "[-1,512,1,1]", "-", "0");
        expect(&l, 125, "AdaptiveConcatPool2d-125", "[-1,512,7,7]", "[-1,1024,1,1]", "-", "0");
        expect(&l, 126, "Flatten-126", "[-1,1024,1,1]", "[-1,1024]", "-", "0");
        expect(&l, 127, "BatchNorm1d-127", "[-1,1024]", "[-1,1024]", "True", "2048");
        expect(&l, 129, "Linear-129", "[-1,1024]", "[-1,512]", "True", "524800");
        expect(&l, 133, "Linear-133", "[-1,512]", "[-1,20]", "True", "10260");
        expect(&l, 134, "LogSoftmax-134", "[-1,20]", "[-1,20]", "-", "0");
        drop(&l);
    }
    TEST("the detector's head has eight modules")
    {
        list(&l, TASK_DETN, ARCH_RESNET34, 224, 20, GROUP_STEM);
        CHECK(l.modules == 130, "%d", l.modules);
        expect(&l, 1, "Conv2d-1", "[-1,3,224,224]", "[-1,64,112,112]", "True", "9408");
        expect(&l, 124, "ReLU-124", "[-1,25088]", "[-1,25088]", "-", "0");
        expect(&l, 126, "Linear-126", "[-1,25088]", "[-1,256]", "True", "6422784");
        expect(&l, 128, "BatchNorm1d-128", "[-1,256]", "[-1,256]", "True", "512");
        expect(&l, 130, "Linear-130", "[-1,256]", "[-1,24]", "True", "6168");
        drop(&l);
    }
    TEST("a head of maps is listed with the sizes of its maps, and its additions make no block")
    {
        error e = {0};
        l = (listing){0};
        CHECK(!graph_begin(&l.g, 64, imagenet_mean, imagenet_std, &e), "%s", e.text);
        int n = resnet_backbone(&l.g, ARCH_TINY, NULL, &e), first = 1 + MODULES_TINY - 2, fine = n;
        while (l.g.nodes[fine].h != 4)
            fine--;
        fine = graph_conv_bias(&l.g, fine, "fine", GROUP_HEAD, 8, 1, 1, 0, &e);
        n = graph_conv_bias(&l.g, n, "coarse", GROUP_HEAD, 8, 1, 1, 0, &e);
        n = graph_add(&l.g, graph_upsample(&l.g, n, "up", GROUP_HEAD, &e), fine, "add", GROUP_HEAD, &e);
        n = graph_batchnorm(&l.g, graph_conv(&l.g, n, "c", GROUP_HEAD, 8, 3, 1, 1, &e), "bn", GROUP_HEAD, &e);
        CHECK(graph_flatten(&l.g, n, "flatten", GROUP_HEAD, &e) > 0, "%s", e.text);
        list_graph(&l, TASK_DETN, GROUP_HEAD);
        CHECK(l.modules == MODULES_TINY - 2 + 6, "%d", l.modules);
        expect(&l, first, "Conv2d-39", "[-1,64,4,4]", "[-1,8,4,4]", "True", "520");
        expect(&l, first + 1, "Conv2d-40", "[-1,128,2,2]", "[-1,8,2,2]", "True", "1032");
        expect(&l, first + 2, "Upsample-41", "[-1,8,2,2]", "[-1,8,4,4]", "-", "0");
        expect(&l, first + 3, "Conv2d-42", "[-1,8,4,4]", "[-1,8,4,4]", "True", "576");
        expect(&l, first + 4, "BatchNorm2d-43", "[-1,8,4,4]", "[-1,8,4,4]", "True", "16");
        expect(&l, first + 5, "Flatten-44", "[-1,8,4,4]", "[-1,128]", "-", "0");
        drop(&l);
    }
    TEST("at size 32 the backbone's one pixel is no flat shape")
    {
        list(&l, TASK_BBOX, ARCH_TINY, 32, 0, GROUP_HEAD);
        CHECK(l.modules == MODULES_TINY, "%d", l.modules);
        expect(&l, MODULES_TINY - 2, "BasicBlock-38", "[-1,64,2,2]", "[-1,128,1,1]", "-", "0");
        expect(&l, MODULES_TINY - 1, "Flatten-39", "[-1,128,1,1]", "[-1,128]", "-", "0");
        drop(&l);
    }
}

/* Mean and variance (of a sample) of conv1's channel 0 over three normalised pictures of noise. */
static void first_channel(const graph *g, const float *params, uint64_t seed, double *mean, double *var)
{
    enum { SIZE = 32, HALF = 16, N = 3 * HALF * HALF };
    static double x[3][SIZE][SIZE][3];
    philox random = philox_start(seed, PHILOX_STREAM(PURPOSE_NOISE, 0));
    for (int n = 0; n < 3; n++)
        for (int y = 0; y < SIZE; y++)
            for (int i = 0; i < SIZE; i++)
                for (int c = 0; c < 3; c++)
                    x[n][y][i][c] = philox_uniform(&random);
    const float *w = params + g->params[graph_find_param(g, "conv1.weight")].offset;
    double sum = 0, squares = 0;
    for (int n = 0; n < 3; n++)
        for (int y = 0; y < HALF; y++)
            for (int i = 0; i < HALF; i++) {
                double v = 0;
                for (int c = 0; c < 3; c++)
                    for (int a = 0; a < 7; a++)
                        for (int b = 0; b < 7; b++) {
                            int yy = 2 * y + a - 3, xx = 2 * i + b - 3;
                            if (yy >= 0 && yy < SIZE && xx >= 0 && xx < SIZE)
                                v += x[n][yy][xx][c] * (double)w[(c * 7 + a) * 7 + b];
                        }
                sum += v;
                squares += v * v;
            }
    *mean = sum / (double)N;
    *var = (squares - sum * sum / (double)N) / (N - 1);
}

static void test_noise(void)
{
    TEST("noise moves all running statistics by a tenth and no weight")
    {
        error e = {0};
        graph g;
        device_options o = {.threads = 1};
        device *d = device_open("cpu", &o, &e);
        CHECK(d && !network_build(&g, TASK_DETN, ARCH_TINY, 32, 3, imagenet_mean, imagenet_std, &e), "%s", e.text);
        float *before = params_alloc(&g, &e), *after = params_alloc(&g, &e);
        initial_backbone(&g, 1, before);
        initial_head(&g, TASK_DETN, 1, before);
        memcpy(after, before, g.param_floats * sizeof *after);
        CHECK(!summary_noise(d, &g, 7, after, &e), "%s", e.text);
        for (int i = 0; i < g.param_count; i++) {
            const param *p = &g.params[i];
            bool same = memcmp(after + p->offset, before + p->offset, p->count * sizeof *after) == 0;
            CHECK(same == p->trainable, "%s %s", p->name, same ? "is the same" : "changed");
        }
        double mean, var;
        first_channel(&g, before, 7, &mean, &var);
        double m = (double)after[g.params[graph_find_param(&g, "bn1.running_mean")].offset];
        double v = (double)after[g.params[graph_find_param(&g, "bn1.running_var")].offset];
        CHECK(fabs(m - 0.1 * mean) < 1e-5 * fabs(mean) + 1e-6, "mean %.8g, wanted %.8g", m, 0.1 * mean);
        CHECK(fabs(v - (0.9 + 0.1 * var)) < 1e-5 * v, "variance %.8g, wanted %.8g", v, 0.9 + 0.1 * var);
        free(before);
        free(after);
        graph_free(&g);
        device_close(d);
    }
}

int main(void)
{
    test_tables();
    test_noise();
    return test_end();
}
