#include "runtime/ops/signal.h"
#include "tests/runtime/ops/gradient_test.h"

enum { MAX_STEPS = 40 };

static double at(const pml_tensor *x, size_t b, size_t t, size_t d) {
    return t < x->shape[1] ? (double)pml_tensor_f32_const(x)[(b * x->shape[1] + t) * x->shape[2] + d] : 0;
}

static void expected_means(const pml_tensor *q, const pml_tensor *k, size_t b, double *r) {
    const size_t n = q->shape[1];
    for (size_t u = 0; u < n; u++) {
        r[u] = 0;
        for (size_t t = 0; t < n; t++) {
            for (size_t d = 0; d < q->shape[2]; d++) {
                r[u] += at(q, b, (t + u) % n, d) * at(k, b, t, d) / (double)q->shape[2];
            }
        }
    }
}

/* The formula in double, with delays chosen by sorting. */
static void check(const pml_tensor *q, const pml_tensor *k, const pml_tensor *v, size_t n_delays, bool share) {
    pml_tensor y;
    const pml_autocorrelation_options options = {.n_delays = n_delays, .share_delays = share};
    PML_ASSERT_OK(pml_op_autocorrelation(&context, q, k, v, &options, &y, &error), &error);
    CU_ASSERT_TRUE_FATAL(has_shape(&y, q->shape, 3));
    const size_t n = q->shape[1], n_samples = q->shape[0];
    double r[4][MAX_STEPS], mean[MAX_STEPS] = {0};
    for (size_t b = 0; b < n_samples; b++) {
        expected_means(q, k, b, r[b]);
        for (size_t u = 0; u < n; u++) {
            mean[u] += r[b][u];
        }
    }
    for (size_t b = 0; b < n_samples; b++) {
        bool is_taken[MAX_STEPS] = {false};
        size_t delays[MAX_STEPS];
        double weights[MAX_STEPS], total = 0;
        for (size_t i = 0; i < n_delays; i++) {
            size_t best = n;
            for (size_t u = 0; u < n; u++) {
                const double *by = share ? mean : r[b];
                best = !is_taken[u] && (best == n || by[u] > by[best]) ? u : best;
            }
            is_taken[best] = true;
            delays[i] = best;
            weights[i] = exp(r[b][best]);
            total += weights[i];
        }
        for (size_t j = 0; j < n * q->shape[2]; j++) {
            double sum = 0;
            for (size_t i = 0; i < n_delays; i++) {
                sum += weights[i] / total * at(v, b, (j / q->shape[2] + delays[i]) % n, j % q->shape[2]);
            }
            CU_ASSERT_TRUE(is_near((double)pml_tensor_f32(&y)[b * n * q->shape[2] + j], sum, 2e-6));
        }
    }
}

/* Odd and even lengths, keys shorter and longer than queries, one delay and all of them, both ways to choose. */
static void series_are_aligned_by_their_delays(void) {
    static const struct {
        size_t n_samples, n_steps, n_key_steps, n_columns, n_delays;
    } cases[] = {{1, 1, 1, 1, 1},   {2, 7, 7, 5, 3},  {3, 36, 36, 16, 7}, {2, 37, 24, 8, 37},
                 {2, 13, 36, 4, 5}, {1, 24, 1, 3, 2}, {4, 40, 39, 2, 1}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (int share = 0; share < 2; share++) {
            begin_test(1 << 18);
            pml_tensor q = make_tensor(SHAPE(cases[i].n_samples, cases[i].n_steps, cases[i].n_columns));
            pml_tensor k = make_tensor(SHAPE(cases[i].n_samples, cases[i].n_key_steps, cases[i].n_columns));
            pml_tensor v = make_tensor(SHAPE(cases[i].n_samples, cases[i].n_key_steps, cases[i].n_columns));
            check(&q, &k, &v, cases[i].n_delays, share == 1);
            const size_t work = pml_autocorrelation_work_bytes(cases[i].n_samples, cases[i].n_steps);
            CU_ASSERT_EQUAL(context.workspace_missed_bytes, 0);
            CU_ASSERT_TRUE(context.workspace_peak_bytes <=
                           work + PML_FLOATS(cases[i].n_samples, cases[i].n_steps, cases[i].n_columns));
            end_test();
        }
    }
}

/* Equal correlations: the lower delays first, each once. */
static void equal_correlations_keep_their_order(void) {
    begin_test(1 << 16);
    pml_tensor q = make_tensor(SHAPE(1, 6, 2)), v = make_tensor(SHAPE(1, 6, 2)), y;
    memset(pml_tensor_f32(&q), 0, 12 * sizeof(float));
    PML_ASSERT_OK(
        pml_op_autocorrelation(&context, &q, &q, &v, &(pml_autocorrelation_options){.n_delays = 2}, &y, &error),
        &error);
    for (size_t j = 0; j < 12; j++) {
        const double expected = 0.5 * at(&v, 0, j / 2, j % 2) + 0.5 * at(&v, 0, (j / 2 + 1) % 6, j % 2);
        CU_ASSERT_TRUE(is_near((double)pml_tensor_f32(&y)[j], expected, 1e-6));
    }
    end_test();
}

static void not_a_number_stays_in_its_sample(void) {
    begin_test(1 << 16);
    pml_tensor q = make_tensor(SHAPE(2, 6, 2)), y;
    pml_tensor_f32(&q)[3] = NAN;
    PML_ASSERT_OK(
        pml_op_autocorrelation(&context, &q, &q, &q, &(pml_autocorrelation_options){.n_delays = 2}, &y, &error),
        &error);
    for (size_t j = 0; j < 12; j++) {
        CU_ASSERT_TRUE(isnan(pml_tensor_f32(&y)[j]));
        CU_ASSERT_FALSE(isnan(pml_tensor_f32(&y)[12 + j]));
    }
    end_test();
}

static void what_does_not_fit_is_refused(void) {
    begin_test(1 << 16);
    pml_tensor q = make_tensor(SHAPE(1, 6, 2)), k = make_tensor(SHAPE(1, 5, 3)), y;
    const pml_autocorrelation_options none = {.n_delays = 0}, many = {.n_delays = 7};
    PML_ASSERT_FAILS(pml_op_autocorrelation(&context, &q, &k, &k, &many, &y, &error), PML_E_ARGUMENT, &error, "fit");
    PML_ASSERT_FAILS(pml_op_autocorrelation(&context, &q, &q, &q, &none, &y, &error), PML_E_ARGUMENT, &error, "0 del");
    PML_ASSERT_FAILS(pml_op_autocorrelation(&context, &q, &q, &q, &many, &y, &error), PML_E_ARGUMENT, &error, "7 del");
    end_test();
}

/* numpy.fft.irfft(numpy.fft.rfft(r)), whose output has an even number of values. */
static void odd_numbers_of_steps_are_rounded(void) {
    static const struct {
        size_t n;
        double r[7], rounded[7];
    } cases[] = {
        {3, {3, -1, 4}, {3.75, 2.25}},
        {5, {3, -1, 4, 1, -5}, {1.4002032654688947, 0.93399417649791117, 4.2993902035933171, -4.633587645560123}},
        {7,
         {2, 7, 1, -8, 2.5, 8, 1},
         {2.0620795982885034, 8.5260080066738926, -4.1153752048164929, -5.1074670602853818, 9.6170568116624793,
          2.5176978484769998}}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        double r[7], work[28];
        memcpy(r, cases[i].r, sizeof r);
        pml_correlation_round(r, cases[i].n, work);
        for (size_t u = 0; u < cases[i].n; u++) {
            CU_ASSERT_DOUBLE_EQUAL(r[u], cases[i].rounded[u], 1e-12);
        }
    }
    begin_test(1 << 16);
    pml_tensor x = make_tensor(SHAPE(2, 7, 3)), y;
    pml_autocorrelation_options options = {.n_delays = 6, .is_rounded = true};
    double r[7], work[28];
    PML_ASSERT_OK(pml_op_autocorrelation(&context, &x, &x, &x, &options, &y, &error), &error);
    for (size_t b = 0; b < 2; b++) {
        double total = 0;
        expected_means(&x, &x, b, r);
        pml_correlation_round(r, 7, work);
        for (size_t u = 0; u < 6; u++) {
            total += exp(r[u]);
        }
        for (size_t j = 0; j < 21; j++) {
            double sum = 0;
            for (size_t u = 0; u < 6; u++) {
                sum += exp(r[u]) / total * at(&x, b, (j / 3 + u) % 7, j % 3);
            }
            CU_ASSERT_TRUE(is_near((double)pml_tensor_f32(&y)[b * 21 + j], sum, 2e-6));
        }
    }
    options.n_delays = 7;
    PML_ASSERT_FAILS(pml_op_autocorrelation(&context, &x, &x, &x, &options, &y, &error), PML_E_ARGUMENT, &error,
                     "7 del");
    end_test();
}

typedef struct gradient_case {
    size_t n_samples, n_steps, n_key_steps, n_columns, n_delays;
    bool share, is_rounded;
} gradient_case;

static pml_status of_three(pml_tensor *leaves, void *user, pml_tensor *y) {
    const gradient_case *is = user;
    return pml_op_autocorrelation(&context, &leaves[0], &leaves[1], &leaves[2],
                                  &(pml_autocorrelation_options){.n_delays = is->n_delays,
                                                                 .share_delays = is->share,
                                                                 .is_rounded = is->is_rounded},
                                  y, &error);
}

static pml_status of_one(pml_tensor *leaves, void *user, pml_tensor *y) {
    const gradient_case *is = user;
    return pml_op_autocorrelation(&context, &leaves[0], &leaves[0], &leaves[0],
                                  &(pml_autocorrelation_options){.n_delays = is->n_delays,
                                                                 .share_delays = is->share,
                                                                 .is_rounded = is->is_rounded},
                                  y, &error);
}

/* Queries that are the keys, moved by `delay` steps, and a little noise: correlations then differ by far more than one
 * changed value changes them, and so no difference chooses other delays. */
static void make_alike(pml_tensor *q, const pml_tensor *k, size_t delay) {
    const size_t n = q->shape[1], n_columns = q->shape[2], n_keys = k->shape[1];
    for (size_t i = 0; i < pml_tensor_count(q); i++) {
        const size_t b = i / n_columns / n, t = (i / n_columns + n - delay % n) % n;
        pml_tensor_f32(q)[i] *= 0.5F;
        pml_tensor_f32(q)[i] += t < n_keys ? (float)at(k, b, t, i % n_columns) : 0;
    }
}

static void gradients_match_differences(void) {
    static const gradient_case cases[] = {
        {2, 7, 7, 18, 7, false, false}, {2, 7, 7, 18, 7, true, false},  {3, 6, 4, 5, 1, false, false},
        {3, 6, 4, 5, 1, true, false},   {2, 5, 9, 33, 2, false, false}, {2, 5, 9, 33, 1, true, false},
        {1, 1, 1, 1, 1, false, true},   {2, 7, 7, 18, 6, false, true},  {2, 7, 4, 18, 6, true, true},
        {2, 5, 9, 33, 1, true, true},   {3, 3, 3, 2, 2, false, true}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        begin_test(1 << 20);
        PML_ASSERT_OK(pml_context_threads_set(&context, 1 + i % 3, &error), &error);
        context.share_cost = 1;
        gradient_case is = cases[i];
        pml_tensor leaves[] = {make_tensor(SHAPE(is.n_samples, is.n_steps, is.n_columns)),
                               make_tensor(SHAPE(is.n_samples, is.n_key_steps, is.n_columns)),
                               make_tensor(SHAPE(is.n_samples, is.n_key_steps, is.n_columns))};
        make_alike(&leaves[0], &leaves[1], 2);
        check_gradients(of_three, leaves, 3, &is);
        check_gradients(of_three, leaves, 1, &is);
        is.n_delays = is.is_rounded && is.n_steps > 1 ? is.n_steps - 1 : is.n_steps;
        check_gradients(of_one, leaves, 1, &is);
        end_test();
    }
}

PML_TESTS("runtime/ops/autocorrelation", PML_TEST(gradients_match_differences),
          PML_TEST(series_are_aligned_by_their_delays), PML_TEST(equal_correlations_keep_their_order),
          PML_TEST(not_a_number_stays_in_its_sample), PML_TEST(what_does_not_fit_is_refused),
          PML_TEST(odd_numbers_of_steps_are_rounded))
