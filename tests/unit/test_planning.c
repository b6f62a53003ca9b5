/* What all devices refuse when they plan a graph (common/device/planning.c), asked of the CPU. */
#include "device/device.h"
#include "test.h"

static const float mean[3] = {0.485f, 0.456f, 0.406f}, deviation[3] = {0.229f, 0.224f, 0.225f};

/* Whether a plan of g can be made; *e says why not. Frees g. */
static bool plannable(graph *g, bool training, int first_group, error *e)
{
    const device_options options = {.threads = 1};
    const plan_options po = {.batch = 2, .training = training, .first_group = first_group};
    *e = (error){0};
    device *d = device_open("cpu", &options, e);
    model *m = d ? model_create(d, g, e) : NULL;
    plan *p = m ? plan_create(m, &po, e) : NULL;
    const bool made = p != NULL;
    plan_free(p);
    model_free(m);
    device_close(d);
    graph_free(g);
    return made;
}

static graph finish(graph g, int last)
{
    error e = {0};
    int n = graph_flatten(&g, last, "head.0", GROUP_HEAD, &e);
    n = graph_linear(&g, n, "head.1", GROUP_HEAD, 3, &e);
    CHECK(n > 0, "%s", e.text);
    return g;
}

static graph adds_picture(void)
{
    graph g;
    error e = {0};
    graph_begin(&g, 8, mean, deviation, &e);
    int n = graph_conv(&g, 0, "conv1", GROUP_STEM, 3, 3, 1, 1, &e);
    return finish(g, graph_add(&g, n, 0, "add1", GROUP_STEM, &e));
}

static graph adds_flat(void)
{
    graph g;
    error e = {0};
    graph_begin(&g, 8, mean, deviation, &e);
    int a = graph_conv(&g, 0, "conv1", GROUP_STEM, 5, 8, 1, 0, &e);
    int b = graph_linear(&g, graph_flatten(&g, a, "flat", GROUP_TOP, &e), "linear", GROUP_TOP, 5, &e);
    return finish(g, graph_add(&g, b, a, "add1", GROUP_TOP, &e));
}

static graph behind_flatten(int kind)
{
    graph g;
    error e = {0};
    graph_begin(&g, 8, mean, deviation, &e);
    int n = graph_conv(&g, 0, "conv1", GROUP_STEM, 5, 8, 1, 0, &e);
    n = graph_flatten(&g, n, "flat", GROUP_TOP, &e);
    n = kind == 0   ? graph_conv(&g, n, "late", GROUP_TOP, 5, 1, 1, 0, &e)
        : kind == 1 ? graph_maxpool(&g, n, "late", GROUP_TOP, 1, 1, 0, &e)
        : kind == 2 ? graph_upsample(&g, n, "late", GROUP_TOP, &e)
                    : graph_concatpool(&g, n, "late", GROUP_TOP, &e);
    return finish(g, n);
}

int main(void)
{
    TEST("graphs that no device computes are refused in words")
    {
        error e;
        graph g = adds_picture();
        CHECK(!plannable(&g, false, 0, &e) && e.code == ERR_SYSTEM && strstr(e.text, "'add1' reads the picture"), "%s",
              e.text);
        g = adds_flat();
        CHECK(!plannable(&g, false, 0, &e) && e.code == ERR_SYSTEM && strstr(e.text, "'add1' adds a flat value"), "%s",
              e.text);
        for (int kind = 0; kind < 4; kind++) {
            g = behind_flatten(kind);
            CHECK(!plannable(&g, false, 0, &e) && e.code == ERR_SYSTEM &&
                      strstr(e.text, "'late' stands behind the flatten"),
                  "%d: %s", kind, e.text);
        }
    }
    return test_end();
}
