/* ship, unship and verify --key as a user runs them. */
#include "tests/convert/command_fixture.h"

static bool same_files(const char *a, const char *b) {
    return pml_test_command(NULL, "cmp -s '%s' '%s'", a, b) == 0;
}

/* A converted model whose repository states a licence, and an empty folder beside it. */
static const char *make_model(const char *name, const char **folder) {
    static const char readme[] = "---\nlicense: apache-2.0\n---\n";
    const char *source = test_copy_case(TEST_CASE, pml_test_path("source-%s", name));
    if (source == NULL) {
        return NULL;
    }
    pml_test_write_file(pml_test_path("%s/README.md", source), readme, strlen(readme));
    *folder = pml_test_fresh_dir(pml_test_path("out-%s", name));
    return test_converted(source, pml_test_path("%s.pml", name), "");
}

static void comes_back_bit_for_bit(void) {
    const char *folder;
    const char *model = make_model("whole", &folder);
    if (model == NULL) {
        return;
    }
    TEST_EXITS(0, "whole.pml.zst", "ship '%s' -o '%s'", model, folder);
    CU_ASSERT_EQUAL(pml_test_count_files(folder), 3);
    char *card = NULL;
    CU_ASSERT_EQUAL(pml_test_command(&card, "cat '%s/whole.json'", folder), 0);
    static const char *const said[] = {
        "\"license\": \"apache-2.0\"", "\"family\": \"patchtst\"", "\"sha256\"",        "\"inputs\"", "\"past_values\"",
        "\"quantization_error\": 0",   "\"has_selftest\": false",  "\"dtype\": \"F32\""};
    for (size_t i = 0; i < sizeof said / sizeof said[0]; i++) {
        if (strstr(card, said[i]) == NULL) {
            (void)printf("\n    the card lacks %s:\n%s\n", said[i], card);
            CU_FAIL("card");
        }
    }
    free(card);
    TEST_EXITS(0, "whole.pml", "unship '%s/whole.pml.zst'", folder);
    CU_ASSERT_TRUE(same_files(model, pml_test_path("%s/whole.pml", folder)));
    CU_ASSERT_EQUAL(pml_test_command(NULL, "cd '%s' && sha256sum -c --quiet SHA256SUMS", folder), 0);
    TEST_EXITS(2, "exists already", "unship '%s/whole.pml.zst'", folder);
    TEST_EXITS(2, "exists already", "ship '%s' -o '%s'", model, folder);
    TEST_EXITS(0, NULL, "ship '%s' -o '%s' --force -q", model, folder);
    TEST_EXITS(0, "\"shipped_bytes\"", "ship '%s' -o '%s' --force --json", model, folder);
}

/* A receiver without pml has zstd and sha256sum. */
static void plain_tools_restore_it(void) {
    const char *folder;
    const char *model = make_model("plain", &folder);
    if (model == NULL) {
        return;
    }
    if (pml_test_command(NULL, "zstd --version >/dev/null 2>&1") != 0) {
        pml_test_skip("zstd is not installed");
        return;
    }
    TEST_EXITS(0, NULL, "ship '%s' -o '%s' -q", model, folder);
    CU_ASSERT_EQUAL(
        pml_test_command(NULL, "cd '%s' && zstd -dq plain.pml.zst && sha256sum -c --quiet SHA256SUMS", folder), 0);
    CU_ASSERT_TRUE(same_files(model, pml_test_path("%s/plain.pml", folder)));
}

static void a_delta_holds_what_changed(void) {
    const char *folder;
    const char *base = make_model("base", &folder);
    const char *source = base == NULL ? NULL : test_copy_case(TEST_CASE, "tuned");
    if (source == NULL) {
        return;
    }
    /* A fine-tune that changed the head: all of its bytes are others. */
    CU_ASSERT_EQUAL_FATAL(pml_test_command(NULL,
                                           "'%s' - '%s/model.safetensors' <<'END'\n"
                                           "import json, os, struct, sys\n"
                                           "d = bytearray(open(sys.argv[1], 'rb').read())\n"
                                           "n = struct.unpack('<Q', d[:8])[0]\n"
                                           "h = json.loads(d[8:8 + n])\n"
                                           "k = [x for x in h if x.startswith('head') and x.endswith('weight')][0]\n"
                                           "a, b = h[k]['data_offsets']\n"
                                           "import random\n"
                                           "random.seed(1)\n"
                                           "for i in range(8 + n + a, 8 + n + b, 4):\n"
                                           "    d[i:i + 4] = struct.pack('<f', random.gauss(0, 1))\n"
                                           "open(sys.argv[1], 'wb').write(d)\n"
                                           "END\n"
                                           "test $? = 0",
                                           getenv("PML_TEST_PYTHON") != NULL ? getenv("PML_TEST_PYTHON") : "python3",
                                           source),
                          0);
    const char *tuned = test_converted(source, "tuned.pml", "");
    TEST_EXITS(0, "tuned.pml.delta", "ship '%s' -o '%s' --patch-from '%s'", tuned, folder, base);
    size_t whole = 0, delta = 0;
    free(pml_test_read_file(tuned, &whole));
    free(pml_test_read_file(pml_test_path("%s/tuned.pml.delta", folder), &delta));
    CU_ASSERT(delta < whole / 2);
    TEST_EXITS(2, "--patch-from OLD.pml", "unship '%s/tuned.pml.delta'", folder);
    TEST_EXITS(1, "against another file", "unship '%s/tuned.pml.delta' --patch-from '%s'", folder, tuned);
    TEST_EXITS(0, NULL, "unship '%s/tuned.pml.delta' --patch-from '%s'", folder, base);
    CU_ASSERT_TRUE(same_files(tuned, pml_test_path("%s/tuned.pml", folder)));
    /* The same model at another precision. */
    const char *bf16 = test_converted(source, "bf16.pml", "--dtype bf16");
    TEST_EXITS(0, NULL, "ship '%s' -o '%s' --patch-from '%s' -q", bf16, folder, tuned);
    TEST_EXITS(0, NULL, "unship '%s/bf16.pml.delta' --patch-from '%s' -q", folder, tuned);
    CU_ASSERT_TRUE(same_files(bf16, pml_test_path("%s/bf16.pml", folder)));
    TEST_EXITS(2, "is no delta", "unship '%s' --patch-from '%s' -o '%s/x.pml'", base, base, folder);
}

static void a_signature_is_what_openssl_takes(void) {
    const char *folder;
    const char *model = make_model("signed", &folder);
    if (model == NULL) {
        return;
    }
    const char *keys = pml_test_fresh_dir("keys");
    if (pml_test_command(NULL,
                         "cd '%s' && for k in a b; do openssl genpkey -algorithm ed25519 -out $k.pem && "
                         "openssl pkey -in $k.pem -pubout -out $k.pub; done && "
                         "openssl genpkey -algorithm ed25519 -aes256 -pass pass:x -out locked.pem && "
                         "openssl genpkey -algorithm RSA -out rsa.pem 2>/dev/null",
                         keys) != 0) {
        pml_test_skip("openssl's command is not installed");
        return;
    }
    TEST_EXITS(0, NULL, "ship '%s' -o '%s' --sign '%s/a.pem' -q", model, folder, keys);
    CU_ASSERT_EQUAL(pml_test_command(NULL,
                                     "openssl pkeyutl -verify -pubin -inkey '%s/a.pub' -rawin -in '%s/SHA256SUMS' "
                                     "-sigfile '%s/SHA256SUMS.sig' >/dev/null",
                                     keys, folder, folder),
                    0);
    TEST_EXITS(1, "is not a signature", "unship '%s/signed.pml.zst' --key '%s/b.pub'", folder, keys);
    CU_ASSERT_NOT_EQUAL(access(pml_test_path("%s/signed.pml", folder), F_OK), 0);
    TEST_EXITS(0, NULL, "unship '%s/signed.pml.zst' --key '%s/a.pub' -q", folder, keys);
    TEST_EXITS(0, "checksums", "verify '%s/signed.pml' --key '%s/a.pub'", folder, keys);
    TEST_EXITS(1, "is not a signature", "verify '%s/signed.pml' --key '%s/b.pub'", folder, keys);
    TEST_EXITS(2, "pass --sign", "ship '%s' -o '%s' --force", model, folder);
    TEST_EXITS(78, "holds no private Ed25519 key", "ship '%s' -o '%s' -f --sign '%s/locked.pem'", model, folder, keys);
    TEST_EXITS(78, "holds no private Ed25519 key", "ship '%s' -o '%s' -f --sign '%s/rsa.pem'", model, folder, keys);
    TEST_EXITS(0, NULL, "verify '%s/signed.pml' --key '%s/a.pub' -q", folder, keys); /* refusals left the list alone */
    TEST_EXITS(78, "holds no private Ed25519 key", "ship '%s' -o '%s/none' --sign '%s/rsa.pem'", model, folder, keys);
    CU_ASSERT_EQUAL(pml_test_command(NULL, "test ! -e '%s/none'", folder), 0);
    TEST_EXITS(78, "holds no public Ed25519 key", "verify '%s/signed.pml' --key '%s/a.pem'", folder, keys);
    TEST_EXITS(66, NULL, "verify '%s' --key '%s/a.pub'", model, keys); /* no list beside it */
    /* Another model under the name of the signed one. */
    const char *other = make_model("other", &(const char *){NULL});
    CU_ASSERT_EQUAL(
        pml_test_command(NULL, "cp '%s' '%s/signed.pml' && printf x >> '%s/signed.pml'", other, folder, folder), 0);
    TEST_EXITS(1, "the signed list says", "verify '%s/signed.pml' --key '%s/a.pub'", folder, keys);
    TEST_EXITS(0, NULL, "ship '%s' -o '%s/o' -q", other, folder);
    CU_ASSERT_EQUAL(pml_test_command(NULL, "cp '%s/o/other.pml.zst' '%s/signed.pml.zst'", folder, folder), 0);
    TEST_EXITS(1, "the signed list says", "unship '%s/signed.pml.zst' --key '%s/a.pub' -f", folder, keys);
    CU_ASSERT_EQUAL(pml_test_command(NULL, "printf x >> '%s/SHA256SUMS'", folder), 0);
    TEST_EXITS(1, "is not a signature", "verify '%s/signed.pml' --key '%s/a.pub'", folder, keys);
}

static void refuses_what_cannot_be(void) {
    const char *folder;
    const char *model = make_model("odd", &folder);
    if (model == NULL) {
        return;
    }
    test_usage("unship", "'x.zst'");
    TEST_EXITS(66, "absent.delta", "unship '%s/absent.delta' --patch-from '%s'", folder, model);
    TEST_EXITS(2, "-o DIR", "ship '%s'", model);
    TEST_EXITS(2, "expected 1 to 19", "ship '%s' -o '%s' --level 20", model, folder);
    TEST_EXITS(66, NULL, "ship '%s/absent.pml' -o '%s'", folder, folder);
    TEST_EXITS(2, "same name", "ship '%s' '%s' -o '%s'", model, model, folder);
    TEST_EXITS(2, "of one file", "ship '%s' '%s' -o '%s' --patch-from '%s'", model, model, folder, model);
    TEST_EXITS(74, "no folder", "ship '%s' -o '%s/a/b/c'", model, folder);
    CU_ASSERT_EQUAL(pml_test_count_files(folder), 0);
    const char *damaged = pml_test_path("%s/damaged.pml", pml_test_temporary_dir());
    size_t size_bytes = 0;
    CU_ASSERT_EQUAL(pml_test_command(NULL, "cp '%s' '%s'", model, damaged), 0);
    free(pml_test_read_file(damaged, &size_bytes));
    test_flip_byte(damaged, size_bytes - 8000);
    TEST_EXITS(1, "damaged.pml", "ship '%s' -o '%s'", damaged, folder);
    CU_ASSERT_EQUAL(pml_test_count_files(folder), 0);
    TEST_EXITS(65, "not packed by pml-convert ship", "unship '%s' -o '%s/x.pml'", model, folder);
    TEST_EXITS(2, "does not end in .zst", "unship '%s'", model);
    pml_test_write_file(pml_test_path("%s/SHA256SUMS", folder), "nonsense\n", 9);
    TEST_EXITS(65, "SHA256SUMS:1", "ship '%s' -o '%s'", model, folder);
}

PML_TESTS("convert/ship", PML_TEST(comes_back_bit_for_bit), PML_TEST(plain_tools_restore_it),
          PML_TEST(a_delta_holds_what_changed), PML_TEST(a_signature_is_what_openssl_takes),
          PML_TEST(refuses_what_cannot_be))
