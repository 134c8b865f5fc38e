/* pml-run info: what a .pml file holds. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/cli/describe.h"
#include "runtime/cli/printable.h"
#include "runtime/cli/run_commands.h"
#include "runtime/file/reader.h"

enum { LABEL_COLUMNS = 28 };

typedef struct info_options {
    pml_common_options common;
    bool verify;
    bool tensors;
} info_options;

static const pml_option option_table[] = {
    {"tensors", 0, PML_OPTION_FLAG, NULL, NULL, "list every tensor", offsetof(info_options, tensors)},
    {"verify", 0, PML_OPTION_FLAG, NULL, NULL, "check every checksum first", offsetof(info_options, verify)},
    PML_OPTION_ROWS_END};

/* ---- JSON ---------------------------------------------------------------------------------------------------- */
static void json_tensors(pml_json_writer *w, const pml_file *file) {
    pml_json_begin_array(w, "tensors");
    for (size_t i = 0; i < pml_file_n_tensors(file); i++) {
        const pml_file_tensor *tensor = pml_file_tensor_at(file, i);
        pml_json_begin_object(w, NULL);
        pml_json_string(w, "name", tensor->name);
        pml_json_string(w, "dtype", pml_dtype_name(tensor->dtype));
        pml_json_string(w, "layout", pml_layout_name(tensor->layout));
        pml_shape_json(w, "shape", tensor->shape, tensor->rank);
        pml_json_u64(w, "bytes", tensor->size_bytes);
        pml_json_end_object(w);
    }
    pml_json_end_array(w);
}

static pml_status print_json(const pml_file *file, const info_options *o, pml_error *error) {
    pml_json_writer w;
    pml_tensor_kind kinds[PML_MOST_TENSOR_KINDS], total;
    unsigned major = 0, minor = 0;
    char text[PML_DIGEST_TEXT_BYTES];
    const pml_metadata *metadata = pml_file_metadata(file);
    size_t n_kinds = pml_tensor_kinds_count(file, kinds, &total);
    pml_file_version(file, &major, &minor);
    pml_json_writer_init(&w, stdout, true);
    pml_json_begin_object(&w, NULL);
    pml_json_string(&w, "file", pml_file_path(file));
    pml_json_u64(&w, "bytes", pml_file_size(file));
    pml_json_string(&w, "kind", pml_file_kind_name(pml_file_get_kind(file)));
    (void)snprintf(text, sizeof text, "%u.%u", major, minor);
    pml_json_string(&w, "version", text);
    pml_json_string(&w, "content_digest", pml_digest_text(pml_file_content_digest(file), text));
    static const char *const groups[] = {"general", "config", "series", "provenance"};
    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++) {
        pml_meta_group_json(&w, metadata, groups[i]);
    }
    pml_json_begin_array(&w, "tensor_kinds");
    for (size_t i = 0; i < n_kinds; i++) {
        pml_tensor_kind_json(&w, &kinds[i], false);
    }
    pml_json_end_array(&w);
    pml_tensor_kind_json(&w, &total, true);
    if (o->tensors) {
        json_tensors(&w, file);
    }
    pml_json_begin_array(&w, "blobs");
    for (size_t i = 0; i < pml_file_n_blobs(file); i++) {
        pml_json_begin_object(&w, NULL);
        pml_json_string(&w, "name", pml_file_blob_at(file, i)->name);
        pml_json_u64(&w, "bytes", pml_file_blob_at(file, i)->size_bytes);
        pml_json_end_object(&w);
    }
    pml_json_end_array(&w);
    pml_json_end_object(&w);
    return pml_json_finish(&w, error);
}

/* ---- text ---------------------------------------------------------------------------------------------------- */
static void print_label(const char *label) {
    size_t width = pml_printable_width(label);
    (void)printf("  ");
    pml_printable_write(stdout, label);
    (void)printf("%*s ", width < LABEL_COLUMNS ? (int)(LABEL_COLUMNS - width) : 0, "");
}

static pml_status print_group(const pml_metadata *metadata, const char *group, const char *title, pml_error *error) {
    pml_status status = PML_OK;
    size_t length = strlen(group);
    char *text = NULL;
    for (size_t i = 0; i < pml_metadata_count(metadata); i++) {
        const pml_meta_entry *entry = pml_metadata_at(metadata, i);
        if (strncmp(entry->key, group, length) != 0 || entry->key[length] != '.') {
            continue;
        }
        if (title != NULL) {
            (void)printf("%s\n", title);
            title = NULL;
        }
        PML_TRY(pml_meta_value_text(entry, &text, error));
        print_label(entry->key + length + 1);
        pml_printable_write(stdout, text);
        (void)printf("\n");
        pml_free(text);
        text = NULL;
    }
done:
    pml_free(text);
    return status;
}

static void print_tensors(const pml_file *file) {
    for (size_t i = 0; i < pml_file_n_tensors(file); i++) {
        const pml_file_tensor *tensor = pml_file_tensor_at(file, i);
        char size[32], shape[PML_SHAPE_TEXT_BYTES];
        (void)printf("  %-5s %-6s %11s  ", pml_dtype_name(tensor->dtype), pml_layout_name(tensor->layout),
                     pml_cli_size_text(tensor->size_bytes, size));
        pml_printable_write(stdout, tensor->name);
        (void)printf(" %s\n", pml_shape_text(tensor->shape, tensor->rank, shape));
    }
}

static pml_status print_text(const pml_file *file, const info_options *o, pml_error *error) {
    pml_status status = PML_OK;
    pml_tensor_kind kinds[PML_MOST_TENSOR_KINDS], total;
    unsigned major = 0, minor = 0;
    char size[32], digest[PML_DIGEST_TEXT_BYTES];
    const pml_metadata *metadata = pml_file_metadata(file);
    size_t n_kinds = pml_tensor_kinds_count(file, kinds, &total);
    pml_file_version(file, &major, &minor);
    pml_printable_write(stdout, pml_file_path(file));
    (void)printf("\n");
    print_label("file");
    (void)printf("%s, .pml %u.%u, %s\n", pml_file_kind_name(pml_file_get_kind(file)), major, minor,
                 pml_cli_size_text(pml_file_size(file), size));
    print_label("content digest");
    (void)printf("%s\n", pml_digest_text(pml_file_content_digest(file), digest));
    PML_TRY(print_group(metadata, "general", NULL, error));
    PML_TRY(print_group(metadata, "config", "configuration", error));
    PML_TRY(print_group(metadata, "series", "series", error));
    (void)printf("tensors\n");
    for (size_t i = 0; i < n_kinds; i++) {
        (void)printf("  %-5s %-6s %6" PRIu64 " tensors %14" PRIu64 " elements %11s\n", pml_dtype_name(kinds[i].dtype),
                     pml_layout_name(kinds[i].layout), kinds[i].n_tensors, kinds[i].n_elements,
                     pml_cli_size_text(kinds[i].size_bytes, size));
    }
    (void)printf("  total        %6" PRIu64 " tensors %14" PRIu64 " elements %11s\n", total.n_tensors, total.n_elements,
                 pml_cli_size_text(total.size_bytes, size));
    if (o->tensors) {
        print_tensors(file);
    }
    if (pml_file_n_blobs(file) > 0) {
        (void)printf("blobs\n");
    }
    for (size_t i = 0; i < pml_file_n_blobs(file); i++) {
        const pml_file_blob *blob = pml_file_blob_at(file, i);
        print_label(blob->name);
        (void)printf("%s\n", pml_cli_size_text(blob->size_bytes, size));
    }
    PML_TRY(print_group(metadata, "provenance", "provenance", error));
done:
    return status;
}

static pml_status run(const void *options, char **operands, unsigned n_operands, pml_error *error) {
    const info_options *o = options;
    pml_status status = PML_OK;
    pml_file *file = NULL;
    (void)n_operands;
    PML_TRY(pml_file_open(operands[0], &file, error));
    if (o->verify) {
        PML_TRY(pml_file_verify(file, error));
    }
    if (o->common.json) {
        PML_TRY(print_json(file, o, error));
    } else {
        PML_TRY(print_text(file, o, error));
    }
done:
    pml_file_close(file);
    return status;
}

const pml_command pml_cmd_run_info = {
    .name = "info",
    .operands = "FILE",
    .summary = "Show what a .pml file holds: family, series, tensors, origin",
    .examples = "pml-run info model.pml\npml-run info model.pml --tensors\npml-run info model.pml --json",
    .options = option_table,
    .options_bytes = sizeof(info_options),
    .least_operands = 1,
    .most_operands = 1,
    .run = run,
};
