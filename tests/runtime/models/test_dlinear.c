#include "tests/runtime/models/series_model.h"

enum { B = 3, T = 12, C = 3, S = 5, K = 5, N_CLASSES = 4 };

#define SIZES "context_length=12", "prediction_length=5"

typedef struct net { /* what a test computes by the definition */
    const char *kind;
    bool is_shared;
    size_t n_channels, n_out;
} net;

static double map(const series_model *m, const net *n, const char *part, const double *x, size_t c, size_t s) {
    char weight[32], bias[32];
    (void)snprintf(weight, sizeof weight, "%s.weight", part);
    (void)snprintf(bias, sizeof bias, "%s.bias", part);
    const float *w = series_weight(m, weight) + (n->is_shared ? 0 : c * T * n->n_out);
    double sum = (double)series_weight(m, bias)[(n->is_shared ? 0 : c * n->n_out) + s];
    for (size_t t = 0; t < T; t++) {
        sum += x[t] * (double)w[t * n->n_out + s];
    }
    return sum;
}

/* y [S][C] of one window [T][C]. */
static void compute(const series_model *m, const net *n, const float *window, double *y) {
    for (size_t c = 0; c < n->n_channels; c++) {
        double x[T], trend[T], seasonal[T];
        for (size_t t = 0; t < T; t++) {
            x[t] = (double)window[t * n->n_channels + c];
        }
        for (long t = 0; t < T; t++) {
            trend[t] = 0;
            for (long i = t - K / 2; i <= t + K / 2; i++) {
                trend[t] += x[i < 0 ? 0 : i >= T ? T - 1 : i] / K;
            }
            seasonal[t] = x[t] - trend[t];
        }
        const double last = strcmp(n->kind, "nlinear") == 0 ? x[T - 1] : 0;
        for (size_t t = 0; t < T; t++) {
            x[t] -= last;
        }
        for (size_t s = 0; s < n->n_out; s++) {
            y[s * n->n_channels + c] = strcmp(n->kind, "dlinear") == 0
                                           ? map(m, n, "seasonal", seasonal, c, s) + map(m, n, "trend", trend, c, s)
                                           : map(m, n, "linear", x, c, s) + last;
        }
    }
}

static void check(const net *n, const char *const *settings, const char *port) {
    series_model m = series_open("dlinear", settings);
    float x[B * T * 8];
    double expected[T * 8];
    fill_values(x, B * T * n->n_channels);
    const pml_array input = {.name = "x", .data = x, .rank = 3, .shape = {B, T, n->n_channels}};
    PML_ASSERT_OK(pml_model_run(m.model, &input, 1, &error), &error);
    const pml_array *y = pml_model_output(m.model, port);
    CU_ASSERT_PTR_NOT_NULL_FATAL(y);
    for (size_t b = 0; b < B; b++) {
        compute(&m, n, x + b * T * n->n_channels, expected);
        CU_ASSERT_TRUE(is_close(y->data + b * n->n_out * n->n_channels, expected, n->n_out * n->n_channels));
    }
    series_close(&m);
}

static void every_kind_follows_its_definition(void) {
    static const char *const kinds[] = {"dlinear", "nlinear", "linear"};
    for (size_t i = 0; i < 3; i++) {
        const char *kind = pml_test_path("kind=%s", kinds[i]);
        check(
            &(net){kinds[i], true, C, S},
            (const char *const[]){kind, "head=prediction", SIZES, "share_linear=true", "decomposition_kernel=5", NULL},
            "prediction_outputs");
        check(&(net){kinds[i], false, C, S},
              (const char *const[]){kind, "head=prediction", SIZES, "share_linear=false", "num_input_channels=3",
                                    "decomposition_kernel=5", NULL},
              "prediction_outputs");
    }
}

/* A map that channels share takes any number of them. */
static void channels_are_free(void) {
    static const char *const settings[] = {"kind=dlinear",      "head=prediction",        SIZES,
                                           "share_linear=true", "decomposition_kernel=5", NULL};
    check(&(net){"dlinear", true, 1, S}, settings, "y");
    check(&(net){"dlinear", true, 8, S}, settings, "y");
}

static void other_heads(void) {
    check(&(net){"dlinear", true, C, T},
          (const char *const[]){"kind=dlinear", "head=reconstruction", "context_length=12", "share_linear=true",
                                "decomposition_kernel=5", NULL},
          "reconstruction");
    series_model m =
        series_open("dlinear", (const char *const[]){"kind=dlinear", "head=classification", "context_length=12",
                                                     "share_linear=true", "num_input_channels=3", "num_targets=4",
                                                     "decomposition_kernel=5", NULL});
    float x[T * C];
    double hidden[T * C], expected[N_CLASSES];
    fill_values(x, T * C);
    const pml_array input = {.name = "x_enc", .data = x, .rank = 3, .shape = {1, T, C}};
    PML_ASSERT_OK(pml_model_run(m.model, &input, 1, &error), &error);
    compute(&m, &(net){"dlinear", true, C, T}, x, hidden);
    for (size_t k = 0; k < N_CLASSES; k++) {
        expected[k] = (double)series_weight(&m, "classifier.bias")[k];
        for (size_t i = 0; i < T * C; i++) {
            expected[k] += hidden[i] * (double)series_weight(&m, "classifier.weight")[i * N_CLASSES + k];
        }
    }
    CU_ASSERT_TRUE(is_close(pml_model_output(m.model, "prediction_logits")->data, expected, N_CLASSES));
    series_close(&m);
}

static void even_kernels_are_refused(void) {
    pml_metadata *metadata =
        series_metadata("dlinear", (const char *const[]){"kind=dlinear", "head=prediction", SIZES, "share_linear=true",
                                                         "decomposition_kernel=4", NULL});
    pml_file *file = series_file(metadata, "dlinear");
    pml_model *model = NULL;
    PML_ASSERT_FAILS(pml_model_create(file, NULL, &model, &error), PML_E_CONFIG, &error, "must be odd: an even window");
    pml_file_close(file);
    pml_metadata_destroy(metadata);
}

PML_TESTS("runtime/models/dlinear", PML_TEST(every_kind_follows_its_definition), PML_TEST(channels_are_free),
          PML_TEST(other_heads), PML_TEST(even_kernels_are_refused))
