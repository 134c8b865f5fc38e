/* What all tests of optimizers share: PyTorch's 100 steps, threads. */
#ifndef PML_TESTS_RUNTIME_TRAIN_OPTIMIZERS_OPTIMIZER_CASE_H
#define PML_TESTS_RUNTIME_TRAIN_OPTIMIZERS_OPTIMIZER_CASE_H

#include <math.h>
#include <stdio.h>

#include "runtime/base/alloc.h"
#include "runtime/train/optimizer.h"
#include "tests/harness.h"
#include "tests/runtime/train/oracle_inputs.h"

typedef struct oracle {
    const char *spec;
    uint64_t n_steps;
    const double *numbers; /* values, then each slot */
} oracle;
#define PML_ORACLE(spec, n_steps, ...) {spec, n_steps, (const double[]){__VA_ARGS__}},
static const oracle oracles[] = {
#include "tests/runtime/train/optimizers/oracle.def"
};
#undef PML_ORACLE

enum { N_ELEMENTS = 10 };
static const char *optimizer_name(void); /* OPTIMIZER_TESTS defines it */

static pml_context make_context(size_t n_threads) {
    pml_context context = {0};
    pml_error error;
    PML_ASSERT_OK(pml_context_init(&context, NULL, &error), &error);
    PML_ASSERT_OK(pml_context_threads_set(&context, n_threads, &error), &error);
    context.share_cost = 1;
    return context;
}

/* A parameter of `count` elements with slots of 0. */
static pml_parameter_view make_view(const char *name, size_t count, uint32_t seed) {
    pml_parameter_view view = {.name = name, .count = count};
    view.value = calloc(count + 1, sizeof(float));
    view.gradient = calloc(count + 1, sizeof(float));
    for (size_t k = 0; k < PML_PARAMETER_MAX_SLOTS; k++) {
        view.slots[k] = calloc(count + 1, sizeof(float));
    }
    for (size_t i = 0; i < count; i++) {
        view.value[i] = oracle_number(seed, i, "real");
    }
    return view;
}

static void free_view(pml_parameter_view *view) {
    free(view->value);
    free(view->gradient);
    for (size_t k = 0; k < PML_PARAMETER_MAX_SLOTS; k++) {
        free(view->slots[k]);
    }
}

static void set_gradients(pml_parameter_view *view, uint64_t i_step) {
    for (size_t i = 0; i < view->count; i++) {
        view->gradient[i] = oracle_number((uint32_t)(100 + i_step), i, "real") * .7f + .3f;
    }
    view->gradient[3] = 0;
}

static void check_against(const oracle *o, const pml_parameter_view *view, size_t n_slots) {
    for (size_t k = 0; k <= n_slots; k++) {
        const float *mine = k == 0 ? view->value : view->slots[k - 1];
        const double *theirs = o->numbers + k * N_ELEMENTS;
        double most = 0, worst = 0;
        for (size_t i = 0; i < N_ELEMENTS; i++) {
            most = fmax(most, fabs(theirs[i]));
            worst = fmax(worst, fabs((double)mine[i] - theirs[i]));
        }
        if (!(worst <= 1e-6 * most)) {
            (void)printf("\n  %s, %llu steps, array %zu: differs by %g of %g", o->spec, (unsigned long long)o->n_steps,
                         k, worst, most);
        }
        CU_ASSERT_TRUE(worst <= 1e-6 * most);
    }
}

static void takes_pytorchs_steps(void) {
    pml_context context = make_context(1);
    size_t n_checked = 0;
    const size_t length = strlen(optimizer_name());
    for (const oracle *o = oracles; o < oracles + sizeof oracles / sizeof oracles[0]; o++) {
        if (strncmp(o->spec, optimizer_name(), length) != 0 || o->spec[length] != ':') {
            continue;
        }
        const pml_optimizer *optimizer;
        pml_settings settings;
        pml_error error;
        pml_parameter_set set;
        pml_parameter_view view = make_view("w", N_ELEMENTS, 1);
        PML_ASSERT_OK(pml_optimizer_choose(o->spec, &optimizer, &settings, &error), &error);
        PML_ASSERT_OK(pml_parameter_set_init(&set, &view, 1, &error), &error);
        for (uint64_t i_step = 1; i_step <= o->n_steps; i_step++) {
            set_gradients(&view, i_step);
            pml_optimizer_step(optimizer, &settings, &set, i_step, pow(.99, (double)i_step), &context);
        }
        check_against(o, &view, pml_optimizer_slots(optimizer, &settings));
        n_checked++;
        pml_parameter_set_deinit(&set);
        free_view(&view);
    }
    CU_ASSERT_TRUE(n_checked >= 6);
    pml_context_deinit(&context);
}

/* Several parameters over several parts, by one thread and by three. */
static void threads_change_nothing(void) {
    static const size_t counts[] = {7, 40000, 16384, 5, 9000};
    enum { N_VIEWS = sizeof counts / sizeof counts[0] };
    pml_parameter_view views[2][N_VIEWS];
    pml_error error;
    for (size_t round = 0; round < 2; round++) {
        const pml_optimizer *optimizer;
        pml_settings settings;
        pml_parameter_set set;
        pml_context context = make_context(round == 0 ? 1 : 3);
        PML_ASSERT_OK(pml_optimizer_choose(optimizer_name(), &optimizer, &settings, &error), &error);
        for (size_t i = 0; i < N_VIEWS; i++) {
            views[round][i] = make_view("w", counts[i], (uint32_t)i);
            set_gradients(&views[round][i], i);
        }
        PML_ASSERT_OK(pml_parameter_set_init(&set, views[round], N_VIEWS, &error), &error);
        for (uint64_t i_step = 1; i_step <= 3; i_step++) {
            const uint64_t before = pml_allocation_count();
            pml_optimizer_step(optimizer, &settings, &set, i_step, 1, &context);
            CU_ASSERT_TRUE(i_step == 1 || pml_allocation_count() == before);
        }
        pml_parameter_set_deinit(&set);
        pml_context_deinit(&context);
    }
    for (size_t i = 0; i < N_VIEWS; i++) {
        CU_ASSERT_TRUE(memcmp(views[0][i].value, views[1][i].value, counts[i] * sizeof(float)) == 0);
        CU_ASSERT_NOT_EQUAL(views[0][i].value[counts[i] - 1], oracle_number((uint32_t)i, counts[i] - 1, "real"));
        free_view(&views[0][i]);
        free_view(&views[1][i]);
    }
}

#define OPTIMIZER_TESTS(name)                                                                                          \
    static const char *optimizer_name(void) {                                                                          \
        return name;                                                                                                   \
    }                                                                                                                  \
    PML_TESTS("train/optimizers/" name, PML_TEST(takes_pytorchs_steps), PML_TEST(threads_change_nothing))

#endif
