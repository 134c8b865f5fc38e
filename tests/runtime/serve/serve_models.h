/* Files to serve. */
#ifndef PML_TESTS_RUNTIME_SERVE_SERVE_MODELS_H
#define PML_TESTS_RUNTIME_SERVE_SERVE_MODELS_H

#include <unistd.h>

#include "runtime/file/reader.h"
#include "tests/runtime/models/gpt2_file.h"
#include "tests/runtime/text/byte_level_fixture.h"

/* A small model of sentences, converted from a reference case of this repository, its weights stored as `dtype`. */
static inline const char *serve_sentences_as(const char *dtype) {
    const char *golden = pml_test_golden("bert/sentence-transformer");
    const char *path = pml_test_path("%s/%s/sentences.pml", pml_test_temporary_dir(), dtype);
    CU_ASSERT_PTR_NOT_NULL_FATAL(golden);
    if (access(path, F_OK) != 0) {
        CU_ASSERT_EQUAL_FATAL(pml_test_command(NULL, "mkdir -p '%s/%s' && '%s/pml-convert' '%s' -o '%s' -q --dtype %s",
                                               pml_test_temporary_dir(), dtype, pml_test_binary_dir(), golden, path,
                                               dtype),
                              0);
    }
    return path;
}

static inline const char *serve_sentences(void) {
    return serve_sentences_as("f32");
}

/* A language model of random weights over bytes. */
static inline const char *serve_language(void) {
    static const char *path;
    if (path == NULL) {
        byte_fixture f;
        byte_fixture_begin(&f);
        CU_ASSERT_TRUE_FATAL(byte_fixture_make(&f));
        const gpt2_build build = {.head = "language_model",
                                  .tied_head = true,
                                  .vocab_size = BYTE_TOKENS,
                                  .tokenizer = f.bytes,
                                  .tokenizer_bytes = f.size_bytes};
        gpt2_opened o = gpt2_open(&build);
        path = pml_test_path("%s", pml_file_path(o.file));
        gpt2_close(&o);
        byte_fixture_deinit(&f);
    }
    return path;
}

#endif
