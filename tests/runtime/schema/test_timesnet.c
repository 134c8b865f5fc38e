#include "tests/runtime/models/series_model.h"

#define SIZES                                                                                                          \
    "head=prediction", "num_input_channels=7", "context_length=96", "num_hidden_layers=2", "d_model=16", "ffn_dim=32", \
        "num_kernels=6", "scaling=std", "time_embedding=timeF", "frequency=h"

/* The published size; the table of positions is no parameter. */
static void counts_the_published_parameters(void) {
    pml_metadata *m =
        series_metadata("timesnet", (const char *const[]){SIZES, "prediction_length=96", "num_periods=5", NULL});
    pml_weight_list list = {0};
    uint64_t total = 0;
    PML_ASSERT_OK(pml_schema_check_config(pml_schema_find("timesnet"), m, &error), &error);
    PML_ASSERT_OK(pml_schema_weights(pml_schema_find("timesnet"), m, PML_MAX_TENSORS, &list, &error), &error);
    for (size_t i = 0; i < list.count; i++) {
        uint64_t n = strcmp(list.items[i].name, "encoder.embedding.position") != 0;
        for (unsigned axis = 0; axis < list.items[i].rank; axis++) {
            n *= list.items[i].shape[axis];
        }
        total += n;
    }
    CU_ASSERT_EQUAL(list.count, 57);
    CU_ASSERT_EQUAL(total, 605479);
    pml_weight_list_deinit(&list);
    pml_metadata_destroy(m);
}

static void refuse(const char *horizon, const char *periods, const char *words) {
    pml_metadata *m = series_metadata("timesnet", (const char *const[]){SIZES, horizon, periods, NULL});
    PML_ASSERT_FAILS(pml_schema_check_config(pml_schema_find("timesnet"), m, &error), PML_E_CONFIG, &error, words);
    pml_metadata_destroy(m);
}

static void what_cannot_be_is_refused(void) {
    refuse("prediction_length=0", "num_periods=5", "prediction_length must be at least 1");
    refuse("prediction_length=1", "num_periods=49", "num_periods must not be greater");
    refuse("prediction_length=1", "num_periods=0", "num_periods");
}

PML_TESTS("runtime/schema/timesnet", PML_TEST(counts_the_published_parameters), PML_TEST(what_cannot_be_is_refused))
