/* pml-convert export, as a user runs it. That every golden case comes out as it went in is
 * tests/parity/run_export.sh's. */
#include <sys/stat.h>
#include <sys/wait.h>

#include "convert/export/export.h"
#include "formats/format.h"
#include "runtime/base/process_mark.h"
#include "tests/convert/command_fixture.h"

#define TEXT_CASE "bert/sentence-transformer"

static const char *converted_case(const char *name, const char *as, const char *options) {
    const char *model = test_copy_case(name, as);
    return model == NULL ? NULL : test_converted(model, pml_test_path("%s.pml", as), options);
}

static bool is_there(const char *folder, const char *name) {
    struct stat info;
    return stat(pml_test_path("%s/%s", folder, name), &info) == 0;
}

static bool holds(const char *path, const char *part) {
    size_t size = 0;
    unsigned char *bytes = pml_test_read_file(path, &size);
    const bool does = memmem(bytes, size, part, strlen(part)) != NULL;
    free(bytes);
    return does;
}

/* Every tensor of one folder is in the other one, with its bytes. */
static void compare_folders(const char *a, const char *b, size_t n_expected) {
    pml_source *left = NULL, *right = NULL;
    pml_error error;
    PML_ASSERT_OK(pml_source_open(a, &left, &error), &error);
    PML_ASSERT_OK(pml_source_open(b, &right, &error), &error);
    CU_ASSERT_TRUE_FATAL(left != NULL && right != NULL);
    size_t n_equal = 0;
    for (size_t i = 0; i < pml_source_n_tensors(left); i++) {
        const pml_source_tensor *x = pml_source_tensor_at(left, i), *y = pml_source_tensor_find(right, x->name);
        const void *bytes_x, *bytes_y;
        CU_ASSERT_PTR_NOT_NULL_FATAL(y);
        PML_ASSERT_OK(pml_source_tensor_view(left, x, &bytes_x, &error), &error);
        PML_ASSERT_OK(pml_source_tensor_view(right, y, &bytes_y, &error), &error);
        n_equal += x->dtype == y->dtype && x->size_bytes == y->size_bytes &&
                   memcmp(bytes_x, bytes_y, (size_t)x->size_bytes) == 0;
    }
    CU_ASSERT_EQUAL(n_equal, n_expected);
    CU_ASSERT_EQUAL(pml_source_n_tensors(left), n_expected);
    pml_source_close(left);
    pml_source_close(right);
}

static void what_goes_in_comes_out(void) {
    const char *file = converted_case(TEXT_CASE, "in", "");
    if (file == NULL) {
        return;
    }
    const char *folder = pml_test_path("%s/out", pml_test_temporary_dir());
    char *output = NULL;
    CU_ASSERT_EQUAL(test_convert(&output, "export '%s' -o '%s' --json", file, folder), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(output, "\"dialect\": \"hf\""));
    CU_ASSERT_PTR_NOT_NULL(strstr(output, "\"n_tensors\": 39"));
    CU_ASSERT_PTR_NOT_NULL(strstr(output, "\"1_Pooling/config.json\""));
    free(output);
    compare_folders(pml_test_path("%s/in", pml_test_temporary_dir()), folder, 39);
    static const char *const names[] = {"config.json",
                                        "tokenizer.json",
                                        "vocab.txt",
                                        "tokenizer_config.json",
                                        "modules.json",
                                        "special_tokens_map.json",
                                        "1_Pooling/config.json",
                                        "sentence_bert_config.json"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        CU_ASSERT_TRUE(is_there(folder, names[i]));
    }
    CU_ASSERT_EQUAL(pml_test_count_files(folder), 9); /* those eight, one of them in a folder, and the weights */
    CU_ASSERT_TRUE(holds(pml_test_path("%s/config.json", folder), "\"BertModel\""));
    CU_ASSERT_TRUE(holds(pml_test_path("%s/sentence_bert_config.json", folder), "\"max_seq_length\": 48"));
    const char *again = test_converted(folder, "again.pml", "");
    TEST_EXITS(0, "identical content", "diff '%s' '%s'", file, again);
}

static void another_dialect(void) {
    const char *file = converted_case("bert/gelu-tanh", "tanh", "");
    if (file == NULL) {
        return;
    }
    const char *folder = pml_test_path("%s/google", pml_test_temporary_dir());
    TEST_EXITS(0, "as google-research", "export '%s' -o '%s' --dialect google-research", file, folder);
    CU_ASSERT_TRUE(is_there(folder, "bert_config.json"));
    CU_ASSERT_TRUE(holds(pml_test_path("%s/bert_config.json", folder), "\"hidden_act\": \"gelu\""));
    CU_ASSERT_TRUE(holds(pml_test_path("%s/model.safetensors", folder), "\"__metadata__\":{\"format\":\"pt\"}"));
    const char *again = test_converted(folder, "google.pml", "");
    TEST_EXITS(0, "identical content", "diff '%s' '%s'", file, again);
    /* From there, without --dialect, it stays what it is. */
    TEST_EXITS(0, "as google-research", "export '%s' -o '%s-2'", again, folder);
    compare_folders(folder, pml_test_path("%s-2", folder), 39);
}

static void rounded_weights_come_out_rounded(void) {
    const char *file = converted_case(TEST_CASE, "rounded", "--dtype bf16");
    if (file == NULL) {
        return;
    }
    const char *folder = pml_test_path("%s/bf16", pml_test_temporary_dir());
    TEST_EXITS(0, NULL, "export '%s' -o '%s'", file, folder);
    CU_ASSERT_TRUE(holds(pml_test_path("%s/model.safetensors", folder), "\"dtype\":\"BF16\""));
    const char *again = test_converted(folder, "bf16-again.pml", "--dtype bf16");
    TEST_EXITS(0, "identical content", "diff '%s' '%s'", file, again);
}

static void series_keep_their_scale(void) {
    const char *model = test_copy_case(TEST_CASE, "scaled");
    if (model == NULL) {
        return;
    }
    static const char scaler[] = "{\"kind\":\"standard\",\"mean\":[1.5,2,3],\"std\":[0.1,2,3],\"columns\":[\"a\",\"b\","
                                 "\"c \\\"d\\\"\"],\"frequency\":\"h\"}";
    pml_test_write_file(pml_test_path("%s/scaler.json", model), scaler, strlen(scaler));
    const char *folder = pml_test_path("%s/scaled-out", pml_test_temporary_dir());
    const char *file = test_converted(model, "scaled.pml", "");
    TEST_EXITS(0, NULL, "export '%s' -o '%s'", file, folder);
    const char *again = test_converted(folder, "scaled-again.pml", "");
    TEST_EXITS(0, "identical content", "diff '%s' '%s'", file, again);
    /* What --set said is in the export, too, though nothing is scaled. */
    (void)unlink(pml_test_path("%s/scaler.json", model));
    file = test_converted(model, "set.pml", "--set frequency=15min --set series.columns=x,y,z");
    TEST_EXITS(0, NULL, "export '%s' -o '%s' --force", file, folder);
    CU_ASSERT_TRUE(holds(pml_test_path("%s/scaler.json", folder), "\"kind\": \"none\""));
    again = test_converted(folder, "set-again.pml", "");
    TEST_EXITS(0, "identical content", "diff '%s' '%s'", file, again);
}

static void refusals_leave_nothing(void) {
    const char *file = converted_case(TEST_CASE, "refused", "");
    if (file == NULL) {
        return;
    }
    const char *place = pml_test_fresh_dir("place");
    TEST_EXITS(2, "missing option: -o DIR", "export '%s'", file);
    TEST_EXITS(2, "family patchtst is not written in a dialect 'nope' (it is in: hf, official-supervised",
               "export '%s' -o '%s/x' --dialect nope", file, place);
    TEST_EXITS(65, "in dialect official-supervised patch_alignment is always start",
               "export '%s' -o '%s/x' --dialect official-supervised", file, place);
    TEST_EXITS(65, "dialect tsl has no tensor for weight patch_embedding.bias", "export '%s' -o '%s/x' --dialect tsl",
               file, place);
    TEST_EXITS(2, "name a folder", "export '%s' -o .", file);
    TEST_EXITS(74, "cannot make a folder beside", "export '%s' -o '%s/no/x'", file, place);
    TEST_EXITS(66, NULL, "export '%s/none.pml' -o '%s/x'", place, place);
    size_t size = 0;
    unsigned char *bytes = pml_test_read_file(file, &size);
    const char *damaged = pml_test_path("%s/damaged.pml", pml_test_temporary_dir());
    pml_test_write_file(damaged, bytes, size);
    free(bytes);
    test_flip_byte(damaged, size - 100);
    TEST_EXITS(1, NULL, "export '%s' -o '%s/x'", damaged, place);
    CU_ASSERT_EQUAL(pml_test_count_files(place), 0); /* hidden ones too */
}

static void folders_that_hold_something(void) {
    const char *file = converted_case(TEST_CASE, "folders", "");
    if (file == NULL) {
        return;
    }
    const char *place = pml_test_fresh_dir("folders-place");
    const char *folder = pml_test_path("%s/model", place);
    CU_ASSERT_EQUAL_FATAL(mkdir(folder, 0777), 0);
    TEST_EXITS(0, NULL, "export '%s' -o '%s/'", file, folder); /* an empty folder becomes the export */
    CU_ASSERT_TRUE(is_there(folder, "model.safetensors"));
    TEST_EXITS(2, "--force replaces an earlier export", "export '%s' -o '%s'", file, folder);
    pml_test_write_file(pml_test_path("%s/vocab.txt", folder), "old", 3); /* left over from another model */
    TEST_EXITS(0, NULL, "export '%s' -o '%s' --force", file, folder);
    CU_ASSERT_FALSE(is_there(folder, "vocab.txt"));
    CU_ASSERT_EQUAL(pml_test_count_files(place), 1);
    pml_test_write_file(pml_test_path("%s/thesis.tex", folder), "mine", 4);
    TEST_EXITS(2, "holds 'thesis.tex', which no export wrote", "export '%s' -o '%s' --force", file, folder);
    CU_ASSERT_TRUE(is_there(folder, "thesis.tex"));
    TEST_EXITS(2, "is there and no folder", "export '%s' -o '%s' --force", file, file);
    CU_ASSERT_EQUAL(pml_test_count_files(place), 1);
}

/* What a killed export left beside the folder goes with the next one; another process's work stays. */
static void leftovers_are_swept(void) {
    const char *file = converted_case(TEST_CASE, "swept", "");
    if (file == NULL) {
        return;
    }
    char host[PML_PROCESS_HOST_BYTES];
    const char *place = pml_test_fresh_dir("swept-place");
    const pid_t child = fork();
    if (child == 0) {
        _exit(0);
    }
    CU_ASSERT_EQUAL(waitpid(child, NULL, 0), child);
    pml_process_host(host);
    const char *dead = pml_test_path("%s/.model.tmp.%s.%ld.0123456789abcdef", place, host, (long)child);
    const char *living = pml_test_path("%s/.model.tmp.%s.%ld.0123456789abcdef", place, host, (long)getpid());
    const char *other = pml_test_path("%s/.others.tmp.%s.%ld.0123456789abcdef", place, host, (long)child);
    CU_ASSERT_EQUAL(pml_test_command(NULL, "mkdir -p '%s/1_Pooling' '%s' '%s' && echo x > '%s/1_Pooling/config.json'",
                                     dead, living, other, dead),
                    0);
    TEST_EXITS(0, NULL, "export '%s' -o '%s/model'", file, place);
    CU_ASSERT_FALSE(is_there(dead, ""));
    CU_ASSERT_TRUE(is_there(living, ""));
    CU_ASSERT_TRUE(is_there(other, ""));
}

/* A file system that is full, as a limit on the size of files shows it. */
static void writes_that_fail_leave_nothing(void) {
    const char *file = converted_case(TEST_CASE, "full", "");
    if (file == NULL) {
        return;
    }
    const char *place = pml_test_fresh_dir("full-place");
    char *output = NULL;
    const int code = pml_test_command(&output, "trap '' XFSZ; ulimit -f 8; '%s/pml-convert' export '%s' -o '%s/x'",
                                      pml_test_binary_dir(), file, place);
    CU_ASSERT_EQUAL(code, 74);
    CU_ASSERT_PTR_NOT_NULL(strstr(output, "model.safetensors"));
    free(output);
    CU_ASSERT_EQUAL(pml_test_count_files(place), 0);
}

/* Out of memory anywhere: a message, nothing left. */
static void allocations_that_fail_leave_nothing(void) {
    const char *path = converted_case(TEXT_CASE, "scarce", "");
    if (path == NULL) {
        return;
    }
    const char *place = pml_test_fresh_dir("scarce-place");
    const char *folder = pml_test_path("%s/x", place);
    const pml_export_options options = {.directory = folder};
    pml_file *file = NULL;
    pml_error error;
    PML_ASSERT_OK(pml_file_open(path, &file, &error), &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    pml_status status = PML_E_MEMORY;
    unsigned n_failed = 0;
    for (unsigned long n = 1; status == PML_E_MEMORY && n < 100000; n += 1 + n / 64) {
        pml_export_report report;
        pml_test_fail_allocation(n, false);
        status = pml_export_run(file, &options, &report, &error);
        pml_test_fail_allocation(0, false);
        n_failed += status == PML_E_MEMORY;
        CU_ASSERT_EQUAL(pml_test_count_files(place), status == PML_OK ? 1 : 0);
    }
    PML_ASSERT_OK(status, &error);
    CU_ASSERT_TRUE(n_failed > 50);
    pml_file_close(file);
}

static void usage(void) {
    test_usage("export", "FILE.pml");
}

PML_TESTS("convert/export", PML_TEST(what_goes_in_comes_out), PML_TEST(another_dialect),
          PML_TEST(rounded_weights_come_out_rounded), PML_TEST(series_keep_their_scale),
          PML_TEST(refusals_leave_nothing), PML_TEST(folders_that_hold_something), PML_TEST(leftovers_are_swept),
          PML_TEST(writes_that_fail_leave_nothing), PML_TEST(allocations_that_fail_leave_nothing), PML_TEST(usage))
