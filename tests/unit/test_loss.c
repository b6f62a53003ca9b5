#include "nn/loss.h"
#include "test.h"

#include <math.h>

/* Values and gradients below were computed by PyTorch in double precision (log_softmax and nll_loss; l1_loss;
 * l1_loss of 224 * sigmoid plus 20 * cross_entropy; label_smoothing; torchvision's generalized_box_iou_loss of boxes
 * whose last corners are one further, those of outputs put in order). */

static void near(const char *what, double is, double wanted)
{
    CHECK(fabs(is - wanted) <= 1e-7 * (1 + fabs(wanted)), "%s is %.12g, not %.12g", what, is, wanted);
}

static void near_all(const float *is, const double *wanted, int count)
{
    for (int i = 0; i < count; i++)
        CHECK(fabs(is[i] - wanted[i]) <= 1e-6 * fabs(wanted[i]) + 1e-12, "gradient %d is %.9g, not %.9g", i,
              (double)is[i], wanted[i]);
}

static void test_values(void)
{
    float gradient[32];
    loss_value v;
    error e = {0};
    TEST("cls: mean negative log likelihood of the softmax, its gradient and the accuracy")
    {
        const loss_shape s = {TASK_CLS, 3, 4, 224, 0, 0};
        const float out[] = {0.5f, -1.25f, 2.0f, 0.75f, 1.0f, 3.5f, -2.0f, 0.25f, 0.0f, 0.0f, 0.5f, -0.5f};
        const int32_t label[] = {2, 0, 3};
        const double g[] = {0.048034280433328275, 0.008347106331704011, -0.11805862371373244,  0.061677236948700156,
                            -0.30901068429449885, 0.2963105250239111,   0.0012109533905840116, 0.011489205880003794,
                            0.07833457073386482,  0.07833457073386482,  0.12915187300008668,   -0.2858210144678163};
        CHECK(!loss_compute(&s, out, label, NULL, gradient, &v, &e), "%s", e.text);
        near("loss", v.loss, 1.667705680609272);
        near("accuracy", v.accuracy, 1.0 / 3);
        near_all(gradient, g, 12);
    }
    TEST("bbox: mean absolute error over batch and sides, gradient 0 where it is exact")
    {
        const loss_shape s = {TASK_BBOX, 2, 0, 224, 0, 0};
        const float out[] = {10, 20.5f, 200, 100, 1, 0, 250.25f, 90}, targets[] = {10, 25, 190.5f, 120, 0, 3, 223, 90};
        const double g[] = {0, -0.125, 0.125, -0.125, 0.125, -0.125, 0.125, 0};
        CHECK(!loss_compute(&s, out, NULL, targets, gradient, &v, &e), "%s", e.text);
        near("loss", v.loss, 8.15625);
        near("L1", v.l1, 8.15625);
        near_all(gradient, g, 8);
    }
    TEST("detn: L1 of 224 times the sigmoid plus 20 times the cross-entropy")
    {
        const loss_shape s = {TASK_DETN, 2, 3, 224, 0, 0};
        const float out[] = {-2, -0.5f, 1.5f, 0.25f, 0.5f, -1.25f, 2, -4, -1, 30, -30, 1, 3.5f, -2};
        const float targets[] = {10, 25, 190.5f, 120, 0, 3, 223, 90};
        const int32_t label[] = {2, 0};
        const double g[] = {2.9398203912981824, 6.580103941644646,      -4.17610065796932,       6.891754316652754,
                            1.768201821074443,  0.3072674032643643,     -2.075469224338807,      0.4945557739721513,
                            5.505134130761491,  2.6174618028560243e-12, -2.6201344312747585e-12, -9.244272398838115,
                            9.206646937091588,  0.037625461746528595};
        CHECK(!loss_compute(&s, out, label, targets, gradient, &v, &e), "%s", e.text);
        near("loss", v.loss, 58.38196450915582);
        near("L1", v.l1, 30.229150911640872);
        near("20 CE", v.loss - v.l1, 20 * 1.4076406798757473);
        near("accuracy", v.accuracy, 0.5);
        near_all(gradient, g, 14);
    }
    TEST("detn's boxes without the sigmoid would be another loss")
    {
        const loss_shape s = {TASK_DETN, 1, 1, 224, 0, 0};
        const float out[] = {0, 0, 0, 0, 0}, targets[] = {112, 112, 112, 112};
        const int32_t label[] = {0};
        CHECK(!loss_compute(&s, out, label, targets, NULL, &v, &e), "%s", e.text);
        near("L1 of output 0 and a box at 112", v.l1, 0);
    }
    TEST("huge scores neither overflow nor lose the gradient")
    {
        const loss_shape s = {TASK_CLS, 1, 2, 224, 0, 0};
        const float out[] = {1000, -1000};
        const int32_t label[] = {1};
        CHECK(!loss_compute(&s, out, label, NULL, gradient, &v, &e), "%s", e.text);
        near("loss", v.loss, 2000);
        near("gradient", gradient[0], 1);
    }
    TEST("a label the network doesn't know is an error that names its row")
    {
        const loss_shape s = {TASK_CLS, 2, 2, 224, 0, 0};
        const float out[] = {0, 0, 0, 0};
        const int32_t label[] = {1, 2};
        CHECK(loss_compute(&s, out, label, NULL, gradient, &v, &e) == ERR_INPUT, "accepted");
        CHECK(strstr(e.text, "picture 1") && strstr(e.text, "class 2"), "%s", e.text);
    }
}

static void test_additions(void)
{
    float gradient[16];
    loss_value v;
    error e = {0};
    TEST("bbox with giou: near, reversed corners, and far away")
    {
        const loss_shape s = {TASK_BBOX, 3, 0, 224, 1.5, 0};
        const float out[] = {9.5f, 20.5f, 200, 100, 150.25f, 200, 90, 30, 1, 0, 20.25f, 9};
        const float targets[] = {10, 25, 190.5f, 120, 60, 20, 180, 140, 100, 90, 120, 200};
        const double g[] = {-0.08535638945058581, -0.08692273431794136, 0.08535638945058581,  -0.08816783762630533,
                            0.0795413749523246,   0.08486588669670081,  -0.0795413749523246,  -0.08166129795443877,
                            -0.08356369195689675, -0.08317484406327565, -0.08354063018242036, -0.08375310945273458};
        CHECK(!loss_compute(&s, out, NULL, targets, gradient, &v, &e), "%s", e.text);
        near("loss", v.loss, 83.5284655792599);
        near_all(gradient, g, 12);
    }
    TEST("detn with giou and smoothing; L1 and accuracy are as without")
    {
        const loss_shape s = {TASK_DETN, 2, 3, 224, 2, 0.1}, without = {TASK_DETN, 2, 3, 224, 0, 0};
        const float out[] = {-2, -0.5f, 1.5f, 0.25f, 0.5f, -1.25f, 2, -4, -1, 3, 1, 1, 3.5f, -2};
        const float targets[] = {10, 25, 190.5f, 120, 0, 3, 223, 90};
        const int32_t label[] = {2, 0};
        const double g[] = {2.991657165773396,  7.0315627676646155,   -4.249736308852522,  7.107036377556073,
                            1.4348684877411095, -0.02606593006896899, -1.4088025576721412, 0.504542550153282,
                            5.768115159422959,  -1.2904900773862937,  5.562460552367101,   -8.577605732171449,
                            8.873313603758255,  -0.2957078715868047};
        loss_value plain;
        CHECK(!loss_compute(&without, out, label, targets, NULL, &plain, &e), "%s", e.text);
        CHECK(!loss_compute(&s, out, label, targets, gradient, &v, &e), "%s", e.text);
        near("loss", v.loss, 60.71893242839681);
        near_all(gradient, g, 14);
        CHECK(v.l1 == plain.l1 && v.accuracy == plain.accuracy && v.loss != plain.loss, "%g %g", v.l1, v.accuracy);
    }
    TEST("cls with smoothing")
    {
        const loss_shape s = {TASK_CLS, 2, 4, 224, 0, 0.2};
        const float out[] = {0.5f, -1.25f, 2.0f, 0.75f, 1.0f, 3.5f, -2.0f, 0.25f};
        const int32_t label[] = {2, 0};
        const double g[] = {0.04705142064999241, -0.012479340502443984, -0.1020879355705987,   0.06751585542305025,
                            -0.3885160264417483, 0.4194657875358668,    -0.023183569914123982, -0.007766191179994306};
        CHECK(!loss_compute(&s, out, label, NULL, gradient, &v, &e), "%s", e.text);
        near("loss", v.loss, 1.7087315367338016);
        near_all(gradient, g, 8);
    }
}

static void test_means(void)
{
    TEST("the validation mean weighs batches by their size: 7 x 64 and 52")
    {
        loss_mean m = {0};
        double sum = 0;
        for (int i = 0; i < 8; i++) {
            int n = i < 7 ? 64 : 52, right = i < 7 ? 50 : 33;
            double loss = 1 + 0.25 * i;
            loss_mean_add(&m, (loss_value){loss, (double)right / n, 30.0 - i}, n);
            sum += loss * n;
        }
        loss_value v = loss_mean_value(&m);
        near("loss", v.loss, sum / 500);
        near("accuracy", v.accuracy, 383.0 / 500);
        double unweighted = (7 * 50.0 / 64 + 33.0 / 52) / 8;
        CHECK(fabs(v.accuracy - unweighted) > 1e-3, "the mean over batches (%g) is not weighted", unweighted);
    }
    TEST("an empty validation set has a mean of 0, not NaN")
    {
        loss_value v = loss_mean_value(&(loss_mean){0});
        CHECK(v.loss == 0 && v.accuracy == 0 && v.l1 == 0, "%g %g %g", v.loss, v.accuracy, v.l1);
    }
}

static void test_meaning(void)
{
    TEST("boxes and scores of one row of outputs")
    {
        const float out[] = {0, 2, -1, 50, 1, 3, 2};
        box_real b;
        double p[3];
        CHECK(loss_scores(TASK_CLS, out) == out && loss_scores(TASK_DETN, out) == out + 4 &&
                  !loss_scores(TASK_BBOX, out),
              "scores");
        CHECK(!loss_box(TASK_CLS, 224, out, &b), "cls has a box");
        CHECK(loss_box(TASK_BBOX, 224, out, &b) && b.x1 == 2 && b.y2 == -1, "bbox is not the output");
        CHECK(loss_box(TASK_DETN, 224, out, &b), "detn has no box");
        near("y1", b.y1, 112);
        near("x1", b.x1, 224 / (1 + exp(-2)));
        near("x2", b.x2, 224);
        loss_softmax(out + 4, 3, p);
        near("sum", p[0] + p[1] + p[2], 1);
        near("ratio", p[1] / p[0], exp(2));
    }
}

int main(void)
{
    test_values();
    test_additions();
    test_means();
    test_meaning();
    return test_end();
}
