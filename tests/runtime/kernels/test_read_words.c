#include "tests/runtime/kernels/variants.h"

static uint64_t expected_sum(const unsigned char *bytes, size_t size_bytes) {
    uint64_t sum = 0;
    for (size_t i = 0; i + sizeof sum <= size_bytes; i += sizeof sum) {
        uint64_t word;
        memcpy(&word, bytes + i, sizeof word);
        sum += word;
    }
    return sum;
}

/* Every word counts once, in whatever order, and nothing past the end is touched: the block ends where the range does.
 */
static void reads_every_word_once(void) {
    uint64_t seed = 1;
    size_t position = 0;
    const pml_kernel_variant *variant;
    while ((variant = next_variant("read_words", &position)) != NULL) {
        pml_read_fn *read = (pml_read_fn *)variant->code;
        for (size_t size_bytes = 0; size_bytes < 9000; size_bytes += 1 + size_bytes / 3) {
            floats block = make_floats(size_bytes / sizeof(float) + 1, &seed);
            const unsigned char *end = (unsigned char *)(block.data + size_bytes / sizeof(float) + 1);
            for (size_t n_streams = 1; n_streams <= 5; n_streams += 2) {
                for (size_t ahead_bytes = 0; ahead_bytes <= 2048; ahead_bytes += 2048) {
                    const pml_read job = {end - size_bytes, size_bytes, n_streams, ahead_bytes};
                    CU_ASSERT_EQUAL(read(&job), expected_sum(job.bytes, size_bytes));
                }
            }
            free(block.block);
        }
    }
}

PML_TESTS("kernels/read_words", PML_TEST(reads_every_word_once))
