/* A trainer_state.json from anywhere: every value of a record that was read is found by its name. */
#include <stdint.h>
#include <stdlib.h>

#include "runtime/train/logs/trainer_state.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    pml_error error;
    pml_trainer_state state = {0};
    if (pml_trainer_state_parse((const char *)data, size, "x", &state, &error) == PML_OK) {
        for (size_t i = 0; i < state.log_history.n_entries; i++) {
            const pml_log_record record = pml_log_history_at(&state.log_history, i);
            double value = 0;
            for (size_t k = 0; k < record.n_values; k++) {
                if (!pml_log_record_find(&record, record.values[k].name, &value)) {
                    abort();
                }
            }
        }
    }
    pml_trainer_state_deinit(&state);
    return 0;
}
