/* How a path becomes a source: files, directories, index files, what is not a file, links, and the choice of a format.
 */
#include "formats/format.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "formats/file_map.h"
#include "formats/source.h"
#include "runtime/base/log.h"
#include "tests/harness.h"

static const char *golden(const char *name) {
    return pml_test_path("%s/tests/goldens/safetensors/%s", pml_test_source_dir(), name);
}

/* A new empty folder of this test program. */
static const char *new_folder(const char *name) {
    const char *path = pml_test_path("%s/%s", pml_test_temporary_dir(), name);
    CU_ASSERT_EQUAL_FATAL(mkdir(path, 0700), 0);
    return path;
}

static void copy_file(const char *from, const char *to) {
    size_t size_bytes;
    unsigned char *bytes = pml_test_read_file(from, &size_bytes);
    pml_test_write_file(to, bytes, size_bytes);
    free(bytes);
}

static void opens(const char *path, size_t n_files, size_t n_tensors) {
    pml_source *source = NULL;
    pml_error error;
    PML_ASSERT_OK(pml_source_open(path, &source, &error), &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(source);
    CU_ASSERT_EQUAL(pml_source_n_files(source), n_files);
    CU_ASSERT_EQUAL(pml_source_n_tensors(source), n_tensors);
    pml_source_close(source);
}

static void fails(const char *path, pml_status expected, const char *part) {
    pml_source *source = (pml_source *)1;
    pml_error error;
    PML_ASSERT_FAILS(pml_source_open(path, &source, &error), expected, &error, part);
    CU_ASSERT_PTR_NULL(source);
    CU_ASSERT_EQUAL(pml_source_open(path, &source, NULL), expected);
}

/* {"z": C64 [3, 2]} */
static void complex_tensors_become_pairs(void) {
    static const char header[] = "{\"x\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[48,56]},"
                                 "\"z\":{\"dtype\":\"C64\",\"shape\":[3,2],\"data_offsets\":[0,48]}}  ";
    const uint64_t header_bytes = sizeof header - 1;
    const char *path = pml_test_path("%s/complex.safetensors", pml_test_temporary_dir());
    unsigned char bytes[8 + sizeof header + 56] = {0};
    float values[14];
    for (size_t i = 0; i < 14; i++) {
        values[i] = (float)i;
    }
    memcpy(bytes, &header_bytes, 8);
    memcpy(bytes + 8, header, header_bytes);
    memcpy(bytes + 8 + header_bytes, values, sizeof values);
    pml_test_write_file(path, bytes, 8 + header_bytes + sizeof values);
    pml_source *source = NULL;
    pml_error error;
    PML_ASSERT_OK(pml_source_open(path, &source, &error), &error);
    const pml_source_tensor *z = pml_source_tensor_find(source, "z");
    CU_ASSERT_EQUAL(z->dtype, PML_DTYPE_C64);
    pml_source_pair_complex(source);
    pml_source_pair_complex(source);
    CU_ASSERT_EQUAL(z->dtype, PML_DTYPE_F32);
    CU_ASSERT_EQUAL(z->rank, 3);
    CU_ASSERT_EQUAL(z->shape[2], 2);
    CU_ASSERT_EQUAL(pml_source_tensor_find(source, "x")->rank, 1);
    const void *view;
    PML_ASSERT_OK(pml_source_tensor_view(source, z, &view, &error), &error);
    CU_ASSERT_EQUAL(memcmp(view, values, 48), 0);
    pml_source_close(source);
}

static void opens_files_of_any_name(void) {
    const char *folder = new_folder("names");
    copy_file(golden("valid/one-tensor.safetensors"), pml_test_path("%s/weights", folder));
    opens(pml_test_path("%s/weights", folder), 1, 1);
    fails(folder, PML_E_NOT_FOUND, "holds no checkpoint; looked for model.safetensors.index.json, model.safetensors");
    CU_ASSERT_EQUAL(symlink("weights", pml_test_path("%s/link", folder)), 0);
    opens(pml_test_path("%s/link", folder), 1, 1);
    const char *index = pml_test_path("%s/other.index.json", folder);
    pml_test_write_file(index, "{\"weight_map\":{\"a\":\"weights\"}}", 30);
    opens(index, 1, 1);
    pml_test_write_file(pml_test_path("%s/text", folder), "hello, world", 12);
    fails(pml_test_path("%s/text", folder), PML_E_UNSUPPORTED, "no format that pml reads");
    pml_test_write_file(pml_test_path("%s/empty", folder), "", 0);
    fails(pml_test_path("%s/empty", folder), PML_E_UNSUPPORTED, "no format that pml reads");
}

static void knows_its_directory(void) {
    const char *folder = new_folder("place");
    copy_file(golden("valid/one-tensor.safetensors"), pml_test_path("%s/model.safetensors", folder));
    char before[4096];
    CU_ASSERT_PTR_NOT_NULL_FATAL(getcwd(before, sizeof before));
    CU_ASSERT_EQUAL_FATAL(chdir(folder), 0);
    static const char *const cases[][2] = {
        {"model.safetensors", "."}, {".", "."}, {"./", "."}, {"./model.safetensors", "."}, {"../place", "../place"},
        {"../place//", "../place"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        pml_source *source = NULL;
        pml_error error;
        PML_ASSERT_OK(pml_source_open(cases[i][0], &source, &error), &error);
        CU_ASSERT_PTR_NOT_NULL_FATAL(source);
        CU_ASSERT_STRING_EQUAL(pml_source_directory(source), cases[i][1]);
        CU_ASSERT_STRING_EQUAL(pml_source_file_name(source, 0), "model.safetensors");
        CU_ASSERT_EQUAL(pml_source_file_size(source, 0), 70);
        pml_source_close(source);
    }
    CU_ASSERT_EQUAL(chdir(before), 0);
}

static void prefers_the_index_then_the_known_name_then_the_only_file(void) {
    const char *folder = new_folder("choice");
    copy_file(golden("valid/one-tensor.safetensors"), pml_test_path("%s/x.safetensors", folder));
    pml_test_write_file(pml_test_path("%s/.hidden.safetensors", folder), "", 0);
    opens(folder, 1, 1);
    copy_file(golden("valid/index/1.safetensors"), pml_test_path("%s/1.safetensors", folder));
    fails(folder, PML_E_ARGUMENT, "holds 2 checkpoints ('1.safetensors', 'x.safetensors'): name the file");
    copy_file(golden("valid/unordered.safetensors"), pml_test_path("%s/model.safetensors", folder));
    opens(folder, 1, 2);
    copy_file(golden("valid/index/2.safetensors"), pml_test_path("%s/2.safetensors", folder));
    copy_file(golden("valid/index/model.safetensors.index.json"),
              pml_test_path("%s/model.safetensors.index.json", folder));
    opens(folder, 2, 3);
    CU_ASSERT_EQUAL(rename(pml_test_path("%s/model.safetensors.index.json", folder),
                           pml_test_path("%s/model.fp16.safetensors.index.json", folder)),
                    0);
    CU_ASSERT_EQUAL(unlink(pml_test_path("%s/model.safetensors", folder)), 0);
    opens(folder, 2, 3);
}

/* neuralforecast's folder of a model, its data and its arguments; without their JSON they are checkpoints like others.
 */
static void arrays_of_a_json_file_are_no_checkpoints(void) {
    static const char *const companions[] = {"dataset", "configuration"};
    const char *folder = new_folder("companions");
    copy_file(golden("valid/one-tensor.safetensors"), pml_test_path("%s/TimesNet_0.safetensors", folder));
    for (size_t i = 0; i < 2; i++) {
        copy_file(golden("valid/unordered.safetensors"), pml_test_path("%s/%s.safetensors", folder, companions[i]));
        fails(folder, PML_E_ARGUMENT, "holds 2 checkpoints");
        pml_test_write_file(pml_test_path("%s/%s.json", folder, companions[i]), "{}", 2);
        opens(folder, 1, 1);
    }
}

static void lists_only_a_few_of_many_candidates(void) {
    const char *folder = new_folder("many");
    for (int i = 0; i < 40; i++) {
        pml_test_write_file(pml_test_path("%s/%02d\x1b.safetensors", folder, i), "", 0);
    }
    fails(folder, PML_E_ARGUMENT, "holds 40 checkpoints ('00\\x1b.safetensors'");
    fails(folder, PML_E_ARGUMENT, "'05\\x1b.safetensors', ...): name the file");
}

static void refuses_what_is_no_file(void) {
    const char *folder = new_folder("kinds");
    fails("", PML_E_ARGUMENT, "is empty");
    fails("hf://org/name@main", PML_E_ARGUMENT, "local files only");
    fails("https://huggingface.co/org/name", PML_E_ARGUMENT, "local files only");
    fails(pml_test_path("%s/absent", folder), PML_E_NOT_FOUND, "absent: no such file");
    fails(pml_test_path("%s/absent/model.safetensors", folder), PML_E_NOT_FOUND, "no such file");
    fails("/dev/zero", PML_E_IO, "a device");
    fails("/dev/null", PML_E_IO, "a device");
    const char *fifo = pml_test_path("%s/fifo.safetensors", folder);
    CU_ASSERT_EQUAL(mkfifo(fifo, 0600), 0);
    fails(fifo, PML_E_IO, "a FIFO");
    fails(folder, PML_E_IO, "a FIFO");
    const char *loop = pml_test_path("%s/loop", folder);
    CU_ASSERT_EQUAL(symlink("loop", loop), 0);
    fails(loop, PML_E_IO, "loop: ");
    const char *dangling = pml_test_path("%s/dangling", folder);
    CU_ASSERT_EQUAL(symlink("nowhere", dangling), 0);
    fails(dangling, PML_E_NOT_FOUND, "dangling: no such file");
    const char *inner = pml_test_path("%s/model.safetensors", folder);
    CU_ASSERT_EQUAL(mkdir(inner, 0700), 0);
    fails(folder, PML_E_IO, "a directory, not a regular file");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s/s", folder);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (bind(fd, (const struct sockaddr *)&address, sizeof address) == 0) {
        fails(address.sun_path, PML_E_IO, "/s: ");
    }
    (void)close(fd);
    if (geteuid() != 0) {
        const char *secret = pml_test_path("%s/secret", folder);
        pml_test_write_file(secret, "x", 1);
        CU_ASSERT_EQUAL(chmod(secret, 0), 0);
        fails(secret, PML_E_IO, "secret: ");
    }
}

/* What users give by mistake is called by its name. */
static void names_what_is_taken_for_a_checkpoint(void) {
    const char *folder = new_folder("mistaken");
    static const char pointer[] = "version https://git-lfs.github.com/spec/v1\n"
                                  "oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\n"
                                  "size 12345\n";
    const char *weights = pml_test_path("%s/model.safetensors", folder);
    pml_test_write_file(weights, pointer, sizeof pointer - 1);
    fails(folder, PML_E_FORMAT, "model.safetensors: is a Git LFS pointer");
    fails(weights, PML_E_FORMAT, "git lfs pull");
    copy_file(golden("valid/index/model.safetensors.index.json"),
              pml_test_path("%s/model.safetensors.index.json", folder));
    pml_test_write_file(pml_test_path("%s/1.safetensors", folder), pointer, sizeof pointer - 1);
    fails(folder, PML_E_FORMAT, "is a Git LFS pointer");
    const char *converted = pml_test_path("%s/done.pml", folder);
    pml_test_write_file(converted, "\x89PML\r\n\x1a\n and more", 17);
    fails(converted, PML_E_UNSUPPORTED, "is a .pml file");
}

/* A snapshot as a hub cache has it: links to blobs two folders up. */
static void follows_links_of_a_hub_cache_only(void) {
    const char *root = new_folder("cache");
    const char *snapshot = pml_test_path("%s/snapshots/1", root);
    CU_ASSERT_EQUAL(pml_test_command(NULL, "mkdir -p '%s' '%s/blobs'", snapshot, root), 0);
    static const char sha1[] = "0123456789abcdef0123456789abcdef01234567";
    static const char sha256[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    copy_file(golden("valid/index/1.safetensors"), pml_test_path("%s/blobs/%s", root, sha256));
    copy_file(golden("valid/index/2.safetensors"), pml_test_path("%s/2.safetensors", snapshot));
    copy_file(golden("valid/index/model.safetensors.index.json"), pml_test_path("%s/blobs/%s", root, sha1));
    CU_ASSERT_EQUAL(
        symlink(pml_test_path("../../blobs/%s", sha1), pml_test_path("%s/model.safetensors.index.json", snapshot)), 0);
    const char *shard = pml_test_path("%s/1.safetensors", snapshot);
    CU_ASSERT_EQUAL(symlink(pml_test_path("../../blobs/%s", sha256), shard), 0);
    opens(snapshot, 2, 3);

    copy_file(golden("valid/index/1.safetensors"), pml_test_path("%s/outside", root));
    copy_file(golden("valid/index/1.safetensors"), pml_test_path("%s/blobs/0123", root));
    CU_ASSERT_EQUAL(symlink("../outside", pml_test_path("%s/blobs/%.39s0", root, sha1)), 0);
    CU_ASSERT_EQUAL(mkfifo(pml_test_path("%s/blobs/%.39s1", root, sha1), 0600), 0);
    CU_ASSERT_EQUAL(symlink("blobs", pml_test_path("%s/linked", root)), 0);
    const struct {
        const char *target;
        pml_status status;
        const char *part;
    } cases[] = {
        {"../../outside", PML_E_FORMAT, "symbolic link"},
        {pml_test_path("%s/outside", root), PML_E_FORMAT, "symbolic link"},
        {pml_test_path("%s/blobs/%s", root, sha256), PML_E_FORMAT, "symbolic link"},
        {"2.safetensors", PML_E_FORMAT, "symbolic link"},
        {"1.safetensors", PML_E_FORMAT, "symbolic link"},
        {"/dev/zero", PML_E_FORMAT, "symbolic link"},
        {"/etc/passwd", PML_E_FORMAT, "symbolic link"},
        {"../../blobs/0123", PML_E_FORMAT, "symbolic link"},
        {pml_test_path("../../blobs/%s/../../outside", sha256), PML_E_FORMAT, "symbolic link"},
        {pml_test_path("../../linked/%s", sha256), PML_E_FORMAT, "symbolic link"},
        {pml_test_path("blobs/%s", sha256), PML_E_FORMAT, "symbolic link"},
        {pml_test_path("../../blobs/%.63sX", sha256), PML_E_FORMAT, "symbolic link"},
        {pml_test_path("../../blobs/%.63s", sha256), PML_E_FORMAT, "symbolic link"},
        {pml_test_path("../../blobs/%.39s0", sha1), PML_E_IO, "'1.safetensors'"},
        {pml_test_path("../../blobs/%.39s1", sha1), PML_E_IO, "a FIFO"},
        {pml_test_path("../../blobs/%.39s2", sha1), PML_E_NOT_FOUND, "is missing"},
        {pml_test_path("../blobs/%s", sha256), PML_E_NOT_FOUND, "is missing"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        CU_ASSERT_EQUAL(unlink(shard), 0);
        CU_ASSERT_EQUAL(symlink(cases[i].target, shard), 0);
        fails(snapshot, cases[i].status, cases[i].part);
    }
    CU_ASSERT_EQUAL(unlink(shard), 0);
    CU_ASSERT_EQUAL(link(pml_test_path("%s/outside", root), shard), 0);
    opens(snapshot, 2, 3); /* hard links are how some caches save space */
    CU_ASSERT_EQUAL(unlink(shard), 0);
    CU_ASSERT_EQUAL(mkfifo(shard, 0600), 0);
    fails(snapshot, PML_E_IO, "'1.safetensors': is a FIFO");
    CU_ASSERT_EQUAL(unlink(shard), 0);
    CU_ASSERT_EQUAL(mkdir(shard, 0700), 0);
    fails(snapshot, PML_E_IO, "'1.safetensors': is a directory");
}

static unsigned n_warnings;

static void count_warning(void *user, pml_log_level level, const char *line) {
    (void)user;
    n_warnings += level == PML_LOG_WARNING && strstr(line, "total_size") != NULL;
}

static void warns_of_a_wrong_total_size(void) {
    pml_log_set(count_warning, NULL, PML_LOG_WARNING);
    opens(golden("valid/index"), 2, 3);
    opens(golden("valid/index-without-metadata"), 2, 3);
    CU_ASSERT_EQUAL(n_warnings, 0);
    opens(golden("valid/index-total-size-lies"), 2, 3);
    CU_ASSERT_EQUAL(n_warnings, 1);
    opens(golden("valid/index-total-size-text"), 2, 3);
    CU_ASSERT_EQUAL(n_warnings, 2);
    pml_log_set(NULL, NULL, PML_LOG_WARNING);
}

static void caps_the_number_of_shards(void) {
    const char *folder = new_folder("shards");
    const char *path = pml_test_path("%s/model.safetensors.index.json", folder);
    FILE *stream = fopen(path, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(stream);
    (void)fprintf(stream, "{\"weight_map\":{\"x\":\"s\"");
    for (unsigned i = 0; i < PML_MAX_SHARDS; i++) {
        (void)fprintf(stream, ",\"%u\":\"%u\"", i, i);
    }
    (void)fprintf(stream, "}}");
    (void)fclose(stream);
    fails(folder, PML_E_FORMAT, "more than 4096 shards");
}

/* ---- the choice between formats, and formats that read for themselves ------------------------------------------- */
static unsigned five_bits(const pml_probe *probe) {
    (void)probe;
    return 5;
}

static unsigned seven_bits(const pml_probe *probe) {
    (void)probe;
    return 7;
}

static unsigned no_bits(const pml_probe *probe) {
    (void)probe;
    return 0;
}

static void a_tie_names_both_formats(void) {
    static const pml_format one = {.name = "one", .probe = five_bits}, two = {.name = "two", .probe = five_bits},
                            more = {.name = "more", .probe = seven_bits}, none = {.name = "none", .probe = no_bits};
    const pml_probe probe = {.path = "/x/y", .base_name = "y", .head = (const uint8_t *)""};
    const pml_format *format = NULL;
    pml_error error;
    PML_ASSERT_FAILS(pml_format_choose((const pml_format *const[]){&one, &none, &two, NULL}, &probe, &format, &error),
                     PML_E_UNSUPPORTED, &error, "/x/y: may be one or two");
    PML_ASSERT_OK(pml_format_choose((const pml_format *const[]){&one, &two, &more, NULL}, &probe, &format, &error),
                  &error);
    CU_ASSERT_PTR_EQUAL(format, &more);
    PML_ASSERT_OK(pml_format_choose((const pml_format *const[]){&more, &one, &two, NULL}, &probe, &format, &error),
                  &error);
    CU_ASSERT_PTR_EQUAL(format, &more);
    PML_ASSERT_FAILS(pml_format_choose((const pml_format *const[]){&none, NULL}, &probe, &format, &error),
                     PML_E_UNSUPPORTED, &error, "no format");
}

static unsigned n_reads, n_closed;

static pml_status read_position(pml_source *source, size_t i_tensor, void *buffer, pml_error *error) {
    const pml_source_tensor *tensor = pml_source_tensor_at(source, i_tensor);
    n_reads++;
    if (tensor->name[0] == '!') {
        return PML_FAIL(error, PML_E_FORMAT, "broken");
    }
    memset(buffer, tensor->name[0], (size_t)tensor->size_bytes);
    return PML_OK;
}

static void count_close(pml_source *source) {
    CU_ASSERT_PTR_EQUAL(pml_source_private(source), &n_closed);
    n_closed++;
}

static void a_format_may_read_for_itself(void) {
    static const pml_format format = {.name = "own", .probe = no_bits, .read = read_position, .close = count_close};
    static const char *const names[] = {"c", "a", "!", "b"};
    pml_source *source = NULL;
    pml_error error;
    size_t i_file;
    PML_ASSERT_OK(pml_source_create("file", &format, &source, &error), &error);
    pml_source_set_private(source, &n_closed);
    PML_ASSERT_OK(pml_source_add_memory(source, "file", "0123456789abcdef", 16, &i_file, &error), &error);
    for (size_t i = 0; i < 4; i++) {
        pml_source_tensor tensor = {.name = names[i],
                                    .dtype = PML_DTYPE_U8,
                                    .rank = 1,
                                    .shape = {4},
                                    .offset_bytes = 4 * i,
                                    .size_bytes = 4,
                                    .is_made = true};
        PML_ASSERT_OK(pml_source_add_tensor(source, &tensor, &error), &error);
    }
    PML_ASSERT_OK(pml_source_sort(source, &error), &error);
    const void *bytes, *again;
    const pml_source_tensor *tensor = pml_source_tensor_find(source, "b");
    PML_ASSERT_OK(pml_source_tensor_view(source, tensor, &bytes, &error), &error);
    CU_ASSERT_EQUAL(memcmp(bytes, "bbbb", 4), 0);
    PML_ASSERT_OK(pml_source_tensor_view(source, tensor, &again, &error), &error);
    CU_ASSERT(again == bytes && n_reads == 1);
    pml_source_tensor_release(source, tensor);
    PML_ASSERT_OK(pml_source_tensor_view(source, tensor, &again, &error), &error);
    CU_ASSERT(memcmp(again, "bbbb", 4) == 0 && n_reads == 2);
    PML_ASSERT_FAILS(pml_source_tensor_view(source, pml_source_tensor_find(source, "!"), &bytes, &error), PML_E_FORMAT,
                     &error, "broken");
    pml_source_close(source);
    CU_ASSERT_EQUAL(n_closed, 1);
}

/* pml_source_add_tensor trusts no provider. */
static void checks_what_providers_add(void) {
    static const pml_format format = {.name = "own", .probe = no_bits};
    pml_source *source = NULL;
    pml_error error;
    size_t i_file;
    PML_ASSERT_OK(pml_source_create("file", &format, &source, &error), &error);
    PML_ASSERT_OK(pml_source_add_memory(source, "file", "0123456789abcdef", 16, &i_file, &error), &error);
    const struct {
        pml_source_tensor tensor;
        pml_status status;
        const char *part;
    } cases[] = {
        {{.name = "a", .dtype = PML_DTYPE_F32, .rank = 1, .shape = {4}, .i_file = 1, .size_bytes = 16},
         PML_E_ARGUMENT,
         "file 1 of 1"},
        {{.name = "a", .dtype = PML_DTYPE_F32, .rank = 1, .shape = {4}, .offset_bytes = 1, .size_bytes = 16},
         PML_E_FORMAT,
         "past the end"},
        {{.name = "a", .dtype = PML_DTYPE_F32, .rank = 1, .shape = {4}, .offset_bytes = UINT64_MAX, .size_bytes = 16},
         PML_E_FORMAT,
         "past the end"},
        {{.name = "a", .dtype = PML_DTYPE_F32, .rank = 1, .shape = {4}, .size_bytes = 15},
         PML_E_FORMAT,
         "needs 16 bytes"},
        {{.name = "a", .dtype = PML_DTYPE_F32, .rank = 2, .shape = {UINT64_MAX, 2}}, PML_E_FORMAT, "overflows"},
        {{.name = "a", .dtype = PML_DTYPE_F32, .rank = 1, .shape = {UINT64_MAX}}, PML_E_FORMAT, "overflows"},
        {{.name = "a", .dtype = PML_DTYPE_F4, .rank = 1, .shape = {1}}, PML_E_FORMAT, "whole bytes"},
        {{.name = "a", .dtype = PML_DTYPE_NONE, .rank = 0}, PML_E_UNSUPPORTED, "unknown dtype"},
        {{.name = "a", .dtype = PML_DTYPE_F32, .rank = 9}, PML_E_UNSUPPORTED, "9 dimensions"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        PML_ASSERT_FAILS(pml_source_add_tensor(source, &cases[i].tensor, &error), cases[i].status, &error,
                         cases[i].part);
    }
    PML_ASSERT_OK(pml_source_sort(source, &error), &error);
    CU_ASSERT_EQUAL(pml_source_n_tensors(source), 0);
    pml_source_close(source);
    pml_source_close(NULL);
}

static void knows_base_names(void) {
    static const char *const good[] = {"a", "model-00001-of-00002.safetensors", "..a", "a..b", "...", "\xc3\xa4", "a b",
                                       "~"};
    static const char *const bad[] = {"",   ".",    "..", "/",   "a/",   "/a",   "a/b",
                                      "\\", "a\\b", "C:", "c:x", "a\nb", "\x7f", "\x01"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        CU_ASSERT_TRUE(pml_is_base_name(good[i]));
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CU_ASSERT_FALSE(pml_is_base_name(bad[i]));
    }
    char name[257];
    memset(name, 'n', sizeof name);
    name[256] = '\0';
    CU_ASSERT_FALSE(pml_is_base_name(name));
    name[255] = '\0';
    CU_ASSERT_TRUE(pml_is_base_name(name));
}

PML_TESTS("formats/format", PML_TEST(complex_tensors_become_pairs), PML_TEST(opens_files_of_any_name),
          PML_TEST(knows_its_directory), PML_TEST(prefers_the_index_then_the_known_name_then_the_only_file),
          PML_TEST(arrays_of_a_json_file_are_no_checkpoints), PML_TEST(lists_only_a_few_of_many_candidates),
          PML_TEST(refuses_what_is_no_file), PML_TEST(names_what_is_taken_for_a_checkpoint),
          PML_TEST(follows_links_of_a_hub_cache_only), PML_TEST(warns_of_a_wrong_total_size),
          PML_TEST(caps_the_number_of_shards), PML_TEST(a_tie_names_both_formats),
          PML_TEST(a_format_may_read_for_itself), PML_TEST(checks_what_providers_add), PML_TEST(knows_base_names))
