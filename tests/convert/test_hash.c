#include "convert/hash.h"

#include <string.h>

#include "convert/hasher.h"
#include "runtime/base/alloc.h"
#include "runtime/base/cancel.h"
#include "tests/convert/checkpoint.h"

/* FIPS 180-4's examples, and the empty message. */
static void agrees_with_the_standard(void) {
    static const struct {
        const char *message, *digest;
    } rows[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[PML_SHA256_TEXT_BYTES];
        pml_error error;
        pml_hash *hash;
        PML_ASSERT_OK(pml_hash_bytes(rows[i].message, strlen(rows[i].message), text, &error), &error);
        CU_ASSERT_STRING_EQUAL(text, rows[i].digest);
        PML_ASSERT_OK(pml_hash_create(&hash, &error), &error);
        for (size_t k = 0; k < strlen(rows[i].message); k++) { /* a byte at a time */
            PML_ASSERT_OK(pml_hash_update(hash, rows[i].message + k, 1, &error), &error);
        }
        PML_ASSERT_OK(pml_hash_finish(hash, text, &error), &error);
        CU_ASSERT_STRING_EQUAL(text, rows[i].digest);
        pml_hash_destroy(hash);
    }
}

static uint64_t last_progress;

static void note_progress(void *user, uint64_t done_bytes) {
    (void)user;
    CU_ASSERT_TRUE(done_bytes > last_progress);
    last_progress = done_bytes;
}

/* Whatever the order and the pieces, each file's digest is that of the whole file. */
static void hashes_files_as_they_are_read(void) {
    enum { N = 3000000 };
    const char *path = pml_test_path("%s/hashed.safetensors", pml_test_temporary_dir());
    uint8_t *bytes = test_fill(PML_DTYPE_F32, N, 5);
    const test_tensor tensors[] = {{"a", PML_DTYPE_F32, 1, {N / 2}, bytes},
                                   {"b", PML_DTYPE_F32, 1, {N / 2}, bytes + 2 * N}};
    pml_source *source;
    pml_hasher *hasher;
    pml_error error;
    char expected[PML_SHA256_TEXT_BYTES], (*hashes)[PML_SHA256_TEXT_BYTES];
    test_write_safetensors(path, tensors, 2, 0);
    PML_ASSERT_OK(pml_source_open(path, &source, &error), &error);
    const uint64_t size = pml_source_file_size(source, 0);
    PML_ASSERT_OK(pml_hash_bytes(pml_source_file_data(source, 0), (size_t)size, expected, &error), &error);
    last_progress = 0;
    PML_ASSERT_OK(pml_hasher_create(source, note_progress, NULL, &hasher, &error), &error);
    PML_ASSERT_OK(pml_hasher_advance(hasher, 0, 1, &error), &error);
    PML_ASSERT_OK(pml_hasher_advance(hasher, 0, 9000001, &error), &error);
    PML_ASSERT_OK(pml_hasher_advance(hasher, 0, 17, &error), &error); /* behind: nothing to do */
    CU_ASSERT_EQUAL(last_progress, 9000001);
    pml_hasher_release(hasher, 0, UINT64_MAX);
    CU_ASSERT_EQUAL(memcmp(pml_source_file_data(source, 0) + size - 4, bytes + 4 * (size_t)N - 4, 4), 0);
    PML_ASSERT_OK(pml_hasher_finish(hasher, &hashes, &error), &error);
    CU_ASSERT_STRING_EQUAL(hashes[0], expected);
    CU_ASSERT_EQUAL(last_progress, size);
    pml_free(hashes);
    pml_hasher_destroy(hasher);
    PML_ASSERT_OK(pml_hasher_create(source, NULL, NULL, &hasher, &error), &error);
    pml_cancel_request();
    PML_ASSERT_FAILS(pml_hasher_advance(hasher, 0, size, &error), PML_E_INTERRUPTED, &error, NULL);
    pml_cancel_reset();
    pml_hasher_destroy(hasher);
    pml_source_close(source);
    free(bytes);
}

PML_TESTS("convert/hash", PML_TEST(agrees_with_the_standard), PML_TEST(hashes_files_as_they_are_read))
