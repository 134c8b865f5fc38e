#include "runtime/train/data/labelled_texts.h"

#include <string.h>

#include "runtime/train/data/loader.h"
#include "tests/runtime/text/vocabulary_fixture.h"

#define WORDS "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\nc\n"
enum { PAD, UNK, CLS, SEP, MASK, A, B, C };

static const char *write_text(const char *text) {
    static int n;
    const char *path = pml_test_path("%s/%d.jsonl", pml_test_temporary_dir(), n++);
    pml_test_write_file(path, text, strlen(text));
    return path;
}

static pml_status open_texts(const fixture *f, const char *text, const pml_labelled_options *options,
                             pml_dataset **dataset, pml_error *error) {
    *dataset = NULL;
    return pml_labelled_texts_create(f->tokenizer, write_text(text), options, dataset, error);
}

static void names_become_numbers_in_their_order(void) {
    static const char text[] =
        "{\"label\": \"pos\", \"text\": \"a b\"}\n"
        "\n"
        "{\"text\": \"c\", \"id\": {\"n\": [1, 2]}, \"label\": \"neg\", \"text_pair\": \"a b\"}\r\n"
        "{\"text\": \"b\", \"label\": \"mid\"}";
    fixture f;
    pml_dataset *dataset = NULL;
    pml_loader *loader = NULL;
    const pml_batch *batch = NULL;
    pml_error error = {0};
    CU_ASSERT_TRUE_FATAL(fixture_init(&f, WORDS, true));
    PML_ASSERT_OK(open_texts(&f, text, &(pml_labelled_options){.max_tokens = 16}, &dataset, &error), &error);
    CU_ASSERT_TRUE_FATAL(dataset->n_samples == 3 && pml_labelled_texts_n_labels(dataset) == 3);
    CU_ASSERT_STRING_EQUAL(pml_labelled_texts_label(dataset, 0), "mid");
    CU_ASSERT_STRING_EQUAL(pml_labelled_texts_label(dataset, 1), "neg");
    CU_ASSERT_STRING_EQUAL(pml_labelled_texts_label(dataset, 2), "pos");
    CU_ASSERT_PTR_NULL(pml_labelled_texts_label(dataset, 3));
    CU_ASSERT_TRUE(dataset->classes[0] == 2 && dataset->classes[1] == 1 && dataset->classes[2] == 0);
    PML_ASSERT_OK(pml_loader_create(dataset, &(pml_loader_options){.batch_size = 3}, &loader, &error), &error);
    PML_ASSERT_OK(pml_loader_next(loader, &batch, &error), &error);
    static const float ids[3][6] = {{CLS, A, B, SEP, PAD, PAD}, {CLS, C, SEP, A, B, SEP}, {CLS, B, SEP, PAD, PAD, PAD}};
    static const float types[3][6] = {{0}, {0, 0, 0, 1, 1, 1}, {0}};
    static const int64_t labels[3] = {2, 1, 0};
    CU_ASSERT_EQUAL_FATAL(batch->fields[0].shape[1], 6);
    CU_ASSERT_EQUAL(memcmp(pml_batch_find(batch, "input_ids")->data, ids, sizeof ids), 0);
    CU_ASSERT_EQUAL(memcmp(pml_batch_find(batch, "token_type_ids")->data, types, sizeof types), 0);
    const pml_batch_field *field = pml_batch_find(batch, "labels");
    CU_ASSERT_TRUE(field->rank == 1 && field->shape[0] == 3 && field->dtype == PML_DTYPE_I64);
    CU_ASSERT_EQUAL(memcmp(field->data, labels, sizeof labels), 0);
    pml_loader_destroy(loader);
    pml_dataset_destroy(dataset);
    fixture_deinit(&f);
}

static void classes_may_be_given_or_numbers(void) {
    static const char *const names[] = {"pos", "neg"};
    static const char named[] = "{\"text\": \"a\", \"label\": \"neg\"}\n{\"text\": \"a\", \"label\": 0}\n";
    static const char numbered[] = "{\"text\": \"a b c a b c\", \"label\": 4}\n{\"text\": \"a\", \"label\": 0}\n";
    fixture f;
    pml_dataset *dataset = NULL;
    pml_error error = {0};
    CU_ASSERT_TRUE_FATAL(fixture_init(&f, WORDS, true));
    const pml_labelled_options given = {.max_tokens = 16, .labels = names, .n_labels = 2};
    PML_ASSERT_OK(open_texts(&f, named, &given, &dataset, &error), &error);
    CU_ASSERT_TRUE(dataset->classes[0] == 1 && dataset->classes[1] == 0 && dataset->n_classes == 2);
    CU_ASSERT_STRING_EQUAL(pml_labelled_texts_label(dataset, 0), "pos");
    pml_dataset_destroy(dataset);
    PML_ASSERT_OK(open_texts(&f, numbered, &(pml_labelled_options){.max_tokens = 4}, &dataset, &error), &error);
    CU_ASSERT_TRUE(pml_labelled_texts_n_labels(dataset) == 5 && pml_labelled_texts_label(dataset, 0) == NULL);
    CU_ASSERT_EQUAL(dataset->fields[0].shape[0], 4); /* cut */
    pml_dataset_destroy(dataset);
    fixture_deinit(&f);
}

static void several_labels_are_flags(void) {
    static const char text[] = "{\"text\": \"a\", \"label\": [\"x\", \"z\"]}\n{\"text\": \"b\", \"label\": []}\n"
                               "{\"text\": \"b\", \"label\": [\"y\"]}\n";
    static const float expected[3][3] = {{1, 0, 1}, {0, 0, 0}, {0, 1, 0}};
    fixture f;
    pml_dataset *dataset = NULL;
    pml_error error = {0};
    CU_ASSERT_TRUE_FATAL(fixture_init(&f, WORDS, true));
    PML_ASSERT_OK(
        open_texts(&f, text, &(pml_labelled_options){.max_tokens = 8, .is_multi_label = true}, &dataset, &error),
        &error);
    CU_ASSERT_TRUE_FATAL(dataset->fields[3].rank == 1 && dataset->fields[3].shape[0] == 3);
    CU_ASSERT_PTR_NULL(dataset->classes);
    for (size_t i = 0; i < 3; i++) {
        float ids[8], mask[8], types[8], flags[3];
        void *const values[] = {ids, mask, types, flags};
        PML_ASSERT_OK(pml_dataset_fetch(dataset, i, &(pml_data_key){0}, values, &(size_t){0}, &error), &error);
        CU_ASSERT_EQUAL(memcmp(flags, expected[i], sizeof flags), 0);
    }
    pml_dataset_destroy(dataset);
    fixture_deinit(&f);
}

static void spoilt_lines_are_named(void) {
    static const char *const names[] = {"pos", "neg"};
#define GOOD "{\"text\": \"a\", \"label\": \"pos\"}\n\n"
    static const struct {
        const char *text, *part;
        bool is_given, is_multi_label;
    } rows[] = {
        {"", "no line with a text", false, false},
        {" \n\n", "no line with a text", false, false},
        {GOOD "{\"text\": \"a\"}\n", ".jsonl:3:13: the line has no \"label\"", false, false},
        {GOOD "{\"label\": \"pos\"}\n", ".jsonl:3:16: the line has no \"text\"", false, false},
        {GOOD "{\"text\": 3, \"label\": \"pos\"}\n", ".jsonl:3:10:", false, false},
        {GOOD "{\"text\": \"a\", \"text\": \"b\"}\n", ".jsonl:3:15: a member that the line has twice", false, false},
        {GOOD "{\"text\": \"a\", \"label\": \"pos\", \"label\": 1}\n", "twice", false, false},
        {GOOD "{\"text\": \"a\", \"label\": null}\n", ".jsonl:3:24: a label is a name or a number", false, false},
        {GOOD "{\"text\": \"a\", \"label\": \"posh\"}\n", ".jsonl:3:24: there is no class 'posh'", true, false},
        {GOOD "{\"text\": \"a\", \"label\": 2}\n", ".jsonl:3:24: a class is a whole number from 0 to 1", true, false},
        {GOOD "{\"text\": \"a\", \"label\": -1}\n", "a class is a whole number", false, false},
        {GOOD "{\"text\": \"a\", \"label\": 1}\n", "where others are names", false, false},
        {"{\"text\": \"a\", \"label\": 1}\n" GOOD, "where others are numbers", false, false},
        {GOOD "{\"text\": \"a\", \"label\": [\"pos\"]}\n", "a label is", false, false},
        {GOOD, ".jsonl:1:24: a list of labels belongs here", false, true},
        {"{\"text\": \"a\", \"label\": []}\n", "no text has a label", false, true},
        {GOOD "{\"text\": \"a\", \"label\": \"pos\"} x\n", ".jsonl:3:", false, false},
        {GOOD "{\"text\": \"a\", \"label\": \"pos\"\n}\n", ".jsonl:3:", false, false},
        {GOOD "[1]\n", ".jsonl:3:1:", false, false},
        {GOOD "{\"text\": \"\xff\", \"label\": \"pos\"}\n", ".jsonl, line 3: bytes that are not UTF-8", false, false}};
    fixture f;
    CU_ASSERT_TRUE_FATAL(fixture_init(&f, WORDS, true));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const pml_labelled_options options = {.max_tokens = 8,
                                              .labels = rows[i].is_given ? names : NULL,
                                              .n_labels = rows[i].is_given ? 2 : 0,
                                              .is_multi_label = rows[i].is_multi_label};
        pml_dataset *dataset = NULL;
        pml_error error = {0};
        PML_ASSERT_FAILS(open_texts(&f, rows[i].text, &options, &dataset, &error), PML_E_FORMAT, &error, rows[i].part);
        CU_ASSERT_PTR_NULL(dataset);
    }
    static const char *const twice[] = {"a", "a"};
    pml_dataset *dataset = NULL;
    pml_error error = {0};
    PML_ASSERT_FAILS(open_texts(&f, GOOD, &(pml_labelled_options){.labels = twice, .n_labels = 2}, &dataset, &error),
                     PML_E_ARGUMENT, &error, "two classes are called 'a'");
    PML_ASSERT_FAILS(open_texts(&f, GOOD, &(pml_labelled_options){.max_tokens = 1}, &dataset, &error), PML_E_ARGUMENT,
                     &error, ".jsonl, line 1: ");
    fixture_deinit(&f);
}

static void memory_may_run_out_anywhere(void) {
    static const char text[] = "{\"text\": \"a\", \"label\": \"pos\"}\n{\"text\": \"a b\", \"label\": \"neg\"}\n";
    fixture f;
    CU_ASSERT_TRUE_FATAL(fixture_init(&f, WORDS, true));
    const char *path = write_text(text);
    for (unsigned long n = 1;; n++) {
        pml_dataset *dataset = NULL;
        pml_error error = {0};
        pml_test_fail_allocation(n, false);
        const pml_status status =
            pml_labelled_texts_create(f.tokenizer, path, &(pml_labelled_options){.max_tokens = 8}, &dataset, &error);
        pml_test_fail_allocation(0, false);
        if (status == PML_OK) {
            CU_ASSERT_TRUE(n > 8);
            pml_dataset_destroy(dataset);
            break;
        }
        CU_ASSERT_EQUAL(status, PML_E_MEMORY);
        CU_ASSERT_PTR_NULL(dataset);
    }
    fixture_deinit(&f);
}

PML_TESTS("runtime/train/data/labelled_texts", PML_TEST(names_become_numbers_in_their_order),
          PML_TEST(classes_may_be_given_or_numbers), PML_TEST(several_labels_are_flags),
          PML_TEST(spoilt_lines_are_named), PML_TEST(memory_may_run_out_anywhere))
