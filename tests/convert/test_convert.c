#include "convert/convert.h"

#include <dirent.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "runtime/base/alloc.h"
#include "runtime/file/reader.h"
#include "tests/convert/checkpoint.h"
#include "tests/convert/command_fixture.h"

#ifdef PML_TEST_SANITIZED
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

/* For a header of 100 MB. */
#ifdef __OPTIMIZE__
#define CPU_SECONDS 5
#else
#define CPU_SECONDS 30
#endif

#define SMALL "patchtst/hf-ci-prediction"

/* ---- helpers --------------------------------------------------------------------------------------------------- */

/* A checkpoint of scripts/make_checkpoint.py in a fresh folder. */
static const char *generate(const char *name, const char *arguments) {
    const char *directory = pml_test_path("%s/%s", pml_test_temporary_dir(), name);
    char *output;
    if (pml_test_command(&output, "'%s' '%s/scripts/make_checkpoint.py' %s '%s'", getenv("PML_TEST_PYTHON"),
                         pml_test_source_dir(), arguments, directory) != 0) {
        printf("%s\n", output);
        exit(1);
    }
    free(output);
    return directory;
}

static bool has_python(void) {
    if (getenv("PML_TEST_PYTHON") == NULL) {
        pml_test_skip("PML_TEST_PYTHON is not set");
        return false;
    }
    return true;
}

/* 100 MB, made once: enough for a signal to arrive in the middle, and more than the memory that is allowed below. */
static const char *large_source(void) {
    static const char *made;
    made = made != NULL ? made : generate("large", "--size-mb 100");
    return made;
}

static bool same_files(const char *a, const char *b) {
    size_t n_a, n_b;
    unsigned char *bytes_a = pml_test_read_file(a, &n_a), *bytes_b = pml_test_read_file(b, &n_b);
    const bool same = n_a == n_b && memcmp(bytes_a, bytes_b, n_a) == 0;
    free(bytes_a);
    free(bytes_b);
    return same;
}

static size_t count_entries(const char *directory) {
    DIR *entries = opendir(directory);
    size_t n = 0;
    CU_ASSERT_PTR_NOT_NULL_FATAL(entries);
    for (const struct dirent *entry; (entry = readdir(entries)) != NULL;) {
        n += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    }
    (void)closedir(entries);
    return n;
}

static const char *make_folder(const char *name) {
    const char *path = pml_test_path("%s/%s", pml_test_temporary_dir(), name);
    CU_ASSERT_EQUAL_FATAL(mkdir(path, 0700), 0);
    return path;
}

/* ---- what is written ------------------------------------------------------------------------------------------- */

static void gives_the_same_bytes_again(void) {
    const char *first = test_copy_case(SMALL, "again");
    if (first == NULL) {
        return;
    }
    const char *elsewhere = make_folder("elsewhere");
    CU_ASSERT_EQUAL(pml_test_command(NULL, "cp -r '%s' '%s/again'", first, elsewhere), 0);
    static const char *const options[] = {"", "--dtype bf16", "--layout row",
                                          "--set frequency=h --dtype bf16 --layout row"};
    for (size_t i = 0; i < 4; i++) {
        const char *a = test_converted(first, pml_test_path("a%zu.pml", i), options[i]);
        const char *b = test_converted(pml_test_path("%s/again", elsewhere), pml_test_path("b%zu.pml", i), options[i]);
        CU_ASSERT_TRUE(same_files(a, b));
        CU_ASSERT_EQUAL(pml_test_command(NULL, "! grep -q -F '%s' '%s'", pml_test_temporary_dir(), a), 0);
    }
    CU_ASSERT_FALSE(same_files(pml_test_path("%s/a0.pml", pml_test_temporary_dir()),
                               pml_test_path("%s/a1.pml", pml_test_temporary_dir())));
}

/* Memory that is handed out full of one byte or another: none of it may reach the file. */
static unsigned char canary;

static void *allocate_full(size_t alignment, size_t size_bytes) {
    void *pointer = aligned_alloc(alignment, size_bytes);
    if (pointer != NULL) {
        memset(pointer, canary, size_bytes);
    }
    return pointer;
}

static void nothing_of_the_heap_gets_into_the_file(void) {
    static const unsigned char canaries[] = {0x00, 0x5a, 0xff};
    static const pml_dtype dtypes[] = {PML_DTYPE_F32, PML_DTYPE_BF16};
    const char *source = test_copy_case(SMALL, "canary");
    pml_error error;
    if (source == NULL) {
        return;
    }
    const char *vectors = pml_test_path("%s/io.safetensors", source);
    for (unsigned form = 0; form < 4; form++) {
        const char *paths[3];
        for (size_t i = 0; i < 3; i++) {
            pml_convert_report report;
            pml_plan *plan = NULL;
            paths[i] = pml_test_path("%s/canary%u-%zu.pml", pml_test_temporary_dir(), form, i);
            const pml_convert_options options = {.source = source,
                                                 .output = paths[i],
                                                 .dtype = dtypes[form / 2],
                                                 .layout = form % 2 == 0 ? PML_LAYOUT_PANEL : PML_LAYOUT_ROW,
                                                 .selftest_path = vectors};
            canary = canaries[i];
            pml_allocator_set(allocate_full, free);
            PML_ASSERT_OK(pml_plan_create(&options, &plan, &error), &error);
            PML_ASSERT_OK(pml_convert_run(plan, NULL, NULL, &report, &error), &error);
            pml_plan_destroy(plan);
            pml_allocator_set(NULL, NULL);
        }
        CU_ASSERT_TRUE(same_files(paths[0], paths[1]) && same_files(paths[0], paths[2]));
    }
}

static void equals_its_source_bit_for_bit(void) {
    static const char *const sources[] = {"F32", "F16", "BF16", "F64"};
    static const char *const forms[] = {"--dtype f32 --layout panel", "--dtype f32 --layout row",
                                        "--dtype bf16 --layout panel", "--dtype bf16 --layout row"};
    if (!has_python()) {
        return;
    }
    for (size_t i = 0; i < 4; i++) {
        const char *source = generate(sources[i], pml_test_path("--patchtst42 --dtype %s --scaler", sources[i]));
        for (size_t k = 0; k < 4; k++) {
            const char *path = test_converted(source, "compared.pml", forms[k]);
            const char *plan = pml_test_path("%s/plan.json", pml_test_temporary_dir());
            char *output;
            CU_ASSERT_EQUAL(pml_test_command(NULL, "'%s/pml-convert' '%s' %s --force --dry-run --json > '%s'",
                                             pml_test_binary_dir(), source, forms[k], plan),
                            0);
            const int code = pml_test_command(&output, "'%s' '%s/tests/compare_source.py' '%s' '%s' '%s'",
                                              getenv("PML_TEST_PYTHON"), pml_test_source_dir(), path, source, plan);
            CU_ASSERT_EQUAL(code, 0);
            if (code != 0) {
                printf("\n    %s, %s: %s", sources[i], forms[k], output);
            }
            free(output);
        }
    }
}

static void shards_do_not_matter(void) {
    pml_error error;
    if (!has_python()) {
        return;
    }
    const char *one = generate("whole", "--patchtst42"), *three = generate("sharded", "--patchtst42 --shards 3");
    const char *paths[] = {test_converted(one, "whole.pml", ""), test_converted(three, "sharded.pml", "")};
    pml_file *files[2];
    for (size_t i = 0; i < 2; i++) {
        PML_ASSERT_OK(pml_file_open(paths[i], &files[i], &error), &error);
        PML_ASSERT_OK(pml_file_verify(files[i], &error), &error);
    }
    CU_ASSERT_EQUAL(memcmp(pml_file_content_digest(files[0]), pml_file_content_digest(files[1]), 16), 0);
    const pml_meta_entry *names = pml_metadata_find(pml_file_metadata(files[1]), "provenance.files");
    const pml_meta_entry *hashes = pml_metadata_find(pml_file_metadata(files[1]), "provenance.sha256");
    CU_ASSERT_TRUE_FATAL(names != NULL && hashes != NULL && names->count == 4 && hashes->count == 4);
    for (size_t i = 0; i < 4; i++) { /* three shards and the configuration */
        CU_ASSERT_EQUAL(pml_test_command(NULL, "echo '%s  %s/%s' | sha256sum -c --quiet", hashes->value.strings[i],
                                         three, names->value.strings[i]),
                        0);
    }
    pml_file_close(files[0]);
    pml_file_close(files[1]);
}

static void says_where_the_file_is(void) {
    const char *source = test_copy_case(SMALL, "told");
    char *output;
    if (source == NULL) {
        return;
    }
    const char *folder = make_folder("current");
    const char *program = pml_test_path("cd '%s' && '%s/pml-convert'", folder, pml_test_binary_dir());
    CU_ASSERT_EQUAL(pml_test_command(&output, "(%s '%s' 2>/dev/null)", program, source), 0);
    CU_ASSERT_STRING_EQUAL(output, "told.pml\n");
    free(output);
    CU_ASSERT_EQUAL(pml_test_command(&output, "%s -q '%s' -o '{name}-{dtype}.pml' --dtype bf16", program, source), 0);
    CU_ASSERT_STRING_EQUAL(output, "told-bf16.pml\n");
    free(output);
    CU_ASSERT_EQUAL(pml_test_command(&output, "%s -q '%s/model.safetensors'", program, source), 0);
    CU_ASSERT_STRING_EQUAL(output, "model.pml\n");
    free(output);
    CU_ASSERT_EQUAL(count_entries(folder), 3);
    CU_ASSERT_EQUAL(pml_test_command(&output, "%s --json '%s' -o json.pml 2>&1", program, source), 0);
    CU_ASSERT_TRUE(output[0] == '{' && strstr(output, "\"path\": \"json.pml\"") != NULL &&
                   strstr(output, "\"family\": \"patchtst\"") != NULL && strstr(output, "\"seconds\"") != NULL);
    free(output);
    CU_ASSERT_EQUAL(pml_test_command(&output, "%s -n '%s' -o never.pml", program, source), 0);
    CU_ASSERT_TRUE(strstr(output, "transpose") != NULL && strstr(output, "\nnever.pml\n") != NULL);
    free(output);
    CU_ASSERT_EQUAL(count_entries(folder), 4);
}

/* ---- what is refused ------------------------------------------------------------------------------------------- */

static void refuses_before_any_work(void) {
    const char *source = test_copy_case(SMALL, "refused");
    if (source == NULL) {
        return;
    }
    const char *folder = make_folder("refusals"), *old = pml_test_path("%s/old.pml", folder);
    pml_test_write_file(old, "old", 3);
    TEST_EXITS(2, "--force", "'%s' -o '%s'", source, old);
    TEST_EXITS(2, "--force", "/nowhere -o '%s'", old);
    TEST_EXITS(2, "is a directory", "'%s' -o '%s' --force", source, folder);
    TEST_EXITS(2, "one of the sources", "'%s' -o '%s/model.safetensors' --force", source, source);
    TEST_EXITS(2, "one of the sources", "'%s' -o '%s/config.json' --force", source, source);
    CU_ASSERT_EQUAL(symlink(pml_test_path("%s/model.safetensors", source), pml_test_path("%s/link", folder)), 0);
    TEST_EXITS(2, "one of the sources", "'%s' -o '%s/link' --force", source, folder);
    TEST_EXITS(2, "f16 is a dtype of sources", "'%s' -o '%s/x.pml' --dtype f16", source, folder);
    TEST_EXITS(2, "f32|bf16|int8|int8-g64|int8-g32", "'%s' -o '%s/x.pml' --dtype int4", source, folder);
    TEST_EXITS(2, "layout", "'%s' -o '%s/x.pml' --layout column", source, folder);
    TEST_EXITS(2, "KEY=VALUE", "'%s' -o '%s/x.pml' --set heads", source, folder);
    TEST_EXITS(66, "/nowhere", "/nowhere -o '%s/x.pml'", folder);
    TEST_EXITS(66, "/nowhere", "'%s' -o '%s/x.pml' --config /nowhere", source, folder);
    TEST_EXITS(66, "/nowhere", "'%s' -o '%s/x.pml' --map /nowhere", source, folder);
    TEST_EXITS(78, "frequency", "'%s' -o '%s/x.pml' --set frequency=", source, folder);
    size_t size;
    unsigned char *bytes = pml_test_read_file(old, &size);
    CU_ASSERT_TRUE(size == 3 && memcmp(bytes, "old", 3) == 0);
    free(bytes);
    CU_ASSERT_EQUAL(count_entries(folder), 2);
    TEST_EXITS(0, NULL, "'%s' -o '%s' --force", source, old);
    CU_ASSERT_EQUAL(count_entries(folder), 2);
    test_usage("convert", "SOURCE");
}

/* Puts four bytes over the first element of a tensor of a checkpoint's model.safetensors. */
static void poison(const char *source, const char *tensor, size_t i_element, uint32_t bits) {
    const char *path = pml_test_path("%s/model.safetensors", source);
    pml_source *opened;
    pml_error error;
    PML_ASSERT_OK(pml_source_open(path, &opened, &error), &error);
    const pml_source_tensor *found = pml_source_tensor_find(opened, tensor);
    CU_ASSERT_PTR_NOT_NULL_FATAL(found);
    const size_t offset = (size_t)found->offset_bytes + 4 * i_element;
    pml_source_close(opened);
    size_t size;
    unsigned char *bytes = pml_test_read_file(path, &size);
    memcpy(bytes + offset, &bits, sizeof bits);
    pml_test_write_file(path, bytes, size);
    free(bytes);
}

static void refuses_numbers_that_are_not_finite(void) {
    static const char name[] = "model.encoder.layers.1.self_attn.q_proj.weight";
    const char *source = test_copy_case(SMALL, "poisoned");
    if (source == NULL) {
        return;
    }
    const char *folder = make_folder("numbers");
    poison(source, name, 19, 0x7fc00000);
    TEST_EXITS(65, pml_test_path("'%s' holds NaN at index 19", name), "'%s' -o '%s/x.pml'", source, folder);
    TEST_EXITS(65, "model.safetensors", "'%s' -o '%s/x.pml' --dtype bf16 --layout row", source, folder);
    CU_ASSERT_EQUAL(count_entries(folder), 0);
    TEST_EXITS(0, "1 values are not finite", "'%s' -o '%s/x.pml' --allow-nonfinite", source, folder);
    poison(source, name, 19, 0x7f7fffff);
    TEST_EXITS(0, NULL, "'%s' -o '%s/y.pml'", source, folder);
    TEST_EXITS(65, "beyond the range of BF16, at index 19", "'%s' -o '%s/z.pml' --dtype bf16", source, folder);
    TEST_EXITS(0, "1 exceeded the range of BF16", "'%s' -o '%s/z.pml' --dtype bf16 --allow-nonfinite", source, folder);
    CU_ASSERT_EQUAL(count_entries(folder), 3);
}

static void reads_side_files_strictly(void) {
    const char *source = test_copy_case(SMALL, "sides");
    if (source == NULL) {
        return;
    }
    const char *out = pml_test_path("%s/sides.pml", pml_test_temporary_dir());
    const char *scaler = pml_test_path("%s/scaler.json", source);
    pml_test_write_file(scaler, "{\"kind\": \"minmax\"}", 18);
    TEST_EXITS(65, "'minmax'", "'%s' -o '%s'", source, out);
    pml_test_write_file(scaler, "{\"kind\": \"standard\", \"mean\": [1], \"std\": [1]}", 45);
    TEST_EXITS(78, "'mean' has 1", "'%s' -o '%s'", source, out);
    pml_test_write_file(scaler, "{\"kind\": ", 9);
    TEST_EXITS(65, "scaler.json", "'%s' -o '%s'", source, out);
    CU_ASSERT_EQUAL(unlink(scaler), 0);
    CU_ASSERT_EQUAL(rename(pml_test_path("%s/config.json", source), pml_test_path("%s/other.json", source)), 0);
    TEST_EXITS(78, "--set", "'%s' -o '%s'", source, out); /* tensors alone do not tell everything: it asks */
    TEST_EXITS(0, NULL, "'%s' -o '%s' --config '%s/other.json'", source, out, source);
}

/* ---- what happens when things go wrong ------------------------------------------------------------------------- */

static void leaves_nothing_on_a_full_disk(void) {
    if (!has_python()) {
        return;
    }
    const char *source = generate("full", "--size-mb 3"), *folder = make_folder("disk");
    const char *old = pml_test_path("%s/old.pml", folder);
    char *output;
    pml_test_write_file(old, "old", 3);
    /* In blocks of 512 bytes: nothing, less than a header, half, nearly all. */
    static const unsigned limits[] = {0, 1, 3000, 5000};
    for (size_t i = 0; i < 4; i++) {
        const int code = pml_test_command(&output, "ulimit -f %u; '%s/pml-convert' '%s' -o '%s' --force", limits[i],
                                          pml_test_binary_dir(), source, old);
        CU_ASSERT_EQUAL(code, 74);
        CU_ASSERT_TRUE(strstr(output, "error:") != NULL);
        free(output);
        size_t size;
        unsigned char *bytes = pml_test_read_file(old, &size);
        CU_ASSERT_TRUE(size == 3 && memcmp(bytes, "old", 3) == 0);
        free(bytes);
        CU_ASSERT_EQUAL(count_entries(folder), 1);
    }
}

/* Starts a conversion and sends a signal as soon as its temporary file is there. The wait status. */
static int interrupt(const char *source, const char *folder, int signal_number, unsigned delay_us) {
    const char *program = pml_test_path("%s/pml-convert", pml_test_binary_dir());
    const char *out = pml_test_path("%s/out.pml", folder);
    (void)fflush(NULL);
    const pid_t child = fork();
    if (child == 0) {
        (void)execl(program, program, source, "-o", out, "-q", (char *)NULL);
        _exit(127);
    }
    for (unsigned i = 0; i < 100000 && count_entries(folder) == 0; i++) {
        (void)usleep(100);
    }
    (void)usleep(delay_us);
    CU_ASSERT_EQUAL(kill(child, signal_number), 0);
    int status = 0;
    CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
    return status;
}

static void stops_when_asked(void) {
    static const int signals[] = {SIGINT, SIGTERM};
    if (!has_python()) {
        return;
    }
    const char *source = large_source(), *folder = make_folder("stopped");
    const char *out = pml_test_path("%s/out.pml", folder);
    for (size_t i = 0; i < 2; i++) {
        for (unsigned k = 0; k < 3; k++) {
            int status = 0;
            unsigned n_tries = 0;
            do { /* on a busy machine a signal may come after the end: then the file is there, whole */
                (void)unlink(out);
                status = interrupt(source, folder, signals[i], k * 10000);
            } while (WIFEXITED(status) && WEXITSTATUS(status) == 0 && access(out, F_OK) == 0 && ++n_tries < 20);
            /* Raised again, so that shells see 130 and 143. */
            CU_ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == signals[i]);
            CU_ASSERT_EQUAL(count_entries(folder), 0);
        }
    }
}

/* A header of its own; 8 + n bytes are all there is, unless `declared` says otherwise. */
static void write_header(const char *path, uint64_t declared, const char *text, size_t n) {
    FILE *stream = fopen(path, "wb");
    if (stream == NULL || fwrite(&declared, 8, 1, stream) != 1 || fwrite(text, 1, n, stream) != n ||
        fclose(stream) != 0) {
        perror(path);
        exit(1);
    }
}

static void survives_hostile_headers_in_little_memory(void) {
    enum { BIG = 90000000 };
    const char *path = pml_test_path("%s/hostile.safetensors", pml_test_temporary_dir());
    char *text = malloc(BIG), *output;
    if (SANITIZED) {
        free(text);
        pml_test_skip("address sanitizer needs more address space than the limit");
        return;
    }
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    for (unsigned kind = 0; kind < 7; kind++) {
        size_t n = 0;
        uint64_t declared = 0;
        if (kind == 0) { /* nested beyond any depth */
            memset(text, '[', BIG);
            n = BIG;
        } else if (kind == 1) { /* one endless string */
            memset(text, 'a', BIG);
            memcpy(text, "{\"", 2);
            n = BIG;
        } else if (kind == 2) { /* as many tensors as fit, all on the same bytes */
            text[n++] = '{';
            for (unsigned i = 0; n < BIG - 200; i++) {
                n += (size_t)sprintf(text + n, "%s\"t%u\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]}",
                                     i > 0 ? "," : "", i);
            }
            text[n++] = '}';
        } else if (kind == 3) { /* the same name again and again */
            text[n++] = '{';
            for (unsigned i = 0; n < BIG - 200; i++) {
                n += (size_t)sprintf(text + n, "%s\"t\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]}",
                                     i > 0 ? "," : "");
            }
            text[n++] = '}';
        } else if (kind == 4) { /* a header that claims all of memory */
            n = (size_t)sprintf(text, "{}");
            declared = UINT64_C(1) << 63;
        } else if (kind == 5) { /* a tensor that claims more than there is */
            n = (size_t)sprintf(text,
                                "{\"t\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,4]}}");
        } else { /* metadata without end */
            n = (size_t)sprintf(text, "{\"__metadata__\":{");
            for (unsigned i = 0; n < BIG - 200; i++) {
                n += (size_t)sprintf(text + n, "%s\"k%u\":\"v\"", i > 0 ? "," : "", i);
            }
            n += (size_t)sprintf(text + n, "}}");
        }
        write_header(path, declared != 0 ? declared : n, text, n);
        const int code = pml_test_command(&output, "ulimit -v 262144; ulimit -t %d; '%s/pml-convert' '%s' -o '%s.pml'",
                                          CPU_SECONDS, pml_test_binary_dir(), path, path);
        CU_ASSERT_TRUE(code == 65 || code == 1); /* invalid, or more than the memory there is: an error either way */
        CU_ASSERT_TRUE(strstr(output, "error:") != NULL);
        if (code != 65 && code != 1) {
            printf("\n    kind %u: exit %d: %.300s", kind, code, output);
        }
        CU_ASSERT_NOT_EQUAL(access(pml_test_path("%s.pml", path), F_OK), 0);
        free(output);
    }
    free(text);
}

static void works_in_little_memory(void) {
    if (SANITIZED || !has_python()) {
        if (SANITIZED) {
            pml_test_skip("address sanitizer needs more memory than the limit");
        }
        return;
    }
    const char *source = large_source();
    const char *out = pml_test_path("%s/large.pml", pml_test_temporary_dir());
    CU_ASSERT_EQUAL(
        pml_test_command(NULL, "ulimit -d 32768; '%s/pml-convert' '%s' -o '%s' -q", pml_test_binary_dir(), source, out),
        0);
}

static pml_status convert_once(const char *source, const char *output, pml_error *error) {
    pml_status status = PML_OK;
    pml_convert_report report;
    pml_plan *plan = NULL;
    const pml_convert_options options = {
        .source = source, .output = output, .dtype = PML_DTYPE_BF16, .layout = PML_LAYOUT_PANEL, .replace = true};
    PML_TRY(pml_plan_create(&options, &plan, error));
    PML_TRY(pml_convert_run(plan, NULL, NULL, &report, error));
done:
    pml_plan_destroy(plan);
    return status;
}

static void survives_every_failing_allocation(void) {
    const char *source = test_copy_case(SMALL, "memory");
    pml_error error;
    if (source == NULL) {
        return;
    }
    const char *folder = make_folder("allocations"), *out = pml_test_path("%s/out.pml", folder);
    for (int persistently = 0; persistently <= 1; persistently++) {
        pml_status status = PML_E_MEMORY;
        unsigned long n = 0;
        while (status == PML_E_MEMORY) {
            n++;
            pml_test_fail_allocation(n, persistently != 0);
            status = convert_once(source, out, &error);
            pml_test_fail_allocation(0, false);
            if (status == PML_E_MEMORY) {
                CU_ASSERT_EQUAL(count_entries(folder), 0);
            }
        }
        CU_ASSERT_EQUAL(status, PML_OK);
        CU_ASSERT_TRUE(n > 200);
        CU_ASSERT_EQUAL(count_entries(folder), 1);
        CU_ASSERT_EQUAL(unlink(out), 0);
    }
}

/* ---- self-test vectors ----------------------------------------------------------------------------------------- */

static void embeds_vectors_that_it_reproduces(void) {
    const char *source = test_copy_case(SMALL, "vectors"), *other = pml_test_golden("patchtst/hf-cd-prediction");
    pml_error error;
    pml_file *file;
    if (source == NULL || other == NULL) {
        return;
    }
    const char *folder = make_folder("embedded"), *out = pml_test_path("%s/out.pml", folder);
    TEST_EXITS(0, NULL, "'%s' -o '%s' --embed-selftest '%s/io.safetensors'", source, out, source);
    PML_ASSERT_OK(pml_file_open(out, &file, &error), &error);
    CU_ASSERT_PTR_NOT_NULL(pml_file_blob_find(file, "selftest"));
    PML_ASSERT_OK(pml_file_verify(file, &error), &error);
    pml_file_close(file);
    CU_ASSERT_EQUAL(pml_test_command(NULL, "'%s/pml-run' selftest '%s'", pml_test_binary_dir(), out), 0);
    CU_ASSERT_EQUAL(count_entries(folder), 1);
    const char *larger = pml_test_golden("patchtst/hf-model-only"); /* vectors of more than a page */
    if (larger != NULL) {
        TEST_EXITS(0, NULL, "'%s' -o '%s' --force --embed-selftest '%s/io.safetensors'", larger, out, larger);
    }
    TEST_EXITS(66, "nowhere", "'%s' -o '%s' --force --embed-selftest '%s/nowhere'", source, out, folder);
    TEST_EXITS(2, "is missing", "'%s' -o '%s' --force --embed-selftest '%s/model.safetensors'", source, out, source);
    CU_ASSERT_NOT_EQUAL(
        test_convert(NULL, "'%s' -o '%s' --force --embed-selftest '%s/io.safetensors'", source, out, other), 0);
    poison(source, "head.projection.bias", 0, 0x40000000); /* no longer the model of these vectors */
    TEST_EXITS(1, "does not reproduce", "'%s' -o '%s' --force --embed-selftest '%s/io.safetensors'", source, out,
               source);
    CU_ASSERT_EQUAL(count_entries(folder), 1);
}

PML_TESTS("convert/convert", PML_TEST(gives_the_same_bytes_again), PML_TEST(nothing_of_the_heap_gets_into_the_file),
          PML_TEST(equals_its_source_bit_for_bit), PML_TEST(shards_do_not_matter), PML_TEST(says_where_the_file_is),
          PML_TEST(refuses_before_any_work), PML_TEST(refuses_numbers_that_are_not_finite),
          PML_TEST(reads_side_files_strictly), PML_TEST(leaves_nothing_on_a_full_disk), PML_TEST(stops_when_asked),
          PML_TEST(survives_hostile_headers_in_little_memory), PML_TEST(works_in_little_memory),
          PML_TEST(survives_every_failing_allocation), PML_TEST(embeds_vectors_that_it_reproduces))
