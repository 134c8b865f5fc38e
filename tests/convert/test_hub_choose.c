/* Which files of a repository are needed: one container only, exactly an index's shards, nothing that nobody reads. */
#include <stdio.h>
#include <string.h>

#include "convert/hub/hub_choose.h"
#include "tests/harness.h"

#define SHA1 "0123456789abcdef0123456789abcdef01234567"

/* A listing of those files, separated by blanks. */
static pml_hub_listing listing_of(const char *files) {
    pml_hub_listing listing = {0};
    pml_error error = {0};
    for (const char *at = files; *at != '\0';) {
        const size_t n = strcspn(at, " ");
        PML_ASSERT_OK(pml_hub_listing_add(&listing, pml_test_path("%.*s", (int)n, at), SHA1, 1, &error), &error);
        at += n + (at[n] == ' ');
    }
    return listing;
}

static const char *join(const pml_hub_choice *choice) {
    const char *joined = "";
    for (size_t i = 0; i < choice->count; i++) {
        joined = pml_test_path("%s%s%s", joined, i > 0 ? " " : "", choice->files[i]->path);
    }
    return joined;
}

static void check(const char *files, const pml_hub_filter *filter, const char *wanted) {
    static const pml_hub_filter none;
    pml_hub_listing listing = listing_of(files);
    pml_hub_choice choice = {0};
    pml_error error = {0};
    PML_ASSERT_OK(pml_hub_choice_make(&listing, filter != NULL ? filter : &none, &choice, &error), &error);
    CU_ASSERT_STRING_EQUAL(join(&choice), wanted);
    pml_hub_choice_deinit(&choice);
    pml_hub_listing_deinit(&listing);
}

static void one_container_only(void) {
    static const char everything[] =
        "README.md config.json flax_model.msgpack model.onnx model.safetensors onnx/model.onnx "
        "pytorch_model.bin rust_model.ot tf_model.h5 tokenizer.json training_args.bin vocab.txt";
    check(everything, NULL, "README.md config.json tokenizer.json vocab.txt model.safetensors");
    static const char *const no_safetensors[] = {"*.safetensors"};
    check(everything, &(pml_hub_filter){.exclude = no_safetensors, .n_exclude = 1},
          "README.md config.json tokenizer.json vocab.txt pytorch_model.bin");
    static const char *const only_tf[] = {"*.safetensors", "*.bin", "*.onnx"};
    check(everything, &(pml_hub_filter){.exclude = only_tf, .n_exclude = 3},
          "README.md config.json tokenizer.json vocab.txt tf_model.h5");
    check("config.json weights.ckpt optimizer.pt training_args.bin", NULL, "config.json weights.ckpt");
}

static void includes_are_exact(void) {
    static const char *const include[] = {"*.bin", "sub/"}, *const exclude[] = {"training*"};
    check("a.bin config.json sub/x sub/y.bin training_args.bin", &(pml_hub_filter){include, 2, exclude, 1},
          "a.bin sub/x sub/y.bin");
}

static void companions_come_along(void) {
    check("config.json model.onnx model.onnx_data other.onnx_data", NULL, "config.json model.onnx model.onnx_data");
    check("bert_model.ckpt.index bert_model.ckpt.data-00000-of-00001 bert_model.ckpt.meta", NULL,
          "bert_model.ckpt.index bert_model.ckpt.data-00000-of-00001");
    check("saved_model.pb variables/variables.index variables/variables.data-00000-of-00001 assets/vocab.txt", NULL,
          "saved_model.pb variables/variables.index variables/variables.data-00000-of-00001");
}

static void several_weights_leave_a_choice(void) {
    pml_hub_listing listing = listing_of("config.json a.safetensors b.safetensors");
    pml_hub_choice choice = {0};
    pml_error error = {0};
    const pml_hub_filter none = {0};
    PML_ASSERT_FAILS(pml_hub_choice_make(&listing, &none, &choice, &error), PML_E_UNSUPPORTED, &error, "b.safetensors");
    pml_hub_listing_deinit(&listing);
    listing = listing_of("paper.pdf");
    PML_ASSERT_FAILS(pml_hub_choice_make(&listing, &none, &choice, &error), PML_E_NOT_FOUND, &error, NULL);
    pml_hub_listing_deinit(&listing);
}

/* The index decides, whatever else matches its pattern. */
static void shards_are_exact(void) {
    static const char index[] =
        "{\"metadata\":{},\"weight_map\":{\"a\":\"model-00001-of-00002.safetensors\","
        "\"b\":\"model-00002-of-00002.safetensors\",\"c\":\"model-00001-of-00002.safetensors\"}}";
    static const char *const bad[] = {"{\"weight_map\":{\"a\":\"../../etc/passwd\"}}",
                                      "{\"weight_map\":{\"a\":\"/etc/passwd\"}}",
                                      "{\"weight_map\":{\"a\":\"gone.safetensors\"}}",
                                      "{\"weight_map\":{\"a\":1}}",
                                      "{}",
                                      ""};
    static const char files[] = "config.json model-00001-of-00002.safetensors model-00002-of-00002.safetensors "
                                "model-00003-of-00003.safetensors model.safetensors model.safetensors.index.json";
    const pml_hub_filter none = {0};
    pml_hub_listing listing = listing_of(files);
    pml_hub_choice choice = {0};
    pml_error error = {0};
    PML_ASSERT_OK(pml_hub_choice_make(&listing, &none, &choice, &error), &error);
    CU_ASSERT_STRING_EQUAL(join(&choice), "config.json model.safetensors.index.json");
    CU_ASSERT_PTR_NOT_NULL_FATAL(choice.index);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CU_ASSERT_NOT_EQUAL(pml_hub_choice_add_shards(&listing, bad[i], strlen(bad[i]), &choice, &error), PML_OK);
        CU_ASSERT_EQUAL(choice.count, 2);
    }
    PML_ASSERT_OK(pml_hub_choice_add_shards(&listing, index, sizeof index - 1, &choice, &error), &error);
    CU_ASSERT_STRING_EQUAL(join(&choice), "config.json model.safetensors.index.json model-00001-of-00002.safetensors "
                                          "model-00002-of-00002.safetensors");
    pml_hub_choice_deinit(&choice);
    pml_hub_listing_deinit(&listing);
}

PML_TESTS("convert/hub_choose", PML_TEST(one_container_only), PML_TEST(includes_are_exact),
          PML_TEST(companions_come_along), PML_TEST(several_weights_leave_a_choice), PML_TEST(shards_are_exact))
