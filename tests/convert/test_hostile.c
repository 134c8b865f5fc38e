/* Hostile files as a user meets them: the commands, run on every golden invalid file and on bombs, within bounds of
 * memory and time that the kernel watches; and files that are cut short while the commands have them mapped. */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "runtime/file/writer.h"
#include "tests/convert/command_fixture.h"
#include "tests/mappers/synthetic.h"

#ifdef PML_TEST_SANITIZED
#define SANITIZED 1
#else
#define SANITIZED 0
#endif
#if defined(__OPTIMIZE__) && !SANITIZED
#define CPU_SECONDS 2
#else
#define CPU_SECONDS 30
#endif

/* A sanitized program takes its time to start: one command per file is enough for it. */
#define EVERY_COMMAND (!SANITIZED)

enum { MIB = 1 << 20 };

/* ---- running a command under limits ------------------------------------------------------------------------------ */

typedef struct outcome {
    int code;        /* exit code, or 128 + signal */
    long peak_kib;   /* greatest resident size */
    const char *err; /* stderr, kept */
} outcome;

static const char *temporary(const char *name) {
    return pml_test_path("%s/%s", pml_test_temporary_dir(), name);
}

static pid_t start(const char *const *arguments, size_t address_space_bytes) {
    const char *err_path = temporary("stderr"), *out_path = temporary("stdout");
    const char *program = pml_test_path("%s/%s", pml_test_binary_dir(), arguments[0]);
    (void)fflush(NULL);
    const pid_t child = fork();
    if (child == 0) {
        const struct rlimit cpu = {CPU_SECONDS, CPU_SECONDS}, no_core = {0, 0};
        const struct rlimit space = {address_space_bytes, address_space_bytes};
        (void)setrlimit(RLIMIT_CPU, &cpu);
        (void)setrlimit(RLIMIT_CORE, &no_core);
        if (!SANITIZED && address_space_bytes != 0 && setrlimit(RLIMIT_AS, &space) != 0) {
            _exit(126);
        }
        if (freopen(out_path, "w", stdout) == NULL || freopen(err_path, "w", stderr) == NULL) {
            _exit(126);
        }
        (void)execv(program, (char *const *)(uintptr_t)arguments);
        _exit(127);
    }
    CU_ASSERT_FATAL(child > 0);
    return child;
}

static outcome finish(pid_t child) {
    int status = 0;
    struct rusage usage;
    outcome o = {0};
    CU_ASSERT_EQUAL_FATAL(wait4(child, &status, 0, &usage), child);
    o.code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    o.peak_kib = usage.ru_maxrss;
    size_t size_bytes;
    char *text = (char *)pml_test_read_file(temporary("stderr"), &size_bytes);
    o.err = pml_test_path("%s", strlen(text) == size_bytes ? text : "(a zero byte in stderr)");
    free(text);
    return o;
}

static size_t file_bytes(const char *path) {
    struct stat info;
    return stat(path, &info) == 0 && S_ISREG(info.st_mode) ? (size_t)info.st_size : 0;
}

static bool is_empty_folder(const char *path) {
    DIR *entries = opendir(path);
    size_t n = 0;
    CU_ASSERT_PTR_NOT_NULL_FATAL(entries);
    while (readdir(entries) != NULL) {
        n++;
    }
    (void)closedir(entries);
    return n == 2;
}

static const char *output_folder(void) {
    static const char *path;
    if (path == NULL) {
        path = temporary("output");
        CU_ASSERT_EQUAL_FATAL(mkdir(path, 0700), 0);
    }
    return path;
}

/* Runs and asserts what holds for every refusal: this exit code, one line "PROGRAM: error: …" on stderr that holds
 * `name` and `cause` and nothing that a terminal would obey, nothing on stdout, nothing in the output folder, memory
 * within 64 MiB + 4 x input_bytes. The message is returned, kept. */
static const char *refused(const char *const *arguments, size_t input_bytes, int expected, const char *name,
                           const char *cause) {
    const size_t allowed_bytes = 64 * (size_t)MIB + 4 * input_bytes;
    const outcome o = finish(start(arguments, 256 * (size_t)MIB));
    const char *begin = pml_test_path("%s: error: ", arguments[0]);
    const size_t length = strlen(o.err);
    bool fits = o.code == expected && strncmp(o.err, begin, strlen(begin)) == 0;
    fits = fits && length > 0 && strchr(o.err, '\n') == o.err + length - 1;
    fits = fits && strstr(o.err, name) != NULL && strstr(o.err, cause) != NULL;
    for (size_t i = 0; i + 1 < length; i++) {
        fits = fits && (unsigned char)o.err[i] >= 0x20 && o.err[i] != 0x7f;
    }
    fits = fits && file_bytes(temporary("stdout")) == 0 && is_empty_folder(output_folder());
    fits = fits && (SANITIZED || (size_t)o.peak_kib * 1024 <= allowed_bytes);
    if (!fits) {
        (void)printf("\n    %s", arguments[0]);
        for (size_t i = 1; arguments[i] != NULL; i++) {
            (void)printf(" %s", arguments[i]);
        }
        (void)printf("\n    exit %d, expected %d with '%s' and '%s'; %ld KiB of %zu; stderr: %.1200s\n", o.code,
                     expected, name, cause, o.peak_kib, allowed_bytes / 1024, o.err);
    }
    CU_ASSERT_TRUE(fits);
    if (!is_empty_folder(output_folder())) { /* one failure must not look like many */
        (void)pml_test_command(NULL, "rm -rf '%s' && mkdir '%s'", output_folder(), output_folder());
    }
    return o.err;
}

/* ---- the golden files -------------------------------------------------------------------------------------------- */

/* What specs/command-line.md promises for a status. */
static int exit_code_of(const char *status_name) {
    static const struct {
        const char *status;
        int code;
    } rows[] = {{"format", 65},    {"unsupported", 65}, {"numeric", 65}, {"not found", 66}, {"io", 74},
                {"not_found", 66}, {"config", 78},      {"mismatch", 1}, {"argument", 2}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (strcmp(rows[i].status, status_name) == 0) {
            return rows[i].code;
        }
    }
    (void)printf("\n    no exit code for the status '%s'\n", status_name);
    CU_FAIL("status");
    return -1;
}

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

/* The synthetic checkpoint in a folder of its own, with its true configuration. */
static const char *synthetic_folder(void) {
    static const char *folder;
    if (folder == NULL) {
        synthetic s;
        synthetic_patchtst(&s);
        folder = temporary("synthetic");
        CU_ASSERT_EQUAL_FATAL(mkdir(folder, 0700), 0);
        (void)synthetic_write(&s, pml_test_path("%s/model.safetensors", folder), NULL);
        static const char config[] = SYNTHETIC_CONFIG("");
        pml_test_write_file(pml_test_path("%s/config.json", folder), config, strlen(config));
    }
    return folder;
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

/* A model that names no columns, so that a series is read as it is. */
static const char *plain_model(void) {
    static const char *path;
    if (path == NULL) {
        path = temporary("plain.pml");
        TEST_EXITS(0, NULL, "'%s' -o '%s' -q", synthetic_folder(), path);
    }
    return path;
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

/* ---- bombs ------------------------------------------------------------------------------------------------------- */

/* One mebibyte of `piece` (which may hold one %x) between two ends. */
static const char *make_bomb(const char *name, const char *begin, const char *piece, const char *end) {
    const char *path = temporary(name);
    FILE *stream = fopen(path, "wb");
    CU_ASSERT_PTR_NOT_NULL_FATAL(stream);
    (void)fputs(begin, stream);
    const size_t n_begin = strlen(begin), n_end = strlen(end);
    for (unsigned i = 0; n_begin + n_end + (size_t)ftell(stream) < MIB - 64; i++) {
        const char *number = strstr(piece, "%x");
        if (number == NULL) {
            (void)fputs(piece, stream);
        } else {
            (void)fprintf(stream, "%.*s%x%s", (int)(number - piece), piece, i, number + 2);
        }
    }
    (void)fputs(end, stream);
    CU_ASSERT_EQUAL_FATAL(fclose(stream), 0);
    return path;
}

typedef struct bomb {
    const char *name, *begin, *piece, *end;
    int code;
    const char *cause;
} bomb;

static void configurations_of_a_mebibyte_cost_little(void) {
    static const bomb bombs[] = {
        {"zeros.json", "{\"num_input_channels\":[0", ",0", "]}", 78, "num_input_channels"},
        {"arrays.json", "{\"num_input_channels\":[[]", ",[]", "]}", 78, "num_input_channels"},
        {"objects.json", "[{}", ",{}", "]", 78, "object"},
        {"open-arrays.json", "{\"d_model\":", "[", "", 65, "nested too deep"},
        {"open-objects.json", "", "{\"a\":", "", 65, "nested too deep"},
        {"keys.json", "{\"num_input_channels\":0", ",\"%x\":0", "}", 78, "keys.json"},
        {"same-key.json", "{\"a\":0", ",\"a\":0", "}", 65, "stands twice"},
        {"long-key.json", "{\"", "k", "\":0}", 78, "long-key.json"},
        {"long-text.json", "{\"model_type\":\"", "t", "\"}", 78, "model_type 'ttt"},
        {"escapes.json", "{\"model_type\":\"", "\\ud83d\\ude00", "\"}", 78, "model_type"},
        {"digits.json", "{\"d_model\":", "1", "}", 65, "more than 1024 characters"},
        {"spaces.json", "", " ", "", 65, "the text ends"},
        {"newlines.json", "", "\n", "", 65, "the text ends"},
        {"architectures.json", "{\"architectures\":[\"x\"", ",\"%x\"", "]}", 78, "architectures"},
    };
    const char *out = pml_test_path("%s/x.pml", output_folder());
    for (size_t i = 0; i < sizeof bombs / sizeof bombs[0]; i++) {
        const bomb *b = &bombs[i];
        const char *path = make_bomb(b->name, b->begin, b->piece, b->end);
        const char *const convert[] = {"pml-convert", synthetic_folder(), "--config", path, "-o", out, NULL};
        (void)refused(convert, file_bytes(path), b->code, b->name, b->cause);
    }
    const char *scaler = pml_test_path("%s/scaler.json", synthetic_folder());
    const char *const convert[] = {"pml-convert", synthetic_folder(), "-o", out, NULL};
    CU_ASSERT_EQUAL(rename(make_bomb("means", "{\"kind\":\"standard\",\"mean\":[0", ",0", "]}"), scaler), 0);
    (void)refused(convert, file_bytes(scaler), 78, "scaler.json", "'mean' has ");
    CU_ASSERT_EQUAL(
        rename(make_bomb("columns", "{\"kind\":\"standard\",\"mean\":[1,2],\"std\":[1,2],\"columns\":[\"a\"", ",\"%x\"",
                         "]}"),
               scaler),
        0);
    (void)refused(convert, file_bytes(scaler), 78, "scaler.json", "'columns' has ");
    CU_ASSERT_EQUAL(unlink(scaler), 0);
}

/* A checkpoint without layers and a configuration of many: it must not cost what those layers would. */
static void a_few_bytes_cannot_ask_for_much(void) {
    static const char config[] = "{\"model_type\":\"patchtst\",\"architectures\":[\"PatchTSTForPrediction\"],"
                                 "\"num_input_channels\":2,\"context_length\":15,\"patch_length\":5,"
                                 "\"patch_stride\":5,\"num_hidden_layers\":10000,\"channel_attention\":true,"
                                 "\"d_model\":4,\"num_attention_heads\":2,\"ffn_dim\":8,\"pooling_type\":null,"
                                 "\"prediction_length\":2}";
    synthetic s;
    synthetic_patchtst(&s);
    for (size_t i = s.count; i-- > 0;) {
        if (strstr(s.tensors[i].name, ".layers.") != NULL) {
            s.tensors[i] = s.tensors[--s.count];
        }
    }
    const char *folder = temporary("shell"), *out = pml_test_path("%s/x.pml", output_folder());
    CU_ASSERT_EQUAL_FATAL(mkdir(folder, 0700), 0);
    (void)synthetic_write(&s, pml_test_path("%s/model.safetensors", folder), NULL);
    pml_test_write_file(pml_test_path("%s/config.json", folder), config, strlen(config));
    const char *const convert[] = {"pml-convert", folder, "-o", out, NULL};
    (void)refused(convert, 0, 78, "config.json", "do not fit family patchtst: 5 of 5 tensors");
}

/* Files of a mebibyte that pml-run accepts, filled with what costs most to take in. */
static void models_of_a_mebibyte_cost_little(void) {
    enum { N_KEYS = 30000, N_TEXTS = 60000 };
    static const char *texts[N_TEXTS];
    for (unsigned kind = 0; kind < 3; kind++) {
        pml_metadata *m = NULL;
        pml_writer *writer = NULL;
        pml_error error;
        const char *path = pml_test_path("%s/full%u.pml", pml_test_temporary_dir(), kind);
        const float element = 1;
        const uint64_t shape[] = {1};
        size_t ids[4096], n_tensors = kind == 2 ? 4096 : 1;
        PML_ASSERT_OK(pml_metadata_create(&m, &error), &error);
        PML_ASSERT_OK(pml_writer_create(PML_KIND_MODEL, &writer, &error), &error);
        for (unsigned i = 0; kind == 0 && i < N_KEYS; i++) {
            PML_ASSERT_OK(pml_metadata_set_i64(m, pml_test_path("k%u", i), i, &error), &error);
        }
        for (unsigned i = 0; i < N_TEXTS; i++) {
            texts[i] = "";
        }
        if (kind == 1) {
            PML_ASSERT_OK(pml_metadata_set_strings(m, "texts", texts, N_TEXTS, &error), &error);
        }
        PML_ASSERT_OK(pml_writer_set_metadata(writer, m, &error), &error);
        for (size_t i = 0; i < n_tensors; i++) {
            PML_ASSERT_OK(pml_writer_add_tensor(writer, pml_test_path("t%zu", i), PML_DTYPE_F32, PML_LAYOUT_ROW, shape,
                                                1, NULL, &ids[i], &error),
                          &error);
        }
        PML_ASSERT_OK(pml_writer_begin(writer, path, false, &error), &error);
        for (size_t i = 0; i < n_tensors; i++) {
            PML_ASSERT_OK(pml_writer_tensor_write(writer, ids[i], &element, sizeof element, &error), &error);
        }
        PML_ASSERT_OK(pml_writer_finish(writer, &error), &error);
        pml_writer_destroy(writer);
        pml_metadata_destroy(m);
        const char *const commands[][6] = {{"pml-run", "info", "--verify", path, NULL},
                                           {"pml-run", "info", "--json", "--tensors", path, NULL},
                                           {"pml-convert", "inspect", path, NULL}};
        CU_ASSERT_TRUE(file_bytes(path) > 900000 && file_bytes(path) < 1400000);
        for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
            const outcome o = finish(start(commands[i], 256 * (size_t)MIB));
            if (o.code != 0) {
                (void)printf("\n    %s: exit %d: %.300s", path, o.code, o.err);
            }
            CU_ASSERT_EQUAL(o.code, 0);
            CU_ASSERT_TRUE(SANITIZED || (size_t)o.peak_kib * 1024 <= 64 * (size_t)MIB + 4 * file_bytes(path));
        }
    }
}

static void series_of_a_mebibyte_cost_little(void) {
    static const bomb bombs[] = {
        {"one-column.csv", "a\n", "0\n", "", 65, "one-column.csv has 1 columns"},
        {"empty-fields.csv", "a,b\n", ",\n", "x,\n", 65, ".csv"},
        {"columns.csv", "a", ",%x", "\n", 65, "line 1"},
        {"commas.csv", "a", ",", "\n", 65, "line 1"},
        {"records-of-commas.csv", "a,b\n", ",,,,,,,,,,,,,,,\n", "", 65, "line 2"},
        {"blank-lines.csv", "", "\n", "", 65, "no header row"},
        {"quote.csv", "a,b\n\"", "x", "", 65, "line 2"},
        {"quoted-lines.csv", "a,b\n\"", "\n", "", 65, "longer than 4096"},
        {"quoted-quotes.csv", "a,b\n\"", "\"\"", "\"\n", 65, "line 2"},
        {"field.csv", "", "x", "", 65, "line 1"},
        {"blanks.csv", "a,b\n", " ", "", 65, "no rows"},
        {"digits.csv", "a,b\n", "1", ",2\n", 65, "line 2"},
        {"returns.csv", "a,b", "\r", "", 65, "no rows"},
        {"dates.csv", "date,a,b\n", "0001-01-01,1,2\n", "", 65, "row "},
        {"names.csv", "a", ",n%x", "", 65, "line 1"},
    };
    const char *out = pml_test_path("%s/x.csv", output_folder());
    for (size_t i = 0; i < sizeof bombs / sizeof bombs[0]; i++) {
        const bomb *b = &bombs[i];
        const char *path = make_bomb(b->name, b->begin, b->piece, b->end);
        const char *const forecast[] = {"pml-run", "forecast", plain_model(), "--csv", path, "-o", out, NULL};
        (void)refused(forecast, file_bytes(path), b->code, b->name, b->cause);
    }
}

static void rules_of_a_mebibyte_cost_little(void) {
    static const bomb bombs[] = {
        {"lines.map", "", "\n", "x\n", 65, "lines.map:"},
        {"rules.map", "", "a b\n", "", 65, "rules.map:65537: more than 65536 rules"},
        {"patterns.map", "", "a.{k}.{l} x.{k}.{l}\n", "", 78,
         "--map, rule \"a.{k}.{l}\": family patchtst has no weight"},
        {"long-rule.map", "", "x", " y", 65, "long-rule.map:1"},
        {"braces.map", "", "{", "", 65, "braces.map:1"},
        {"steps.map", "model.encoder.positional_encoder.position_enc position transpose", ";transpose", "\n", 78,
         "--map, rule \"model.encoder.positional_encoder.position_enc\": transform too long"},
    };
    const char *out = pml_test_path("%s/x.pml", output_folder());
    for (size_t i = 0; i < sizeof bombs / sizeof bombs[0]; i++) {
        const bomb *b = &bombs[i];
        const char *path = make_bomb(b->name, b->begin, b->piece, b->end);
        const char *const convert[] = {"pml-convert", synthetic_folder(), "--map", path, "-o", out, NULL};
        (void)refused(convert, file_bytes(path), b->code, "", b->cause);
    }
}

/* ---- cut short while mapped -------------------------------------------------------------------------------------- */

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

PML_TESTS("convert/hostile", PML_TEST(every_golden_fault_is_named), PML_TEST(configurations_of_a_mebibyte_cost_little),
          PML_TEST(a_few_bytes_cannot_ask_for_much), PML_TEST(models_of_a_mebibyte_cost_little),
          PML_TEST(series_of_a_mebibyte_cost_little), PML_TEST(rules_of_a_mebibyte_cost_little),
          PML_TEST(a_source_cut_while_converted_is_an_error), PML_TEST(a_model_cut_while_it_runs_is_an_error))
