/* Real checkpoints of the goldens: single, sharded, half precision, odd but valid. */
#include <string.h>

#include "formats/format.h"
#include "tests/harness.h"

static void opens_single(void) {
    const char *folder = pml_test_golden("patchtst/hf-ci-prediction");
    if (folder == NULL) {
        pml_test_skip("PML_GOLDENS is not set");
        return;
    }
    pml_source *source;
    pml_error error;
    PML_ASSERT_OK(pml_source_open(folder, &source, &error), &error);
    CU_ASSERT(pml_source_n_tensors(source) > 10);
    pml_source_close(source);
}

PML_TESTS("formats/safetensors", PML_TEST(opens_single))
