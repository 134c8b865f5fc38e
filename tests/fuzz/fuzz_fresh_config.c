/* A configuration of a fresh model from anywhere: the first byte chooses the family, the rest is the JSON file. What is
 * accepted holds the schema's rules, and says the weights that the model would have. */
#include <stdint.h>
#include <stdlib.h>

#include "runtime/train/fresh_config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    pml_error error;
    pml_metadata *metadata = NULL;
    pml_weight_list weights = {0};
    const pml_fresh_facts facts = {.n_channels = 7, .has_dates = true, .frequency = 'h'};
    size_t n_families = 0;
    while (pml_schemas[n_families] != NULL) {
        n_families++;
    }
    if (size == 0 || pml_metadata_create(&metadata, &error) != PML_OK) {
        return 0;
    }
    const pml_schema *schema = pml_schemas[data[0] % n_families];
    if (pml_fresh_config_read(schema, data + 1, size - 1, "x", metadata, &error) == PML_OK &&
        pml_fresh_config_complete(schema, &facts, metadata, &error) == PML_OK) {
        if (pml_schema_check_config(schema, metadata, &error) != PML_OK) {
            abort();
        }
        if (pml_schema_weights(schema, metadata, 1000, &weights, &error) == PML_OK) {
            pml_weight_list_deinit(&weights);
        }
    }
    pml_metadata_destroy(metadata);
    return 0;
}
