/* Adapters: low-rank matrices that are added to some of a model's (runtime/ops/low_rank.h), and layers that are
 * trained whole beside them. The model's file stays as it is; what has been learned is a small file of its own, of kind
 * adapter, which belongs to that model alone. */
#ifndef PML_RUNTIME_MODELS_ADAPTER_H
#define PML_RUNTIME_MODELS_ADAPTER_H

#include "runtime/file/reader.h"
#include "runtime/models/model.h"

/* Names of the two matrices: that of the weight with one of these behind it. */
#define PML_ADAPTER_A ".lora_a" /* [in, r] */
#define PML_ADAPTER_B ".lora_b" /* [r, out] */

#define PML_ADAPTER_MAX_RANK 4096u
#define PML_ADAPTER_PATTERNS_BYTES 1024u

typedef struct pml_adapter_recipe {
    size_t rank;
    double alpha;   /* what is added is multiplied by alpha / rank */
    double dropout; /* in training, of what goes into an adapter */
    /* Layers ("encoder.layer.0.attention.q"), as fnmatch(3) reads patterns, with '/' between them: those that get
     * adapters, and those whose weights are trained whole. */
    char targets[PML_ADAPTER_PATTERNS_BYTES], whole[PML_ADAPTER_PATTERNS_BYTES];
} pml_adapter_recipe;

/* Reads "r=8,alpha=16,dropout=0.05,targets=PATTERN/PATTERN,whole=PATTERN/PATTERN"; what is not said is r=8, alpha=8,
 * dropout=0, queries and values of attention, and the heads that classify. Errors: ARGUMENT. */
pml_status pml_adapter_recipe_parse(const char *text, pml_adapter_recipe *recipe, pml_error *error) PML_WARN_UNUSED;
/* As entries "adapter.…" of a file of kind adapter. Errors of read: NOT_FOUND, FORMAT (a value that it cannot have),
 * UNSUPPORTED (another kind of adapter). */
pml_status pml_adapter_recipe_write(const pml_adapter_recipe *recipe, pml_metadata *metadata,
                                    pml_error *error) PML_WARN_UNUSED;
pml_status pml_adapter_recipe_read(const pml_metadata *metadata, pml_adapter_recipe *recipe,
                                   pml_error *error) PML_WARN_UNUSED;
/* Whether one of the patterns fits the layer that the weight ("<layer>.weight") belongs to. */
bool pml_adapter_fits(const char *patterns, const char *weight);

/* Whether a weight that can be learned is to be. */
typedef bool pml_weight_filter_fn(void *user, const char *name);

/* That of a model with adapters; NULL: it has none. */
const pml_adapter_recipe *pml_model_adapter_recipe(const pml_model *model);

#endif
