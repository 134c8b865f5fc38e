/* Models made from nothing: weights have the moments of their family's layers, files are the same for the same seed. */
#include "runtime/train/new_model.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "runtime/models/training.h"
#include "tests/harness.h"

static pml_model *open_new(const pml_new_model *made, const char *name, pml_file **file) {
    pml_error error;
    pml_model *model = NULL;
    const char *path = pml_test_path("%s/%s.pml", pml_test_temporary_dir(), name);
    const pml_trainable_options options = {0};
    PML_ASSERT_OK(pml_new_model_write(made, path, &error), &error);
    PML_ASSERT_OK(pml_file_open(path, file, &error), &error);
    PML_ASSERT_OK(pml_model_create_trainable(*file, &options, &model, &error), &error);
    return model;
}

typedef struct moments {
    double mean, deviation, least, most;
    size_t count;
} moments;

static moments look(const pml_model *model, const char *name) {
    const pml_parameter *parameter = pml_model_parameter_find(model, name);
    moments m = {.least = INFINITY, .most = -INFINITY};
    CU_ASSERT_PTR_NOT_NULL_FATAL(parameter);
    m.count = parameter->count;
    for (size_t i = 0; i < m.count; i++) {
        const double value = (double)parameter->values[i];
        m.mean += value / (double)m.count;
        m.least = fmin(m.least, value);
        m.most = fmax(m.most, value);
    }
    for (size_t i = 0; i < m.count; i++) {
        const double d = (double)parameter->values[i] - m.mean;
        m.deviation += d * d / (double)m.count;
    }
    m.deviation = sqrt(m.deviation);
    return m;
}

static void check_moments(const pml_model *model, const char *name, double mean, double deviation) {
    const moments m = look(model, name);
    const double n = (double)m.count;
    CU_ASSERT_TRUE(fabs(m.mean - mean) <= 5 * deviation / sqrt(n) + 1e-7);
    CU_ASSERT_TRUE(fabs(m.deviation - deviation) <= 5 * deviation / sqrt(n) + 1e-7);
}

static void check_uniform(const pml_model *model, const char *name, double bound) {
    const moments m = look(model, name);
    check_moments(model, name, 0, bound / sqrt(3));
    CU_ASSERT_TRUE(m.least >= -bound && m.most <= bound && m.most > .9 * bound - 1 / (double)m.count);
}

/* A linear map of 336 steps, biases of the same fan. */
static void dlinear_begins_as_pytorch(void) {
    pml_file *file = NULL;
    pml_model *model = open_new(&(pml_new_model){.family = "dlinear", .seed = 3}, "dlinear", &file);
    check_uniform(model, "seasonal.weight", 1 / sqrt(336));
    check_uniform(model, "trend.weight", 1 / sqrt(336));
    check_uniform(model, "seasonal.bias", 1 / sqrt(336));
    pml_model_destroy(model);
    pml_file_close(file);
}

static void itransformer_has_norms_of_1_and_0(void) {
    pml_file *file = NULL;
    pml_model *model = open_new(&(pml_new_model){.family = "itransformer"}, "itransformer", &file);
    check_uniform(model, "embedding.weight", 1 / sqrt(96));
    check_uniform(model, "encoder.layer.1.ffn.down.weight", 1 / sqrt(256));
    check_moments(model, "encoder.norm.weight", 1, 0);
    check_moments(model, "encoder.norm.bias", 0, 0);
    pml_model_destroy(model);
    pml_file_close(file);
}

static void patchtst_begins_as_its_dialects(void) {
    static const char *const here[] = {"num_input_channels=3"};
    static const char *const research[] = {"num_input_channels=3", "patch_alignment=start", "padding=end",
                                           "residual_attention=true"};
    pml_file *file = NULL;
    pml_model *model = open_new(&(pml_new_model){"patchtst", NULL, here, 1, NULL, false, NULL, 0}, "hf", &file);
    check_moments(model, "encoder.layer.0.attention.q.weight", 0, .02);
    check_moments(model, "encoder.layer.0.attention.q.bias", 0, 0);
    check_moments(model, "encoder.layer.0.norm1.var", 1, 0);
    check_moments(model, "encoder.layer.0.norm1.mean", 0, 0);
    pml_model_destroy(model);
    pml_file_close(file);
    model = open_new(&(pml_new_model){"patchtst", NULL, research, 4, NULL, false, NULL, 0}, "research", &file);
    check_uniform(model, "position", .02);
    check_uniform(model, "encoder.layer.0.attention.q.weight", 1 / sqrt(128));
    check_uniform(model, "head.0.weight", 1 / sqrt(42 * 128));
    const pml_file_tensor *scale = pml_file_tensor_find(file, "encoder.layer.2.attention.scale");
    CU_ASSERT_PTR_NOT_NULL_FATAL(scale);
    CU_ASSERT_DOUBLE_EQUAL(*(const float *)pml_file_tensor_data(file, scale), 1 / sqrt(8), 1e-7);
    pml_model_destroy(model);
    pml_file_close(file);
}

static void convolutions_begin_as_their_code(void) {
    static const char *const settings[] = {"num_input_channels=20"};
    pml_file *file = NULL;
    pml_model *model = open_new(&(pml_new_model){"timesnet", NULL, settings, 1, NULL, false, NULL, 0}, "t", &file);
    check_moments(model, "encoder.embedding.value.weight", 0, sqrt(2. / 60));
    check_moments(model, "layer.0.up.2.weight", 0, sqrt(2. / (25 * 32))); /* fan out: 5 * 5 taps, 32 channels */
    check_moments(model, "layer.0.up.2.bias", 0, 0);
    check_uniform(model, "extend.weight", 1 / sqrt(96));
    pml_model_destroy(model);
    pml_file_close(file);
}

static void frequencies_have_small_weights(void) {
    static const char *const settings[] = {"num_input_channels=2", "d_model=32", "ffn_dim=32"};
    pml_file *file = NULL;
    pml_model *model = open_new(&(pml_new_model){"fedformer", NULL, settings, 3, NULL, false, NULL, 0}, "f", &file);
    check_moments(model, "encoder.modes.real", .5 / 1024, 1 / sqrt(12) / 1024);
    check_moments(model, "encoder.modes.imaginary", .5 / 1024, 1 / sqrt(12) / 1024);
    pml_model_destroy(model);
    pml_file_close(file);
}

/* Makes a file whose only use is its tokenizer. */
static void texts_need_a_tokenizer(void) {
    pml_error error;
    pml_file *file = NULL;
    const char *path = pml_test_path("%s/none.pml", pml_test_temporary_dir());
    const pml_new_model gpt2 = {.family = "gpt2"};
    PML_ASSERT_FAILS(pml_new_model_write(&gpt2, path, &error), PML_E_ARGUMENT, &error, "needs the tokenizer");
    pml_model *other = open_new(&(pml_new_model){.family = "dlinear"}, "other", &file);
    const pml_new_model without = {.family = "gpt2", .text = file};
    PML_ASSERT_FAILS(pml_new_model_write(&without, path, &error), PML_E_UNSUPPORTED, &error, "has no tokenizer");
    const pml_new_model series = {.family = "dlinear", .text = file};
    PML_ASSERT_FAILS(pml_new_model_write(&series, path, &error), PML_E_ARGUMENT, &error, "reads no text");
    pml_model_destroy(other);
    pml_file_close(file);
    const pml_new_model nothing = {.family = "lstm"};
    PML_ASSERT_FAILS(pml_new_model_write(&nothing, path, &error), PML_E_NOT_FOUND, &error, "dlinear, itransformer");
}

static void same_seed_same_bytes(void) {
    pml_error error;
    unsigned char *bytes[3];
    size_t sizes[3];
    for (size_t i = 0; i < 3; i++) {
        const pml_new_model model = {.family = "itransformer", .seed = i / 2};
        const char *path = pml_test_path("%s/seed-%zu.pml", pml_test_temporary_dir(), i);
        PML_ASSERT_OK(pml_new_model_write(&model, path, &error), &error);
        bytes[i] = pml_test_read_file(path, &sizes[i]);
    }
    CU_ASSERT_TRUE(sizes[0] == sizes[1] && memcmp(bytes[0], bytes[1], sizes[0]) == 0);
    CU_ASSERT_TRUE(sizes[0] == sizes[2] && memcmp(bytes[0], bytes[2], sizes[0]) != 0);
    for (size_t i = 0; i < 3; i++) {
        free(bytes[i]);
    }
}

/* Sizes that no machine has are refused, not overflowed. */
static void enormous_models_are_refused(void) {
    static const char *const settings[] = {"d_model=1000000", "num_attention_heads=1", "ffn_dim=10000000",
                                           "num_hidden_layers=10000"};
    static const char *const layers[] = {"num_hidden_layers=10000"};
    pml_error error;
    const char *path = pml_test_path("%s/enormous.pml", pml_test_temporary_dir());
    CU_ASSERT_NOT_EQUAL(
        pml_new_model_write(&(pml_new_model){"itransformer", NULL, settings, 4, NULL, false, NULL, 0}, path, &error),
        PML_OK);
    CU_ASSERT_NOT_EQUAL(
        pml_new_model_write(&(pml_new_model){"itransformer", NULL, layers, 1, NULL, false, NULL, 0}, path, &error),
        PML_OK);
}

PML_TESTS("train/new_model", PML_TEST(dlinear_begins_as_pytorch), PML_TEST(itransformer_has_norms_of_1_and_0),
          PML_TEST(patchtst_begins_as_its_dialects), PML_TEST(convolutions_begin_as_their_code),
          PML_TEST(frequencies_have_small_weights), PML_TEST(texts_need_a_tokenizer), PML_TEST(same_seed_same_bytes),
          PML_TEST(enormous_models_are_refused))
