#include "runtime/train/logs/tf_event.h"

#include <string.h>

#include "tests/harness.h"

/* Bytes and checksums as TensorBoard 2.21's own protocol buffers and RecordWriter give them. */
static void assert_record(pml_tf_event *event, const char *expected, size_t size_bytes) {
    pml_error error;
    const uint8_t *bytes = NULL;
    size_t n = 0;
    PML_ASSERT_OK(pml_tf_event_finish(event, &bytes, &n, &error), &error);
    CU_ASSERT_EQUAL_FATAL(n, size_bytes);
    CU_ASSERT_EQUAL(memcmp(bytes, expected, n), 0);
}
#define VERSION_BYTES                                                                                                  \
    "\x18\x00\x00\x00\x00\x00\x00\x00\xa3\x7f\x4b\x22\x09\x00\x00\x00\x00\x00\x00\xf8\x3f\x1a\x0d\x62"                 \
    "\x72\x61\x69\x6e\x2e\x45\x76\x65\x6e\x74\x3a\x32\x2a\x28\x64\x6c"
#define START_BYTES                                                                                                    \
    "\x10\x00\x00\x00\x00\x00\x00\x00\x95\xfb\xfe\x18\x09\x00\x00\x00\x00\x00\x00\xf8\x3f\x10\xac\x02"                 \
    "\x3a\x02\x08\x01\x71\x3b\x78\x8a"
#define SCALAR_BYTES                                                                                                   \
    "\x21\x00\x00\x00\x00\x00\x00\x00\x01\x7b\xec\xf6\x09\x00\x00\x00\x00\x00\x00\x04\x40\x10\xac\x02"                 \
    "\x2a\x13\x0a\x11\x0a\x0a\x74\x72\x61\x69\x6e\x2f\x6c\x6f\x73\x73\x15\x00\x00\x00\x3f\x0c\xb8\x36"                 \
    "\x73"
#define ZERO_BYTES                                                                                                     \
    "\x15\x00\x00\x00\x00\x00\x00\x00\xd6\xab\x6b\x2b\x09\x00\x00\x00\x00\x00\x00\x04\x40\x2a\x0a\x0a"                 \
    "\x08\x0a\x01\x78\x15\x00\x00\x00\x3f\x08\xc4\xb7\x9c"
#define ASSERT_RECORD(event, text) assert_record((event), (text), sizeof(text) - 1)

static void bytes_are_tensorboards(void) {
    pml_error error;
    pml_tf_event event = {0};
    PML_ASSERT_OK(pml_tf_event_version(&event, 1.5, &error), &error);
    ASSERT_RECORD(&event, VERSION_BYTES);
    PML_ASSERT_OK(pml_tf_event_start(&event, 1.5, 300, &error), &error);
    ASSERT_RECORD(&event, START_BYTES);
    PML_ASSERT_OK(pml_tf_event_scalar(&event, 2.5, 300, "train/", "loss", 0.5, &error), &error);
    ASSERT_RECORD(&event, SCALAR_BYTES);
    PML_ASSERT_OK(pml_tf_event_scalar(&event, 2.5, 0, "", "x", 0.5, &error), &error);
    ASSERT_RECORD(&event, ZERO_BYTES);
    pml_tf_event_deinit(&event);
}

static void long_tags_have_longer_lengths(void) {
    pml_error error;
    pml_tf_event event = {0};
    char tag[301];
    const uint8_t *bytes = NULL;
    size_t n = 0;
    memset(tag, 'a', 300);
    tag[300] = '\0';
    PML_ASSERT_OK(pml_tf_event_scalar(&event, 0, UINT64_MAX / 2, "", tag, 1, &error), &error);
    PML_ASSERT_OK(pml_tf_event_finish(&event, &bytes, &n, &error), &error);
    /* head, time, step of 9 bytes, three lengths of two bytes, tag, value, tail */
    CU_ASSERT_EQUAL(n, 12 + 9 + 10 + 3 + 3 + 3 + 300 + 5 + 4);
    pml_tf_event_deinit(&event);
}

PML_TESTS("runtime/train/logs/tf_event", PML_TEST(bytes_are_tensorboards), PML_TEST(long_tags_have_longer_lengths))
