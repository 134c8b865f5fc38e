/* Hostile safetensors files in bulk: flipped header bytes, truncations, size bombs, failing allocations. */
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "formats/safetensors/header.h"
#include "formats/shard_index.h"
#include "formats/source.h"
#include "runtime/base/alloc.h"
#include "runtime/base/json_reader.h"
#include "tests/harness.h"

#ifdef PML_TEST_SANITIZED
#define IS_SANITIZED 1
#else
#define IS_SANITIZED 0
#endif
/* Promises of speed are held by optimized builds; the others must only not be quadratic. */
#ifdef __OPTIMIZE__
#define SLOWNESS (IS_SANITIZED ? 5 : 1)
#else
#define SLOWNESS 10
#endif

/* ---- building files ----------------------------------------------------------------------------------------- */
typedef struct bytes {
    unsigned char *data;
    size_t size_bytes, capacity;
} bytes;

static void add_bytes(bytes *b, const void *data, size_t size_bytes) {
    if (b->capacity - b->size_bytes < size_bytes) {
        b->capacity = 2 * b->capacity + size_bytes;
        b->data = realloc(b->data, b->capacity);
        CU_ASSERT_PTR_NOT_NULL_FATAL(b->data);
    }
    if (size_bytes > 0) {
        memcpy(b->data + b->size_bytes, data, size_bytes);
        b->size_bytes += size_bytes;
    }
}

static void add_text(bytes *b, const char *text) {
    add_bytes(b, text, strlen(text));
}

/* Puts the header's length, which is all that follows the first 8 bytes, in front. */
static void set_length(bytes *b) {
    uint64_t length = b->size_bytes - 8;
    for (size_t i = 0; i < 8; i++) {
        b->data[i] = (unsigned char)(length >> (8 * i));
    }
}

static bytes begin_header(void) {
    bytes b = {0};
    add_bytes(&b, "\0\0\0\0\0\0\0\0", 8);
    return b;
}

/* Three tensors, metadata, padding: what flips and truncations are tried on. */
static bytes small_file(void) {
    bytes b = begin_header();
    add_text(
        &b,
        "{\"__metadata__\":{\"format\":\"pt\"},\"enc.w\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]},"
        "\"n\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[24,32]},"
        "\"h\\u00e4\":{\"dtype\":\"BF16\",\"shape\":[5],\"data_offsets\":[32,42]}}   ");
    set_length(&b);
    for (unsigned char i = 0; i < 42; i++) {
        add_bytes(&b, &i, 1);
    }
    return b;
}

static const pml_format *safetensors(void) {
    return pml_formats[0];
}

/* Reads a file held in an allocation of its exact size, so that a sanitizer sees a byte read too many. The caller frees
 * *held after the source. */
static pml_status read_memory(const void *data, size_t size_bytes, void **held, pml_source **source, pml_error *error) {
    size_t i_file;
    pml_source *read = NULL;
    *source = NULL;
    *held = malloc(size_bytes > 0 ? size_bytes : 1);
    CU_ASSERT_PTR_NOT_NULL_FATAL(*held);
    memcpy(*held, data, size_bytes);
    pml_status status = pml_source_create("x.safetensors", safetensors(), &read, error);
    status =
        status == PML_OK ? pml_source_add_memory(read, "x.safetensors", *held, size_bytes, &i_file, error) : status;
    status = status == PML_OK ? pml_safetensors_read_header(read, i_file, error) : status;
    status = status == PML_OK ? pml_safetensors_check_coverage(read, error) : status;
    if (status == PML_OK) {
        *source = read;
    } else {
        pml_source_close(read);
    }
    return status;
}

/* ---- flipped bytes ------------------------------------------------------------------------------------------ */
/* The ten changes of one byte: each bit flipped, all zero, all one. */
static unsigned char changed_byte(unsigned char byte, unsigned change) {
    unsigned value = change == 8 ? 0x00u : change == 9 ? 0xffu : byte ^ (1u << change);
    return (unsigned char)value;
}

/* Everything but names and metadata text, which any change may alter without making the file invalid. */
static bool same_structure(const pml_source *a, const pml_source *b) {
    bool is_same =
        pml_source_n_tensors(a) == pml_source_n_tensors(b) && pml_source_n_attributes(a) == pml_source_n_attributes(b);
    for (size_t i = 0; is_same && i < pml_source_n_tensors(a); i++) {
        const pml_source_tensor *left = pml_source_tensor_at(a, i), *right = pml_source_tensor_at(b, i);
        is_same = left->dtype == right->dtype && left->rank == right->rank &&
                  left->offset_bytes == right->offset_bytes && left->size_bytes == right->size_bytes &&
                  memcmp(left->shape, right->shape, sizeof left->shape) == 0;
    }
    return is_same;
}

static bool same_names(const pml_source *a, const pml_source *b) {
    bool is_same = true;
    for (size_t i = 0; is_same && i < pml_source_n_tensors(a); i++) {
        is_same = strcmp(pml_source_tensor_at(a, i)->name, pml_source_tensor_at(b, i)->name) == 0;
    }
    return is_same && strcmp(pml_source_attribute(a, "format") != NULL ? pml_source_attribute(a, "format") : "",
                             pml_source_attribute(b, "format") != NULL ? pml_source_attribute(b, "format") : "") == 0;
}

/* Marks the bytes inside the text of a tensor's name or of the metadata entry. The caller frees. */
static bool *mark_free_text(const bytes *file) {
    static const char *const texts[] = {"\"format\":\"pt\"", "\"enc.w\"", "\"n\"", "\"h\\u00e4\""};
    bool *is_free = calloc(file->size_bytes, sizeof *is_free);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        const unsigned char *found = memmem(file->data, file->size_bytes, texts[i], strlen(texts[i]));
        CU_ASSERT_PTR_NOT_NULL_FATAL(found);
        for (size_t j = 1; j < strlen(texts[i]) - 1; j++) {
            is_free[(size_t)(found - file->data) + j] = true;
        }
    }
    return is_free;
}

static void flipped_header_bytes_are_refused_or_harmless(void) {
    bytes file = small_file();
    size_t header_bytes = file.size_bytes - 42, n_refused = 0, n_identical = 0, n_renamed = 0;
    void *held, *held_changed;
    pml_source *original, *changed;
    pml_error error;
    bool *is_free = mark_free_text(&file);
    PML_ASSERT_OK(read_memory(file.data, file.size_bytes, &held, &original, &error), &error);
    for (size_t position = 0; position < header_bytes; position++) {
        unsigned char byte = file.data[position];
        for (unsigned flip = 0; flip < 10; flip++) {
            file.data[position] = changed_byte(byte, flip);
            pml_status status = read_memory(file.data, file.size_bytes, &held_changed, &changed, &error);
            if (status != PML_OK) {
                CU_ASSERT(status == PML_E_FORMAT || status == PML_E_UNSUPPORTED);
                CU_ASSERT(strncmp(error.message, "x.safetensors", 13) == 0 && error.offset_bytes <= file.size_bytes);
                n_refused++;
            } else if (same_structure(original, changed) && same_names(original, changed)) {
                n_identical++;
            } else {
                /* No checksum guards a name: another valid name is another valid file, over the same bytes. */
                CU_ASSERT(same_structure(original, changed) && is_free[position]);
                n_renamed++;
            }
            pml_source_close(changed);
            free(held_changed);
        }
        file.data[position] = byte;
    }
    CU_ASSERT_EQUAL(n_refused + n_identical + n_renamed, 10 * header_bytes);
    CU_ASSERT(n_refused > 8 * header_bytes && n_renamed < header_bytes);
    free(is_free);
    pml_source_close(original);
    free(held);
    free(file.data);
}

static void flipped_index_bytes_are_refused_or_harmless(void) {
    const char *from = pml_test_path("%s/tests/goldens/safetensors/valid/index", pml_test_source_dir());
    const char *folder = pml_test_path("%s/flipped", pml_test_temporary_dir());
    CU_ASSERT_EQUAL_FATAL(pml_test_command(NULL, "cp -r '%s' '%s'", from, folder), 0);
    const char *path = pml_test_path("%s/model.safetensors.index.json", folder);
    size_t size_bytes, n_refused = 0;
    unsigned char *text = pml_test_read_file(path, &size_bytes);
    pml_source *original, *changed;
    pml_error error;
    PML_ASSERT_OK(pml_source_open(folder, &original, &error), &error);
    for (size_t position = 0; position < size_bytes; position++) {
        unsigned char byte = text[position];
        for (unsigned flip = 0; flip < 10; flip++) {
            text[position] = changed_byte(byte, flip);
            pml_test_write_file(path, text, size_bytes);
            pml_status status = pml_source_open(folder, &changed, &error);
            n_refused += status != PML_OK;
            CU_ASSERT(status == PML_E_FORMAT || status == PML_E_NOT_FOUND || status == PML_E_UNSUPPORTED ||
                      (status == PML_OK && same_structure(original, changed) && same_names(original, changed)));
            pml_source_close(changed);
        }
        text[position] = byte;
    }
    CU_ASSERT(n_refused > 7 * size_bytes);
    pml_source_close(original);
    free(text);
}

/* ---- truncation --------------------------------------------------------------------------------------------- */
static void truncated_files_are_refused(void) {
    bytes file = small_file();
    const char *path = pml_test_path("%s/cut.safetensors", pml_test_temporary_dir());
    size_t edges[] = {0, 23, 24, 25, 31, 32, 33, 41, 42, 43};
    size_t header_bytes = file.size_bytes - 42, n_edges = sizeof edges / sizeof edges[0];
    uint64_t random = 88172645463325252u;
    add_bytes(&file, "\0", 1); /* the byte behind the last edge */
    for (size_t i = 0; i < header_bytes + n_edges + 1000; i++) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        size_t size_bytes = i < header_bytes             ? i
                            : i < header_bytes + n_edges ? header_bytes + edges[i - header_bytes]
                                                         : (size_t)(random % (header_bytes + 42));
        pml_test_write_file(path, file.data, size_bytes);
        pml_source *source = NULL;
        pml_error error;
        if (size_bytes == header_bytes + 42) {
            PML_ASSERT_OK(pml_source_open(path, &source, &error), &error);
        } else {
            PML_ASSERT_FAILS(pml_source_open(path, &source, &error), PML_E_FORMAT, &error, "cut.safetensors: ");
        }
        pml_source_close(source);
    }
    free(file.data);
}

static void sharded_truncations_are_refused(void) {
    const char *from = pml_test_path("%s/tests/goldens/safetensors/valid/index", pml_test_source_dir());
    const char *folder = pml_test_path("%s/cut", pml_test_temporary_dir());
    CU_ASSERT_EQUAL_FATAL(pml_test_command(NULL, "cp -r '%s' '%s'", from, folder), 0);
    static const char *const names[] = {"1.safetensors", "2.safetensors", "model.safetensors.index.json"};
    for (size_t i = 0; i < 3; i++) {
        const char *path = pml_test_path("%s/%s", folder, names[i]);
        size_t size_bytes;
        unsigned char *content = pml_test_read_file(path, &size_bytes);
        for (size_t length = 0; length < size_bytes; length++) {
            pml_test_write_file(path, content, length);
            pml_source *source;
            pml_error error;
            PML_ASSERT_FAILS(pml_source_open(folder, &source, &error), PML_E_FORMAT, &error, folder);
        }
        pml_test_write_file(path, content, size_bytes);
        free(content);
    }
}

/* ---- size bombs --------------------------------------------------------------------------------------------- */
static size_t live_bytes, peak_bytes;

static void *count_allocation(size_t alignment, size_t size_bytes) {
    void *pointer = aligned_alloc(alignment, size_bytes);
    live_bytes += pointer == NULL ? 0 : malloc_usable_size(pointer);
    peak_bytes = live_bytes > peak_bytes ? live_bytes : peak_bytes;
    return pointer;
}

static void count_release(void *pointer) {
    live_bytes -= malloc_usable_size(pointer);
    free(pointer);
}

enum { MIB = 1 << 20 };

/* In a child that may use 2 s of processor time (more in slow builds) and, where sanitizers leave address space alone,
 * 64 MiB + 4 x size of memory: opens `path` and gives the status. The heap is counted in every build. */
static void open_within_limits(const char *path, pml_status expected) {
    size_t file_bytes;
    unsigned char *content = pml_test_read_file(path, &file_bytes);
    free(content);
    size_t allowed = 64 * (size_t)MIB + 4 * file_bytes;
    (void)fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        struct rlimit processor = {2 * SLOWNESS, 2 * SLOWNESS}, no_core = {0, 0};
        (void)setrlimit(RLIMIT_CPU, &processor);
        (void)setrlimit(RLIMIT_CORE, &no_core);
        FILE *statm = fopen("/proc/self/statm", "r");
        unsigned long n_pages = 0;
        if (statm == NULL || fscanf(statm, "%lu", &n_pages) != 1) {
            _exit(100);
        }
        (void)fclose(statm);
        rlim_t space = n_pages * (rlim_t)sysconf(_SC_PAGESIZE) + allowed;
        if (!IS_SANITIZED && setrlimit(RLIMIT_AS, &(struct rlimit){space, space}) != 0) {
            _exit(101);
        }
        pml_allocator_set(count_allocation, count_release);
        pml_source *source;
        pml_error error = {.message = ""};
        pml_status status = pml_source_open(path, &source, &error);
        pml_source_close(source);
        bool is_named = status == PML_OK || strstr(error.message, path) != NULL;
        _exit(peak_bytes + file_bytes > allowed ? 102 : live_bytes != 0 ? 103 : !is_named ? 104 : (int)status);
    }
    int code = -1;
    CU_ASSERT_EQUAL(waitpid(child, &code, 0), child);
    if (!WIFEXITED(code) || WEXITSTATUS(code) != (int)expected) {
        (void)printf("\n    %s: code %d, signal %d\n", path, WEXITSTATUS(code), WIFSIGNALED(code) ? WTERMSIG(code) : 0);
        CU_FAIL("limits");
    }
}

/* Repeats `piece` (a format with one number, or none) until the file has 1 MiB. */
static void bomb(const char *name, const char *start, const char *piece, const char *end, bool has_length,
                 pml_status expected) {
    bytes b = {0};
    if (has_length) {
        b = begin_header();
    }
    add_text(&b, start);
    for (unsigned i = 0; b.size_bytes < MIB - 64; i++) {
        char text[256];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        (void)snprintf(text, sizeof text, piece, i);
#pragma GCC diagnostic pop
        add_text(&b, i == 0 && piece[0] == ',' ? text + 1 : text);
    }
    add_text(&b, end);
    if (has_length) {
        set_length(&b);
    }
    const char *path = pml_test_path("%s/%s", pml_test_temporary_dir(), name);
    pml_test_write_file(path, b.data, b.size_bytes);
    free(b.data);
    open_within_limits(path, expected);
}

static void a_mebibyte_costs_little(void) {
    bomb("names.safetensors", "{", ",\"%x\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}", "}", true,
         PML_OK);
    bomb("metadata.safetensors", "{\"__metadata__\":{", ",\"%x\":\"\"", "}}", true, PML_E_FORMAT);
    bomb("metadata-text.safetensors", "{\"__metadata__\":{\"a\":\"", "%x", "\"}}", true, PML_OK);
    bomb("long-name.safetensors", "{\"", "x", "\":{}}", true, PML_E_FORMAT);
    bomb("escapes.safetensors", "{\"__metadata__\":{\"a\":\"", "\\ud83d\\ude00", "\"}}", true, PML_OK);
    bomb("spaces.safetensors", "", " ", "{}", true, PML_OK);
    bomb("open-arrays.safetensors", "{\"a\":", "[", "", true, PML_E_FORMAT);
    bomb("open-objects.safetensors", "{\"a\":", "{\"a\":", "", true, PML_E_FORMAT);
    bomb("shape.safetensors", "{\"a\":{\"dtype\":\"U8\",\"data_offsets\":[0,0],\"shape\":[", ",0", "]}}", true,
         PML_E_UNSUPPORTED);
    bomb("offsets.safetensors", "{\"a\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[", ",0", "]}}", true,
         PML_E_FORMAT);
    bomb("unknown-keys.safetensors", "{\"a\":{", ",\"%x\":0", "}}", true, PML_E_FORMAT);
    bomb("digits.safetensors", "{\"a\":{\"shape\":[", "1", "]}}", true, PML_E_FORMAT);
    bomb("overlaps.safetensors", "{", ",\"%x\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}", "}", true,
         PML_E_FORMAT);
    bomb("same-name.safetensors", "{", ",\"a\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}", "}", true,
         PML_E_FORMAT);
    bomb("entries.index.json", "{\"weight_map\":{", ",\"%x\":\"1\"", "}}", false, PML_E_NOT_FOUND);
    bomb("shards.index.json", "{\"weight_map\":{", ",\"%1$x\":\"%1$x\"", "}}", false, PML_E_FORMAT);
    bomb("long-shard.index.json", "{\"weight_map\":{\"a\":\"", "x", "\"}}", false, PML_E_FORMAT);
    bomb("deep.index.json", "", "[", "", false, PML_E_FORMAT);
    bomb("spaces.index.json", "", "\n", "", false, PML_E_FORMAT);
}

static double processor_seconds(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* One million tensors (fewer under sanitizers), in an order that must be sorted, with a duplicate at the very end or
 * without. */
static void a_million_tensors_take_two_seconds(void) {
    for (int with_duplicate = 0; with_duplicate < 2; with_duplicate++) {
        bytes file = begin_header();
        size_t n_tensors = IS_SANITIZED ? 200000 : 1000000;
        add_text(&file, "{");
        for (size_t i = 0; i < n_tensors; i++) {
            char text[128];
            size_t offset = i * 7919 % n_tensors; /* a prime that does not divide n_tensors: every offset once */
            (void)snprintf(text, sizeof text, "%s\"t%zu\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[%zu,%zu]}",
                           i == 0 ? "" : ",", with_duplicate && i == n_tensors - 1 ? 0 : i, offset, offset + 1);
            add_text(&file, text);
        }
        add_text(&file, "}");
        set_length(&file);
        unsigned char *data = calloc(n_tensors, 1);
        add_bytes(&file, data, n_tensors);
        free(data);
        void *held;
        pml_source *source;
        pml_error error;
        double start = processor_seconds();
        pml_status status = read_memory(file.data, file.size_bytes, &held, &source, &error);
        double seconds = processor_seconds() - start;
        if (with_duplicate) {
            PML_ASSERT_FAILS(status, PML_E_FORMAT, &error, "tensor 't0' at byte");
        } else {
            PML_ASSERT_OK(status, &error);
            CU_ASSERT(source != NULL && pml_source_n_tensors(source) == n_tensors);
        }
        (void)printf("%.2f s ", seconds);
        CU_ASSERT(seconds < 2.0 * SLOWNESS);
        pml_source_close(source);
        free(held);
        free(file.data);
    }
}

/* Sparse files: the limits of header and index are checked before anything is read. */
static void oversized_headers_are_refused_at_once(void) {
    const char *path = pml_test_path("%s/huge.safetensors", pml_test_temporary_dir());
    uint64_t lengths[] = {PML_MAX_HEADER_BYTES + 1, UINT64_C(1) << 32, (UINT64_C(1) << 40) - 8};
    for (size_t i = 0; i < 3; i++) {
        unsigned char head[9] = {0};
        for (size_t j = 0; j < 8; j++) {
            head[j] = (unsigned char)(lengths[i] >> (8 * j));
        }
        head[8] = '{';
        pml_test_write_file(path, head, sizeof head);
        if (truncate(path, (off_t)1 << 40) != 0) {
            pml_test_skip("no sparse file of a tebibyte here");
            return;
        }
        pml_source *source;
        pml_error error;
        PML_ASSERT_FAILS(pml_source_open(path, &source, &error), PML_E_FORMAT, &error, "more than allowed (100000000)");
    }
    const char *index = pml_test_path("%s/huge.index.json", pml_test_temporary_dir());
    pml_test_write_file(index, "{", 1);
    CU_ASSERT_EQUAL(truncate(index, (off_t)1 << 40), 0);
    pml_source *source;
    pml_error error;
    PML_ASSERT_FAILS(pml_source_open(index, &source, &error), PML_E_FORMAT, &error, "more than allowed (100000000)");
}

/* ---- failing allocations ------------------------------------------------------------------------------------ */
static void survives_failing_allocations(void) {
    static const char *const names[] = {"index", "every-dtype.safetensors", "metadata-last.safetensors"};
    for (size_t i = 0; i < 2 * sizeof names / sizeof names[0]; i++) {
        const char *path = pml_test_path("%s/tests/goldens/safetensors/valid/%s", pml_test_source_dir(), names[i / 2]);
        unsigned long n = 0;
        pml_status status;
        do {
            pml_source *source = (pml_source *)1;
            pml_error error = {.code = PML_OK};
            n++;
            pml_test_fail_allocation(n, i % 2 == 1);
            status = pml_source_open(path, &source, &error);
            pml_test_fail_allocation(0, false);
            CU_ASSERT(status == PML_OK || (status == PML_E_MEMORY && error.code == PML_E_MEMORY && source == NULL));
            pml_source_close(source);
        } while (status != PML_OK && n < 10000);
        CU_ASSERT(n > 8 && n < 10000);
    }
}

/* The same where opening a directory and refusing a file allocate. */
static void survives_failing_allocations_while_refusing(void) {
    static const char *const names[] = {"shard-missing", "tensor-in-two-shards", "overlap.safetensors",
                                        "duplicate-tensor.safetensors", "."};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *path = pml_test_path("%s/tests/goldens/safetensors/invalid/%s", pml_test_source_dir(), names[i]);
        pml_source *source;
        pml_status usual = pml_source_open(path, &source, NULL), status;
        unsigned long n = 0;
        do {
            source = (pml_source *)1;
            n++;
            pml_test_fail_allocation(n, true);
            status = pml_source_open(path, &source, NULL);
            pml_test_fail_allocation(0, false);
            CU_ASSERT(source == NULL && (status == PML_E_MEMORY || status == usual));
        } while (status == PML_E_MEMORY && n < 10000);
        CU_ASSERT(usual != PML_OK && n > 1 && n < 10000);
    }
}

PML_TESTS("formats/safetensors_hostile", PML_TEST(flipped_header_bytes_are_refused_or_harmless),
          PML_TEST(flipped_index_bytes_are_refused_or_harmless), PML_TEST(truncated_files_are_refused),
          PML_TEST(sharded_truncations_are_refused), PML_TEST(a_mebibyte_costs_little),
          PML_TEST(a_million_tensors_take_two_seconds), PML_TEST(oversized_headers_are_refused_at_once),
          PML_TEST(survives_failing_allocations), PML_TEST(survives_failing_allocations_while_refusing))
