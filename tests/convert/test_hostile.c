/* The commands, run on every golden invalid file as a user would. */
#include "tests/convert/hostile_fixture.h"

/* A sanitized program takes its time to start: one command per file is enough for it. */
#define EVERY_COMMAND (!SANITIZED)

typedef struct golden {
    const char *path, *name; /* name: the last component */
    const char *status, *cause;
} golden;

/* Reads "<stem>.expected": status, then perhaps an offset, then a part of the message; separated by a TAB or newlines.
 */
static golden read_golden(const char *folder, const char *name, const char *ending, bool has_offset) {
    golden g = {.path = pml_test_path("%s/%s", folder, name), .name = pml_test_path("%s", name)};
    const size_t n_stem = strlen(name) - strlen(ending);
    size_t size_bytes;
    char *rest = (char *)pml_test_read_file(pml_test_path("%s/%.*s.expected", folder, (int)n_stem, name), &size_bytes);
    char *whole = rest;
    g.status = pml_test_path("%s", strsep(&rest, "\t\n"));
    if (has_offset) {
        (void)strsep(&rest, "\n");
    }
    g.cause = pml_test_path("%s", rest != NULL ? strsep(&rest, "\n") : "");
    free(whole);
    return g;
}

/* Calls `visit` for every entry with that ending ("" for folders too) that has an .expected beside it and is invalid.
 */
static size_t for_each_golden(const char *name, const char *ending, bool has_offset, void (*visit)(const golden *g)) {
    const char *folder = pml_test_path("%s/tests/goldens/%s", pml_test_source_dir(), name);
    DIR *entries = opendir(folder);
    size_t n = 0;
    CU_ASSERT_PTR_NOT_NULL_FATAL(entries);
    for (const struct dirent *entry; (entry = readdir(entries)) != NULL;) {
        const size_t length = strlen(entry->d_name), n_ending = strlen(ending);
        const bool fits = length > n_ending && strcmp(entry->d_name + length - n_ending, ending) == 0;
        struct stat info;
        const char *path = pml_test_path("%s/%s", folder, entry->d_name);
        const bool is_folder = stat(path, &info) == 0 && S_ISDIR(info.st_mode);
        if (entry->d_name[0] == '.' || !(fits || is_folder)) {
            continue;
        }
        const golden g = read_golden(folder, entry->d_name, is_folder ? "" : ending, has_offset);
        if (strcmp(g.status, "ok") != 0) {
            visit(&g);
            n++;
        }
    }
    (void)closedir(entries);
    return n;
}

/* A place within the file: a byte, a line, a tensor. */
static bool has_place(const char *message) {
    static const char *const signs[] = {"byte ", "line ", "tensor '", "blob '", "section '"};
    for (size_t i = 0; i < sizeof signs / sizeof signs[0]; i++) {
        if (strstr(message, signs[i]) != NULL) {
            return true;
        }
    }
    return false;
}

/* Faults of a file as a whole: there is no place to name. */
static void assert_place(const golden *g, const char *message) {
    static const char *const whole[] = {"weight-map-missing",  "weight-map-empty", "index-of-pytorch-files",
                                        "shard-missing",       "empty-file.csv",   "only-a-byte-order-mark.csv",
                                        "header-without-rows", "no-numbers"};
    for (size_t i = 0; i < sizeof whole / sizeof whole[0]; i++) {
        if (strncmp(g->name, whole[i], strlen(whole[i])) == 0) {
            return;
        }
    }
    /* A configuration is located by its key, which is the expected part of the message. */
    const bool is_by_key = strstr(g->name, ".json") != NULL && g->cause[0] != '\0';
    if (!has_place(message) && !is_by_key) {
        (void)printf("\n    %s: no place: %s", g->name, message);
        CU_FAIL("place");
    }
}

static void refuse_safetensors(const golden *g) {
    const char *out = pml_test_path("%s/x.pml", output_folder());
    const char *const convert[] = {"pml-convert", g->path, "-o", out, NULL};
    const char *const inspect[] = {"pml-convert", "inspect", g->path, NULL};
    const int code = exit_code_of(g->status);
    assert_place(g, refused(convert, file_bytes(g->path), code, g->name, g->cause));
    if (!EVERY_COMMAND) {
        return;
    }
    assert_place(g, refused(inspect, file_bytes(g->path), code, g->name, g->cause));
}

/* Every fault but those that only verifying sees stops every command that reads a .pml. */
static void refuse_pml(const golden *g) {
    const char *plain = pml_test_path("%s/tests/goldens/csv/valid/plain.csv", pml_test_source_dir());
    const char *const info[] = {"pml-run", "info", "--verify", g->path, NULL};
    const char *const verify[] = {"pml-convert", "verify", g->path, NULL};
    const char *const forecast[] = {"pml-run", "forecast", g->path, "--csv",
                                    plain,     "--verify", "-o",    pml_test_path("%s/x.csv", output_folder()),
                                    NULL};
    const int code = exit_code_of(g->status);
    assert_place(g, refused(info, file_bytes(g->path), code, g->name, g->cause));
    if (!EVERY_COMMAND) {
        return;
    }
    assert_place(g, refused(verify, file_bytes(g->path), code, g->name, g->cause));
    assert_place(g, refused(forecast, file_bytes(g->path), code, g->name, g->cause));
}

static void refuse_config(const golden *g) {
    const char *out = pml_test_path("%s/x.pml", output_folder());
    const char *const convert[] = {"pml-convert", synthetic_folder(), "--config", g->path, "-o", out, NULL};
    assert_place(g, refused(convert, file_bytes(g->path), exit_code_of(g->status), g->name, g->cause));
}

static void refuse_scaler(const golden *g) {
    const char *out = pml_test_path("%s/x.pml", output_folder());
    const char *scaler = pml_test_path("%s/scaler.json", synthetic_folder());
    size_t size_bytes;
    unsigned char *bytes = pml_test_read_file(g->path, &size_bytes);
    pml_test_write_file(scaler, bytes, size_bytes);
    free(bytes);
    const char *const convert[] = {"pml-convert", synthetic_folder(), "-o", out, NULL};
    assert_place(g, refused(convert, size_bytes, exit_code_of(g->status), "scaler.json", g->cause));
    CU_ASSERT_EQUAL(unlink(scaler), 0);
}

static void refuse_csv(const golden *g) {
    const char *out = pml_test_path("%s/x.csv", output_folder());
    const char *const forecast[] = {"pml-run", "forecast", plain_model(), "--csv", g->path, "-o", out, NULL};
    const char *const evaluate[] = {"pml-run", "evaluate", plain_model(), "--csv",
                                    g->path,   "--split",  "0.7,0.1,0.2", NULL};
    assert_place(g, refused(forecast, file_bytes(g->path), exit_code_of(g->status), g->name, g->cause));
    /* Scores do not depend on dates: those faults are left to the columns that the model then misses. */
    const bool is_date =
        strncmp(g->name, "date", 4) == 0 || strncmp(g->name, "day", 3) == 0 || strncmp(g->name, "hour", 4) == 0;
    const char *message =
        refused(evaluate, file_bytes(g->path), exit_code_of(g->status), g->name, is_date ? "columns" : g->cause);
    if (!is_date) {
        assert_place(g, message);
    }
}

static void every_golden_fault_is_named(void) {
    const size_t n_safetensors = for_each_golden("safetensors/invalid", ".safetensors", false, refuse_safetensors);
    const size_t n_pml = for_each_golden("pml/invalid", ".pml", true, refuse_pml);
    const size_t n_configs = for_each_golden("configs", ".json", false, refuse_config);
    const size_t n_scalers = for_each_golden("scalers", ".json", false, refuse_scaler);
    const size_t n_csv = for_each_golden("csv/invalid", ".csv", false, refuse_csv);
    (void)printf("%zu + %zu + %zu + %zu + %zu files ", n_safetensors, n_pml, n_configs, n_scalers, n_csv);
    CU_ASSERT_TRUE(n_safetensors >= 190 && n_pml >= 115 && n_configs >= 85 && n_scalers >= 48 && n_csv >= 29);
}

PML_TESTS("convert/hostile", PML_TEST(every_golden_fault_is_named))
