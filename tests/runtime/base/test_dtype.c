#include "tests/harness.h"

#include <math.h>
#include <string.h>

#include "runtime/base/dtype.h"

static float float_of(uint32_t bits) {
    float value;
    memcpy(&value, &bits, 4);
    return value;
}

static uint32_t bits_of(float value) {
    uint32_t bits;
    memcpy(&bits, &value, 4);
    return bits;
}

static void names_round_trip(void) {
    for (unsigned i = 1; i < PML_DTYPE_COUNT; i++) {
        const char *name = pml_dtype_name((pml_dtype)i);
        CU_ASSERT_EQUAL(pml_dtype_from_name(name, strlen(name)), i);
        CU_ASSERT(pml_dtype_bits((pml_dtype)i) >= 4);
    }
    CU_ASSERT_EQUAL(pml_dtype_from_name("F320", 4), PML_DTYPE_NONE);
    CU_ASSERT_EQUAL(pml_dtype_from_name("F320", 3), PML_DTYPE_F32);
    CU_ASSERT_EQUAL(pml_dtype_from_name("f32", 3), PML_DTYPE_NONE);
    CU_ASSERT_EQUAL(pml_dtype_from_name("?", 1), PML_DTYPE_NONE);
    CU_ASSERT_STRING_EQUAL(pml_dtype_name((pml_dtype)1000), "?");
    CU_ASSERT_EQUAL(pml_dtype_bits(PML_DTYPE_COUNT), 0);
}

static void kinds_do_not_overlap(void) {
    unsigned n_floats = 0, n_numbers = 0, n_narrow = 0;
    for (unsigned i = 0; i < PML_DTYPE_COUNT + 2; i++) {
        bool is_float = pml_dtype_is_float((pml_dtype)i), is_number = pml_dtype_is_number((pml_dtype)i);
        bool is_narrow = pml_dtype_is_narrow((pml_dtype)i);
        CU_ASSERT(!(is_float && !is_number) && !(is_narrow && is_number));
        n_floats += is_float;
        n_numbers += is_number;
        n_narrow += is_narrow;
    }
    CU_ASSERT(n_floats == 4 && n_numbers == 13 && n_narrow == 6);
    CU_ASSERT(!pml_dtype_is_number(PML_DTYPE_C64) && !pml_dtype_is_narrow(PML_DTYPE_C64));
}

static void every_number_type_has_a_value(void) {
    static const struct {
        pml_dtype dtype;
        double expected;
        uint8_t bytes[8];
    } cases[] = {
        {PML_DTYPE_F64, -1.5, {0, 0, 0, 0, 0, 0, 0xF8, 0xBF}},
        {PML_DTYPE_F32, 1, {0, 0, 0x80, 0x3F}},
        {PML_DTYPE_BF16, -2, {0, 0xC0}},
        {PML_DTYPE_F16, 0.5, {0, 0x38}},
        {PML_DTYPE_I8, -1, {0xFF}},
        {PML_DTYPE_U8, 255, {0xFF}},
        {PML_DTYPE_I16, -2, {0xFE, 0xFF}},
        {PML_DTYPE_U16, 65534, {0xFE, 0xFF}},
        {PML_DTYPE_I32, -3, {0xFD, 0xFF, 0xFF, 0xFF}},
        {PML_DTYPE_U32, 4294967293.0, {0xFD, 0xFF, 0xFF, 0xFF}},
        {PML_DTYPE_I64, 256, {0, 1}},
        {PML_DTYPE_U64, 65536, {0, 0, 1}},
        {PML_DTYPE_BOOL, 1, {1}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        CU_ASSERT_TRUE(pml_dtype_is_number(cases[i].dtype));
        CU_ASSERT_TRUE(pml_dtype_value(cases[i].dtype, cases[i].bytes) == cases[i].expected);
    }
}

/* The numbers are stored in files: specs/pml-format.md §5. */
static void numbers_are_those_of_the_specification(void) {
    static const char *const names[] = {"F32",     "BF16",    "I8",      "F16",     "F64",     "I16",  "I32",
                                        "I64",     "U8",      "U16",     "U32",     "U64",     "BOOL", "C64",
                                        "F8_E4M3", "F8_E5M2", "F8_E8M0", "F6_E2M3", "F6_E3M2", "F4"};
    CU_ASSERT_EQUAL(PML_DTYPE_COUNT, 21);
    for (unsigned i = 0; i < 20; i++) {
        CU_ASSERT_STRING_EQUAL(pml_dtype_name((pml_dtype)(i + 1)), names[i]);
    }
}

static void bf16_rounds_to_nearest_even(void) {
    static const struct {
        uint32_t bits;
        uint16_t expected;
    } cases[] = {
        {0x3f800000, 0x3f80}, {0x3f807fff, 0x3f80}, {0x3f808000, 0x3f80}, {0x3f808001, 0x3f81}, {0x3f818000, 0x3f82},
        {0x3f817fff, 0x3f81}, {0x80000000, 0x8000}, {0x7f7fffff, 0x7f80}, {0x7f7f7fff, 0x7f7f}, {0xff800000, 0xff80},
        {0x00000001, 0x0000}, {0x00018000, 0x0002}, {0x7f800001, 0x7fc0}, {0xffc00000, 0xffc0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        CU_ASSERT_EQUAL(pml_bf16_from_f32(float_of(cases[i].bits)), cases[i].expected);
    }
    for (uint32_t bits = 0; bits < 0x10000; bits++) {
        float value = pml_f32_from_bf16((uint16_t)bits);
        CU_ASSERT(isnan(value) ? isnan(pml_f32_from_bf16(pml_bf16_from_f32(value)))
                               : pml_bf16_from_f32(value) == (uint16_t)bits);
    }
}

static void f16_rounds_to_nearest_even(void) {
    static const struct {
        float value;
        uint16_t expected;
    } cases[] = {{0, 0},
                 {-0.0f, 0x8000},
                 {1, 0x3c00},
                 {0x1.002p0f, 0x3c00}, /* half way, down to even */
                 {0x1.006p0f, 0x3c02}, /* half way, up to even */
                 {0x1.0021p0f, 0x3c01},
                 {65504, 0x7bff},
                 {65519.996f, 0x7bff},
                 {65520, 0x7c00},
                 {-3e38f, 0xfc00},
                 {0x1p-24f, 1},
                 {0x1p-25f, 0},
                 {0x1.000002p-25f, 1},
                 {0x1.8p-24f, 2},
                 {0x1.ffcp-15f, 0x400}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        CU_ASSERT_EQUAL(pml_f16_from_f32(cases[i].value), cases[i].expected);
    }
    for (uint32_t bits = 0; bits < 0x10000; bits++) {
        float value = pml_f32_from_f16((uint16_t)bits);
        CU_ASSERT(isnan(value) ? isnan(pml_f32_from_f16(pml_f16_from_f32(value)))
                               : pml_f16_from_f32(value) == (uint16_t)bits);
    }
}

static void f16_widens_exactly(void) {
    static const struct {
        uint16_t bits;
        uint32_t expected;
    } cases[] = {
        {0x3c00, 0x3f800000}, {0xc000, 0xc0000000}, {0x7bff, 0x477fe000}, {0x0400, 0x38800000},
        {0x0001, 0x33800000}, {0x03ff, 0x387fc000}, {0x8001, 0xb3800000}, {0x0000, 0x00000000},
        {0x8000, 0x80000000}, {0x7c00, 0x7f800000}, {0xfc00, 0xff800000}, {0x7e00, 0x7fc00000},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        CU_ASSERT_EQUAL(bits_of(pml_f32_from_f16(cases[i].bits)), cases[i].expected);
    }
}

PML_TESTS("runtime/base/dtype", PML_TEST(names_round_trip), PML_TEST(kinds_do_not_overlap),
          PML_TEST(every_number_type_has_a_value), PML_TEST(numbers_are_those_of_the_specification),
          PML_TEST(bf16_rounds_to_nearest_even), PML_TEST(f16_widens_exactly), PML_TEST(f16_rounds_to_nearest_even))
