#include "convert/convert.h"

#include <sys/mman.h>
#include <unistd.h>

#include "convert/embed_selftest.h"
#include "convert/hasher.h"
#include "convert/pack.h"
#include "convert/quality.h"
#include "runtime/base/alloc.h"
#include "runtime/base/log.h"
#include "runtime/base/publish.h"
#include "runtime/text/tokenizer.h"

/* What the callbacks of packing need. */
typedef struct conversion {
    pml_writer *writer;
    pml_hasher *hasher; /* NULL: the files were hashed before */
    size_t i_tensor;
    double *max_errors; /* of each tensor of the plan */
} conversion;

static pml_status write_bytes(void *user, const void *bytes, size_t size_bytes, pml_error *error) {
    const conversion *c = user;
    return pml_writer_tensor_write(c->writer, c->i_tensor, bytes, size_bytes, error);
}

static pml_status write_side(void *user, bool is_sums, const void *bytes, size_t size_bytes, pml_error *error) {
    const conversion *c = user;
    return pml_writer_extent_write(c->writer, c->i_tensor, is_sums ? PML_EXTENT_SUMS : PML_EXTENT_SCALES, bytes,
                                   size_bytes, error);
}

static pml_status hash_bytes(void *user, const pml_source_tensor *tensor, uint64_t end_bytes, pml_error *error) {
    const conversion *c = user;
    const uint64_t read_bytes = tensor->is_made ? 0 : end_bytes; /* what it is made from is the format's knowledge */
    return pml_hasher_advance(c->hasher, tensor->i_file, tensor->offset_bytes + read_bytes, error);
}

static pml_status pack_tensor(const pml_plan *plan, size_t i_plan, pml_packer *packer, conversion *c,
                              pml_convert_report *report, pml_error *error) {
    pml_status status = PML_OK;
    const pml_plan_tensor *tensor = &plan->tensors[i_plan];
    pml_pack_result result;
    const pml_pack_job job = {.source = plan->bundle->tensors,
                              .weight = tensor->mapped,
                              .dtype = tensor->dtype,
                              .group_rows = tensor->group_rows,
                              .layout = tensor->layout,
                              .allow_nonfinite = plan->options->allow_nonfinite,
                              .before_read = hash_bytes,
                              .sink = write_bytes,
                              .side_sink = write_side,
                              .user = c};
    PML_TRY(pml_packer_run(packer, &job, &result, error));
    pml_writer_set_quantization_error(c->writer, c->i_tensor, result.quantization_error);
    pml_writer_set_scale_factor(c->writer, c->i_tensor, result.scale_factor);
    c->max_errors[i_plan] = result.greatest_error;
    report->n_nonfinite += result.n_nonfinite;
    report->n_overflowed += result.n_overflowed;
    if (result.quantization_error > report->quantization_error) {
        report->quantization_error = result.quantization_error;
    }
    if (result.n_nonfinite + result.n_overflowed > 0) {
        pml_log(PML_LOG_WARNING, "weight '%s': %llu values are not finite, %llu exceeded the range of %s",
                tensor->mapped->weight->name, (unsigned long long)result.n_nonfinite,
                (unsigned long long)result.n_overflowed, pml_dtype_name(tensor->dtype));
    }
    for (size_t k = 0; k < tensor->mapped->n_parts; k++) {
        const pml_source_tensor *source = tensor->mapped->parts[k].source;
        const uint64_t read_bytes = source->is_made ? 0 : source->size_bytes;
        pml_hasher_release(c->hasher, source->i_file, source->offset_bytes + read_bytes);
    }
done:
    return status;
}

/* The source is read from front to back, once: the system may read ahead and need not keep what was read. */
static void advise_sequential(const pml_source *source) {
    for (size_t i = 0; i < pml_source_n_files(source); i++) {
        const uint8_t *bytes = pml_source_file_data(source, i);
        if (bytes != NULL && pml_source_file_size(source, i) > 0) {
            (void)madvise((void *)(uintptr_t)bytes, (size_t)pml_source_file_size(source, i), MADV_SEQUENTIAL);
        }
    }
}

/* Writes the file to `output`, with or without self-test vectors. */
static pml_status write_file(pml_plan *plan, const char *output, bool replace, const pml_selftest_bytes *selftest,
                             pml_convert_progress_fn *progress, void *user, pml_convert_report *report,
                             pml_error *error) {
    pml_status status = PML_OK;
    conversion c = {0};
    pml_packer *packer = NULL;
    size_t *i_tensors = NULL;
    char(*hashes)[PML_SHA256_TEXT_BYTES] = NULL;
    PML_TRY(pml_alloc(plan->n_tensors, sizeof *i_tensors, &i_tensors, error));
    PML_TRY(pml_alloc(plan->n_tensors, sizeof *c.max_errors, &c.max_errors, error));
    PML_TRY(pml_packer_create(&packer, error));
    PML_TRY(pml_writer_create(PML_KIND_MODEL, &c.writer, error));
    PML_TRY(pml_plan_declare(plan, c.writer, i_tensors, error));
    if (selftest != NULL) {
        PML_TRY(pml_writer_add_blob(c.writer, "selftest", selftest->bytes, selftest->size_bytes, error));
    }
    PML_TRY(pml_writer_planned_size(c.writer, &report->size_bytes, error));
    PML_TRY(pml_hasher_create(plan->bundle->tensors, progress, user, &c.hasher, error));
    PML_TRY(pml_writer_begin(c.writer, output, replace, error));
    for (size_t i = 0; i < plan->n_tensors; i++) {
        c.i_tensor = i_tensors[i];
        PML_TRY(pack_tensor(plan, i, packer, &c, report, error));
    }
    PML_TRY(pml_hasher_finish(c.hasher, &hashes, error));
    PML_TRY(pml_plan_set_hashes(plan, hashes, error));
    PML_TRY(pml_quality_record(plan, c.max_errors, error));
    PML_TRY(pml_writer_set_metadata(c.writer, plan->metadata, error));
    PML_TRY(pml_writer_finish(c.writer, error));
done:
    pml_writer_destroy(c.writer);
    pml_hasher_destroy(c.hasher);
    pml_packer_destroy(packer);
    pml_free(hashes);
    pml_free(c.max_errors);
    pml_free(i_tensors);
    return status;
}

/* Writes a plan to an intermediate file beside `output`, which is gone from its directory as soon as it is mapped. */
static pml_status open_scratch(pml_plan *plan, const char *output, pml_file **file, pml_error *error) {
    pml_status status = PML_OK;
    pml_convert_report unused = {0};
    char *path = NULL;
    PML_TRY(pml_publish_scratch_path(output, &path, error));
    PML_TRY(write_file(plan, path, true, NULL, NULL, NULL, &unused, error));
    status = pml_file_open(path, file, error);
    (void)unlink(path);
done:
    pml_free(path);
    return status;
}

/* Vectors are embedded only after this machine has reproduced them. */
static pml_status prepare_selftest(pml_plan *plan, pml_selftest_bytes *selftest, pml_convert_report *report,
                                   pml_error *error) {
    pml_status status = PML_OK;
    pml_file *file = NULL;
    PML_TRY(open_scratch(plan, plan->output, &file, error));
    PML_TRY(pml_selftest_prepare(file, plan->options->selftest_path, selftest, &report->n_selftest_outputs, error));
done:
    pml_file_close(file);
    return status;
}

pml_status pml_convert_reference(const pml_plan *plan, pml_file **file, pml_error *error) {
    pml_status status = PML_OK;
    pml_plan *exact = NULL;
    pml_convert_options options = *plan->options;
    *file = NULL;
    options.dtype = PML_DTYPE_F32;
    options.group_rows = 0;
    options.n_type_rules = 0;
    options.max_error = 0;
    options.layout = PML_LAYOUT_PANEL;
    options.writes_nothing = true; /* it has no output of its own */
    PML_TRY(pml_plan_create(&options, &exact, error));
    advise_sequential(exact->bundle->tensors);
    PML_TRY(open_scratch(exact, plan->output, file, error));
done:
    pml_plan_destroy(exact);
    return status;
}

pml_status pml_convert_run(pml_plan *plan, pml_convert_progress_fn *progress, void *user, pml_convert_report *report,
                           pml_error *error) {
    pml_status status = PML_OK;
    pml_selftest_bytes selftest = {0};
    *report = (pml_convert_report){0};
    advise_sequential(plan->bundle->tensors);
    if (plan->options->selftest_path != NULL) {
        PML_TRY(prepare_selftest(plan, &selftest, report, error));
    }
    PML_TRY(write_file(plan, plan->output, plan->options->replace, selftest.bytes != NULL ? &selftest : NULL, progress,
                       user, report, error));
done:
    pml_free(selftest.bytes);
    return status;
}
