/* Figure G3 over whole commands: allocation n fails, for every n, once and from then on. Each time the command ends
 * with the exit code of a failure, everything that it allocated is released, and no output is left; once nothing fails
 * any more it does what it always does. */
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "convert/commands.h"
#include "runtime/base/alloc.h"
#include "runtime/cli/run_commands.h"
#include "tests/convert/command_fixture.h"

static const pml_command *const convert_commands[] = {
    &pml_cmd_convert, &pml_cmd_inspect, &pml_cmd_verify,   &pml_cmd_diff, &pml_cmd_detect,
    &pml_cmd_models,  &pml_cmd_formats, &pml_cmd_selftest, NULL,
};
static const pml_command *const run_commands[] = {
    &pml_cmd_run_info,     &pml_cmd_run_forecast, &pml_cmd_run_evaluate, &pml_cmd_run_backtest,
    &pml_cmd_run_selftest, &pml_cmd_run_bench,    &pml_cmd_run_backends, NULL,
};

/* Sanitizers see the same code fail at every third place, in a third of the time. */
#ifdef PML_TEST_SANITIZED
#define STRIDE 3
#else
#define STRIDE 1
#endif

/* ---- an allocator that fails and counts; commands may allocate on several threads -------------------------------- */

static atomic_long countdown; /* 0: never */
static atomic_long n_live;
static atomic_bool has_failed;
static bool fails_from_then_on;

static void *allocate(size_t alignment, size_t size_bytes) {
    if (atomic_load(&countdown) > 0 && atomic_fetch_sub(&countdown, 1) == 1) {
        atomic_store(&has_failed, true);
        if (fails_from_then_on) {
            atomic_store(&countdown, 1);
        }
        return NULL;
    }
    void *pointer = aligned_alloc(alignment, size_bytes);
    atomic_fetch_add(&n_live, pointer != NULL);
    return pointer;
}

static void release(void *pointer) {
    atomic_fetch_sub(&n_live, 1);
    free(pointer);
}

/* ---- running a command in this process --------------------------------------------------------------------------- */

static const char *output_folder(void) {
    static const char *path;
    if (path == NULL) {
        path = pml_test_path("%s/output", pml_test_temporary_dir());
        CU_ASSERT_EQUAL_FATAL(mkdir(path, 0700), 0);
    }
    return path;
}

/* Cuts a line into words and runs it, its output going nowhere. */
static int run(const char *line) {
    char words[4096], *arguments[64] = {NULL}, *rest = words;
    int n = 0;
    (void)snprintf(words, sizeof words, "%s", line);
    while (rest != NULL && n < 63) {
        char *word = strsep(&rest, " ");
        if (word[0] != '\0') {
            arguments[n++] = word;
        }
    }
    const bool converts = strcmp(arguments[0], "pml-convert") == 0;
    (void)fflush(stdout);
    const int nowhere = open("/dev/null", O_WRONLY), out = dup(STDOUT_FILENO), err = dup(STDERR_FILENO);
    CU_ASSERT_FATAL(nowhere >= 0 && out >= 0 && err >= 0);
    CU_ASSERT_FATAL(dup2(nowhere, STDOUT_FILENO) >= 0 && dup2(nowhere, STDERR_FILENO) >= 0);
    const int code = converts ? pml_cli_main("pml-convert", "", convert_commands, &pml_cmd_convert, n, arguments)
                              : pml_cli_main("pml-run", "", run_commands, NULL, n, arguments);
    (void)fflush(stdout);
    CU_ASSERT_FATAL(dup2(out, STDOUT_FILENO) >= 0 && dup2(err, STDERR_FILENO) >= 0);
    (void)close(nowhere);
    (void)close(out);
    (void)close(err);
    return code;
}

static bool has_output(void) {
    return pml_test_command(NULL, "test -n \"$(ls -A '%s')\"", output_folder()) == 0;
}

typedef enum leaves { /* what is found in the output folder after a failure */
                      NOTHING,
                      MAY_BE_WHOLE /* a finished file: only what came after it failed */
} leaves;

/* Runs the line for every failing allocation, until there are not that many. `output` (NULL: none) is what it
 * publishes. libcsv asks for less when it does not get what it wants, so a line that reads a series may get over one
 * failure; evaluate and backtest do without their line of progress. */
static void survives(const char *line, const char *output, leaves after) {
    const bool reads_series = strstr(line, "--csv") != NULL,
               evaluates = strstr(line, "evaluate") != NULL || strstr(line, "backtest") != NULL;
    for (int persistently = 0; persistently < 2; persistently++) {
        unsigned long n = 0, n_bad = 0;
        do {
            n += n < 40 ? 1 : STRIDE;
            fails_from_then_on = persistently == 1;
            atomic_store(&countdown, (long)n);
            atomic_store(&n_live, 0);
            atomic_store(&has_failed, false);
            pml_allocator_set(allocate, release);
            const int code = run(line);
            atomic_store(&countdown, 0);
            pml_allocator_set(NULL, NULL);
            const bool is_published = output != NULL && unlink(output) == 0;
            const bool may_succeed = !atomic_load(&has_failed) || evaluates || (reads_series && persistently == 0);
            bool fits = (code == 1 && atomic_load(&has_failed)) || (code == 0 && may_succeed);
            fits = fits && atomic_load(&n_live) == 0 && (code != 0 || output == NULL || is_published) &&
                   (code == 0 || !is_published || after == MAY_BE_WHOLE);
            if (!fits && n_bad++ < 3) {
                (void)printf("\n    %s\n    allocation %lu%s: exit %d, %ld blocks live, %s\n", line, n,
                             persistently == 1 ? " and on" : "", code, atomic_load(&n_live),
                             is_published ? "published" : "nothing published");
            }
            CU_ASSERT_TRUE(fits);
            if (n % 64 == 0) {
                CU_ASSERT_FALSE(has_output());
            }
        } while (atomic_load(&has_failed) && n < 20000 && n_bad < 20);
        CU_ASSERT_TRUE(n > 3 && n < 20000);
        CU_ASSERT_FALSE(has_output());
    }
}

/* ---- flows ------------------------------------------------------------------------------------------------------- */

static const char *source_path(void) {
    static const char *path;
    if (path == NULL) {
        static const char scaler[] = "{\"kind\": \"standard\", \"columns\": [\"a\", \"b\", \"c\"],"
                                     " \"mean\": [1, 2, 3], \"std\": [1, 2, 3]}";
        path = test_copy_case(TEST_CASE, "source");
        if (path != NULL) {
            pml_test_write_file(pml_test_path("%s/scaler.json", path), scaler, strlen(scaler));
        }
    }
    return path;
}

static const char *model_path(void) {
    static const char *path;
    if (path == NULL && source_path() != NULL) {
        path = test_converted(source_path(), "model.pml",
                              pml_test_path("--embed-selftest '%s/io.safetensors'", source_path()));
    }
    return path;
}

static const char *series_path(void) {
    static const char *path;
    if (path == NULL) {
        path = pml_test_path("%s/series.csv", pml_test_temporary_dir());
        FILE *stream = fopen(path, "w");
        CU_ASSERT_PTR_NOT_NULL_FATAL(stream);
        (void)fputs("date,a,note,b,c\n", stream);
        for (int i = 0; i < 120; i++) {
            (void)fprintf(stream, "2020-01-%02d %02d:00:00,%d,x,%s,%d\n", i / 24 + 1, i % 24, i, i == 70 ? "" : "7",
                          -i);
        }
        CU_ASSERT_EQUAL_FATAL(fclose(stream), 0);
    }
    return path;
}

static void conversions(void) {
    const char *source = source_path(), *out = pml_test_path("%s/out.pml", output_folder());
    if (source == NULL) {
        return;
    }
    survives(pml_test_path("pml-convert %s -o %s", source, out), out, NOTHING);
    survives(pml_test_path("pml-convert %s -o %s --json --set frequency=h --dtype bf16 --layout row "
                           "--embed-selftest %s/io.safetensors",
                           source, out, source),
             out, NOTHING);
    survives(pml_test_path("pml-convert %s -o %s --dry-run", source, out), NULL, NOTHING);
}

static void looks_at_sources(void) {
    const char *source = source_path();
    if (source == NULL) {
        return;
    }
    survives(pml_test_path("pml-convert detect %s", source), NULL, NOTHING);
    survives(pml_test_path("pml-convert detect %s --json", source), NULL, NOTHING);
    survives(pml_test_path("pml-convert inspect %s", source), NULL, NOTHING);
    survives(pml_test_path("pml-convert inspect %s --json", source), NULL, NOTHING);
}

static void looks_at_models(void) {
    const char *model = model_path(), *source = source_path();
    if (model == NULL) {
        return;
    }
    survives(pml_test_path("pml-convert inspect %s", model), NULL, NOTHING);
    survives(pml_test_path("pml-convert verify %s --source %s", model, source), NULL, NOTHING);
    survives(pml_test_path("pml-convert diff %s %s --json", model, model), NULL, NOTHING);
    survives(pml_test_path("pml-convert selftest %s --io %s/io.safetensors --out %s/y.safetensors", model, source,
                           output_folder()),
             pml_test_path("%s/y.safetensors", output_folder()), MAY_BE_WHOLE);
    survives(pml_test_path("pml-run info %s --verify", model), NULL, NOTHING);
    survives(pml_test_path("pml-run info %s --json --tensors", model), NULL, NOTHING);
}

static void runs(void) {
    const char *model = model_path(), *series = series_path(), *out = pml_test_path("%s/out.csv", output_folder());
    if (model == NULL) {
        return;
    }
    survives(pml_test_path("pml-run forecast %s --csv %s -o %s", model, series, out), out, NOTHING);
    survives(pml_test_path("pml-run forecast %s --csv %s --json --verify", model, series), NULL, NOTHING);
    survives(pml_test_path("pml-run evaluate %s --csv %s --split 0.6,0.1,0.3 --json", model, series), NULL, NOTHING);
    survives(pml_test_path("pml-run backtest %s --csv %s --json", model, series), NULL, NOTHING);
    survives(pml_test_path("pml-run evaluate %s --csv %s --split 0.6,0.1,0.3 --baseline repeat-last", model, series),
             NULL, NOTHING);
    survives(pml_test_path("pml-run selftest %s", model), NULL, NOTHING);
    survives(pml_test_path("pml-run bench %s -b 1,2 -r 1 --warmup 0", model), NULL, NOTHING);
}

PML_TESTS("convert/scarce_memory", PML_TEST(conversions), PML_TEST(looks_at_sources), PML_TEST(looks_at_models),
          PML_TEST(runs))
