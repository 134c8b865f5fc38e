/* Packed files and deltas as bytes: resumption, and damage of every kind. */
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "convert/ship/delta.h"
#include "convert/ship/packed.h"
#include "convert/ship/sums.h"
#include "runtime/base/cancel.h"
#include "tests/convert/command_fixture.h"

enum { LARGE_BYTES = 70000000 }; /* three frames */

static const char *large_file(void) {
    const char *path = pml_test_path("%s/large", pml_test_temporary_dir());
    if (access(path, F_OK) != 0) {
        unsigned char *bytes = malloc(LARGE_BYTES);
        CU_ASSERT_PTR_NOT_NULL_FATAL(bytes);
        for (size_t i = 0; i < LARGE_BYTES; i++) {
            bytes[i] = (unsigned char)((i >> 12) * 31 + i / 7);
        }
        pml_test_write_file(path, bytes, LARGE_BYTES);
        free(bytes);
    }
    return path;
}

static const char *pack(const char *path, const char *target) {
    pml_packed_report report;
    pml_error error;
    PML_ASSERT_OK(pml_packed_write(path, target, 1, true, NULL, NULL, &report, &error), &error);
    return target;
}

static pml_status restore(const char *packed, const char *target, uint64_t *kept_bytes, pml_error *error) {
    pml_status status = PML_OK;
    pml_pieces pieces = {0};
    pml_restore_report report = {0};
    PML_TRY(pml_packed_open(packed, &pieces, error));
    PML_TRY(pml_pieces_restore(&pieces, target, true, NULL, NULL, &report, error));
done:
    *kept_bytes = report.kept_bytes;
    pml_pieces_close(&pieces);
    return status;
}

static void goes_on_where_it_was_interrupted(void) {
    const char *folder = pml_test_fresh_dir("resume");
    const char *packed = pack(large_file(), pml_test_path("%s/p.zst", folder));
    const char *target = pml_test_path("%s/t", folder), *part = pml_test_path("%s/.t.part", folder);
    const uint64_t frame = PML_FRAME_BYTES;
    const struct {
        uint64_t have, damaged_at, kept;
    } cases[] = {{0, UINT64_MAX, 0},
                 {1, UINT64_MAX, 0},
                 {frame, UINT64_MAX, frame},
                 {frame + 5, UINT64_MAX, frame},
                 {2 * frame + 5, UINT64_MAX, 2 * frame},
                 {2 * frame, frame + 1, frame},
                 {2 * frame, 0, 0},
                 {LARGE_BYTES, UINT64_MAX, LARGE_BYTES},
                 {LARGE_BYTES + 9, UINT64_MAX, 0}};
    size_t size_bytes;
    unsigned char *whole = pml_test_read_file(large_file(), &size_bytes);
    unsigned char *bytes = calloc(LARGE_BYTES + 16, 1);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t kept_bytes;
        pml_error error;
        memcpy(bytes, whole, LARGE_BYTES);
        if (cases[i].damaged_at != UINT64_MAX) {
            bytes[cases[i].damaged_at] ^= 1;
        }
        pml_test_write_file(part, bytes, (size_t)cases[i].have);
        PML_ASSERT_OK(restore(packed, target, &kept_bytes, &error), &error);
        CU_ASSERT_EQUAL(kept_bytes, cases[i].kept);
        CU_ASSERT_EQUAL(pml_test_command(NULL, "cmp -s '%s' '%s'", target, large_file()), 0);
        CU_ASSERT_NOT_EQUAL(access(part, F_OK), 0);
    }
    free(whole);
    free(bytes);
}

static void stop_after_a_frame(void *user, uint64_t done_bytes) {
    (void)user, (void)done_bytes;
    pml_cancel_request();
}

static void an_interruption_keeps_the_part(void) {
    const char *folder = pml_test_fresh_dir("stop");
    const char *packed = pack(large_file(), pml_test_path("%s/p.zst", folder));
    const char *target = pml_test_path("%s/t", folder);
    pml_pieces pieces = {0};
    pml_restore_report report;
    pml_error error;
    uint64_t kept_bytes;
    PML_ASSERT_OK(pml_packed_open(packed, &pieces, &error), &error);
    PML_ASSERT_FAILS(pml_pieces_restore(&pieces, target, false, stop_after_a_frame, NULL, &report, &error),
                     PML_E_INTERRUPTED, &error, NULL);
    pml_cancel_reset();
    CU_ASSERT(access(target, F_OK) != 0 && access(pml_test_path("%s/.t.part", folder), F_OK) == 0);
    /* Somebody else is at it. */
    const int fd = open(pml_test_path("%s/.t.part", folder), O_RDWR);
    CU_ASSERT_EQUAL_FATAL(flock(fd, LOCK_EX), 0);
    PML_ASSERT_FAILS(pml_pieces_restore(&pieces, target, false, NULL, NULL, &report, &error), PML_E_BUSY, &error,
                     "another process");
    (void)close(fd);
    pml_pieces_close(&pieces);
    PML_ASSERT_OK(restore(packed, target, &kept_bytes, &error), &error);
    CU_ASSERT_EQUAL(kept_bytes, PML_FRAME_BYTES);
}

/* Whatever is damaged, nothing is restored that is not the file, and nothing crashes. */
static void damage_is_found(void) {
    const char *folder = pml_test_fresh_dir("damage");
    const char *small = pml_test_path("%s/small", folder), *damaged = pml_test_path("%s/d.zst", folder);
    const char *target = pml_test_path("%s/t", folder);
    pml_test_write_file(small, "the quick brown fox jumps over the lazy dog, again and again and again", 70);
    size_t size_bytes;
    unsigned char *bytes = pml_test_read_file(pack(small, pml_test_path("%s/p.zst", folder)), &size_bytes);
    for (size_t i = 0; i < size_bytes; i++) {
        for (unsigned bit = 0; bit < 8; bit += 7) {
            uint64_t kept_bytes;
            bytes[i] ^= (unsigned char)(1u << bit);
            pml_test_write_file(damaged, bytes, size_bytes);
            const pml_status status = restore(damaged, target, &kept_bytes, NULL);
            bytes[i] ^= (unsigned char)(1u << bit);
            CU_ASSERT(status == PML_E_FORMAT || status == PML_E_UNSUPPORTED || status == PML_E_MISMATCH ||
                      (status == PML_OK && pml_test_command(NULL, "cmp -s '%s' '%s'", small, target) == 0));
        }
    }
    for (size_t n = 0; n < size_bytes; n++) {
        uint64_t kept_bytes;
        pml_test_write_file(damaged, bytes, n);
        const pml_status status = restore(damaged, target, &kept_bytes, NULL);
        CU_ASSERT(status == PML_E_FORMAT || status == PML_E_UNSUPPORTED);
    }
    free(bytes);
}

static void an_empty_file_comes_back(void) {
    const char *folder = pml_test_fresh_dir("empty");
    const char *empty = pml_test_path("%s/empty", folder);
    uint64_t kept_bytes;
    pml_error error;
    pml_test_write_file(empty, "", 0);
    PML_ASSERT_OK(
        restore(pack(empty, pml_test_path("%s/p", folder)), pml_test_path("%s/t", folder), &kept_bytes, &error),
        &error);
    CU_ASSERT_TRUE(pml_test_file_holds(pml_test_path("%s/t", folder), ""));
}

static void damaged_deltas_are_refused(void) {
    const char *source = test_copy_case(TEST_CASE, "delta");
    if (source == NULL) {
        return;
    }
    const char *base = test_converted(source, "base.pml", ""),
               *other = test_converted(source, "other.pml", "--layout row");
    const char *folder = pml_test_fresh_dir("deltas");
    const char *delta = pml_test_path("%s/d", folder), *damaged = pml_test_path("%s/x", folder);
    const char *target = pml_test_path("%s/t", folder);
    pml_delta_report written;
    pml_error error;
    PML_ASSERT_OK(pml_delta_write(other, base, delta, 1, false, NULL, NULL, &written, &error), &error);
    CU_ASSERT(written.same_bytes > 0 && written.packed.packed_bytes < written.packed.content_bytes);
    bool is_delta;
    PML_ASSERT_OK(pml_delta_probe(delta, &is_delta, &error), &error);
    CU_ASSERT_TRUE(is_delta);
    PML_ASSERT_OK(pml_delta_probe(base, &is_delta, &error), &error);
    CU_ASSERT_FALSE(is_delta);
    size_t size_bytes;
    unsigned char *bytes = pml_test_read_file(delta, &size_bytes);
    for (size_t i = 0; i < size_bytes; i += i < 600 ? 1 : 997) {
        pml_pieces pieces = {0};
        pml_restore_report report;
        bytes[i] ^= 0x55;
        pml_test_write_file(damaged, bytes, size_bytes);
        bytes[i] ^= 0x55;
        pml_status status = pml_delta_open(damaged, base, &pieces, NULL);
        if (status == PML_OK) {
            status = pml_pieces_restore(&pieces, target, true, NULL, NULL, &report, NULL);
        }
        CU_ASSERT(status == PML_E_FORMAT || status == PML_E_UNSUPPORTED || status == PML_E_MISMATCH);
        pml_pieces_close(&pieces);
    }
    for (size_t n = 0; n < size_bytes; n += n < 600 ? 7 : 4999) {
        pml_pieces pieces = {0};
        pml_test_write_file(damaged, bytes, n);
        CU_ASSERT_EQUAL(pml_delta_open(damaged, base, &pieces, NULL), PML_E_FORMAT);
    }
    CU_ASSERT_NOT_EQUAL(access(target, F_OK), 0);
    free(bytes);
}

static void lists_keep_their_order(void) {
    pml_sums sums = {0};
    pml_error error;
    char sum[PML_SHA256_TEXT_BYTES];
    const char *path = pml_test_path("%s/SUMS", pml_test_fresh_dir("sums"));
    PML_ASSERT_OK(pml_hash_bytes("", 0, sum, &error), &error);
    PML_ASSERT_OK(pml_sums_read(path, &sums, &error), &error);
    PML_ASSERT_OK(pml_sums_set(&sums, "b", sum, &error), &error);
    PML_ASSERT_OK(pml_sums_set(&sums, "a c", sum, &error), &error);
    PML_ASSERT_OK(pml_sums_set(&sums, "b", sum, &error), &error);
    PML_ASSERT_FAILS(pml_sums_set(&sums, "a/b", sum, &error), PML_E_ARGUMENT, &error, "name of a file");
    PML_ASSERT_OK(pml_sums_write(&sums, path, &error), &error);
    CU_ASSERT_TRUE(pml_test_file_holds(path, pml_test_path("%s  a c\n%s  b\n", sum, sum)));
    pml_sums_deinit(&sums);
    static const char *const refused[] = {"%s a\n", "%s  \n", "%s  a/b\n", "%s  a\n%s  a\n", "x\n", "%.60s  a\n", "\n"};
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        char text[256];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-security"
#pragma GCC diagnostic ignored "-Wformat-extra-args"
        const int n = snprintf(text, sizeof text, refused[i], sum, sum);
#pragma GCC diagnostic pop
        pml_test_write_file(path, text, (size_t)n);
        PML_ASSERT_FAILS(pml_sums_read(path, &sums, &error), PML_E_FORMAT, &error, "SUMS:");
        pml_sums_deinit(&sums);
    }
}

PML_TESTS("convert/shipped_files", PML_TEST(goes_on_where_it_was_interrupted), PML_TEST(an_interruption_keeps_the_part),
          PML_TEST(damage_is_found), PML_TEST(an_empty_file_comes_back), PML_TEST(damaged_deltas_are_refused),
          PML_TEST(lists_keep_their_order))
