#include "convert/ship/card.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "convert/small_file.h"
#include "runtime/cli/describe.h"
#include "runtime/schema/schema.h"

enum { DIMENSION_BYTES = 128 };

/* An axis: a number, or the letter of one that is free. */
static void write_dimension(pml_json_writer *w, const pml_schema *schema, const pml_metadata *metadata,
                            const char *text) {
    int64_t value;
    if (strcmp(text, "B") != 0 && strcmp(text, "T") != 0 &&
        pml_schema_eval(schema, metadata, text, -1, &value, NULL) == PML_OK) {
        pml_json_i64(w, NULL, value);
    } else {
        pml_json_string(w, NULL, text);
    }
}

static void write_port(pml_json_writer *w, const pml_schema *schema, const pml_metadata *metadata,
                       const pml_port_spec *port) {
    char text[DIMENSION_BYTES];
    pml_json_begin_object(w, NULL);
    pml_json_string(w, "name", port->name);
    pml_json_begin_array(w, "shape");
    for (const char *rest = port->dims; *rest != '\0';) {
        rest += strspn(rest, " ");
        const size_t n = strcspn(rest, ",");
        const size_t n_kept = n < sizeof text ? n : sizeof text - 1;
        memcpy(text, rest, n_kept);
        text[n_kept] = '\0';
        write_dimension(w, schema, metadata, text);
        rest += n + (rest[n] == ',');
    }
    pml_json_end_array(w);
    pml_json_bool(w, "optional", port->optional);
    pml_json_end_object(w);
}

static void write_ports(pml_json_writer *w, const char *key, const pml_schema *schema, const pml_metadata *metadata,
                        const pml_port_spec *ports) {
    pml_json_begin_array(w, key);
    for (; ports != NULL && ports->name != NULL; ports++) {
        int64_t exists = 1;
        if (ports->when != NULL && pml_schema_eval(schema, metadata, ports->when, -1, &exists, NULL) != PML_OK) {
            exists = 0;
        }
        if (exists != 0) {
            write_port(w, schema, metadata, ports);
        }
    }
    pml_json_end_array(w);
}

static void write_tensors(pml_json_writer *w, const pml_file *file) {
    pml_tensor_kind kinds[PML_MOST_TENSOR_KINDS], total;
    const size_t n_kinds = pml_tensor_kinds_count(file, kinds, &total);
    double quantization_error = 0;
    pml_json_begin_array(w, "tensor_kinds");
    for (size_t i = 0; i < n_kinds; i++) {
        pml_tensor_kind_json(w, &kinds[i], false);
    }
    pml_json_end_array(w);
    pml_tensor_kind_json(w, &total, true);
    for (size_t i = 0; i < pml_file_n_tensors(file); i++) {
        const double one = pml_file_tensor_at(file, i)->quantization_error;
        quantization_error = one > quantization_error ? one : quantization_error;
    }
    pml_json_f64(w, "quantization_error", quantization_error);
}

static void write_metadata(pml_json_writer *w, const pml_file *file) {
    static const char *const groups[] = {"general", "config", "series", "provenance"};
    const pml_metadata *metadata = pml_file_metadata(file);
    const pml_meta_entry *license = pml_metadata_find(metadata, "provenance.license");
    const pml_meta_entry *source = pml_metadata_find(metadata, "provenance.source");
    const char *family = NULL;
    pml_meta_value_json(w, "license", license);
    pml_meta_value_json(w, "source", source);
    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++) {
        pml_meta_group_json(w, metadata, groups[i]);
    }
    if (pml_metadata_get_string(metadata, "general.family", &family, NULL) == PML_OK &&
        pml_schema_find(family) != NULL) {
        const pml_schema *schema = pml_schema_find(family);
        write_ports(w, "inputs", schema, metadata, schema->inputs);
        write_ports(w, "outputs", schema, metadata, schema->outputs);
    }
}

static pml_status write_card(const pml_file *file, const pml_card *card, FILE *stream, pml_error *error) {
    char digest[PML_DIGEST_TEXT_BYTES];
    pml_json_writer w;
    pml_json_writer_init(&w, stream, true);
    pml_json_begin_object(&w, NULL);
    pml_json_string(&w, "name", card->name);
    pml_json_string(&w, "file", card->file_name);
    pml_json_u64(&w, "size_bytes", card->packed->content_bytes);
    pml_json_string(&w, "sha256", card->packed->sha256);
    pml_json_string(&w, "shipped_as", card->shipped_name);
    pml_json_u64(&w, "shipped_bytes", card->packed->packed_bytes);
    if (card->delta_from != NULL) {
        pml_json_string(&w, "delta_from", card->delta_from);
    }
    pml_json_string(&w, "kind", pml_file_kind_name(pml_file_get_kind(file)));
    pml_json_string(&w, "content_digest", pml_digest_text(pml_file_content_digest(file), digest));
    write_metadata(&w, file);
    write_tensors(&w, file);
    pml_json_bool(&w, "has_selftest", pml_file_blob_find(file, "selftest") != NULL);
    pml_json_bool(&w, "has_tokenizer", pml_file_blob_find(file, "tokenizer") != NULL);
    pml_json_end_object(&w);
    return pml_json_finish(&w, error);
}

pml_status pml_card_write(const pml_file *file, const pml_card *card, const char *path, pml_error *error) {
    pml_status status = PML_OK;
    char *text = NULL;
    size_t size_bytes = 0;
    FILE *stream = open_memstream(&text, &size_bytes);
    if (stream == NULL) {
        PML_TRY(PML_FAIL(error, PML_E_MEMORY, "%s: out of memory", path));
    }
    status = write_card(file, card, stream, error);
    if (fclose(stream) != 0 && status == PML_OK) {
        status = PML_FAIL(error, PML_E_MEMORY, "%s: out of memory", path);
    }
    PML_TRY(status);
    PML_TRY(pml_small_file_write(path, text, size_bytes, true, error));
done:
    free(text);
    return status;
}
