#include "runtime/models/selftest.h"

#include "tests/runtime/models/patchtst_builder.h"

static const float floats[] = {1, 2, 3, 4, 5};
static const uint8_t flags[] = {1, 0, 1};

static const pml_vector vectors[] = {
    {.name = "in.past_values", .dtype = PML_DTYPE_F32, .rank = 2, .shape = {1, 5}, .bytes = floats},
    {.name = "in.start_row", .dtype = PML_DTYPE_F32, .rank = 1, .shape = {5}, .bytes = floats},
    {.name = "in.past_observed_mask", .dtype = PML_DTYPE_BOOL, .rank = 1, .shape = {3}, .bytes = flags},
    {.name = "mid.embed", .dtype = PML_DTYPE_F32, .rank = 1, .shape = {5}, .bytes = floats},
    {.name = "out64.loc", .dtype = PML_DTYPE_F64, .rank = 1, .shape = {0}, .bytes = NULL},
    {.name = "out.scale", .dtype = PML_DTYPE_F32, .rank = 0, .bytes = floats},
    {.name = "out.loss", .dtype = PML_DTYPE_F32, .rank = 0, .bytes = floats},
    {.name = "grad.loc", .dtype = PML_DTYPE_F32, .rank = 0, .bytes = floats}};
static const size_t kept[] = {0, 2, 4, 5}; /* inputs and outputs that the model has */

static uint8_t *encode(size_t *size_bytes) {
    opened o = open_model(&(build){0}, NULL);
    uint8_t *bytes = NULL;
    PML_ASSERT_OK(pml_selftest_encode(o.model, vectors, 8, &bytes, size_bytes, &error), &error);
    close_model(&o);
    return bytes;
}

static void what_is_known_comes_back(void) {
    size_t size_bytes, n_vectors;
    uint8_t *bytes = encode(&size_bytes);
    pml_vector *back;
    PML_ASSERT_OK(pml_selftest_decode(bytes, size_bytes, "x.pml", &back, &n_vectors, &error), &error);
    CU_ASSERT_EQUAL_FATAL(n_vectors, 4);
    for (size_t i = 0; i < 4; i++) {
        const pml_vector *wanted = &vectors[kept[i]];
        uint64_t count = 1;
        CU_ASSERT_STRING_EQUAL(back[i].name, wanted->name);
        CU_ASSERT_EQUAL(back[i].dtype, wanted->dtype);
        CU_ASSERT_EQUAL_FATAL(back[i].rank, wanted->rank);
        for (unsigned axis = 0; axis < wanted->rank; axis++) {
            CU_ASSERT_EQUAL(back[i].shape[axis], wanted->shape[axis]);
            count *= wanted->shape[axis];
        }
        CU_ASSERT_TRUE(count == 0 ||
                       memcmp(back[i].bytes, wanted->bytes, count * pml_dtype_bits(wanted->dtype) / 8) == 0);
    }
    pml_free(back);
    pml_free(bytes);
}

static void every_cut_is_an_error(void) {
    size_t size_bytes, n_vectors;
    uint8_t *bytes = encode(&size_bytes);
    pml_vector *back;
    for (size_t length = 0; length < size_bytes; length++) {
        uint8_t *cut; /* of its own size, so that reading beyond it is seen */
        PML_ASSERT_OK(pml_alloc(length, 1, &cut, &error), &error);
        memcpy(cut, bytes, length);
        PML_ASSERT_FAILS(pml_selftest_decode(cut, length, "x.pml", &back, &n_vectors, &error), PML_E_FORMAT, &error,
                         "x.pml");
        pml_free(cut);
    }
    pml_free(bytes);
}

/* Sets one byte and expects FORMAT. */
static void spoil(const uint8_t *bytes, size_t size_bytes, size_t offset, uint8_t value, const char *part) {
    uint8_t *copy;
    pml_vector *back;
    size_t n_vectors;
    PML_ASSERT_OK(pml_alloc(size_bytes + 8, 1, &copy, &error), &error);
    memcpy(copy, bytes, size_bytes);
    copy[offset] = value;
    PML_ASSERT_FAILS(pml_selftest_decode(copy, size_bytes, "x.pml", &back, &n_vectors, &error), PML_E_FORMAT, &error,
                     part);
    pml_free(copy);
}

static void faults_are_named(void) {
    size_t size_bytes, n_vectors;
    uint8_t *bytes = encode(&size_bytes);
    pml_vector *back;
    spoil(bytes, size_bytes, 0, 'X', "not a self-test blob");
    spoil(bytes, size_bytes, 12, 9, "cannot lie");         /* 2^32 vectors */
    spoil(bytes, size_bytes, 8, 3, "after the last");      /* one too few */
    spoil(bytes, size_bytes, 8, 5, "cut off");             /* one too many */
    spoil(bytes, size_bytes, 16, 1, "vector header");      /* an empty name */
    spoil(bytes, size_bytes, 16, 14, "not terminated");    /* a name one byte short */
    spoil(bytes, size_bytes, 20, 0, "vector header");      /* no dtype */
    spoil(bytes, size_bytes, 20, 15, "vector header");     /* a dtype that is not recorded */
    spoil(bytes, size_bytes, 24, 9, "vector header");      /* rank */
    spoil(bytes, size_bytes, 28, 1, "vector header");      /* reserved */
    spoil(bytes, size_bytes, 32 + 7, 255, "beyond");       /* a shape whose product overflows */
    spoil(bytes, size_bytes, 32 + 8, 255, "beyond");       /* a shape larger than the blob */
    spoil(bytes, size_bytes, 48 + 15, 1, "terminated");    /* padding of the name */
    spoil(bytes, size_bytes, 48 + 16 + 20, 1, "not zero"); /* padding of the data */
    bytes[4] = 2;
    PML_ASSERT_FAILS(pml_selftest_decode(bytes, size_bytes, "x.pml", &back, &n_vectors, &error), PML_E_UNSUPPORTED,
                     &error, "version 2");
    pml_free(bytes);
}

static void vectors_without_a_byte_form_are_refused(void) {
    opened o = open_model(&(build){0}, NULL);
    pml_vector odd = vectors[0];
    uint8_t *bytes = NULL;
    size_t size_bytes;
    odd.dtype = PML_DTYPE_C64;
    PML_ASSERT_FAILS(pml_selftest_encode(o.model, &odd, 1, &bytes, &size_bytes, &error), PML_E_ARGUMENT, &error,
                     "in.past_values");
    odd = vectors[0];
    odd.shape[0] = odd.shape[1] = UINT64_MAX;
    PML_ASSERT_FAILS(pml_selftest_encode(o.model, &odd, 1, &bytes, &size_bytes, &error), PML_E_ARGUMENT, &error,
                     "in.past_values");
    CU_ASSERT_PTR_NULL(bytes);
    close_model(&o);
}

PML_TESTS("runtime/models/vectors", PML_TEST(what_is_known_comes_back), PML_TEST(every_cut_is_an_error),
          PML_TEST(faults_are_named), PML_TEST(vectors_without_a_byte_form_are_refused))
