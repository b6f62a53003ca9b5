/* Every node kind, many shapes: forward, gradients and running statistics against a naive interpreter in
 * double precision, for training, frozen groups, stored batch norms and evaluation. usage:
 * test_device [DEVICE [fp32|tf32|bf16|fp16]]: the CPU in fp32 and bf16, unless told otherwise (make gpu-check and the
 * tests over the stand-in for CUDA name cuda). tf32 and fp16 are held to bf16's bounds.
 */
#include "device_compare.h"

/* A residual backbone in miniature: a block without and one with a shortcut convolution, of so many channels. Returns
 * the last node of the second block, in *first that of the first. */
static int backbone(graph *g, int size, int c1, int c2, int *first, error *e)
{
    if (graph_begin(g, size, mean, deviation, e))
        return -1;
    int n = graph_conv(g, 0, "conv1", GROUP_STEM, c1, 7, 2, 3, e);
    n = graph_batchnorm(g, n, "bn1", GROUP_STEM, e);
    n = graph_relu(g, n, "relu", GROUP_STEM, e);
    int x = graph_maxpool(g, n, "maxpool", GROUP_STEM, 3, 2, 1, e);
    n = graph_conv(g, x, "layer1.0.conv1", GROUP_STEM, c1, 3, 1, 1, e);
    n = graph_batchnorm(g, n, "layer1.0.bn1", GROUP_STEM, e);
    n = graph_relu(g, n, "layer1.0.relu", GROUP_STEM, e);
    n = graph_conv(g, n, "layer1.0.conv2", GROUP_STEM, c1, 3, 1, 1, e);
    n = graph_batchnorm(g, n, "layer1.0.bn2", GROUP_STEM, e);
    n = graph_add(g, n, x, "layer1.0.add", GROUP_STEM, e);
    *first = x = graph_relu(g, n, "layer1.0.relu2", GROUP_STEM, e);
    n = graph_conv(g, x, "layer2.0.conv1", GROUP_TOP, c2, 3, 2, 1, e);
    n = graph_batchnorm(g, n, "layer2.0.bn1", GROUP_TOP, e);
    n = graph_relu(g, n, "layer2.0.relu", GROUP_TOP, e);
    n = graph_conv(g, n, "layer2.0.conv2", GROUP_TOP, c2, 3, 1, 1, e);
    n = graph_batchnorm(g, n, "layer2.0.bn2", GROUP_TOP, e);
    int shortcut = graph_conv(g, x, "layer2.0.downsample.0", GROUP_TOP, c2, 1, 2, 0, e);
    shortcut = graph_batchnorm(g, shortcut, "layer2.0.downsample.1", GROUP_TOP, e);
    n = graph_add(g, n, shortcut, "layer2.0.add", GROUP_TOP, e);
    return graph_relu(g, n, "layer2.0.relu2", GROUP_TOP, e);
}

/* The backbone with a flat head: 0 concat-pool, 1 flatten and one layer, 2 flatten, ReLU, dropout and two layers. */
static int miniature(graph *g, int size, int c1, int c2, int head, error *e)
{
    int first, n = backbone(g, size, c1, c2, &first, e);
    if (head == 0) {
        n = graph_concatpool(g, n, "head.0", GROUP_TOP, e);
        n = graph_flatten(g, n, "head.1", GROUP_TOP, e);
        n = graph_batchnorm(g, n, "head.2", GROUP_HEAD, e);
        n = graph_dropout(g, n, "head.3", GROUP_HEAD, 0.25f, e);
        n = graph_linear(g, n, "head.4", GROUP_HEAD, 9, e);
        n = graph_relu(g, n, "head.5", GROUP_HEAD, e);
        n = graph_batchnorm(g, n, "head.6", GROUP_HEAD, e);
        n = graph_dropout(g, n, "head.7", GROUP_HEAD, 0.5f, e);
        n = graph_linear(g, n, "head.8", GROUP_HEAD, 5, e);
    } else {
        n = graph_flatten(g, n, "head.0", GROUP_HEAD, e);
        if (head == 2) {
            n = graph_relu(g, n, "head.1", GROUP_HEAD, e);
            n = graph_dropout(g, n, "head.2", GROUP_HEAD, 0.5f, e);
            n = graph_linear(g, n, "head.3", GROUP_HEAD, 7, e);
            n = graph_relu(g, n, "head.4", GROUP_HEAD, e);
            n = graph_batchnorm(g, n, "head.5", GROUP_HEAD, e);
            n = graph_dropout(g, n, "head.6", GROUP_HEAD, 0.5f, e);
        }
        n = graph_linear(g, n, "head.7", GROUP_HEAD, 4, e);
    }
    return n < 0 ? e->code : 0;
}

/* The backbone with a head of maps, both of whose ends get `width` channels. The value of the first block has
 * three readers. `norms`: batch norms behind convolutions with a bias. `late`: the finer end comes after the coarser
 * one is upsampled, and a fourth reader. */
static int pyramid(graph *g, int size, int c1, int c2, int width, int outputs, bool norms, bool late, error *e)
{
    int fine, coarse = backbone(g, size, c1, c2, &fine, e), first = fine;
    if (!late)
        fine = graph_conv_bias(g, fine, "fine", GROUP_HEAD, width, 1, 1, 0, e);
    coarse = graph_conv_bias(g, coarse, "coarse", GROUP_HEAD, width, 1, 1, 0, e);
    int n = graph_upsample(g, coarse, "up", GROUP_HEAD, e);
    if (late)
        fine = graph_conv_bias(g, fine, "fine", GROUP_HEAD, width, 1, 1, 0, e);
    if (norms)
        fine = graph_batchnorm(g, fine, "fine.bn", GROUP_HEAD, e);
    n = graph_add(g, fine, n, "add", GROUP_HEAD, e);
    if (late) {
        fine = graph_conv_bias(g, first, "again", GROUP_HEAD, width, 3, 1, 1, e);
        n = graph_add(g, n, fine, "add2", GROUP_HEAD, e);
    }
    n = norms ? graph_conv_bias(g, n, "head.0", GROUP_HEAD, width, 3, 1, 1, e)
              : graph_conv(g, n, "head.0", GROUP_HEAD, width, 3, 1, 1, e);
    n = graph_batchnorm(g, n, "head.1", GROUP_HEAD, e);
    n = graph_relu(g, n, "head.2", GROUP_HEAD, e);
    n = graph_conv_bias(g, n, "head.3", GROUP_HEAD, outputs, 1, 1, 0, e);
    n = graph_flatten(g, n, "head.4", GROUP_HEAD, e);
    return n < 0 ? e->code : 0;
}

static void test_maps(void)
{
    static const struct {
        const char *name;
        int size, c1, c2, width, outputs;
        bool norms, late;
    } nets[] = {
        {"fused addition", 32, 16, 32, 16, 9, false, false},
        {"24 outputs from an odd side", 40, 16, 32, 32, 24, false, false},
        {"channels not of a block", 32, 12, 20, 20, 5, false, false},
        {"biases in front of batch norms", 32, 16, 32, 16, 24, true, false},
        {"four readers of a value", 32, 16, 32, 16, 7, false, true},
        {"four readers, channels not of a block, biases and batch norms", 40, 20, 12, 12, 7, true, true},
    };
    for (size_t i = 0; i < COUNT(nets); i++) {
        char sentence[120];
        snprintf(sentence, sizeof sentence, "heads of maps agree with the double-precision reference: %s",
                 nets[i].name);
        TEST(sentence)
        {
            graph g = {0};
            error e = {0};
            CHECK(!pyramid(&g, nets[i].size, nets[i].c1, nets[i].c2, nets[i].width, nets[i].outputs, nets[i].norms,
                           nets[i].late, &e),
                  "%s", e.text);
            if (!e.code)
                compare_all(nets[i].name, &g, DEEP);
            graph_free(&g);
        }
    }
}

static void test_networks(void)
{
    static const struct {
        const char *name;
        int size, c1, c2, head;
    } nets[] = {
        {"concat-pool head", 32, 16, 32, 0},
        {"flatten head", 32, 16, 32, 1},
        {"dropout head", 32, 32, 16, 2},
        {"odd sizes", 44, 16, 32, 2},
        {"channels not of a block", 32, 12, 20, 0},
        {"wide", 36, 48, 64, 1},
    };
    for (size_t i = 0; i < COUNT(nets); i++) {
        char sentence[100];
        snprintf(sentence, sizeof sentence, "small networks agree with the double-precision reference: %s",
                 nets[i].name);
        TEST(sentence)
        {
            graph g = {0};
            error e = {0};
            CHECK(miniature(&g, nets[i].size, nets[i].c1, nets[i].c2, nets[i].head, &e) == 0, "%s", e.text);
            if (!e.code)
                compare_all(nets[i].name, &g, nets[i].head == 1 ? DEEP : SENSITIVE);
            graph_free(&g);
        }
    }
}

/* input -> conv -> relu -> the convolution in question -> batch norm -> flatten -> linear */
static void compare_convolution(int size, int channels, int kernel, int stride, int padding, depth how)
{
    graph g = {0};
    error e = {0};
    char title[64];
    snprintf(title, sizeof title, "%dx%d to %d channels, kernel %d stride %d pad %d", size, size, channels, kernel,
             stride, padding);
    graph_begin(&g, size, mean, deviation, &e);
    int n = graph_conv(&g, 0, "conv1", GROUP_STEM, 16, 3, 1, 1, &e);
    n = graph_relu(&g, n, "relu1", GROUP_STEM, &e);
    n = graph_conv(&g, n, "conv2", GROUP_TOP, channels, kernel, stride, padding, &e);
    n = graph_batchnorm(&g, n, "bn2", GROUP_TOP, &e);
    n = graph_flatten(&g, n, "head.0", GROUP_HEAD, &e);
    n = graph_linear(&g, n, "head.1", GROUP_HEAD, 3, &e);
    CHECK(n > 0, "%s", e.text);
    if (n > 0)
        compare_all(title, &g, how);
    graph_free(&g);
}

static void test_operations(void)
{
    TEST("convolutions of 66 shapes agree with the reference")
    {
        static const int shapes[][5] = {
            /* size, channels, kernel, stride, padding */
            {16, 16, 3, 1, 1}, {16, 32, 3, 2, 1}, {15, 16, 3, 1, 1}, {9, 16, 1, 2, 0},  {8, 64, 1, 1, 0},
            {13, 32, 3, 1, 1}, {7, 48, 3, 1, 1},  {5, 16, 3, 1, 1},  {4, 16, 3, 1, 1},  {3, 16, 3, 1, 1},
            {12, 8, 3, 1, 1},  {12, 24, 3, 2, 1}, {14, 16, 5, 1, 2}, {14, 20, 7, 2, 3}, {23, 16, 3, 1, 1},
            {10, 80, 3, 1, 1}, {6, 16, 2, 2, 0},  {11, 4, 3, 1, 1},
        };
        int count = 0;
        for (size_t i = 0; i < COUNT(shapes); i++, count++)
            compare_convolution(shapes[i][0], shapes[i][1], shapes[i][2], shapes[i][3], shapes[i][4], SHALLOW);
        /* 16-bit numbers get the wider limits: with few pixels roundings cancel less */
        for (int kernel = 1; kernel <= 7; kernel += 2)
            for (int stride = 1; stride <= 2; stride++)
                for (int size = 7; size <= 10; size += 3)
                    for (int channels = 12; channels <= 48; channels *= 2, count++)
                        compare_convolution(size, channels, kernel, stride, kernel / 2, DEEP);
        CHECK(count == 66, "%d shapes", count);
    }
    TEST("additions with shared operands, chains without a batch norm and pools of many shapes agree with "
         "the reference")
    {
        for (int size = 9; size <= 14; size++) {
            graph g = {0};
            error e = {0};
            char title[64];
            snprintf(title, sizeof title, "mixed graph of size %d", size);
            graph_begin(&g, size, mean, deviation, &e);
            int n = graph_conv(&g, 0, "conv1", GROUP_STEM, 16, 3, 1, 1, &e);
            int a = graph_batchnorm(&g, n, "bn1", GROUP_STEM, &e);
            int b = graph_conv(&g, a, "conv2", GROUP_STEM, 16, 3, 1, 1, &e);
            int c = graph_add(&g, a, b, "add1", GROUP_STEM, &e);
            int f = graph_relu(&g, c, "relu1", GROUP_STEM, &e);
            int h = graph_batchnorm(&g, f, "bn2", GROUP_TOP, &e);
            int k = graph_add(&g, h, f, "add2", GROUP_TOP, &e);
            int l = graph_add(&g, k, c, "add3", GROUP_TOP, &e);
            n = graph_maxpool(&g, l, "pool", GROUP_TOP, size % 2 ? 3 : 2, 2, size % 2, &e);
            n = graph_concatpool(&g, n, "head.0", GROUP_HEAD, &e);
            n = graph_linear(&g, n, "head.1", GROUP_HEAD, 3, &e);
            CHECK(n > 0, "%s", e.text);
            if (n > 0)
                compare_all(title, &g, DEEP);
            graph_free(&g);
        }
    }
}

static void test_adam(void)
{
    TEST("one Adam step puts eps beside the uncorrected root and leaves frozen groups and statistics alone")
    {
        graph g = {0};
        error e = {0};
        CHECK(miniature(&g, 32, 16, 16, 0, &e) == 0, "%s", e.text);
        const device_options options = {.threads = 2};
        device *d = device_open(device_name, &options, &e);
        model *m = d ? model_create(d, &g, &e) : NULL;
        const plan_options po = {.batch = 2, .training = true, .first_group = GROUP_TOP};
        plan *p = m ? plan_create(m, &po, &e) : NULL;
        CHECK(p, "%s", e.text);
        if (p) {
            float *before = random_params(&g, 1), *after = malloc(g.param_floats * sizeof *after),
                  *statistics = malloc(g.param_floats * sizeof *after),
                  *firsts = malloc(g.param_floats * sizeof *after), *seconds = malloc(g.param_floats * sizeof *after);
            float input[2 * 32 * 32 * 3], output[2 * 5], dout[2 * 5];
            for (size_t i = 0; i < COUNT(input); i++)
                input[i] = (float)(i * 7919 % 256) / 255;
            for (size_t i = 0; i < 10; i++)
                dout[i] = (float)i * 1e-9f; /* small gradients: eps counts */
            const float lr[GROUPS] = {1, 1e-3f, 1e-2f};
            CHECK(!model_upload(m, before, &e) && !plan_forward(p, input, 1, 0, output, &e) &&
                      !plan_backward(p, dout, &e) && !model_download(m, statistics, &e) &&
                      !model_adam_step(m, lr, GROUP_TOP, 1, &e) && !model_download_moments(m, firsts, seconds, &e) &&
                      !model_download(m, after, &e),
                  "%s", e.text);
            double worst = 0;
            for (int i = 0; i < g.param_count; i++)
                for (size_t k = g.params[i].offset; k < g.params[i].offset + g.params[i].count; k++) {
                    double first = (double)firsts[k], gradient = first / (1 - 0.9),
                           second = (1 - 0.999) * gradient * gradient;
                    CHECK(fabs((double)seconds[k] - second) <= 1e-5 * second + 1e-38, "second moment %g, not %g",
                          (double)seconds[k], second);
                    double step = (double)lr[g.params[i].group] * sqrt(1 - 0.999) / (1 - 0.9);
                    double want = (double)statistics[k];
                    if (g.params[i].trainable && g.params[i].group >= GROUP_TOP)
                        want -= step * first / (sqrt(second) + 1e-8);
                    double off = fabs((double)after[k] - want) / (1e-3 + fabs(want));
                    worst = off > worst ? off : worst;
                    if (g.params[i].group < GROUP_TOP)
                        CHECK(after[k] == before[k], "%s moved", g.params[i].name);
                }
            CHECK(worst < 1e-5, "off by %g", worst);
            free(before);
            free(after);
            free(statistics);
            free(firsts);
            free(seconds);
        }
        plan_free(p);
        model_free(m);
        device_close(d);
        graph_free(&g);
    }
}

static void test_misuse(void)
{
    TEST("unknown devices and passes out of order are refused in words")
    {
        error e = {0};
        const device_options options = {.threads = 1};
        CHECK(!device_open("tpu", &options, &e) && e.code == ERR_USAGE && strstr(e.text, "tpu"), "%s", e.text);
        e = (error){0};
        graph g = {0};
        CHECK(miniature(&g, 32, 16, 16, 1, &e) == 0, "%s", e.text);
        device *d = device_open(device_name, &options, &e);
        model *m = d ? model_create(d, &g, &e) : NULL;
        const plan_options po = {.batch = 1, .training = true}, evaluation = {.batch = 1};
        plan *p = m ? plan_create(m, &po, &e) : NULL, *q = m ? plan_create(m, &evaluation, &e) : NULL;
        float dout[4] = {0}, input[32 * 32 * 3] = {0}, output[4];
        float *params = random_params(&g, 1);
        CHECK(p && q && !model_upload(m, params, &e), "%s", e.text);
        CHECK(plan_backward(p, dout, &e) == ERR_SYSTEM && strstr(e.text, "forward pass"), "%s", e.text);
        e = (error){0};
        CHECK(!plan_forward(p, input, 1, 0, output, &e) && !plan_backward(p, dout, &e), "%s", e.text);
        CHECK(plan_backward(p, dout, &e) == ERR_SYSTEM && strstr(e.text, "forward pass"), "twice: %s", e.text);
        e = (error){0};
        CHECK(!plan_forward(p, input, 1, 0, output, &e) && !plan_forward(q, input, 0, 0, output, &e), "%s", e.text);
        CHECK(plan_backward(p, dout, &e) == ERR_SYSTEM && strstr(e.text, "forward pass"), "another's: %s", e.text);
        free(params);
        plan_free(q);
        plan_free(p);
        model_free(m);
        device_close(d);
        graph_free(&g);
    }
}

static void test_precision(void)
{
    TEST("bf16 without its instructions is refused with their names; auto is fp32 there, and default is fp32")
    {
        const char *limit = getenv("ONEBOX_MAX_ISA");
        char *before = limit ? strdup(limit) : NULL;
        setenv("ONEBOX_MAX_ISA", "avx2", 1);
        error e = {0};
        const device_options bf16 = {.precision = PRECISION_BF16}, either = {.precision = PRECISION_AUTO};
        device *d = device_open("cpu", &bf16, &e);
        CHECK(!d && e.code == ERR_USAGE && strstr(e.text, "AVX512_BF16") && strstr(e.text, "--precision fp32"), "%s",
              e.text);
        e = (error){0};
        d = device_open("cpu", &either, &e);
        CHECK(d && strstr(device_describe(d), "fp32"), "%s%s", e.text, d ? device_describe(d) : "");
        device_close(d);
        if (before)
            setenv("ONEBOX_MAX_ISA", before, 1);
        else
            unsetenv("ONEBOX_MAX_ISA");
        free(before);
        const device_options neither = {.threads = 1};
        d = device_open("cpu", &neither, &e);
        CHECK(d && strstr(device_describe(d), "fp32"), "%s", e.text);
        device_close(d);
    }
}

/* Plans of one model share packed weights, but not those of another layout: in bf16 a training's forward
 * passes want others than an evaluation's. */
static void check_plans_of_a_model(precision wanted)
{
    enum { BATCH = 6, OUTPUTS = 4 };
    graph g = {0};
    error e = {0};
    const device_options options = {.threads = 2, .conv = CONV_AUTO, .precision = wanted};
    device *d = device_open(device_name, &options, &e);
    if (!d) {
        SKIP("%s", e.text);
        return;
    }
    CHECK(!miniature(&g, 36, 48, 64, 1, &e) && g.outputs == OUTPUTS, "%s", e.text);
    const size_t inputs = (size_t)BATCH * (size_t)g.size * (size_t)g.size * 3;
    float *params = random_params(&g, 5), *input = malloc(inputs * sizeof *input);
    philox random = philox_start(9, 1);
    for (size_t i = 0; i < inputs; i++)
        input[i] = (float)philox_uniform(&random);
    float alone[2][BATCH * OUTPUTS], output[BATCH * OUTPUTS];
    const int orders[4][2] = {{0, 0}, {1, 1}, {0, 1}, {1, 0}}; /* 1: a training, 0: an evaluation */
    for (int i = 0; i < 4; i++) {
        plan *plans[2];
        model *m = model_create(d, &g, &e);
        CHECK(m && !model_upload(m, params, &e), "%s", e.text);
        for (int j = 0; j < 2; j++) {
            const plan_options po = {
                .batch = BATCH, .training = orders[i][j], .first_group = GROUP_STEM, .freeze_bn = true};
            plans[j] = plan_create(m, &po, &e);
            CHECK(plans[j], "%s", e.text);
        }
        for (int pass = 0; pass < 4; pass++) {
            const int training = orders[i][pass % 2];
            CHECK(!plan_forward(plans[pass % 2], input, 1, 2, output, &e), "%s", e.text);
            if (i == training && pass == 0)
                memcpy(alone[training], output, sizeof output);
            CHECK(!memcmp(output, alone[training], sizeof output), "%s, order %d, pass %d", device_describe(d), i,
                  pass);
        }
        plan_free(plans[0]);
        plan_free(plans[1]);
        model_free(m);
    }
    graph_free(&g);
    free(params);
    free(input);
    device_close(d);
}

static void test_plans_of_a_model(void)
{
    TEST("a training and an evaluation of one model compute as they would alone")
    {
        if (with_fp32)
            check_plans_of_a_model(PRECISION_FP32);
        if (with_rough)
            check_plans_of_a_model(rough_precision);
    }
}

int main(int argc, char **argv)
{
    if (argc > 1)
        device_name = argv[1];
    if (argc > 2) {
        const precision only = precision_of(argv[2]);
        if (only == PRECISION_AUTO) {
            fprintf(stderr, "test_device: precision '%s' is not known: fp32, tf32, bf16 or fp16\n", argv[2]);
            return 2;
        }
        with_fp32 = only == PRECISION_FP32;
        with_rough = !with_fp32;
        rough_precision = with_rough ? only : PRECISION_BF16;
    }
    test_networks();
    test_maps();
    test_operations();
    test_adam();
    test_misuse();
    test_precision();
    test_plans_of_a_model();
    TEST("passes can be cut where the frozen groups end, and give the same bits")
    {
        CHECK((cut_plans[0] >= 30 && cut_plans[1] >= 30) || strcmp(device_name, "cpu") != 0,
              "%d evaluations, %d trainings", cut_plans[0], cut_plans[1]);
    }
    TEST("the same with oneDNN's convolutions, where it is there")
    {
        if (with_onednn == 0)
            SKIP("%s", no_onednn.text);
        else
            CHECK(!no_onednn.code, "%s", no_onednn.text);
    }
    return test_end();
}
