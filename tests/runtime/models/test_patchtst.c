#include "tests/runtime/models/patchtst_reference.h"

enum { B = 5 };

static float values[B * T * C], observed[B * T * C], mask[B * C * N];
static reference expected;

static bool matches(const pml_model *model, const char *port, const double *wanted, size_t per_sample, size_t stride) {
    const pml_array *output = pml_model_output(model, port);
    if (output == NULL || output->data == NULL) {
        printf("    no output %s\n", port);
        return false;
    }
    for (size_t i = 0; i < B * per_sample; i++) {
        double y = (double)output->data[i], truth = wanted[i / per_sample * stride + i % per_sample];
        if (!(fabs(y - truth) <= 2e-5 * (1 + fabs(truth)))) {
            printf("    %s[%zu] is %.9g, expected %.9g\n", port, i, y, truth);
            return false;
        }
    }
    return true;
}

static bool matches_head(const pml_model *model, const char *port, size_t k, size_t per_sample) {
    return matches(model, port, expected.head[k][0], per_sample, sizeof expected.head[0][0] / sizeof(double));
}

/* Runs the build and computes what is expected of it. */
static opened run(build b, bool with_observed, bool with_mask) {
    b.is_row = true;
    opened o = open_model(&b, NULL);
    fill_series(values, B);
    for (size_t i = 0; i < B * T * C; i++) {
        observed[i] = i / C / T == 1 && i % C == 2 ? 0 : (float)(i % 7 != 3);
    }
    for (size_t i = 0; i < B * C * N; i++) {
        mask[i] = (float)(i % 5 == 1 || i % 11 == 0);
    }
    memset(&expected, 0, sizeof expected);
    compute_reference(&b, o.file, values, with_observed ? observed : NULL, with_mask ? mask : NULL, B, &expected);
    pml_array inputs[3] = {series(values, B)};
    size_t n_inputs = 1;
    if (with_observed) {
        inputs[n_inputs] = series(observed, B);
        inputs[n_inputs++].name = "past_observed_mask";
    }
    if (with_mask) {
        inputs[n_inputs++] = (pml_array){.name = "mask", .data = mask, .rank = 3, .shape = {B, C, N}};
    }
    PML_ASSERT_OK(pml_model_run(o.model, inputs, n_inputs, &error), &error);
    return o;
}

/* y * scale + loc of projection k, as the forecast should be. */
static bool matches_rescaled(const pml_model *model, const char *port, size_t k) {
    static double wanted[B][S * C];
    for (size_t i = 0; i < B * S * C; i++) {
        size_t s = i / C / S, c = i % C;
        wanted[s][i % (S * C)] = expected.head[k][s][i % (S * C)] * expected.scale[s][c] + expected.loc[s][c];
    }
    return matches(model, port, wanted[0], S * C, S * C);
}

static void check_prediction(build b) {
    opened o = run(b, false, false);
    CU_ASSERT_TRUE(matches_rescaled(o.model, "prediction_outputs", 0));
    CU_ASSERT_TRUE(matches(o.model, "loc", expected.loc[0], C, C));
    CU_ASSERT_TRUE(matches(o.model, "scale", expected.scale[0], C, C));
    close_model(&o);
}

static void predicts_in_every_configuration(void) {
    check_prediction((build){0});
    check_prediction((build){.post_norm = true});
    check_prediction((build){.norm_type = "layernorm"});
    check_prediction((build){.norm_type = "layernorm", .post_norm = true});
    check_prediction((build){.channel_attention = true});
    check_prediction((build){.channel_attention = true, .post_norm = true, .norm_type = "layernorm"});
    check_prediction((build){.use_cls_token = true});
    check_prediction((build){.use_cls_token = true, .channel_attention = true});
    check_prediction((build){.use_cls_token = true, .pooling = "mean"});
    check_prediction((build){.pooling = "mean"});
    check_prediction((build){.pooling = "max"});
    check_prediction((build){.scaling = "mean"});
    check_prediction((build){.scaling = "none"});
    check_prediction((build){.no_ffn_bias = true});
    check_prediction((build){.separate_embedding = true});
    check_prediction((build){.separate_projection = true});
    check_prediction((build){.separate_projection = true, .pooling = "max", .separate_embedding = true});
}

static void missing_steps_stay_out_of_the_statistics(void) {
    static const char *const scalings[] = {"std", "mean"};
    for (size_t i = 0; i < 2; i++) {
        opened o = run((build){.scaling = scalings[i]}, true, false);
        CU_ASSERT_TRUE(matches_rescaled(o.model, "prediction_outputs", 0));
        CU_ASSERT_TRUE(matches(o.model, "scale", expected.scale[0], C, C));
        close_model(&o);
    }
}

static void gives_the_bare_encoder(void) {
    opened o = run((build){.head = "none", .use_cls_token = true}, false, false);
    CU_ASSERT_TRUE(matches(o.model, "last_hidden_state", expected.hidden[0][0][0], C * (N + 1) * D, C * (N + 1) * D));
    CU_ASSERT_TRUE(matches(o.model, "patch_input", expected.patches[0][0][0], C * N * P, C * N * P));
    close_model(&o);
    o = run((build){.head = "none", .mask_input = true, .use_cls_token = true}, false, true);
    CU_ASSERT_TRUE(matches(o.model, "last_hidden_state", expected.hidden[0][0][0], C * (N + 1) * D, C * (N + 1) * D));
    CU_ASSERT_TRUE(matches(o.model, "patch_input", expected.patches[0][0][0], C * N * P, C * N * P)); /* not masked */
    close_model(&o);
}

static void reconstructs_masked_patches(void) {
    opened o = run((build){.head = "pretraining", .mask_input = true}, false, true);
    CU_ASSERT_TRUE(matches_head(o.model, "prediction_output", 0, C * N * P));
    close_model(&o);
    o = run((build){.head = "pretraining", .mask_input = true, .use_cls_token = true}, false, true);
    CU_ASSERT_TRUE(matches_head(o.model, "prediction_output", 0, C * N * P));
    close_model(&o);
    o = run((build){.head = "pretraining", .mask_input = true}, false, false); /* no mask: nothing is hidden */
    CU_ASSERT_TRUE(matches_head(o.model, "prediction_output", 0, C * N * P));
    close_model(&o);
}

static void classifies_and_regresses(void) {
    opened o = run((build){.head = "classification", .pooling = "mean"}, false, false);
    CU_ASSERT_TRUE(matches_head(o.model, "prediction_logits", 0, 4));
    close_model(&o);
    o = run((build){.head = "regression", .use_cls_token = true}, false, false);
    CU_ASSERT_TRUE(matches_head(o.model, "regression_outputs", 0, 4));
    close_model(&o);
    o = run((build){.head = "regression", .pooling = "max", .has_range = true}, false, false);
    for (size_t i = 0; i < B * 4; i++) {
        expected.head[0][i / 4][i % 4] = 9 / (1 + exp(-expected.head[0][i / 4][i % 4])) - 2;
    }
    CU_ASSERT_TRUE(matches_head(o.model, "regression_outputs", 0, 4));
    close_model(&o);
}

static void squareplus_all(size_t k, double shift, size_t per_sample) {
    for (size_t i = 0; i < B * per_sample; i++) {
        double *y = &expected.head[k][i / per_sample][i % per_sample];
        *y = shift + (*y + sqrt(*y * *y + 4)) / 2;
    }
}

static void gives_distribution_arguments(void) {
    opened o = run((build){.distribution = "student_t"}, false, false);
    squareplus_all(0, 2, S * C);
    squareplus_all(2, 0, S * C);
    CU_ASSERT_TRUE(matches_head(o.model, "df", 0, S * C));
    CU_ASSERT_TRUE(matches_head(o.model, "dist_loc", 1, S * C));
    CU_ASSERT_TRUE(matches_head(o.model, "dist_scale", 2, S * C));
    CU_ASSERT_TRUE(matches_rescaled(o.model, "forecast", 1));
    CU_ASSERT_PTR_NULL(pml_model_output(o.model, "prediction_outputs"));
    close_model(&o);

    o = run((build){.distribution = "normal", .separate_projection = true}, false, false);
    squareplus_all(1, 0, S * C);
    CU_ASSERT_TRUE(matches_head(o.model, "dist_loc", 0, S * C));
    CU_ASSERT_TRUE(matches_head(o.model, "dist_scale", 1, S * C));
    CU_ASSERT_TRUE(matches_rescaled(o.model, "forecast", 0));
    close_model(&o);

    o = run((build){.distribution = "normal", .head = "regression", .pooling = "mean"}, false, false);
    squareplus_all(1, 0, 4);
    CU_ASSERT_TRUE(matches_head(o.model, "dist_loc", 0, 4));
    CU_ASSERT_TRUE(matches_head(o.model, "dist_scale", 1, 4));
    close_model(&o);
}

static void negative_binomial_scales_its_logits(void) {
    opened o = run((build){.distribution = "negative_binomial"}, false, false);
    squareplus_all(0, 0, S * C);
    CU_ASSERT_TRUE(matches_head(o.model, "dist_loc", 0, S * C));
    CU_ASSERT_TRUE(matches_head(o.model, "dist_scale", 1, S * C));
    for (size_t i = 0; i < B * S * C; i++) {
        size_t s = i / C / S, k = i % (S * C);
        expected.head[2][s][k] = expected.head[0][s][k] * exp(expected.head[1][s][k] + log(expected.scale[s][i % C]));
    }
    CU_ASSERT_TRUE(matches_head(o.model, "forecast", 2, S * C));
    close_model(&o);
}

static void bf16_matrices_stay_close(void) {
    opened o = run((build){0}, false, false), narrow = open_model(&(build){.is_bf16 = true}, NULL);
    CU_ASSERT_TRUE(pml_model_has_bf16(narrow.model));
    CU_ASSERT_FALSE(pml_model_has_bf16(o.model));
    PML_ASSERT_OK(pml_model_run(narrow.model, (const pml_array[]){series(values, B)}, 1, &error), &error);
    const pml_array *exact = pml_model_output(o.model, "prediction_outputs");
    const pml_array *rounded = pml_model_output(narrow.model, "prediction_outputs");
    double difference = 0, total = 0;
    for (size_t i = 0; i < B * S * C; i++) {
        difference += pow((double)exact->data[i] - (double)rounded->data[i], 2);
        total += pow((double)exact->data[i], 2);
    }
    CU_ASSERT_TRUE(difference > 0 && sqrt(difference / total) < 3e-2);
    close_model(&narrow);
    close_model(&o);
}

static size_t n_probed;
static void probe(void *user, const char *name, size_t first_row, const pml_tensor *tensor) {
    static const char *const names[] = {"masked_patches", "embed", "layer0", "layer1"};
    const bool *is_first = user;
    CU_ASSERT_TRUE(*is_first == (first_row == 0) || n_probed >= 4);
    CU_ASSERT_STRING_EQUAL(name, names[n_probed % 4]);
    CU_ASSERT_EQUAL(tensor->shape[1], C);
    n_probed++;
}

static void shows_intermediate_results(void) {
    bool is_first = true;
    build b = {.head = "pretraining", .mask_input = true, .is_row = true};
    opened o = open_model(&b, NULL);
    pml_model_context(o.model)->probe = probe;
    pml_model_context(o.model)->probe_user = &is_first;
    const pml_array inputs[] = {series(values, B), {.name = "mask", .data = mask, .rank = 3, .shape = {B, C, N}}};
    PML_ASSERT_OK(pml_model_run(o.model, inputs, 2, &error), &error);
    CU_ASSERT_TRUE(n_probed >= 4);
    close_model(&o);
}

PML_TESTS("runtime/models/patchtst", PML_TEST(predicts_in_every_configuration),
          PML_TEST(missing_steps_stay_out_of_the_statistics), PML_TEST(gives_the_bare_encoder),
          PML_TEST(reconstructs_masked_patches), PML_TEST(classifies_and_regresses),
          PML_TEST(gives_distribution_arguments), PML_TEST(negative_binomial_scales_its_logits),
          PML_TEST(bf16_matrices_stay_close), PML_TEST(shows_intermediate_results))
