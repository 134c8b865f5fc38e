/* What all tests of losses share: PyTorch's results, finite differences, weights, threads. A test program is
 * LOSS_TESTS("mse", further tests...). */
#ifndef PML_TESTS_RUNTIME_TRAIN_LOSSES_LOSS_CASE_H
#define PML_TESTS_RUNTIME_TRAIN_LOSSES_LOSS_CASE_H

#include <math.h>
#include <stdio.h>

#include "runtime/train/loss.h"
#include "tests/harness.h"
#include "tests/runtime/train/oracle_inputs.h"

typedef struct oracle {
    const char *spec;
    size_t n_terms, width;
    pml_reduction reduction;
    size_t n_weights, n_class_weights;
    bool is_ignoring;
    double value;
    const double *gradients;
} oracle;
#define MEAN PML_REDUCTION_MEAN
#define SUM PML_REDUCTION_SUM
#define PML_ORACLE(spec, n_terms, width, reduction, n_weights, n_class_weights, is_ignoring, value, ...)               \
    {spec, n_terms, width, reduction, n_weights, n_class_weights, is_ignoring, value, (const double[]){__VA_ARGS__}},
static const oracle oracles[] = {
#include "tests/runtime/train/losses/oracle.def"
};
#undef PML_ORACLE
#undef MEAN
#undef SUM

/* What a loss is about. */
static const struct subject {
    const char *loss;
    const char *predictions[PML_LOSS_MAX_PREDICTIONS];
    const char *target;
} subjects[] = {{"mse", {"real"}, "real"},
                {"l1", {"real"}, "real"},
                {"huber", {"real"}, "real"},
                {"smooth_l1", {"real"}, "real"},
                {"bce", {"probability"}, "probability"},
                {"bce_logits", {"logit"}, "probability"},
                {"cross_entropy", {"logit"}, NULL},
                {"quantile", {"real"}, "real"},
                {"normal_nll", {"real", "positive"}, "real"},
                {"student_t_nll", {"df", "real", "positive"}, "real"}};

/* Operands with storage of their own. */
typedef struct inputs {
    pml_loss_operands operands;
    float *predictions[PML_LOSS_MAX_PREDICTIONS];
    float *target, *weights, *class_weights;
    int64_t *classes;
} inputs;

static float *fill(uint32_t seed, size_t n, const char *kind) {
    float *values = calloc(n + 1, sizeof *values);
    for (size_t i = 0; i < n; i++) {
        values[i] = oracle_number(seed, i, kind);
    }
    return values;
}

static inputs make_inputs(const pml_loss *loss, const oracle *o) {
    inputs in = {.operands = {.n_terms = o->n_terms, .width = o->width, .reduction = o->reduction}};
    const struct subject *s = subjects;
    while (strcmp(s->loss, loss->plugin.name) != 0) {
        s++;
    }
    for (size_t k = 0; k < loss->n_predictions; k++) {
        in.operands.predictions[k] = in.predictions[k] =
            fill((uint32_t)k + 1, o->n_terms * o->width, s->predictions[k]);
        in.operands.gradients[k] = calloc(o->n_terms * o->width + 1, sizeof(float));
    }
    if (s->target != NULL) {
        in.operands.target = in.target = fill(5, o->n_terms, s->target);
    }
    in.classes = calloc(o->n_terms, sizeof *in.classes);
    for (size_t i = 0; i < o->n_terms; i++) {
        in.classes[i] = o->is_ignoring && i % 5 == 2 ? -100 : (int64_t)((i * 7 + 3) % o->width);
    }
    in.operands.classes = in.classes;
    if (o->n_weights > 0) {
        in.operands.weights = in.weights = fill(7, o->n_weights, "positive");
        in.weights[1] = 0;
        in.operands.n_weights = o->n_weights;
    }
    if (o->n_class_weights > 0) {
        in.operands.class_weights = in.class_weights = fill(8, o->n_class_weights, "positive");
        in.operands.n_class_weights = o->n_class_weights;
    }
    return in;
}

static void free_inputs(inputs *in) {
    for (size_t k = 0; k < PML_LOSS_MAX_PREDICTIONS; k++) {
        free(in->predictions[k]);
        free(in->operands.gradients[k]);
    }
    free(in->target);
    free(in->weights);
    free(in->class_weights);
    free(in->classes);
}

static const char *loss_name(void); /* LOSS_TESTS defines it */

static const oracle *next_oracle(size_t *position) {
    const size_t length = strlen(loss_name());
    while (*position < sizeof oracles / sizeof oracles[0]) {
        const oracle *o = &oracles[(*position)++];
        if (strncmp(o->spec, loss_name(), length) == 0 && (o->spec[length] == ':' || o->spec[length] == '\0')) {
            return o;
        }
    }
    return NULL;
}

static pml_context make_context(size_t n_threads) {
    pml_context context = {0};
    pml_error error;
    PML_ASSERT_OK(pml_context_init(&context, NULL, &error), &error);
    PML_ASSERT_OK(pml_context_threads_set(&context, n_threads, &error), &error);
    return context;
}

static double compute(const pml_loss *loss, const pml_settings *settings, const inputs *in, pml_context *context) {
    double value = NAN;
    pml_error error;
    PML_ASSERT_OK(pml_loss_compute(loss, settings, &in->operands, context, &value, &error), &error);
    return value;
}

static void agrees_with_pytorch(void) {
    pml_context context = make_context(1);
    size_t position = 0, n_cases = 0;
    for (const oracle *o; (o = next_oracle(&position)) != NULL; n_cases++) {
        const pml_loss *loss;
        pml_settings settings;
        pml_error error;
        PML_ASSERT_OK(pml_loss_choose(o->spec, &loss, &settings, &error), &error);
        inputs in = make_inputs(loss, o);
        const double value = compute(loss, &settings, &in, &context);
        const size_t n = o->n_terms * o->width;
        double most = 0, worst = 0;
        for (size_t i = 0; i < n * loss->n_predictions; i++) {
            most = fmax(most, fabs(o->gradients[i]));
            worst = fmax(worst, fabs((double)in.operands.gradients[i / n][i % n] - o->gradients[i]));
        }
        const bool is_right = fabs(value - o->value) <= 1e-6 * fabs(o->value) && worst <= 1e-6 * most && most > 0;
        if (!is_right) {
            (void)printf("\n  %s: value %.9g, PyTorch %.9g; derivatives differ by %g of %g", o->spec, value, o->value,
                         worst, most);
        }
        CU_ASSERT_TRUE(is_right);
        for (size_t k = 0; k < loss->n_predictions; k++) { /* nothing but the value */
            free(in.operands.gradients[k]);
            in.operands.gradients[k] = NULL;
        }
        CU_ASSERT_TRUE(fabs(compute(loss, &settings, &in, &context) - value) <= 1e-6 * fabs(value));
        free_inputs(&in);
    }
    CU_ASSERT_TRUE(n_cases >= 4);
    pml_context_deinit(&context);
}

static const oracle *plain_oracle(const pml_loss **loss, pml_settings *settings) {
    size_t position = 0;
    const oracle *o = next_oracle(&position);
    pml_error error;
    PML_ASSERT_OK(pml_loss_choose(o->spec, loss, settings, &error), &error);
    return o;
}

/* Many terms, so that they fall into parts: the same bits whatever the threads, and the derivative of each is that of
 * its finite difference in the value. */
static void threads_change_nothing(void) {
    const pml_loss *loss;
    pml_settings settings;
    oracle many = *plain_oracle(&loss, &settings);
    many.n_terms = 60001;
    double values[2];
    inputs in[2];
    for (size_t i = 0; i < 2; i++) {
        pml_context context = make_context(i == 0 ? 1 : 3);
        context.share_cost = 1;
        in[i] = make_inputs(loss, &many);
        in[i].operands.terms = calloc(many.n_terms, sizeof(float));
        values[i] = compute(loss, &settings, &in[i], &context);
        pml_context_deinit(&context);
    }
    CU_ASSERT_EQUAL(values[0], values[1]);
    const size_t size_bytes = many.n_terms * many.width * sizeof(float);
    for (size_t k = 0; k < loss->n_predictions; k++) {
        CU_ASSERT_TRUE(memcmp(in[0].operands.gradients[k], in[1].operands.gradients[k], size_bytes) == 0);
    }
    double sum = 0;
    for (size_t i = 0; i < many.n_terms; i++) {
        sum += (double)in[0].operands.terms[i];
    }
    CU_ASSERT_TRUE(fabs(sum / (double)many.n_terms - values[0]) <= 1e-6 * fabs(values[0]));
    for (size_t i = 0; i < 2; i++) {
        free(in[i].operands.terms);
        free_inputs(&in[i]);
    }
}

/* A term of weight 0 may be anything; scale and joint terms multiply; gradients may take the predictions' place. */
static void weights_scale_and_place(void) {
    const pml_loss *loss;
    pml_settings settings;
    pml_context context = make_context(1);
    oracle o = *plain_oracle(&loss, &settings);
    inputs plain = make_inputs(loss, &o);
    const double value = compute(loss, &settings, &plain, &context);
    o.n_weights = o.n_terms;
    inputs in = make_inputs(loss, &o);
    for (size_t i = 0; i < o.n_terms; i++) {
        in.weights[i] = i == 3 ? 0 : 1;
    }
    in.predictions[0][3 * o.width] = NAN;
    const double without = compute(loss, &settings, &in, &context);
    CU_ASSERT_TRUE(isfinite(without) && without != value);
    CU_ASSERT_EQUAL(in.operands.gradients[0][3 * o.width], 0);
    memset(in.weights, 0, o.n_terms * sizeof(float));
    CU_ASSERT_EQUAL(compute(loss, &settings, &in, &context), 0);
    CU_ASSERT_EQUAL(in.operands.gradients[0][0], 0);
    free_inputs(&in);

    o.n_weights = 0;
    in = make_inputs(loss, &o);
    in.operands.scale = .25;
    in.operands.n_joint = 2;
    for (size_t k = 0; k < loss->n_predictions; k++) {
        free(in.operands.gradients[k]);
        in.operands.gradients[k] = in.predictions[k];
    }
    CU_ASSERT_TRUE(fabs(compute(loss, &settings, &in, &context) - value / 2) <= 1e-12 * fabs(value));
    for (size_t k = 0; k < loss->n_predictions; k++) {
        for (size_t i = 0; i < o.n_terms * o.width; i++) {
            const double expected = (double)plain.operands.gradients[k][i] / 2;
            CU_ASSERT_TRUE(fabs((double)in.predictions[k][i] - expected) <= 1e-6 * fabs(expected));
        }
        in.operands.gradients[k] = NULL;
    }
    free_inputs(&in);
    free_inputs(&plain);
    pml_context_deinit(&context);
}

static void refuses_what_does_not_fit(void) {
    const pml_loss *loss;
    pml_settings settings;
    pml_context context = make_context(1);
    pml_error error;
    double value;
    const oracle *o = plain_oracle(&loss, &settings);
    inputs in = make_inputs(loss, o);
    pml_loss_operands bad = in.operands;
    bad.predictions[loss->n_predictions - 1] = NULL;
    PML_ASSERT_FAILS(pml_loss_compute(loss, &settings, &bad, &context, &value, &error), PML_E_ARGUMENT, &error,
                     "is missing");
    bad = in.operands;
    bad.target = NULL;
    bad.classes = NULL;
    PML_ASSERT_FAILS(pml_loss_compute(loss, &settings, &bad, &context, &value, &error), PML_E_ARGUMENT, &error,
                     "needs a target");
    bad = in.operands;
    bad.n_terms = 0;
    PML_ASSERT_FAILS(pml_loss_compute(loss, &settings, &bad, &context, &value, &error), PML_E_ARGUMENT, &error,
                     "of 0 targets");
    bad = in.operands;
    bad.weights = in.predictions[0];
    bad.n_weights = 5;
    PML_ASSERT_FAILS(pml_loss_compute(loss, &settings, &bad, &context, &value, &error), PML_E_ARGUMENT, &error,
                     "5 weights do not fit");
    if (!loss->has_classes) {
        bad = in.operands;
        bad.width = o->width + 1;
        PML_ASSERT_FAILS(pml_loss_compute(loss, &settings, &bad, &context, &value, &error), PML_E_ARGUMENT, &error,
                         "a target");
    }
    free_inputs(&in);
    pml_context_deinit(&context);
}

#define LOSS_TESTS(name, ...)                                                                                          \
    static const char *loss_name(void) {                                                                               \
        return name;                                                                                                   \
    }                                                                                                                  \
    PML_TESTS("train/losses/" name, PML_TEST(agrees_with_pytorch), PML_TEST(threads_change_nothing),                   \
              PML_TEST(weights_scale_and_place), PML_TEST(refuses_what_does_not_fit), __VA_ARGS__)

#endif
