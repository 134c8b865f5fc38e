/* What a conversion will do, known before the first weight is read: what is stored how, how large, under which name. */
#ifndef PML_CONVERT_PLAN_H
#define PML_CONVERT_PLAN_H

#include "convert/bundle.h"
#include "convert/tokenizer_state.h"
#include "runtime/file/writer.h"

typedef struct pml_convert_options {
    const char *source;
    const char *output; /* may contain {name} and {dtype}; NULL: "{name}.pml" in the current directory */
    pml_bundle_options bundle;
    pml_dtype dtype;     /* F32, BF16 or I8 */
    uint32_t group_rows; /* I8: 0, 32 or 64 */
    const char *
        *type_rules; /* "PATTERN=TYPE" (convert/stored_type.h) of single weights; the last one that matches counts */
    size_t n_type_rules;
    double max_error; /* greatest quantization error of a weight, above which I8 becomes BF16; 0: any */
    pml_layout layout;
    bool replace; /* an existing output may be replaced */
    bool allow_nonfinite;
    const char *selftest_path; /* recorded vectors to put into the file; NULL: none */
    bool writes_nothing;       /* the plan is for comparing with: it has no output, and none is checked */
} pml_convert_options;

typedef struct pml_plan_tensor {
    const pml_mapped_weight *mapped;
    pml_dtype dtype;
    uint32_t group_rows; /* I8 */
    pml_layout layout;
    uint64_t size_bytes; /* scales and sums included */
} pml_plan_tensor;

typedef struct pml_plan {               /* read-only for callers; pointers are owned by the plan */
    const pml_convert_options *options; /* borrowed */
    pml_bundle *bundle;
    pml_mapping *mapping;
    pml_plan_tensor *tensors; /* in the order in which their bytes lie in the source */
    size_t n_tensors;
    pml_tokenizer_state tokenizer; /* of models that read tokens */
    /* Complete but for "provenance.sha256" of the tensors' files and "provenance.max_errors" (convert/quality.h), which
     * hold zeros of their length. */
    pml_metadata *metadata;
    char *output;          /* NULL: writes_nothing */
    uint64_t source_bytes; /* of the tensors' files */
    uint64_t size_bytes;   /* of the output, without self-test vectors */
} pml_plan;

/* Opens and understands the source. `options` is borrowed until destroy. The output can be created, is none of
 * the sources, and does not exist unless `replace`. Errors: ARGUMENT, those of pml_publish_check, pml_bundle_open,
 * pml_mapping_create, pml_series_state_read and pml_plan_choose_types, UNSUPPORTED (dtype), NOT_FOUND (vectors too). */
pml_status pml_plan_create(const pml_convert_options *options, pml_plan **plan, pml_error *error) PML_WARN_UNUSED;
void pml_plan_destroy(pml_plan *plan); /* NULL is allowed */

/* Decides in which form each weight is stored, and how large it becomes. With max_error, weights are packed to learn
 * their errors. Errors: ARGUMENT (rules that match no matrix; I8 in layout row), NUMERIC (a weight whose error is above
 * max_error in BF16 too), those of packing. For plan.c. */
pml_status pml_plan_choose_types(pml_plan *plan, pml_error *error) PML_WARN_UNUSED;

/* Declares metadata, tensors and blobs of the plan; i_tensors[i] is the writer's number of plan->tensors[i]. Errors:
 * those of the writer. */
pml_status pml_plan_declare(const pml_plan *plan, pml_writer *writer, size_t *i_tensors,
                            pml_error *error) PML_WARN_UNUSED;

/* Sets "provenance.sha256": one per file of the source in its order, then config, scaler, rules and files of mappers
 * where there are any. NULL: zeros for the source's files. */
pml_status pml_plan_set_hashes(pml_plan *plan, char (*hashes)[PML_SHA256_TEXT_BYTES], pml_error *error) PML_WARN_UNUSED;

#endif
