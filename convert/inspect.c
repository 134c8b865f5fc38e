/* A .pml and a source show the same things in the same order; each has a text and a JSON form. */
#include "convert/inspect.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "convert/quality.h"
#include "convert/text_table.h"
#include "runtime/base/alloc.h"
#include "runtime/base/checked.h"
#include "runtime/cli/command.h"
#include "runtime/cli/describe.h"
#include "runtime/cli/printable.h"

static void print_line(FILE *stream, const char *label, const char *value) {
    fprintf(stream, "%-11s ", label);
    pml_printable_write(stream, value);
    fputc('\n', stream);
}

static void print_size(FILE *stream, const char *label, uint64_t size_bytes) {
    char size[32], text[96];
    snprintf(text, sizeof text, "%" PRIu64 " bytes (%s)", size_bytes, pml_cli_size_text(size_bytes, size));
    print_line(stream, label, text);
}

/* ---- parameters: how many numbers the tensors hold; UINT64_MAX for more than can be counted ---- */
static uint64_t add_elements(uint64_t sum, const uint64_t *shape, unsigned rank) {
    uint64_t count;
    return pml_ck_product(shape, rank, &count) && pml_ck_add(sum, count, &sum) ? sum : UINT64_MAX;
}

static uint64_t count_in_file(const pml_file *file) {
    uint64_t sum = 0;
    for (size_t i = 0; i < pml_file_n_tensors(file); i++) {
        sum = add_elements(sum, pml_file_tensor_at(file, i)->shape, pml_file_tensor_at(file, i)->rank);
    }
    return sum;
}

/* Integers of a checkpoint count something or number positions: they are no parameters. */
static uint64_t count_in_source(const pml_source *source) {
    uint64_t sum = 0;
    for (size_t i = 0; i < pml_source_n_tensors(source); i++) {
        const pml_source_tensor *tensor = pml_source_tensor_at(source, i);
        if (pml_dtype_is_float(tensor->dtype) || pml_dtype_is_narrow(tensor->dtype)) {
            sum = add_elements(sum, tensor->shape, tensor->rank);
        }
    }
    return sum;
}

static void print_parameters(FILE *stream, uint64_t count) {
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, count);
    print_line(stream, "parameters", text);
}

/* ---- .pml ---- */

static pml_status print_metadata(const pml_metadata *metadata, FILE *stream, pml_error *error) {
    pml_status status = PML_OK;
    pml_text_table table;
    char *value = NULL;
    pml_text_table_init(&table, 3, 0);
    for (size_t i = 0; i < pml_metadata_count(metadata); i++) {
        const pml_meta_entry *entry = pml_metadata_at(metadata, i);
        PML_TRY(pml_meta_value_text(entry, &value, error));
        const char *cells[] = {entry->key, pml_meta_type_name(entry->type), value};
        PML_TRY(pml_text_table_row(&table, cells, error));
        pml_free(value);
        value = NULL;
    }
    fprintf(stream, "\nmetadata (%zu)\n", pml_metadata_count(metadata));
    pml_text_table_print(&table, stream, 2);
done:
    pml_free(value);
    pml_text_table_deinit(&table);
    return status;
}

static pml_status print_file_tensors(const pml_file *file, FILE *stream, pml_error *error) {
    pml_status status = PML_OK;
    pml_text_table table;
    pml_text_table_init(&table, 8, 1u << 4 | 1u << 5);
    static const char *const title[] = {"name", "dtype", "shape", "layout", "offset", "bytes", "transform", "error"};
    PML_TRY(pml_text_table_row(&table, title, error));
    for (size_t i = 0; i < pml_file_n_tensors(file); i++) {
        const pml_file_tensor *tensor = pml_file_tensor_at(file, i);
        char shape[PML_SHAPE_TEXT_BYTES], offset[24], size[24], rms[32], layout[32];
        snprintf(offset, sizeof offset, "%" PRIu64, tensor->offset_bytes);
        snprintf(size, sizeof size, "%" PRIu64,
                 tensor->size_bytes + tensor->scales.size_bytes + tensor->sums.size_bytes);
        snprintf(layout, sizeof layout, tensor->group_rows == 0 ? "%s" : "%s g%u", pml_layout_name(tensor->layout),
                 tensor->group_rows);
        snprintf(rms, sizeof rms, "%.3g", tensor->quantization_error);
        const char *cells[] = {tensor->name,
                               pml_dtype_name(tensor->dtype),
                               pml_shape_text(tensor->shape, tensor->rank, shape),
                               layout,
                               offset,
                               size,
                               tensor->transforms[0] == '\0' ? "-" : tensor->transforms,
                               rms};
        PML_TRY(pml_text_table_row(&table, cells, error));
    }
    fprintf(stream, "\ntensors (%zu)\n", pml_file_n_tensors(file));
    pml_text_table_print(&table, stream, 2);
done:
    pml_text_table_deinit(&table);
    return status;
}

static pml_status print_blobs(const pml_file *file, FILE *stream, pml_error *error) {
    pml_status status = PML_OK;
    pml_text_table table;
    pml_text_table_init(&table, 4, 1u << 1 | 1u << 2);
    static const char *const title[] = {"name", "offset", "bytes", "checksum"};
    PML_TRY(pml_text_table_row(&table, title, error));
    for (size_t i = 0; i < pml_file_n_blobs(file); i++) {
        const pml_file_blob *blob = pml_file_blob_at(file, i);
        char offset[24], size[24], checksum[24];
        snprintf(offset, sizeof offset, "%" PRIu64, blob->offset_bytes);
        snprintf(size, sizeof size, "%" PRIu64, blob->size_bytes);
        snprintf(checksum, sizeof checksum, "%016" PRIx64, blob->checksum);
        const char *cells[] = {blob->name, offset, size, checksum};
        PML_TRY(pml_text_table_row(&table, cells, error));
    }
    fprintf(stream, "\nblobs (%zu)\n", pml_file_n_blobs(file));
    pml_text_table_print(&table, stream, 2);
done:
    pml_text_table_deinit(&table);
    return status;
}

static void write_file_tensor(pml_json_writer *w, const pml_file_tensor *tensor) {
    char checksum[24];
    snprintf(checksum, sizeof checksum, "%016" PRIx64, tensor->checksum);
    pml_json_begin_object(w, NULL);
    pml_json_string(w, "name", tensor->name);
    pml_json_string(w, "dtype", pml_dtype_name(tensor->dtype));
    pml_shape_json(w, "shape", tensor->shape, tensor->rank);
    pml_json_string(w, "layout", pml_layout_name(tensor->layout));
    pml_json_u64(w, "offset_bytes", tensor->offset_bytes);
    pml_json_u64(w, "size_bytes", tensor->size_bytes);
    pml_json_string(w, "checksum", checksum);
    pml_json_string(w, "transform", tensor->transforms);
    pml_json_f64(w, "quantization_error", tensor->quantization_error);
    if (tensor->dtype == PML_DTYPE_I8) {
        pml_json_u64(w, "group_rows", tensor->group_rows);
        pml_json_f64(w, "scale_factor", (double)tensor->scale_factor);
        pml_json_u64(w, "scales_bytes", tensor->scales.size_bytes);
        pml_json_u64(w, "sums_bytes", tensor->sums.size_bytes);
    }
    pml_json_end_object(w);
}

static pml_status write_file_json(const pml_file *file, bool without_tensors, FILE *stream, pml_error *error) {
    char digest[PML_DIGEST_TEXT_BYTES], version[32], checksum[24];
    unsigned major = 0, minor = 0;
    pml_file_version(file, &major, &minor);
    snprintf(version, sizeof version, "%u.%u", major, minor);
    pml_json_writer w;
    pml_json_writer_init(&w, stream, true);
    pml_json_begin_object(&w, NULL);
    pml_json_string(&w, "path", pml_file_path(file));
    pml_json_string(&w, "format", "pml");
    pml_json_string(&w, "version", version);
    pml_json_string(&w, "kind", pml_file_kind_name(pml_file_get_kind(file)));
    pml_json_u64(&w, "size_bytes", pml_file_size(file));
    pml_json_string(&w, "content_digest", pml_digest_text(pml_file_content_digest(file), digest));
    const pml_metadata *metadata = pml_file_metadata(file);
    pml_json_begin_object(&w, "metadata");
    for (size_t i = 0; i < pml_metadata_count(metadata); i++) {
        const pml_meta_entry *entry = pml_metadata_at(metadata, i);
        pml_meta_value_json(&w, entry->key, entry);
    }
    pml_json_end_object(&w);
    pml_json_begin_array(&w, "blobs");
    for (size_t i = 0; i < pml_file_n_blobs(file); i++) {
        const pml_file_blob *blob = pml_file_blob_at(file, i);
        snprintf(checksum, sizeof checksum, "%016" PRIx64, blob->checksum);
        pml_json_begin_object(&w, NULL);
        pml_json_string(&w, "name", blob->name);
        pml_json_u64(&w, "offset_bytes", blob->offset_bytes);
        pml_json_u64(&w, "size_bytes", blob->size_bytes);
        pml_json_string(&w, "checksum", checksum);
        pml_json_end_object(&w);
    }
    pml_json_end_array(&w);
    pml_json_u64(&w, "n_parameters", count_in_file(file));
    pml_json_u64(&w, "n_tensors", pml_file_n_tensors(file));
    if (!without_tensors) {
        pml_json_begin_array(&w, "tensors");
        for (size_t i = 0; i < pml_file_n_tensors(file); i++) {
            write_file_tensor(&w, pml_file_tensor_at(file, i));
        }
        pml_json_end_array(&w);
    }
    pml_json_end_object(&w);
    return pml_json_finish(&w, error);
}

pml_status pml_inspect_file(const pml_file *file, const pml_inspect_options *options, FILE *stream, pml_error *error) {
    pml_status status = PML_OK;
    char digest[PML_DIGEST_TEXT_BYTES], version[32];
    if (options->quality) {
        PML_TRY(pml_quality_print(file, options->json, stream, error));
        goto done;
    }
    if (options->json) {
        PML_TRY(write_file_json(file, options->without_tensors, stream, error));
        goto done;
    }
    unsigned major = 0, minor = 0;
    pml_file_version(file, &major, &minor);
    snprintf(version, sizeof version, "%u.%u", major, minor);
    print_line(stream, "file", pml_file_path(file));
    print_line(stream, "format", "pml");
    print_line(stream, "version", version);
    print_line(stream, "kind", pml_file_kind_name(pml_file_get_kind(file)));
    print_size(stream, "size", pml_file_size(file));
    print_parameters(stream, count_in_file(file));
    print_line(stream, "digest", pml_digest_text(pml_file_content_digest(file), digest));
    PML_TRY(print_metadata(pml_file_metadata(file), stream, error));
    if (pml_file_n_blobs(file) > 0) {
        PML_TRY(print_blobs(file, stream, error));
    }
    if (!options->without_tensors) {
        PML_TRY(print_file_tensors(file, stream, error));
    }
done:
    return status;
}

/* ---- sources ---- */

static void write_source_tensor(pml_json_writer *w, const pml_source *source, const pml_source_tensor *tensor) {
    pml_json_begin_object(w, NULL);
    pml_json_string(w, "name", tensor->name);
    pml_json_string(w, "dtype", pml_dtype_name(tensor->dtype));
    pml_shape_json(w, "shape", tensor->shape, tensor->rank);
    pml_json_string(w, "file", pml_source_file_name(source, tensor->i_file));
    pml_json_u64(w, "offset_bytes", tensor->offset_bytes);
    pml_json_u64(w, "size_bytes", tensor->size_bytes);
    pml_json_end_object(w);
}

static pml_status write_source_json(const pml_source *source, bool without_tensors, FILE *stream, pml_error *error) {
    pml_json_writer w;
    pml_json_writer_init(&w, stream, true);
    pml_json_begin_object(&w, NULL);
    pml_json_string(&w, "path", pml_source_path(source));
    pml_json_string(&w, "format", pml_source_format(source)->name);
    pml_json_begin_array(&w, "files");
    for (size_t i = 0; i < pml_source_n_files(source); i++) {
        pml_json_begin_object(&w, NULL);
        pml_json_string(&w, "name", pml_source_file_name(source, i));
        pml_json_u64(&w, "size_bytes", pml_source_file_size(source, i));
        pml_json_end_object(&w);
    }
    pml_json_end_array(&w);
    pml_json_begin_object(&w, "metadata");
    for (size_t i = 0; i < pml_source_n_attributes(source); i++) {
        const char *key = NULL, *value = NULL;
        pml_source_attribute_at(source, i, &key, &value);
        pml_json_string(&w, key, value);
    }
    pml_json_end_object(&w);
    pml_json_u64(&w, "n_parameters", count_in_source(source));
    pml_json_u64(&w, "n_tensors", pml_source_n_tensors(source));
    if (!without_tensors) {
        pml_json_begin_array(&w, "tensors");
        for (size_t i = 0; i < pml_source_n_tensors(source); i++) {
            write_source_tensor(&w, source, pml_source_tensor_at(source, i));
        }
        pml_json_end_array(&w);
    }
    pml_json_end_object(&w);
    return pml_json_finish(&w, error);
}

static pml_status print_source_tensors(const pml_source *source, FILE *stream, pml_error *error) {
    pml_status status = PML_OK;
    pml_text_table table;
    pml_text_table_init(&table, 6, 1u << 4 | 1u << 5);
    static const char *const title[] = {"name", "dtype", "shape", "file", "offset", "bytes"};
    PML_TRY(pml_text_table_row(&table, title, error));
    for (size_t i = 0; i < pml_source_n_tensors(source); i++) {
        const pml_source_tensor *tensor = pml_source_tensor_at(source, i);
        char shape[PML_SHAPE_TEXT_BYTES], offset[24], size[24];
        snprintf(offset, sizeof offset, "%" PRIu64, tensor->offset_bytes);
        snprintf(size, sizeof size, "%" PRIu64, tensor->size_bytes);
        const char *cells[] = {tensor->name,
                               pml_dtype_name(tensor->dtype),
                               pml_shape_text(tensor->shape, tensor->rank, shape),
                               pml_source_file_name(source, tensor->i_file),
                               offset,
                               size};
        PML_TRY(pml_text_table_row(&table, cells, error));
    }
    fprintf(stream, "\ntensors (%zu)\n", pml_source_n_tensors(source));
    pml_text_table_print(&table, stream, 2);
done:
    pml_text_table_deinit(&table);
    return status;
}

static pml_status print_source_parts(const pml_source *source, FILE *stream, pml_error *error) {
    pml_status status = PML_OK;
    pml_text_table files, attributes;
    pml_text_table_init(&files, 2, 1u << 1);
    pml_text_table_init(&attributes, 2, 0);
    for (size_t i = 0; i < pml_source_n_files(source); i++) {
        char size[24];
        snprintf(size, sizeof size, "%" PRIu64, pml_source_file_size(source, i));
        const char *cells[] = {pml_source_file_name(source, i), size};
        PML_TRY(pml_text_table_row(&files, cells, error));
    }
    fprintf(stream, "\nfiles (%zu)\n", pml_source_n_files(source));
    pml_text_table_print(&files, stream, 2);
    for (size_t i = 0; i < pml_source_n_attributes(source); i++) {
        const char *cells[2] = {NULL, NULL};
        pml_source_attribute_at(source, i, &cells[0], &cells[1]);
        PML_TRY(pml_text_table_row(&attributes, cells, error));
    }
    if (pml_source_n_attributes(source) > 0) {
        fprintf(stream, "\nmetadata (%zu)\n", pml_source_n_attributes(source));
        pml_text_table_print(&attributes, stream, 2);
    }
done:
    pml_text_table_deinit(&files);
    pml_text_table_deinit(&attributes);
    return status;
}

pml_status pml_inspect_source(const pml_source *source, const pml_inspect_options *options, FILE *stream,
                              pml_error *error) {
    pml_status status = PML_OK;
    if (options->json) {
        PML_TRY(write_source_json(source, options->without_tensors, stream, error));
        goto done;
    }
    uint64_t total = 0;
    for (size_t i = 0; i < pml_source_n_files(source); i++) {
        total += pml_source_file_size(source, i);
    }
    print_line(stream, "source", pml_source_path(source));
    print_line(stream, "format", pml_source_format(source)->name);
    print_size(stream, "size", total);
    print_parameters(stream, count_in_source(source));
    PML_TRY(print_source_parts(source, stream, error));
    if (!options->without_tensors) {
        PML_TRY(print_source_tensors(source, stream, error));
    }
done:
    return status;
}

/* ---- either ---- */

/* A file that is, or once was, a .pml: by its suffix or the first bytes of its signature, so that damage to the rest is
 * reported as damage and not as an unknown format. */
static bool looks_like_pml(const char *path) {
    size_t length = strlen(path);
    if (length > 4 && strcmp(path + length - 4, ".pml") == 0) {
        struct stat info;
        return stat(path, &info) != 0 || S_ISREG(info.st_mode);
    }
    static const char signature[] = "\x89PML"; /* specs/pml-format.md, header */
    char head[4] = {0};
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    bool is_pml =
        fd >= 0 && read(fd, head, sizeof head) == (ssize_t)sizeof head && memcmp(head, signature, sizeof head) == 0;
    if (fd >= 0) {
        close(fd);
    }
    return is_pml;
}

pml_status pml_inspect_path(const char *path, const pml_inspect_options *options, FILE *stream, pml_error *error) {
    pml_status status = PML_OK;
    pml_file *file = NULL;
    pml_source *source = NULL;
    if (looks_like_pml(path)) {
        PML_TRY(pml_file_open(path, &file, error));
        PML_TRY(pml_inspect_file(file, options, stream, error));
    } else if (options->quality) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "--quality: %s is no .pml file: nothing in it was rounded yet", path));
    } else {
        PML_TRY(pml_source_open(path, &source, error));
        PML_TRY(pml_inspect_source(source, options, stream, error));
    }
done:
    pml_source_close(source);
    pml_file_close(file);
    return status;
}
