/* Which files of a repository a conversion needs: configuration, tokenizer, and the weights in one container only, the
 * first in the order of the formats (formats/registry.def). What nobody here reads is never fetched. */
#ifndef PML_CONVERT_HUB_CHOOSE_H
#define PML_CONVERT_HUB_CHOOSE_H

#include "convert/hub/hub_listing.h"
#include "convert/hub/hub_pattern.h"

typedef struct pml_hub_choice { /* zero = empty, safe to deinit; files are the listing's */
    const pml_hub_file **files;
    size_t count, capacity;
    /* The index among them that names further files by its content (pml_hub_choice_add_shards); NULL: none does. */
    const pml_hub_file *index;
} pml_hub_choice;

/* With patterns to include: what they fit. Otherwise what a conversion needs. Errors: NOT_FOUND (nothing fits),
 * UNSUPPORTED (several weights of which none has a known name; the message lists them), MEMORY. */
pml_status pml_hub_choice_make(const pml_hub_listing *listing, const pml_hub_filter *filter, pml_hub_choice *choice,
                               pml_error *error) PML_WARN_UNUSED;
/* Adds the shards that the index (its bytes) names: each must be a file beside it. Errors: FORMAT, NOT_FOUND, MEMORY.
 */
pml_status pml_hub_choice_add_shards(const pml_hub_listing *listing, const void *bytes, size_t size_bytes,
                                     pml_hub_choice *choice, pml_error *error) PML_WARN_UNUSED;
void pml_hub_choice_deinit(pml_hub_choice *choice);

#endif
