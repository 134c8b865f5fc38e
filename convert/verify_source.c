/* The packer streams the expected bytes of a tensor into a comparison with the mapped file, so no tensor is ever held
 * whole. */
#include "convert/verify_source.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "convert/diff.h"
#include "convert/elements.h"
#include "convert/hasher.h"
#include "convert/pack.h"
#include "convert/quality.h"
#include "convert/repeat_options.h"
#include "runtime/base/alloc.h"
#include "runtime/cli/describe.h"
#include "runtime/text/tokenizer.h"

#define MAX_FINDINGS (PML_MAX_TENSORS + PML_MAX_METADATA_KEYS + PML_MAX_SHARDS)

typedef struct verification {
    const pml_file *file;
    const pml_verify_options *options;
    pml_verify_report *report;
    size_t capacity; /* of report->findings */
    uint64_t done_bytes;
    const double *max_errors; /* of the file's tensors; NULL: not recorded */
} verification;

const char *pml_finding_kind_name(pml_finding_kind kind) {
    static const char *const names[] = {"file", "metadata", "tensor", "blob"};
    return names[kind];
}

/* Appends a finding; *made (may be NULL) is valid until the next one. */
static pml_status add_finding(verification *v, pml_finding_kind kind, const char *name, const char *cause,
                              pml_finding **made, pml_error *error) {
    pml_status status = PML_OK;
    pml_verify_report *report = v->report;
    pml_finding finding = {.kind = kind};
    PML_TRY(pml_grow(&report->findings, &v->capacity, report->count + 1, sizeof *report->findings, MAX_FINDINGS,
                     "differences", error));
    PML_TRY(pml_string_copy(name, strlen(name), &finding.name, error));
    PML_TRY(pml_string_copy(cause, strlen(cause), &finding.cause, error));
    report->findings[report->count] = finding;
    if (made != NULL) {
        *made = &report->findings[report->count];
    }
    report->count++;
    finding = (pml_finding){0};
done:
    pml_free(finding.name);
    pml_free(finding.cause);
    return status;
}

/* ---- tensors ---- */

typedef struct comparison { /* of one tensor */
    const verification *v;
    const pml_file_tensor *stored;
    const uint8_t *bytes; /* stored */
    uint64_t position;    /* stored bytes that were compared */
    bool differs;
    bool in_side;    /* scales or sums differ, the values before them do not */
    bool in_element; /* otherwise the difference is in the padding */
    uint64_t i_element;
    double stored_value, expected_value;
    const uint8_t *sides[2]; /* stored scales and sums of I8 */
    uint64_t side_bytes[2], side_positions[2];
} comparison;

/* Notes where `expected` differs from the stored bytes at c->position. */
static void note_difference(comparison *c, const uint8_t *expected, size_t size_bytes) {
    size_t at = 0;
    while (at < size_bytes && expected[at] == c->bytes[c->position + at]) {
        at++;
    }
    c->differs = true;
    c->in_element = pml_element_at_byte(c->stored, c->position + at, &c->i_element);
    if (c->in_element) {
        /* Pieces of the packer hold whole elements. */
        uint64_t offset = pml_element_offset_bytes(c->stored, c->i_element);
        c->stored_value = pml_dtype_value(c->stored->dtype, c->bytes + offset);
        c->expected_value = pml_dtype_value(c->stored->dtype, expected + (offset - c->position));
    }
}

static pml_status compare_bytes(void *user, const void *bytes, size_t size_bytes, pml_error *error) {
    comparison *c = user;
    pml_status status = PML_OK;
    if (size_bytes > c->stored->size_bytes - c->position) {
        PML_TRY(PML_FAIL(error, PML_E_FORMAT, "tensor %s: more bytes than its stored form has", c->stored->name));
    }
    if (memcmp(bytes, c->bytes + c->position, size_bytes) != 0) {
        note_difference(c, bytes, size_bytes);
        PML_TRY(PML_FAIL(error, PML_E_MISMATCH, "tensor %s differs", c->stored->name));
    }
    c->position += size_bytes;
    if (c->v->options->progress != NULL) {
        c->v->options->progress(c->v->options->user, c->v->done_bytes + c->position);
    }
done:
    return status;
}

/* Scales and sums follow from the values: where they alone differ, the cause is named. */
static pml_status compare_side(void *user, bool is_sums, const void *bytes, size_t size_bytes, pml_error *error) {
    comparison *c = user;
    pml_status status = PML_OK;
    const uint64_t position = c->side_positions[is_sums];
    if (size_bytes > c->side_bytes[is_sums] - position) {
        PML_TRY(PML_FAIL(error, PML_E_FORMAT, "tensor %s: more scales than its stored form has", c->stored->name));
    }
    if (memcmp(bytes, c->sides[is_sums] + position, size_bytes) != 0) {
        c->differs = true;
        c->in_side = true;
        PML_TRY(PML_FAIL(error, PML_E_MISMATCH, "tensor %s differs", c->stored->name));
    }
    c->side_positions[is_sums] += size_bytes;
done:
    return status;
}

/* True when what the table says of the tensor is what the plan says; otherwise `cause` tells. */
static bool same_form(const verification *v, const pml_plan_tensor *planned, const pml_file_tensor *stored, char *cause,
                      size_t capacity) {
    const pml_weight_instance *weight = planned->mapped->weight;
    char was[PML_SHAPE_TEXT_BYTES], is[PML_SHAPE_TEXT_BYTES];
    if (stored->rank != weight->rank || memcmp(stored->shape, weight->shape, weight->rank * sizeof(uint64_t)) != 0) {
        snprintf(cause, capacity, "its shape is %s, the source gives %s",
                 pml_shape_text(stored->shape, stored->rank, was), pml_shape_text(weight->shape, weight->rank, is));
        return false;
    }
    if (stored->dtype != planned->dtype || stored->layout != planned->layout ||
        stored->group_rows != planned->group_rows) {
        snprintf(cause, capacity,
                 "it is stored as %s %s in groups of %u, the recorded options give %s %s in groups of %u",
                 pml_dtype_name(stored->dtype), pml_layout_name(stored->layout), stored->group_rows,
                 pml_dtype_name(planned->dtype), pml_layout_name(planned->layout), planned->group_rows);
        return false;
    }
    const char *transform = planned->mapped->transform != NULL ? planned->mapped->transform : "";
    if (v->options->export_dialect == NULL && strcmp(stored->transforms, transform) != 0) {
        snprintf(cause, capacity, "its recorded transform is \"%.200s\", the rules give \"%.200s\"", stored->transforms,
                 transform);
        return false;
    }
    return true;
}

static pml_status report_bytes(verification *v, const comparison *c, pml_error *error) {
    char cause[256];
    pml_finding *finding = NULL;
    if (c->in_side) {
        snprintf(cause, sizeof cause, "its scales or sums are not what packing gives");
    } else if (c->in_element) {
        snprintf(cause, sizeof cause, "element %" PRIu64 " is %.9g, the source gives %.9g", c->i_element,
                 c->stored_value, c->expected_value);
    } else {
        snprintf(cause, sizeof cause, "its padding is not what packing gives");
    }
    pml_status status = add_finding(v, PML_FINDING_TENSOR, c->stored->name, cause, &finding, error);
    if (status == PML_OK && c->in_element) {
        finding->has_element = true;
        finding->i_element = c->i_element;
        finding->stored = c->stored_value;
        finding->expected = c->expected_value;
    }
    return status;
}

/* The greatest error of one element, which the metadata hold. */
static pml_status compare_max_error(verification *v, const pml_file_tensor *stored, double max_error,
                                    pml_error *error) {
    pml_status status = PML_OK;
    char cause[128];
    const double recorded = v->max_errors != NULL ? v->max_errors[stored - pml_file_tensor_at(v->file, 0)] : max_error;
    if (v->options->export_dialect == NULL && memcmp(&recorded, &max_error, sizeof recorded) != 0) {
        snprintf(cause, sizeof cause, "its recorded greatest error is %.6g, packing gives %.6g", recorded, max_error);
        PML_TRY(add_finding(v, PML_FINDING_TENSOR, stored->name, cause, NULL, error));
    }
done:
    return status;
}

static pml_status verify_tensor(verification *v, const pml_plan *plan, const pml_plan_tensor *planned,
                                pml_packer *packer, pml_error *error) {
    pml_status status = PML_OK;
    char cause[600];
    pml_pack_result result = {0};
    const char *name = planned->mapped->weight->name;
    const pml_file_tensor *stored = pml_file_tensor_find(v->file, name);
    if (stored == NULL) {
        PML_TRY(add_finding(v, PML_FINDING_TENSOR, name, "it is not in the file", NULL, error));
        goto done;
    }
    v->report->n_tensors++;
    if (!same_form(v, planned, stored, cause, sizeof cause)) {
        PML_TRY(add_finding(v, PML_FINDING_TENSOR, name, cause, NULL, error));
        goto done;
    }
    comparison c = {
        .v = v,
        .stored = stored,
        .bytes = pml_file_tensor_data(v->file, stored),
        .sides = {pml_file_extent_data(v->file, &stored->scales), pml_file_extent_data(v->file, &stored->sums)},
        .side_bytes = {stored->scales.size_bytes, stored->sums.size_bytes}};
    const pml_pack_job job = {.source = plan->bundle->tensors,
                              .weight = planned->mapped,
                              .dtype = planned->dtype,
                              .group_rows = planned->group_rows,
                              .layout = planned->layout,
                              .allow_nonfinite = plan->options->allow_nonfinite,
                              .sink = compare_bytes,
                              .side_sink = compare_side,
                              .user = &c};
    status = pml_packer_run(packer, &job, &result, error);
    if (status == PML_E_MISMATCH && c.differs) {
        PML_TRY(report_bytes(v, &c, error));
    } else {
        PML_TRY(status);
        v->report->n_bytes += c.position;
        if (memcmp(&result.scale_factor, &stored->scale_factor, sizeof(float)) != 0) {
            snprintf(cause, sizeof cause, "the factor of its scales is %.9g, packing gives %.9g",
                     (double)stored->scale_factor, (double)result.scale_factor);
            PML_TRY(add_finding(v, PML_FINDING_TENSOR, name, cause, NULL, error));
        }
        if (v->options->export_dialect == NULL && /* what was rounded before is not rounded again */
            memcmp(&result.quantization_error, &stored->quantization_error, sizeof(double)) != 0) {
            snprintf(cause, sizeof cause, "its recorded rounding error is %.6g, packing gives %.6g",
                     stored->quantization_error, result.quantization_error);
            PML_TRY(add_finding(v, PML_FINDING_TENSOR, name, cause, NULL, error));
        }
        PML_TRY(compare_max_error(v, stored, result.greatest_error, error));
    }
    v->done_bytes += stored->size_bytes;
done:
    return status;
}

static pml_status verify_tensors(verification *v, const pml_plan *plan, pml_error *error) {
    pml_status status = PML_OK;
    pml_packer *packer = NULL;
    PML_TRY(pml_packer_create(&packer, error));
    PML_TRY(pml_quality_max_errors(v->file, &v->max_errors, error));
    for (size_t i = 0; i < plan->n_tensors; i++) {
        PML_TRY(verify_tensor(v, plan, &plan->tensors[i], packer, error));
    }
    for (size_t i = 0; i < pml_file_n_tensors(v->file); i++) {
        const char *name = pml_file_tensor_at(v->file, i)->name;
        if (pml_weight_list_find(&plan->mapping->weights, name) == NULL) {
            PML_TRY(add_finding(v, PML_FINDING_TENSOR, name, "the source does not give it", NULL, error));
        }
    }
done:
    pml_packer_destroy(packer);
    return status;
}

/* ---- metadata ---- */

static bool is_provenance(const char *key) {
    return strncmp(key, "provenance.", strlen("provenance.")) == 0;
}

/* Where it comes from, and what a mapper calls it: a model that was never converted has a name of its own. */
static bool is_apart(const pml_metadata *stored, const char *key) {
    return is_provenance(key) ||
           (strcmp(key, "general.variant") == 0 && pml_metadata_find(stored, "provenance.files") == NULL);
}

static pml_status report_metadata(verification *v, const char *key, const pml_meta_entry *stored,
                                  const pml_meta_entry *expected, pml_error *error) {
    pml_status status = PML_OK;
    char cause[512], *was = NULL, *is = NULL;
    PML_TRY(pml_meta_value_text(stored, &was, error));
    PML_TRY(pml_meta_value_text(expected, &is, error));
    snprintf(cause, sizeof cause, "it is \"%.200s\", the source gives \"%.200s\"", stored == NULL ? "(absent)" : was,
             expected == NULL ? "(nothing)" : is);
    PML_TRY(add_finding(v, PML_FINDING_METADATA, key, cause, NULL, error));
done:
    pml_free(was);
    pml_free(is);
    return status;
}

static pml_status verify_metadata(verification *v, const pml_plan *plan, pml_error *error) {
    pml_status status = PML_OK;
    const pml_metadata *stored = pml_file_metadata(v->file), *expected = plan->metadata;
    for (size_t i = 0; i < pml_metadata_count(stored); i++) {
        const pml_meta_entry *entry = pml_metadata_at(stored, i);
        const pml_meta_entry *other = pml_metadata_find(expected, entry->key);
        if (!is_apart(stored, entry->key) && !pml_diff_meta_equal(entry, other)) {
            PML_TRY(report_metadata(v, entry->key, entry, other, error));
        }
    }
    for (size_t i = 0; i < pml_metadata_count(expected); i++) {
        const pml_meta_entry *entry = pml_metadata_at(expected, i);
        if (!is_apart(stored, entry->key) && pml_metadata_find(stored, entry->key) == NULL) {
            PML_TRY(report_metadata(v, entry->key, NULL, entry, error));
        }
    }
done:
    return status;
}

/* ---- tokenizer ---- */

static pml_status verify_tokenizer(verification *v, const pml_plan *plan, pml_error *error) {
    const pml_file_blob *stored = pml_file_blob_find(v->file, PML_TOKENIZER_BLOB);
    const pml_tokenizer_state *expected = &plan->tokenizer;
    const char *cause = NULL;
    if ((stored == NULL) != (expected->bytes == NULL)) {
        cause = stored == NULL ? "it is not in the file" : "the source has no tokenizer";
    } else if (stored != NULL && (stored->size_bytes != expected->size_bytes ||
                                  memcmp(stored->data, expected->bytes, expected->size_bytes) != 0)) {
        cause = "the source gives another one";
    }
    return cause != NULL ? add_finding(v, PML_FINDING_BLOB, PML_TOKENIZER_BLOB, cause, NULL, error) : PML_OK;
}

/* ---- exports ---- */

static pml_status verify_dialect(verification *v, const pml_plan *plan, pml_error *error) {
    char cause[256];
    const char *found = plan->mapping->detection.dialect;
    if (strcmp(found, v->options->export_dialect) == 0) {
        return PML_OK;
    }
    (void)snprintf(cause, sizeof cause, "it is recognized as %.64s", found);
    return add_finding(v, PML_FINDING_METADATA, "provenance.dialect", cause, NULL, error);
}

/* ---- source files ---- */

/* Compares the recorded hashes with those of now, file by file in their order: a renamed file is still the same file.
 */
static pml_status verify_files(verification *v, pml_plan *plan, pml_error *error) {
    pml_status status = PML_OK;
    pml_hasher *hasher = NULL;
    char(*hashes)[PML_SHA256_TEXT_BYTES] = NULL;
    char cause[256];
    const pml_source *source = plan->bundle->tensors;
    const char *const *recorded = NULL;
    size_t n_recorded = 0;
    PML_TRY(pml_repeat_texts(v->file, "provenance.sha256", &recorded, &n_recorded, error));
    PML_TRY(pml_hasher_create(plan->bundle->tensors, NULL, NULL, &hasher, error));
    PML_TRY(pml_hasher_finish(hasher, &hashes, error));
    PML_TRY(pml_plan_set_hashes(plan, hashes, error));
    const pml_meta_entry *now = pml_metadata_find(plan->metadata, "provenance.sha256");
    const pml_meta_entry *names = pml_metadata_find(plan->metadata, "provenance.files");
    if (now == NULL || names == NULL || now->count != n_recorded) {
        snprintf(cause, sizeof cause, "the file was made from %zu files, the source has %" PRIu64, n_recorded,
                 now != NULL ? now->count : 0);
        PML_TRY(add_finding(v, PML_FINDING_FILE, pml_source_path(source), cause, NULL, error));
        goto done;
    }
    for (size_t i = 0; i < n_recorded; i++) {
        v->report->n_files++;
        if (strcmp(recorded[i], now->value.strings[i]) != 0) {
            snprintf(cause, sizeof cause, "sha256 was %.64s, is %.64s", recorded[i], now->value.strings[i]);
            PML_TRY(add_finding(v, PML_FINDING_FILE, names->value.strings[i], cause, NULL, error));
        }
    }
done:
    pml_free(hashes);
    pml_hasher_destroy(hasher);
    return status;
}

pml_status pml_verify_source(const pml_file *file, const pml_verify_options *options, pml_verify_report *report,
                             pml_error *error) {
    pml_status status = PML_OK;
    pml_repeat repeat = {0};
    pml_plan *plan = NULL;
    verification v = {.file = file, .options = options, .report = report};
    *report = (pml_verify_report){0};
    PML_TRY(pml_repeat_read(file, &repeat, error));
    repeat.options.source = options->source;
    repeat.options.bundle.config_path = options->config_path;
    repeat.options.bundle.modes_index_path = options->modes_index_path;
    repeat.options.bundle.map_path = options->map_path;
    repeat.options.writes_nothing = true;
    if (options->export_dialect != NULL) {
        repeat.options.bundle.n_settings = 0;
        repeat.options.bundle.arch = options->export_family;
    }
    PML_TRY(pml_plan_create(&repeat.options, &plan, error));
    PML_TRY(verify_tensors(&v, plan, error));
    PML_TRY(verify_metadata(&v, plan, error));
    PML_TRY(verify_tokenizer(&v, plan, error));
    if (options->export_dialect != NULL) {
        PML_TRY(verify_dialect(&v, plan, error));
    } else {
        PML_TRY(verify_files(&v, plan, error));
    }
done:
    pml_plan_destroy(plan);
    pml_repeat_deinit(&repeat);
    if (status != PML_OK) {
        pml_verify_report_deinit(report);
    }
    return status;
}

void pml_verify_report_deinit(pml_verify_report *report) {
    for (size_t i = 0; i < report->count; i++) {
        pml_free(report->findings[i].name);
        pml_free(report->findings[i].cause);
    }
    pml_free(report->findings);
    *report = (pml_verify_report){0};
}
