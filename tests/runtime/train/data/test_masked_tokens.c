#include "runtime/train/data/masked_tokens.h"

#include <math.h>
#include <string.h>

#include "runtime/train/data/loader.h"
#include "runtime/train/data/token_rows.h"
#include "tests/runtime/text/vocabulary_fixture.h"

#define WORDS "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\nc\nd\ne\n"
enum { PAD, UNK, CLS, SEP, MASK, A, B, C, D, E, N_WORDS };

static const char *write_text(const char *name, const char *text) {
    const char *path = pml_test_path("%s/%s", pml_test_temporary_dir(), name);
    pml_test_write_file(path, text, strlen(text));
    return path;
}

/* The ids of a sample as digits. */
static const char *sample_text(const pml_dataset *dataset, size_t i_sample, char text[64]) {
    float ids[64], mask[64], types[64];
    int64_t labels[64];
    void *const values[] = {ids, mask, types, labels};
    size_t length = 0;
    pml_error error = {0};
    PML_ASSERT_OK(pml_dataset_fetch(dataset, i_sample, &(pml_data_key){0}, values, &length, &error), &error);
    for (size_t t = 0; t < length; t++) {
        text[t] = (char)('0' + (labels[t] == PML_IGNORED_LABEL ? (int)ids[t] : (int)labels[t]));
        CU_ASSERT_TRUE(mask[t] == 1 && types[t] == 0);
    }
    text[length] = '\0';
    return text;
}

static void samples_are_lines_or_full_rows(void) {
    fixture f;
    char text[64];
    pml_dataset *dataset = NULL;
    pml_error error = {0};
    CU_ASSERT_TRUE_FATAL(fixture_init(&f, WORDS, true));
    const char *const paths[] = {write_text("one", "a b\n\nc d e a\n"), write_text("two", "e x\n")};
    PML_ASSERT_OK(pml_masked_tokens_create(f.tokenizer, paths, 2,
                                           &(pml_masked_options){.max_tokens = 5, .by_line = true}, &dataset, &error),
                  &error);
    CU_ASSERT_EQUAL_FATAL(dataset->n_samples, 3);
    CU_ASSERT_STRING_EQUAL(sample_text(dataset, 0, text), "2563");
    CU_ASSERT_STRING_EQUAL(sample_text(dataset, 1, text), "27893"); /* cut */
    CU_ASSERT_STRING_EQUAL(sample_text(dataset, 2, text), "2913");
    pml_dataset_destroy(dataset);
    PML_ASSERT_OK(
        pml_masked_tokens_create(f.tokenizer, paths, 2, &(pml_masked_options){.max_tokens = 5}, &dataset, &error),
        &error);
    CU_ASSERT_EQUAL_FATAL(dataset->n_samples, 3);
    CU_ASSERT_STRING_EQUAL(sample_text(dataset, 0, text), "25673");
    CU_ASSERT_STRING_EQUAL(sample_text(dataset, 1, text), "28953");
    CU_ASSERT_STRING_EQUAL(sample_text(dataset, 2, text), "2913");
    CU_ASSERT_TRUE(pml_dataset_field(dataset, "labels")->padding == -100 && dataset->fields[0].padding == PAD);
    pml_dataset_destroy(dataset);
    fixture_deinit(&f);
}

/* Shares of Hugging Face's collator: of 90000 tokens that may be chosen 15 %, and of these 80, 10 and 10 %, within four
 * deviations; special tokens never, and each word of the vocabulary as a replacement. */
static void shares_are_those_of_the_paper(void) {
    enum { LENGTH = 60, ROWS = 1500 };
    fixture f;
    pml_dataset *dataset = NULL;
    pml_error error = {0};
    CU_ASSERT_TRUE_FATAL(fixture_init(&f, WORDS, true));
    char *text = malloc(ROWS * 2 * LENGTH + 1);
    for (size_t i = 0; i < (size_t)ROWS * LENGTH; i++) {
        text[2 * i] = "abcdex"[i % 6]; /* x is unknown, and so never chosen */
        text[2 * i + 1] = i % LENGTH == LENGTH - 1 ? '\n' : ' ';
    }
    text[ROWS * 2 * LENGTH] = '\0';
    const char *path = write_text("many", text);
    free(text);
    PML_ASSERT_OK(pml_masked_tokens_create(f.tokenizer, &path, 1,
                                           &(pml_masked_options){.max_tokens = LENGTH + 2, .by_line = true}, &dataset,
                                           &error),
                  &error);
    double n_open = 0, n_chosen = 0, n_masked = 0, n_kept = 0, n_random[N_WORDS] = {0}, n_other = 0;
    for (size_t i = 0; i < dataset->n_samples; i++) {
        float ids[LENGTH + 2], mask[LENGTH + 2], types[LENGTH + 2];
        int64_t labels[LENGTH + 2];
        void *const values[] = {ids, mask, types, labels};
        size_t length = 0;
        PML_ASSERT_OK(pml_dataset_fetch(dataset, i, &(pml_data_key){5, 1}, values, &length, &error), &error);
        CU_ASSERT_EQUAL_FATAL(length, LENGTH + 2);
        CU_ASSERT_TRUE(ids[0] == CLS && ids[LENGTH + 1] == SEP && labels[0] == -100 && labels[LENGTH + 1] == -100);
        for (size_t t = 0; t < LENGTH; t++) {
            const bool is_unknown = (i * LENGTH + t) % 6 == 5;
            const int64_t truth = is_unknown ? UNK : A + (int64_t)((i * LENGTH + t) % 6);
            const int64_t label = labels[t + 1], id = (int64_t)ids[t + 1];
            n_open += !is_unknown;
            if (label == PML_IGNORED_LABEL) {
                CU_ASSERT_EQUAL(id, truth);
                continue;
            }
            CU_ASSERT_TRUE(label == truth && !is_unknown);
            n_chosen++;
            n_masked += id == MASK;
            n_kept += id == truth;
            n_random[id] += id != MASK && id != truth;
            n_other += id != MASK && id != truth;
        }
    }
    CU_ASSERT_TRUE(fabs(n_chosen / n_open - 0.15) < 4 * sqrt(0.15 * 0.85 / n_open));
    /* One in ten of the random words is [MASK], one the word itself. */
    CU_ASSERT_TRUE(fabs(n_masked / n_chosen - 0.81) < 4 * sqrt(0.81 * 0.19 / n_chosen));
    CU_ASSERT_TRUE(fabs(n_kept / n_chosen - 0.11) < 4 * sqrt(0.11 * 0.89 / n_chosen));
    CU_ASSERT_TRUE(fabs(n_other / n_chosen - 0.08) < 4 * sqrt(0.08 * 0.92 / n_chosen));
    for (size_t id = 0; id < N_WORDS; id++) {
        CU_ASSERT_TRUE(id == MASK || n_random[id] > 50);
    }
    pml_dataset_destroy(dataset);
    fixture_deinit(&f);
}

static bool same_draw(const pml_dataset *dataset, size_t i, pml_data_key a, pml_data_key b) {
    float ids[2][64] = {{0}}, mask[64], types[64];
    int64_t labels[2][64] = {{0}};
    size_t length = 0;
    pml_error error = {0};
    for (int k = 0; k < 2; k++) {
        void *const values[] = {ids[k], mask, types, labels[k]};
        PML_ASSERT_OK(pml_dataset_fetch(dataset, i, k == 0 ? &a : &b, values, &length, &error), &error);
    }
    return memcmp(ids[0], ids[1], sizeof ids[0]) == 0 && memcmp(labels[0], labels[1], sizeof labels[0]) == 0;
}

static void a_draw_is_of_its_seed_epoch_and_sample(void) {
    fixture f;
    pml_dataset *dataset = NULL;
    pml_error error = {0};
    CU_ASSERT_TRUE_FATAL(fixture_init(&f, WORDS, true));
    const char *path = write_text("same", "a b c d e a b c d e a b c d e a b c d e a b c d e a b c d e a b c d e\n"
                                          "a b c d e a b c d e a b c d e a b c d e a b c d e a b c d e a b c d e\n");
    PML_ASSERT_OK(pml_masked_tokens_create(f.tokenizer, &path, 1,
                                           &(pml_masked_options){.max_tokens = 64, .by_line = true}, &dataset, &error),
                  &error);
    CU_ASSERT_TRUE(same_draw(dataset, 1, (pml_data_key){3, 4}, (pml_data_key){3, 4}));
    CU_ASSERT_FALSE(same_draw(dataset, 1, (pml_data_key){3, 4}, (pml_data_key){3, 5}));
    CU_ASSERT_FALSE(same_draw(dataset, 1, (pml_data_key){3, 4}, (pml_data_key){4, 4}));
    float ids[2][64], mask[64], types[64];
    int64_t labels[64];
    size_t length = 0;
    for (size_t i = 0; i < 2; i++) {
        void *const values[] = {ids[i], mask, types, labels};
        PML_ASSERT_OK(pml_dataset_fetch(dataset, i, &(pml_data_key){3, 4}, values, &length, &error), &error);
    }
    CU_ASSERT_NOT_EQUAL(memcmp(ids[0], ids[1], length * sizeof ids[0][0]), 0); /* equal texts, other samples */
    pml_dataset_destroy(dataset);
    fixture_deinit(&f);
}

static void a_batch_is_filled_up(void) {
    fixture f;
    pml_dataset *dataset = NULL;
    pml_loader *loader = NULL;
    const pml_batch *batch = NULL;
    pml_error error = {0};
    CU_ASSERT_TRUE_FATAL(fixture_init(&f, WORDS, true));
    const char *path = write_text("two-lines", "a\na b c\n");
    PML_ASSERT_OK(pml_masked_tokens_create(f.tokenizer, &path, 1,
                                           &(pml_masked_options){.max_tokens = 9, .by_line = true}, &dataset, &error),
                  &error);
    PML_ASSERT_OK(pml_loader_create(dataset, &(pml_loader_options){.batch_size = 2}, &loader, &error), &error);
    PML_ASSERT_OK(pml_loader_next(loader, &batch, &error), &error);
    const float *ids = pml_batch_find(batch, "input_ids")->data, *mask = pml_batch_find(batch, "attention_mask")->data;
    const int64_t *labels = pml_batch_find(batch, "labels")->data;
    CU_ASSERT_EQUAL(batch->fields[0].shape[1], 5);
    CU_ASSERT_TRUE(ids[2] == SEP && ids[3] == PAD && ids[4] == PAD && mask[2] == 1 && mask[3] == 0 && mask[9] == 1);
    CU_ASSERT_TRUE(labels[3] == -100 && labels[4] == -100);
    pml_loader_destroy(loader);
    pml_dataset_destroy(dataset);
    fixture_deinit(&f);
}

static void what_cannot_be_is_an_error(void) {
    fixture f;
    pml_dataset *dataset = NULL;
    pml_error error = {0};
    CU_ASSERT_TRUE_FATAL(fixture_init(&f, WORDS, true));
    const char *path = write_text("short", "a b c\n"), *blank = write_text("blank", "\n \n");
    pml_masked_options options = {.max_tokens = 2};
    PML_ASSERT_FAILS(pml_masked_tokens_create(f.tokenizer, &path, 1, &options, &dataset, &error), PML_E_ARGUMENT,
                     &error, "2 tokens leave no room");
    options = (pml_masked_options){.max_tokens = 8, .masking = &(pml_masking){0.2, 0.8, 0.3}};
    PML_ASSERT_FAILS(pml_masked_tokens_create(f.tokenizer, &path, 1, &options, &dataset, &error), PML_E_ARGUMENT,
                     &error, "no such shares");
    options.masking = NULL;
    options.by_line = true;
    PML_ASSERT_FAILS(pml_masked_tokens_create(f.tokenizer, &blank, 1, &options, &dataset, &error), PML_E_FORMAT, &error,
                     "blank: no text");
    fixture_deinit(&f);
    CU_ASSERT_TRUE_FATAL(fixture_init(&f, "[PAD]\n[UNK]\n[CLS]\n[SEP]\na\n", true));
    PML_ASSERT_FAILS(pml_masked_tokens_create(f.tokenizer, &path, 1, &options, &dataset, &error), PML_E_UNSUPPORTED,
                     &error, "no mask token");
    CU_ASSERT_PTR_NULL(dataset);
    fixture_deinit(&f);
}

PML_TESTS("runtime/train/data/masked_tokens", PML_TEST(samples_are_lines_or_full_rows),
          PML_TEST(shares_are_those_of_the_paper), PML_TEST(a_draw_is_of_its_seed_epoch_and_sample),
          PML_TEST(a_batch_is_filled_up), PML_TEST(what_cannot_be_is_an_error))
