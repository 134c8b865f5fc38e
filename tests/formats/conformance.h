/* What every provider must pass: the tensors of a checkpoint are those of an expected*.safetensors, name for name and
 * byte for byte. An expected NAME.real_imag, whose last dimension is (real, imaginary), is also met by a complex NAME.
 */
#ifndef PML_TESTS_FORMATS_CONFORMANCE_H
#define PML_TESTS_FORMATS_CONFORMANCE_H

#include <stdio.h>
#include <string.h>

#include "formats/format.h"
#include "tests/harness.h"

/* The tensor of `source` that `expected` speaks of, or NULL; *shown takes its dtype and shape as they would be if it
 * were stored as `expected` is. */
static const pml_source_tensor *pml_conform_find(const pml_source *source, const pml_source_tensor *expected,
                                                 pml_source_tensor *shown) {
    static const char ending[] = ".real_imag";
    const pml_source_tensor *found = pml_source_tensor_find(source, expected->name);
    size_t length = strlen(expected->name), ending_bytes = sizeof ending - 1;
    char name[PML_MAX_NAME_BYTES + 1];
    if (found == NULL && length > ending_bytes && strcmp(expected->name + length - ending_bytes, ending) == 0) {
        (void)snprintf(name, sizeof name, "%.*s", (int)(length - ending_bytes), expected->name);
        found = pml_source_tensor_find(source, name);
        if (found != NULL && found->dtype == PML_DTYPE_C64 && found->rank < PML_MAX_RANK) {
            *shown = *found;
            shown->dtype = PML_DTYPE_F32;
            shown->shape[shown->rank++] = 2;
            return found;
        }
    }
    if (found != NULL) {
        *shown = *found;
    }
    return found;
}

/* Compares an open source with an open file of expected tensors; `what` names the source in messages. */
static void pml_conform_sources(pml_source *source, pml_source *expected, const char *what) {
    pml_error error;
    CU_ASSERT_EQUAL(pml_source_n_tensors(source), pml_source_n_tensors(expected));
    for (size_t i = 0; i < pml_source_n_tensors(expected); i++) {
        const pml_source_tensor *wanted = pml_source_tensor_at(expected, i);
        pml_source_tensor shown = {0};
        const pml_source_tensor *found = pml_conform_find(source, wanted, &shown);
        const void *bytes = NULL, *wanted_bytes = NULL;
        bool is_alike = found != NULL && shown.dtype == wanted->dtype && shown.rank == wanted->rank &&
                        shown.size_bytes == wanted->size_bytes &&
                        memcmp(shown.shape, wanted->shape, wanted->rank * sizeof wanted->shape[0]) == 0;
        if (is_alike) {
            PML_ASSERT_OK(pml_source_tensor_view(source, found, &bytes, &error), &error);
            PML_ASSERT_OK(pml_source_tensor_view(expected, wanted, &wanted_bytes, &error), &error);
            is_alike = bytes != NULL && wanted_bytes != NULL && memcmp(bytes, wanted_bytes, wanted->size_bytes) == 0;
            pml_source_tensor_release(source, found);
        }
        if (!is_alike) {
            printf("\n%s: tensor %s %s\n", what, wanted->name, found == NULL ? "is missing" : "is another");
        }
        CU_ASSERT_TRUE(is_alike);
    }
}

/* Opens both and compares. */
static void pml_conform(const char *path, const char *expected_path) {
    pml_source *source = NULL, *expected = NULL;
    pml_error error;
    PML_ASSERT_OK(pml_source_open(path, &source, &error), &error);
    PML_ASSERT_OK(pml_source_open(expected_path, &expected, &error), &error);
    if (source != NULL && expected != NULL) {
        pml_conform_sources(source, expected, path);
    }
    pml_source_close(expected);
    pml_source_close(source);
}

/* The same for two names below the golden folders; skips the running test when one is not there. */
static inline void pml_conform_golden(const char *name, const char *expected_name) {
    const char *path = pml_test_golden(name), *expected_path = pml_test_golden(expected_name);
    if (path == NULL || expected_path == NULL) {
        pml_test_skip(pml_test_path("no golden data %s", path == NULL ? name : expected_name));
        return;
    }
    pml_conform(path, expected_path);
}

#endif
