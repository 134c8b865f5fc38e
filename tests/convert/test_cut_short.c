/* Files that are cut short while the commands have them mapped. */
#include <errno.h>
#include <signal.h>

#include "tests/convert/hostile_fixture.h"

/* Sleeps a little, ten seconds in all; false when they are over. */
static bool wait_a_little(unsigned *n_waits) {
    (void)usleep(200);
    return ++*n_waits < 50000;
}

/* Waits until the process has that file mapped; false when it ended before. */
static bool wait_until_mapped(pid_t child, const char *path) {
    const char *maps = pml_test_path("/proc/%ld/maps", (long)child);
    static char text[262144];
    unsigned n_waits = 0;
    bool has_ended;
    do {
        FILE *stream = fopen(maps, "r");
        const size_t n = stream == NULL ? 0 : fread(text, 1, sizeof text - 1, stream);
        text[n] = '\0';
        if (stream != NULL) {
            (void)fclose(stream);
        }
        if (strstr(text, path) != NULL) {
            return true;
        }
        siginfo_t info = {0};
        has_ended = waitid(P_PID, (id_t)child, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == child;
    } while (!has_ended && wait_a_little(&n_waits));
    return false;
}

static void assert_bus_error(const outcome *o, const char *program) {
    const char *expected = pml_test_path("%s: error: a file changed while it was mapped", program);
    if (o->code != 74 || strstr(o->err, expected) == NULL) {
        (void)printf("\n    %s: exit %d: %.500s", program, o->code, o->err);
        CU_FAIL("a file that was cut short");
    }
    CU_ASSERT_TRUE(is_empty_folder(output_folder()));
}

/* A checkpoint of 48 MB, all zeros (a hole): enough for a conversion to be caught in the middle. */
static const char *large_folder(uint64_t *size_bytes, size_t *header_bytes) {
    enum { D = 1024, F = 4 * D };
    static const char *folder;
    synthetic s;
    synthetic_patchtst(&s);
    for (size_t i = 0; i < s.count; i++) {
        for (unsigned j = 0; j < s.tensors[i].rank; j++) {
            uint64_t *n = &s.tensors[i].shape[j];
            *n = *n == 4 ? D : *n == 8 ? F : *n == 12 ? 3 * D : *n;
        }
    }
    if (folder == NULL) {
        static const char config[] = "{\"model_type\":\"patchtst\",\"architectures\":[\"PatchTSTForPrediction\"],"
                                     "\"num_input_channels\":2,\"context_length\":15,\"patch_length\":5,"
                                     "\"patch_stride\":5,\"num_hidden_layers\":1,\"d_model\":1024,"
                                     "\"num_attention_heads\":2,\"ffn_dim\":4096,\"pooling_type\":null,"
                                     "\"prediction_length\":2}";
        folder = temporary("large");
        CU_ASSERT_EQUAL_FATAL(mkdir(folder, 0700), 0);
        pml_test_write_file(pml_test_path("%s/config.json", folder), config, strlen(config));
    }
    *size_bytes = synthetic_write(&s, pml_test_path("%s/model.safetensors", folder), header_bytes);
    return folder;
}

/* Stopped as soon as its temporary file is there, the converter wakes up with a source that ends behind the header. */
static void a_source_cut_while_converted_is_an_error(void) {
    uint64_t size_bytes;
    size_t header_bytes;
    const char *out = pml_test_path("%s/x.pml", output_folder());
    outcome o = {0};
    for (unsigned n_tries = 0; n_tries < 20; n_tries++) { /* again when the conversion was over before it was stopped */
        const char *folder = large_folder(&size_bytes, &header_bytes);
        const char *source = pml_test_path("%s/model.safetensors", folder);
        const char *const convert[] = {"pml-convert", folder, "-o", out, "-q", NULL};
        unsigned n_waits = 0;
        const pid_t child = start(convert, 0);
        while (is_empty_folder(output_folder()) && wait_a_little(&n_waits)) {
        }
        CU_ASSERT_EQUAL(kill(child, SIGSTOP), 0);
        CU_ASSERT_EQUAL(truncate(source, (off_t)header_bytes), 0);
        CU_ASSERT_EQUAL(kill(child, SIGCONT), 0);
        o = finish(child);
        if (o.code != 0) {
            break;
        }
        CU_ASSERT_EQUAL(unlink(out), 0);
    }
    assert_bus_error(&o, "pml-convert");
}

static void a_model_cut_while_it_runs_is_an_error(void) {
    uint64_t size_bytes;
    size_t header_bytes;
    const char *model = temporary("large.pml"), *series = temporary("long.csv");
    TEST_EXITS(0, NULL, "'%s' -o '%s' -q", large_folder(&size_bytes, &header_bytes), model);
    FILE *stream = fopen(series, "wb");
    CU_ASSERT_PTR_NOT_NULL_FATAL(stream);
    (void)fputs("a,b\n", stream);
    for (unsigned i = 0; i < 1000000;
         i++) { /* reading it takes far longer than cutting the model that was mapped before */
        (void)fprintf(stream, "%u,%u\n", i, i);
    }
    CU_ASSERT_EQUAL_FATAL(fclose(stream), 0);
    const char *out = pml_test_path("%s/x.csv", output_folder());
    const char *const forecast[] = {"pml-run", "forecast", model, "--csv", series, "-o", out, NULL};
    const char *const bench[] = {"pml-run", "bench", model, "-b", "1", "-r", "100000", NULL};
    const char *const evaluate[] = {"pml-run", "evaluate", model, "--csv", series, "--split", "0.7,0.1,0.2", NULL};
    const char *const *const commands[] = {forecast, bench, evaluate};
    const char *kept = temporary("kept.pml");
    CU_ASSERT_EQUAL_FATAL(rename(model, kept), 0);
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        CU_ASSERT_EQUAL_FATAL(pml_test_command(NULL, "cp '%s' '%s'", kept, model), 0);
        const pid_t child = start(commands[i], 0);
        CU_ASSERT_TRUE(wait_until_mapped(child, model));
        CU_ASSERT_EQUAL(truncate(model, 0), 0);
        const outcome o = finish(child);
        /* Cut before its header was read, it is refused as such a file would be. */
        if (o.code != 65) {
            assert_bus_error(&o, "pml-run");
        }
        CU_ASSERT_TRUE(o.code == 74 || o.code == 65);
    }
}

PML_TESTS("convert/cut_short", PML_TEST(a_source_cut_while_converted_is_an_error),
          PML_TEST(a_model_cut_while_it_runs_is_an_error))
