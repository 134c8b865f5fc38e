#include "runtime/base/crc32c.h"

#include <string.h>

#include "tests/harness.h"

/* RFC 3720, appendix B.4, and the check value of the catalogue of CRCs. */
static void known_checksums(void) {
    uint8_t bytes[32];
    CU_ASSERT_EQUAL(pml_crc32c_extend(0, "", 0), 0);
    CU_ASSERT_EQUAL(pml_crc32c_extend(0, "123456789", 9), 0xe3069283u);
    memset(bytes, 0, sizeof bytes);
    CU_ASSERT_EQUAL(pml_crc32c_extend(0, bytes, sizeof bytes), 0x8a9136aau);
    memset(bytes, 0xff, sizeof bytes);
    CU_ASSERT_EQUAL(pml_crc32c_extend(0, bytes, sizeof bytes), 0x62a8ab43u);
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)i;
    }
    CU_ASSERT_EQUAL(pml_crc32c_extend(0, bytes, sizeof bytes), 0x46dd794eu);
    CU_ASSERT_EQUAL(pml_crc32c_extend(pml_crc32c_extend(0, "1234", 4), "56789", 5), 0xe3069283u);
}

static void masked_ones(void) {
    CU_ASSERT_EQUAL(pml_crc32c_mask(0), 0xa282ead8u);
    CU_ASSERT_EQUAL(pml_crc32c_mask(0x8000u), 0xa282ead9u);
    CU_ASSERT_EQUAL(pml_crc32c_mask(1u), 0xa284ead8u);
}

PML_TESTS("runtime/base/crc32c", PML_TEST(known_checksums), PML_TEST(masked_ones))
