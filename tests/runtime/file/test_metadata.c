#include "tests/harness.h"

#include <stdio.h>
#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/base/limits.h"
#include "runtime/file/metadata.h"

static pml_metadata *create(void) {
    pml_metadata *m = NULL;
    pml_error error = {0};
    PML_ASSERT_OK(pml_metadata_create(&m, &error), &error);
    return m;
}

static void fill(pml_metadata *m) {
    static const int64_t integers[] = {INT64_MIN, 0, INT64_MAX};
    static const double reals[] = {-0.0, 1e-320, 1e308};
    static const char *const texts[] = {"", "\xc3\xa9", "line\nbreak"};
    pml_error error = {0};
    PML_ASSERT_OK(pml_metadata_set_string(m, "general.name", "x", &error), &error);
    PML_ASSERT_OK(pml_metadata_set_bool(m, "config.b", false, &error), &error);
    PML_ASSERT_OK(pml_metadata_set_i64(m, "config.i", -1, &error), &error);
    PML_ASSERT_OK(pml_metadata_set_f64(m, "config.f", 0.1, &error), &error);
    PML_ASSERT_OK(pml_metadata_set_i64s(m, "config.is", integers, 3, &error), &error);
    PML_ASSERT_OK(pml_metadata_set_f64s(m, "config.fs", reals, 3, &error), &error);
    PML_ASSERT_OK(pml_metadata_set_f64s(m, "config.none", NULL, 0, &error), &error);
    PML_ASSERT_OK(pml_metadata_set_strings(m, "series.columns", texts, 3, &error), &error);
    PML_ASSERT_OK(pml_metadata_set_strings(m, "series.none", NULL, 0, &error), &error);
    PML_ASSERT_OK(pml_metadata_set_string(m, "provenance.source", "y", &error), &error);
}

static bool same(const pml_metadata *a, const pml_metadata *b) {
    uint8_t *a_bytes = NULL, *b_bytes = NULL;
    size_t a_size = 0, b_size = 1;
    pml_error error = {0};
    PML_ASSERT_OK(pml_metadata_encode(a, true, &a_bytes, &a_size, &error), &error);
    PML_ASSERT_OK(pml_metadata_encode(b, true, &b_bytes, &b_size, &error), &error);
    bool equal = a_size == b_size && memcmp(a_bytes, b_bytes, a_size) == 0;
    pml_free(a_bytes);
    pml_free(b_bytes);
    return equal;
}

static void keeps_entries_sorted(void) {
    pml_metadata *m = create();
    fill(m);
    CU_ASSERT_EQUAL(pml_metadata_count(m), 10);
    for (size_t i = 1; i < pml_metadata_count(m); i++) {
        CU_ASSERT(strcmp(pml_metadata_at(m, i - 1)->key, pml_metadata_at(m, i)->key) < 0);
    }
    CU_ASSERT_PTR_NULL(pml_metadata_at(m, 10));
    pml_metadata_remove(m, "config.i");
    pml_metadata_remove(m, "config.absent");
    CU_ASSERT_EQUAL(pml_metadata_count(m), 9);
    CU_ASSERT_PTR_NULL(pml_metadata_find(m, "config.i"));
    const pml_meta_entry *entry = pml_metadata_find(m, "series.columns");
    CU_ASSERT_PTR_NOT_NULL_FATAL(entry);
    CU_ASSERT(entry->type == PML_META_STRING_ARRAY && entry->count == 3);
    CU_ASSERT_STRING_EQUAL(entry->value.strings[2], "line\nbreak");
    pml_metadata_destroy(m);
}

static void replaces_entries(void) {
    pml_metadata *m = create(), *copy = create();
    pml_error error = {0};
    int64_t value = 0;
    fill(m);
    PML_ASSERT_OK(pml_metadata_set_i64(m, "general.name", 5, &error), &error);
    CU_ASSERT_EQUAL(pml_metadata_count(m), 10);
    PML_ASSERT_OK(pml_metadata_get_i64(m, "general.name", &value, &error), &error);
    CU_ASSERT_EQUAL(value, 5);
    for (size_t i = pml_metadata_count(m); i-- > 0;) {
        PML_ASSERT_OK(pml_metadata_set_entry(copy, pml_metadata_at(m, i), &error), &error);
    }
    CU_ASSERT(same(m, copy));
    /* An entry may even be copied onto itself. */
    PML_ASSERT_OK(pml_metadata_set_entry(m, pml_metadata_find(m, "series.columns"), &error), &error);
    CU_ASSERT(same(m, copy));
    pml_metadata_destroy(m);
    pml_metadata_destroy(copy);
}

static void looks_up_by_type(void) {
    pml_metadata *m = create();
    pml_error error = {0};
    bool boolean = true;
    int64_t integer = 0;
    double real = 0;
    const char *text = NULL;
    fill(m);
    PML_ASSERT_OK(pml_metadata_get_bool(m, "config.b", &boolean, &error), &error);
    PML_ASSERT_OK(pml_metadata_get_i64(m, "config.i", &integer, &error), &error);
    PML_ASSERT_OK(pml_metadata_get_f64(m, "config.f", &real, &error), &error);
    CU_ASSERT(!boolean && integer == -1 && real == 0.1);
    PML_ASSERT_OK(pml_metadata_get_f64(m, "config.i", &real, &error), &error);
    CU_ASSERT_EQUAL(real, -1);
    PML_ASSERT_FAILS(pml_metadata_get_i64(m, "config.f", &integer, &error), PML_E_FORMAT, &error,
                     "'config.f' is of type f64, not i64");
    PML_ASSERT_FAILS(pml_metadata_get_string(m, "config.f", &text, &error), PML_E_FORMAT, &error, "not string");
    PML_ASSERT_FAILS(pml_metadata_get_bool(m, "config.x", &boolean, &error), PML_E_NOT_FOUND, &error,
                     "'config.x' is missing");
    pml_metadata_destroy(m);
}

static void refuses_bad_keys_and_texts(void) {
    pml_metadata *m = create();
    pml_error error = {0};
    char longest[PML_MAX_NAME_BYTES + 2];
    static const char *const bad_texts[] = {"ok", "\xff"};
    memset(longest, 'k', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    PML_ASSERT_FAILS(pml_metadata_set_bool(m, "", true, &error), PML_E_ARGUMENT, &error, "key");
    PML_ASSERT_FAILS(pml_metadata_set_bool(m, longest, true, &error), PML_E_ARGUMENT, &error, "key");
    PML_ASSERT_FAILS(pml_metadata_set_bool(m, "a\tb", true, &error), PML_E_ARGUMENT, &error, "key");
    PML_ASSERT_FAILS(pml_metadata_set_bool(m, "\xed\xa0\x80", true, &error), PML_E_ARGUMENT, &error, "key");
    PML_ASSERT_FAILS(pml_metadata_set_string(m, "k", "\xc0\xaf", &error), PML_E_ARGUMENT, &error, "UTF-8");
    PML_ASSERT_FAILS(pml_metadata_set_strings(m, "k", bad_texts, 2, &error), PML_E_ARGUMENT, &error, "string 1");
    PML_ASSERT_FAILS(pml_metadata_set_i64s(m, "k", NULL, SIZE_MAX, &error), PML_E_ARGUMENT, &error, "too many");
    longest[PML_MAX_NAME_BYTES] = '\0';
    PML_ASSERT_OK(pml_metadata_set_bool(m, longest, true, &error), &error);
    CU_ASSERT_EQUAL(pml_metadata_count(m), 1);
    pml_metadata_destroy(m);
}

static void round_trips(void) {
    pml_metadata *m = create(), *decoded = NULL;
    pml_error error = {0};
    uint8_t *bytes = NULL, *content = NULL;
    size_t size_bytes = 0, content_bytes = 0;
    fill(m);
    PML_ASSERT_OK(pml_metadata_encode(m, true, &bytes, &size_bytes, &error), &error);
    PML_ASSERT_OK(pml_metadata_decode(bytes, size_bytes, 0, "f", &decoded, &error), &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(decoded);
    CU_ASSERT(same(m, decoded));
    const pml_meta_entry *reals = pml_metadata_find(decoded, "config.fs");
    CU_ASSERT(reals->value.f64s[1] == 1e-320 && 1 / reals->value.f64s[0] < 0);
    PML_ASSERT_OK(pml_metadata_encode(m, false, &content, &content_bytes, &error), &error);
    pml_metadata_remove(decoded, "provenance.source");
    pml_free(bytes);
    PML_ASSERT_OK(pml_metadata_encode(decoded, true, &bytes, &size_bytes, &error), &error);
    CU_ASSERT(size_bytes == content_bytes && memcmp(bytes, content, size_bytes) == 0);
    pml_free(bytes);
    pml_free(content);
    pml_metadata_destroy(decoded);
    pml_metadata_destroy(m);
}

/* Every prefix, and every byte changed in ten ways: a value or a clean error. A sanitizer watches. */
static void survives_corruption(void) {
    pml_metadata *m = create();
    pml_error error = {0};
    uint8_t *bytes = NULL;
    size_t size_bytes = 0, n_wrong = 0;
    fill(m);
    PML_ASSERT_OK(pml_metadata_encode(m, true, &bytes, &size_bytes, &error), &error);
    for (size_t i = 0; i < size_bytes; i++) {
        pml_metadata *decoded = NULL;
        uint8_t *copy = malloc(i == 0 ? 1 : i);
        memcpy(copy, bytes, i);
        n_wrong += pml_metadata_decode(copy, i, 0, "f", &decoded, &error) != PML_E_FORMAT || decoded != NULL;
        free(copy);
        uint8_t kept = bytes[i];
        for (unsigned j = 0; j < 10; j++) {
            unsigned changed = j < 8 ? kept ^ (1u << j) : j == 8 ? 0 : 0xff;
            bytes[i] = (uint8_t)changed;
            pml_status status = pml_metadata_decode(bytes, size_bytes, 0, "f", &decoded, &error);
            n_wrong += status != PML_OK && status != PML_E_FORMAT && status != PML_E_UNSUPPORTED;
            if (status == PML_OK) {
                pml_metadata_destroy(decoded);
            }
            decoded = NULL;
        }
        bytes[i] = kept;
    }
    CU_ASSERT_EQUAL(n_wrong, 0);
    pml_free(bytes);
    pml_metadata_destroy(m);
}

static void survives_failing_allocations(void) {
    pml_error error = {0};
    pml_metadata *m = create();
    static const char *const texts[] = {"a", "b"};
    uint64_t before = pml_metadata_count(m);
    pml_test_fail_allocation(1, false);
    CU_ASSERT_EQUAL(pml_metadata_set_i64(m, "k", 1, &error), PML_E_MEMORY);
    pml_test_fail_allocation(2, false); /* the list of entries */
    CU_ASSERT_EQUAL(pml_metadata_set_strings(m, "k", texts, 2, &error), PML_E_MEMORY);
    pml_test_fail_allocation(0, false);
    CU_ASSERT_EQUAL(pml_metadata_count(m), before);
    PML_ASSERT_OK(pml_metadata_set_strings(m, "k", texts, 2, &error), &error);
    pml_metadata_destroy(m);
}

static void caps_the_number_of_keys(void) {
    pml_metadata *m = create();
    pml_error error = {0};
    pml_status status = PML_OK;
    for (unsigned i = 0; status == PML_OK && i <= PML_MAX_METADATA_KEYS; i++) {
        char key[16];
        (void)snprintf(key, sizeof key, "k%08u", i);
        status = pml_metadata_set_bool(m, key, true, &error);
    }
    PML_ASSERT_FAILS(status, PML_E_ARGUMENT, &error, "more than 65536");
    CU_ASSERT_EQUAL(pml_metadata_count(m), PML_MAX_METADATA_KEYS);
    pml_metadata_destroy(m);
}

PML_TESTS("runtime/file/metadata", PML_TEST(keeps_entries_sorted), PML_TEST(replaces_entries),
          PML_TEST(looks_up_by_type), PML_TEST(refuses_bad_keys_and_texts), PML_TEST(round_trips),
          PML_TEST(survives_corruption), PML_TEST(survives_failing_allocations), PML_TEST(caps_the_number_of_keys))
