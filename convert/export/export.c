#include "convert/export/export.h"

#include <stdio.h>
#include <string.h>

#include "convert/export/export_files.h"
#include "convert/export/unpack.h"
#include "convert/safetensors_writer.h"
#include "convert/verify_source.h"
#include "mappers/mapper.h"
#include "runtime/base/alloc.h"
#include "runtime/base/quote.h"

#define WEIGHTS "model.safetensors"
#define MAX_KNOWN 64u

typedef struct exporting {
    const pml_export_options *options;
    pml_export_report *report;
    const pml_mapper *mapper;
    pml_export_subject subject;
    pml_reverse reverse;
    pml_safetensors_tensor *tensors; /* [reverse.count] */
    pml_unpacker *unpacker;
    uint64_t done_bytes, half_bytes;
} exporting;

uint64_t pml_export_size(const pml_file *file) {
    uint64_t size = 0;
    for (size_t i = 0; i < pml_file_n_tensors(file); i++) {
        size += pml_file_tensor_at(file, i)->size_bytes; /* of one mapped file */
    }
    return size;
}

/* ---- what is to be written ---- */
static pml_status find_mapper(exporting *e, const pml_file *file, pml_error *error) {
    pml_status status = PML_OK;
    const char *family;
    pml_quoted quoted;
    if (pml_file_get_kind(file) != PML_KIND_MODEL) {
        PML_TRY(PML_FAIL(error, PML_E_UNSUPPORTED, "%s is no model: only models are exported",
                         pml_quote(&quoted, pml_file_path(file))));
    }
    PML_TRY(pml_metadata_get_string(pml_file_metadata(file), "general.family", &family, error));
    for (const pml_mapper *const *m = pml_mappers; *m != NULL && e->mapper == NULL; m++) {
        e->mapper = strcmp((*m)->name, family) == 0 ? *m : NULL;
    }
    if (e->mapper == NULL || e->mapper->dialects == NULL) {
        PML_TRY(PML_FAIL(error, PML_E_UNSUPPORTED, "models of family %s are not exported", pml_quote(&quoted, family)));
    }
done:
    return status;
}

/* "hf, tsl" */
static const char *list_dialects(const pml_mapper *mapper, char *text, size_t text_bytes) {
    size_t used = 0;
    text[0] = '\0';
    for (const pml_map_dialect *d = mapper->dialects; d->name != NULL && used < text_bytes; d++) {
        const int n = snprintf(text + used, text_bytes - used, "%s%s", used > 0 ? ", " : "", d->name);
        used += n < 0 ? 0 : (size_t)n;
    }
    return text;
}

static pml_status find_dialect(exporting *e, const pml_file *file, pml_error *error) {
    const pml_meta_entry *recorded = pml_metadata_find(pml_file_metadata(file), "provenance.dialect");
    const char *name = e->options->dialect;
    char known[256];
    pml_quoted quoted;
    if (name == NULL && recorded != NULL && recorded->type == PML_META_STRING) {
        name = recorded->value.string;
    }
    e->subject.dialect = pml_map_dialect_find(e->mapper, name);
    if (e->subject.dialect != NULL && e->subject.dialect->unwritten != NULL) {
        return PML_FAIL(error, PML_E_UNSUPPORTED, "family %s is not exported: %s", e->mapper->name,
                        e->subject.dialect->unwritten);
    }
    return e->subject.dialect != NULL
               ? PML_OK
               : PML_FAIL(error, PML_E_ARGUMENT, "family %s is not written in a dialect %s (it is in: %s)",
                          e->mapper->name, pml_quote(&quoted, name), list_dialects(e->mapper, known, sizeof known));
}

static pml_status plan_tensors(exporting *e, const pml_file *file, pml_error *error) {
    pml_status status = PML_OK;
    PML_TRY(pml_reverse_create(e->mapper, e->subject.dialect, pml_file_metadata(file), &e->reverse, error));
    e->subject.schema = e->reverse.schema;
    PML_TRY(pml_alloc(e->reverse.count, sizeof *e->tensors, &e->tensors, error));
    for (size_t i = 0; i < e->reverse.count; i++) {
        const pml_reverse_tensor *tensor = &e->reverse.tensors[i];
        e->tensors[i] = (pml_safetensors_tensor){.name = tensor->name, .rank = tensor->rank};
        memcpy(e->tensors[i].shape, tensor->shape, sizeof tensor->shape);
        PML_TRY(pml_unpack_dtype(file, tensor, &e->tensors[i].dtype, error));
    }
    e->report->n_tensors = e->reverse.count;
done:
    return status;
}

/* ---- writing ---- */
typedef struct producing {
    exporting *e;
    pml_safetensors_sink *sink;
} producing;

static void advance(const exporting *e, uint64_t done_bytes) {
    if (e->options->progress != NULL) {
        e->options->progress(e->options->user, done_bytes);
    }
}

static pml_status put(void *user, const void *bytes, size_t size_bytes, pml_error *error) {
    const producing *p = user;
    const pml_status status = pml_safetensors_put(p->sink, bytes, size_bytes, error);
    p->e->done_bytes += size_bytes;
    p->e->report->size_bytes += size_bytes;
    advance(p->e, p->e->done_bytes < p->e->half_bytes ? p->e->done_bytes : p->e->half_bytes);
    return status;
}

static pml_status produce(void *user, size_t i_tensor, pml_safetensors_sink *sink, pml_error *error) {
    exporting *e = user;
    producing p = {e, sink};
    const pml_unpack_job job = {.file = e->subject.file,
                                .reverse = &e->reverse,
                                .tensor = &e->reverse.tensors[i_tensor],
                                .dtype = e->tensors[i_tensor].dtype,
                                .sink = put,
                                .user = &p};
    return pml_unpacker_run(e->unpacker, &job, error);
}

static pml_status note_file(void *user, const char *name, pml_error *error) {
    pml_export_report *report = user;
    if (report->n_files == PML_EXPORT_FILES) {
        return PML_FAIL(error, PML_E_CONFIG, "an export has more than %u files", PML_EXPORT_FILES);
    }
    report->files[report->n_files++] = name;
    return PML_OK;
}

static pml_status write_folder(exporting *e, const pml_export_folder *folder, pml_error *error) {
    pml_status status = PML_OK;
    char *path = NULL;
    const pml_safetensors_job job = {
        .tensors = e->tensors, .n_tensors = e->reverse.count, .format = "pt", .produce = produce, .user = e};
    PML_TRY(
        pml_export_files_write(&e->subject, folder, note_file, e->report, error)); /* what cannot be said fails here */
    PML_TRY(pml_export_folder_path(folder, WEIGHTS, &path, error));
    PML_TRY(pml_unpacker_create(&e->unpacker, error));
    PML_TRY(pml_safetensors_stream(path, &job, false, error));
    PML_TRY(note_file(e->report, WEIGHTS, error));
done:
    pml_free(path);
    return status;
}

/* ---- reading back ---- */
static void on_compared(void *user, uint64_t done_bytes) {
    const exporting *e = user;
    advance(e, e->half_bytes + done_bytes);
}

static pml_status read_back(exporting *e, const pml_export_folder *folder, pml_error *error) {
    pml_status status = PML_OK;
    pml_verify_report report = {0};
    const pml_verify_options options = {.source = folder->temporary,
                                        .export_dialect = e->subject.dialect->name,
                                        .export_family = e->mapper->name,
                                        .progress = on_compared,
                                        .user = e};
    status = pml_verify_source(e->subject.file, &options, &report, error);
    if (status == PML_E_CONFIG || status == PML_E_FORMAT || status == PML_E_UNSUPPORTED) {
        status =
            pml_error_prefix(error, status, "dialect %s does not hold this model, read back", options.export_dialect);
    }
    PML_TRY(status);
    if (report.count > 0) {
        pml_quoted name;
        PML_TRY(PML_FAIL(error, PML_E_UNSUPPORTED,
                         "dialect %s does not hold this model: read back, %s %s differs: %.600s",
                         options.export_dialect, pml_finding_kind_name(report.findings[0].kind),
                         pml_quote(&name, report.findings[0].name), report.findings[0].cause));
    }
done:
    pml_verify_report_deinit(&report);
    return status;
}

/* Every name that an export can write, of whatever family and dialect. */
static size_t list_known(const char *known[MAX_KNOWN]) {
    size_t n = 0;
    known[n++] = WEIGHTS;
    for (const pml_export_file *kind = pml_export_files; kind->write != NULL; kind++) {
        if (kind->name != NULL && n + 1 < MAX_KNOWN) {
            known[n++] = kind->name;
        }
    }
    for (const pml_mapper *const *m = pml_mappers; *m != NULL; m++) {
        for (const pml_map_dialect *d = (*m)->dialects; d != NULL && d->name != NULL && n + 1 < MAX_KNOWN; d++) {
            bool is_listed = false;
            for (size_t i = 0; i < n; i++) {
                is_listed = is_listed || strcmp(known[i], d->config_file) == 0;
            }
            if (!is_listed) {
                known[n++] = d->config_file;
            }
        }
    }
    known[n] = NULL;
    return n;
}

pml_status pml_export_run(const pml_file *file, const pml_export_options *options, pml_export_report *report,
                          pml_error *error) {
    pml_status status = PML_OK;
    const char *known[MAX_KNOWN];
    pml_export_folder folder = {0};
    exporting e = {.options = options, .report = report, .subject = {.file = file}};
    *report = (pml_export_report){0};
    PML_TRY(find_mapper(&e, file, error));
    PML_TRY(find_dialect(&e, file, error));
    PML_TRY(plan_tensors(&e, file, error));
    report->dialect = e.subject.dialect->name;
    report->family = e.mapper->name;
    e.half_bytes = pml_export_size(file);
    (void)list_known(known);
    PML_TRY(pml_export_folder_begin(options->directory, options->replace, known, &folder, error));
    PML_TRY(write_folder(&e, &folder, error));
    PML_TRY(read_back(&e, &folder, error));
    PML_TRY(pml_export_folder_commit(&folder, error));
done:
    pml_export_folder_deinit(&folder);
    pml_unpacker_destroy(e.unpacker);
    pml_reverse_deinit(&e.reverse);
    pml_free(e.tensors);
    return status;
}
