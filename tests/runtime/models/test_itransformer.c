#include "tests/runtime/models/series_model.h"

enum { B = 2, T = 6, S = 3, D = 8, F = 12, H = 2, L = 2, M = 4, MOST = 16 };

#define SIZES                                                                                                          \
    "context_length=6", "num_hidden_layers=2", "d_model=8", "num_attention_heads=2", "ffn_dim=12", "activation=gelu",  \
        "frequency=h"

static const series_model *of; /* the model whose weights are read */

static double linear(const char *name, const double *x, size_t n_in, size_t n_out, size_t i) {
    const float *w = series_weight(of, pml_test_path("%s.weight", name));
    double sum = (double)series_weight(of, pml_test_path("%s.bias", name))[i];
    for (size_t k = 0; k < n_in; k++) {
        sum += x[k] * (double)w[k * n_out + i];
    }
    return sum;
}

static void layer_norm(const char *name, double *x) {
    double mean = 0, variance = 0;
    for (size_t i = 0; i < D; i++) {
        mean += x[i] / D;
    }
    for (size_t i = 0; i < D; i++) {
        variance += (x[i] - mean) * (x[i] - mean) / D;
    }
    for (size_t i = 0; i < D; i++) {
        x[i] = (x[i] - mean) / sqrt(variance + 1e-5) * (double)series_weight(of, pml_test_path("%s.weight", name))[i] +
               (double)series_weight(of, pml_test_path("%s.bias", name))[i];
    }
}

static double gelu(double x) {
    return 0.5 * x * (1 + erf(x / sqrt(2)));
}

static void layer(size_t l, size_t n, double h[MOST][D]) {
    double q[MOST][D], k[MOST][D], v[MOST][D], y[MOST][D], up[F];
    const char *in = pml_test_path("encoder.layer.%zu", l);
    for (size_t i = 0; i < n; i++) {
        for (size_t d = 0; d < D; d++) {
            q[i][d] = linear(pml_test_path("%s.attention.q", in), h[i], D, D, d);
            k[i][d] = linear(pml_test_path("%s.attention.k", in), h[i], D, D, d);
            v[i][d] = linear(pml_test_path("%s.attention.v", in), h[i], D, D, d);
        }
    }
    for (size_t i = 0; i < n; i++) {
        for (size_t head = 0; head < H; head++) {
            double weights[MOST], sum = 0;
            for (size_t j = 0; j < n; j++) {
                double score = 0;
                for (size_t d = head * D / H; d < (head + 1) * D / H; d++) {
                    score += q[i][d] * k[j][d];
                }
                sum += weights[j] = exp(score / sqrt((double)D / H));
            }
            for (size_t d = head * D / H; d < (head + 1) * D / H; d++) {
                y[i][d] = 0;
                for (size_t j = 0; j < n; j++) {
                    y[i][d] += weights[j] / sum * v[j][d];
                }
            }
        }
    }
    for (size_t i = 0; i < n; i++) {
        double sum[D];
        for (size_t d = 0; d < D; d++) {
            sum[d] = h[i][d] + linear(pml_test_path("%s.attention.out", in), y[i], D, D, d);
        }
        layer_norm(pml_test_path("%s.norm1", in), sum);
        for (size_t f = 0; f < F; f++) {
            up[f] = gelu(linear(pml_test_path("%s.ffn.up", in), sum, D, F, f));
        }
        for (size_t d = 0; d < D; d++) {
            h[i][d] = sum[d] + linear(pml_test_path("%s.ffn.down", in), up, F, D, d);
        }
        layer_norm(pml_test_path("%s.norm2", in), h[i]);
    }
}

/* Tokens after the encoder, with the statistics of each channel of x [T][n]. */
static void encode(const float *x, const float *marks, size_t n, bool is_scaled, double h[MOST][D], double *loc,
                   double *scale) {
    const size_t n_tokens = n + (marks != NULL ? M : 0);
    for (size_t c = 0; c < n_tokens; c++) {
        double token[T], mean = 0, variance = 0;
        for (size_t t = 0; t < T; t++) {
            token[t] = c < n ? (double)x[t * n + c] : (double)marks[t * M + c - n];
            mean += token[t] / T;
        }
        for (size_t t = 0; t < T; t++) {
            variance += (token[t] - mean) * (token[t] - mean) / T;
        }
        loc[c] = is_scaled && c < n ? mean : 0;
        scale[c] = is_scaled && c < n ? sqrt(variance + 1e-5) : 1;
        for (size_t t = 0; t < T; t++) {
            token[t] = (token[t] - loc[c]) / scale[c];
        }
        for (size_t d = 0; d < D; d++) {
            h[c][d] = linear("embedding", token, T, D, d);
        }
    }
    for (size_t l = 0; l < L; l++) {
        layer(l, n_tokens, h);
    }
    for (size_t c = 0; c < n_tokens; c++) {
        layer_norm("encoder.norm", h[c]);
    }
}

static void check(const char *const *settings, const char *port, size_t n, size_t n_out, bool has_marks,
                  bool is_scaled) {
    series_model m = series_open("itransformer", settings);
    float x[B * T * MOST], marks[B * T * M];
    double h[MOST][D], loc[MOST], scale[MOST], expected[MOST * T];
    of = &m;
    fill_values(x, B * T * n);
    fill_values(marks, B * T * M);
    const pml_array inputs[] = {{.name = "x_enc", .data = x, .rank = 3, .shape = {B, T, n}},
                                {.name = "x_mark_enc", .data = marks, .rank = 3, .shape = {B, T, M}}};
    PML_ASSERT_OK(pml_model_run(m.model, inputs, has_marks ? 2 : 1, &error), &error);
    const pml_array *y = pml_model_output(m.model, port);
    CU_ASSERT_PTR_NOT_NULL_FATAL(y);
    for (size_t b = 0; b < B; b++) {
        encode(x + b * T * n, has_marks ? marks + b * T * M : NULL, n, is_scaled, h, loc, scale);
        for (size_t s = 0; s < n_out; s++) {
            for (size_t c = 0; c < n; c++) {
                expected[s * n + c] = linear("head", h[c], D, n_out, s) * scale[c] + loc[c];
            }
        }
        CU_ASSERT_TRUE(is_close(y->data + b * n_out * n, expected, n_out * n));
    }
    series_close(&m);
}

/* The same weights serve any number of channels, with and without time marks. */
static void channels_and_marks_are_tokens(void) {
    static const char *const scaled[] = {"head=prediction",      SIZES, "prediction_length=3", "scaling=std",
                                         "time_embedding=timeF", NULL};
    static const char *const plain[] = {"head=prediction",      SIZES, "prediction_length=3", "scaling=none",
                                        "time_embedding=timeF", NULL};
    check(scaled, "prediction_outputs", 3, S, true, true);
    check(scaled, "prediction_outputs", 3, S, false, true);
    check(scaled, "y", 1, S, true, true);
    check(scaled, "y", 9, S, true, true);
    check(plain, "y", 3, S, true, false);
}

static void other_heads(void) {
    check((const char *const[]){"head=reconstruction", SIZES, "scaling=std", "time_embedding=none", NULL},
          "reconstruction", 3, T, false, true);
    series_model m = series_open("itransformer", (const char *const[]){"head=classification", SIZES, "scaling=std",
                                                                       "time_embedding=none", "num_input_channels=3",
                                                                       "num_targets=4", NULL});
    float x[T * 3];
    double h[MOST][D], loc[MOST], scale[MOST], features[3 * D], expected[4];
    of = &m;
    fill_values(x, T * 3);
    const pml_array input = {.name = "x", .data = x, .rank = 3, .shape = {1, T, 3}};
    PML_ASSERT_OK(pml_model_run(m.model, &input, 1, &error), &error);
    encode(x, NULL, 3, false, h, loc, scale);
    for (size_t i = 0; i < 3 * (size_t)D; i++) {
        features[i] = gelu(h[i / D][i % D]);
    }
    for (size_t k = 0; k < 4; k++) {
        expected[k] = linear("classifier", features, 3 * D, 4, k);
    }
    CU_ASSERT_TRUE(is_close(pml_model_output(m.model, "prediction_logits")->data, expected, 4));
    series_close(&m);
}

static void marks_have_their_width(void) {
    series_model m = series_open("itransformer", (const char *const[]){"head=prediction", SIZES, "prediction_length=3",
                                                                       "scaling=std", "time_embedding=timeF", NULL});
    float x[T * 5] = {0};
    const pml_array inputs[] = {{.name = "x", .data = x, .rank = 3, .shape = {1, T, 2}},
                                {.name = "x_mark", .data = x, .rank = 3, .shape = {1, T, 5}}};
    PML_ASSERT_FAILS(pml_model_run(m.model, inputs, 2, &error), PML_E_ARGUMENT, &error, "past_marks");
    series_close(&m);
}

PML_TESTS("runtime/models/itransformer", PML_TEST(channels_and_marks_are_tokens), PML_TEST(other_heads),
          PML_TEST(marks_have_their_width))
