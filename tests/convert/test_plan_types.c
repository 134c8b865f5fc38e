/* The forms of weights as options name them, over whole commands. */
#include "runtime/file/reader.h"
#include "tests/convert/command_fixture.h"

static const pml_file_tensor *tensor_of(const char *path, pml_file **file, const char *name) {
    pml_error error;
    PML_ASSERT_OK(pml_file_open(path, file, &error), &error);
    return pml_file_tensor_find(*file, name);
}

static void every_form_is_written_verified_and_compared(void) {
    static const struct {
        const char *name;
        uint32_t group_rows;
    } forms[] = {{"int8", 0}, {"int8-g64", 64}, {"int8-g32", 32}};
    const char *source = test_copy_case(TEST_CASE, "forms");
    if (source == NULL) {
        return;
    }
    const char *plain = test_converted(source, "plain.pml", "");
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        const char *name = pml_test_path("%s.pml", forms[i].name);
        const char *path = test_converted(source, name, pml_test_path("--dtype %s", forms[i].name));
        pml_file *file = NULL;
        const pml_file_tensor *tensor = tensor_of(path, &file, "encoder.layer.0.ffn.up.weight");
        CU_ASSERT_PTR_NOT_NULL_FATAL(tensor);
        CU_ASSERT_EQUAL(tensor->dtype, PML_DTYPE_I8);
        CU_ASSERT_EQUAL(tensor->group_rows, forms[i].group_rows);
        CU_ASSERT_TRUE(tensor->quantization_error > 0 && tensor->quantization_error < 0.01);
        CU_ASSERT_EQUAL(pml_file_tensor_find(file, "encoder.layer.0.ffn.up.bias")->dtype, PML_DTYPE_F32);
        CU_ASSERT_EQUAL(pml_file_tensor_find(file, "position")->dtype, PML_DTYPE_F32);
        TEST_EXITS(0, "0 differences", "verify '%s' --source '%s'", path, source);
        TEST_EXITS(0, "\"group_rows\"", "inspect '%s' --json", path);
        TEST_EXITS(0, "equal within", "diff '%s' '%s' --atol 0.02", plain, path);
        TEST_EXITS(1, "numbers", "diff '%s' '%s' --atol 1e-6", plain, path);
        /* A scale of another size is what only the comparison with the source sees. */
        const size_t scale_at = (size_t)tensor->scales.offset_bytes;
        pml_file_close(file);
        test_flip_byte(path, scale_at);
        TEST_EXITS(1, "scales of", "verify '%s'", path);
    }
}

static void rules_choose_single_weights(void) {
    const char *source = test_copy_case(TEST_CASE, "rules");
    if (source == NULL) {
        return;
    }
    const char *path = test_converted(source, "rules.pml",
                                      "--dtype int8 --tensor-type 'encoder.*=bf16' --tensor-type "
                                      "'encoder.layer.?.attention.[qk].weight=int8-g64' --tensor-type 'head.*=f32'");
    pml_file *file = NULL;
    const pml_file_tensor *tensor = tensor_of(path, &file, "encoder.layer.0.attention.q.weight");
    CU_ASSERT_TRUE(tensor != NULL && tensor->dtype == PML_DTYPE_I8 && tensor->group_rows == 64);
    CU_ASSERT_EQUAL(pml_file_tensor_find(file, "encoder.layer.0.attention.v.weight")->dtype, PML_DTYPE_BF16);
    CU_ASSERT_EQUAL(pml_file_tensor_find(file, "head.0.weight")->dtype, PML_DTYPE_F32);
    CU_ASSERT_EQUAL(pml_file_tensor_find(file, "patch_embedding.weight")->dtype, PML_DTYPE_I8);
    pml_file_close(file);
    TEST_EXITS(0, "0 differences", "verify '%s' --source '%s'", path, source);
    const char *folder = pml_test_temporary_dir();
    TEST_EXITS(2, "'nothing=int8' matches no matrix", "'%s' -o '%s/n.pml' --tensor-type nothing=int8", source, folder);
    TEST_EXITS(2, "matches no matrix", "'%s' -o '%s/n.pml' --tensor-type '*.bias=int8'", source, folder);
    TEST_EXITS(2, "expected PATTERN=", "'%s' -o '%s/n.pml' --tensor-type 'head.*=int4'", source, folder);
    TEST_EXITS(2, "expected PATTERN=", "'%s' -o '%s/n.pml' --tensor-type int8", source, folder);
    TEST_EXITS(2, "panels only", "'%s' -o '%s/n.pml' --dtype int8 --layout row", source, folder);
}

static void errors_have_a_bound(void) {
    const char *source = test_copy_case(TEST_CASE, "bound");
    if (source == NULL) {
        return;
    }
    const char *path = test_converted(source, "bound.pml", "--dtype int8 --max-error 0.004");
    pml_file *file = NULL;
    CU_ASSERT_PTR_NOT_NULL_FATAL(tensor_of(path, &file, "head.0.weight"));
    size_t n_kept = 0, n_fallen = 0;
    for (size_t i = 0; i < pml_file_n_tensors(file); i++) {
        const pml_file_tensor *tensor = pml_file_tensor_at(file, i);
        CU_ASSERT_TRUE(tensor->quantization_error <= 0.004);
        n_kept += tensor->dtype == PML_DTYPE_I8;
        n_fallen += tensor->dtype == PML_DTYPE_BF16;
    }
    CU_ASSERT_TRUE(n_kept + n_fallen > 0 && n_fallen > 0);
    pml_file_close(file);
    TEST_EXITS(0, "0 differences", "verify '%s' --source '%s'", path, source);
    const char *folder = pml_test_temporary_dir();
    TEST_EXITS(65, "as BF16, above --max-error 0.0001", "'%s' -o '%s/b.pml' --dtype int8 --max-error 1e-4", source,
               folder);
    TEST_EXITS(2, "above 0 and below 1", "'%s' -o '%s/b.pml' --dtype int8 --max-error 0", source, folder);
    TEST_EXITS(2, "above 0 and below 1", "'%s' -o '%s/b.pml' --dtype int8 --max-error x", source, folder);
}

static uint32_t group_rows_of(const char *path, const char *name) {
    pml_file *file = NULL;
    const pml_file_tensor *tensor = tensor_of(path, &file, name);
    CU_ASSERT_TRUE_FATAL(tensor != NULL && tensor->dtype == PML_DTYPE_I8);
    const uint32_t group_rows = tensor->group_rows;
    pml_file_close(file);
    return group_rows;
}

/* What a family says of its matrices (pml_schema.grouped) counts for int8, unless a rule says otherwise. */
static void families_name_what_stays_in_groups(void) {
    static const char value[] = "encoder.layer.0.attention.v.weight", up[] = "encoder.layer.1.ffn.up.weight";
    const char *source = test_copy_case("bert/model", "grouped");
    if (source == NULL) {
        return;
    }
    const char *path = test_converted(source, "grouped.pml", "--dtype int8");
    CU_ASSERT_EQUAL(group_rows_of(path, value), 64);
    CU_ASSERT_EQUAL(group_rows_of(path, up), 64);
    CU_ASSERT_EQUAL(group_rows_of(path, "encoder.layer.0.ffn.up.weight"), 0);
    CU_ASSERT_EQUAL(group_rows_of(path, "encoder.layer.1.attention.q.weight"), 0);
    TEST_EXITS(0, "0 differences", "verify '%s' --source '%s'", path, source);
    path = test_converted(source, "columns.pml", "--dtype int8 --tensor-type '*=int8'");
    CU_ASSERT_EQUAL(group_rows_of(path, value), 0);
    CU_ASSERT_EQUAL(group_rows_of(path, up), 0);
    path = test_converted(source, "groups.pml", "--dtype int8-g32");
    CU_ASSERT_EQUAL(group_rows_of(path, value), 32);
}

/* Token tables of GPT-2 shrink whether they are tied to the head or not; positions stay what they were. */
static void token_tables_of_gpt2_are_in_8_bits(void) {
    static const struct {
        const char *name;
        double least; /* how many times smaller; scales and sums weigh more in small models */
    } cases[] = {{"gpt2/kjv", 3.7}, {"gpt2/hf-untied", 3.6}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *source = test_copy_case(cases[i].name, pml_test_path("tables%zu", i));
        if (source == NULL) {
            return;
        }
        const char *path = test_converted(source, pml_test_path("tables%zu.pml", i), "--dtype int8");
        pml_file *file = NULL;
        const pml_file_tensor *tokens = tensor_of(path, &file, "embedding.token.weight");
        CU_ASSERT_TRUE_FATAL(tokens != NULL && tokens->dtype == PML_DTYPE_I8 && tokens->group_rows == 0);
        const double bytes = (double)(tokens->size_bytes + tokens->scales.size_bytes + tokens->sums.size_bytes);
        CU_ASSERT_TRUE(4.0 * (double)(tokens->shape[0] * tokens->shape[1]) / bytes >= cases[i].least);
        CU_ASSERT_EQUAL(pml_file_tensor_find(file, "embedding.position.weight")->dtype, PML_DTYPE_F32);
        pml_file_close(file);
    }
}

/* An embedding, which cannot be BF16, is F32 where 8 bits lose too much. */
static void embeddings_fall_back_to_f32(void) {
    const char *source = test_copy_case("bert/sentence-transformer", "fallback");
    if (source == NULL) {
        return;
    }
    const char *path = test_converted(source, "fallback.pml", "--dtype int8 --max-error 0.0025");
    pml_file *file = NULL;
    const pml_file_tensor *tokens = tensor_of(path, &file, "embedding.token.weight");
    CU_ASSERT_TRUE(tokens != NULL && tokens->dtype == PML_DTYPE_F32 && tokens->layout == PML_LAYOUT_ROW);
    CU_ASSERT_EQUAL(pml_file_tensor_find(file, "encoder.layer.0.attention.v.weight")->dtype, PML_DTYPE_BF16);
    pml_file_close(file);
    TEST_EXITS(0, "0 differences", "verify '%s' --source '%s'", path, source);
}

PML_TESTS("convert/plan_types", PML_TEST(embeddings_fall_back_to_f32), PML_TEST(token_tables_of_gpt2_are_in_8_bits),
          PML_TEST(families_name_what_stays_in_groups), PML_TEST(every_form_is_written_verified_and_compared),
          PML_TEST(rules_choose_single_weights), PML_TEST(errors_have_a_bound))
