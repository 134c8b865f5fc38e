/* Checkpoints of neuralforecast, which hold their arguments themselves. Made here: zeros under its names. */
#include "runtime/file/reader.h"
#include "tests/convert/command_fixture.h"
#include "tests/mappers/synthetic.h"

#define CLASS(name) "\"model_class\":\"" name "\",\"nf_format\":\"2\",\"shared\":\"{}\","
#define LOSS(name) "\\\"loss\\\":{\\\"__nf__\\\":\\\"loss\\\",\\\"cls\\\":\\\"" name "\\\",\\\"args\\\":{}}"
/* T 16, P 8, stride 4 (N 4), D 4, H 2, F 8, L 1, S 2. */
#define ARGUMENTS(more)                                                                                                \
    "{\\\"h\\\":2,\\\"input_size\\\":16,\\\"encoder_layers\\\":1,\\\"n_heads\\\":2,\\\"hidden_size\\\":4,"             \
    "\\\"linear_hidden_size\\\":8,\\\"patch_len\\\":8,\\\"stride\\\":4,\\\"max_steps\\\":10,\\\"optimizer\\\":null,"   \
    "\\\"activation\\\":\\\"relu\\\"," more "}"
#define METADATA(class_name, arguments)                                                                                \
    "{\"__metadata__\":{" CLASS(class_name) "\"hyper_parameters\":\"" arguments "\"},"

static void add_tensors(synthetic *s) {
    static const struct {
        const char *name;
        uint64_t out, in;
    } linears[] = {{"self_attn.W_Q", 4, 4},      {"self_attn.W_K", 4, 4}, {"self_attn.W_V", 4, 4},
                   {"self_attn.to_out.0", 4, 4}, {"ff.0", 8, 4},          {"ff.3", 4, 8}};
    static const char *const norms[] = {"norm_attn.1", "norm_ffn.1"};
    static const char *const parts[] = {"weight", "bias", "running_mean", "running_var"};
    char name[160];
    *s = (synthetic){.count = 0};
    synthetic_add(s, "model.backbone.W_P.weight", 2, 4, 8);
    synthetic_add(s, "model.backbone.W_P.bias", 1, 4, 0);
    synthetic_add(s, "model.backbone.W_pos", 2, 4, 4);
    for (size_t i = 0; i < sizeof linears / sizeof linears[0]; i++) {
        (void)snprintf(name, sizeof name, "model.backbone.encoder.layers.0.%s.weight", linears[i].name);
        synthetic_add(s, name, 2, linears[i].out, linears[i].in);
        (void)snprintf(name, sizeof name, "model.backbone.encoder.layers.0.%s.bias", linears[i].name);
        synthetic_add(s, name, 1, linears[i].out, 0);
    }
    for (size_t i = 0; i < 8; i++) {
        (void)snprintf(name, sizeof name, "model.backbone.encoder.layers.0.%s.%s", norms[i / 4], parts[i % 4]);
        synthetic_add(s, name, 1, 4, 0);
    }
    synthetic_add(s, "model.backbone.encoder.layers.0.self_attn.sdp_attn.scale", 0, 0, 0);
    synthetic_add(s, "model.head.linear.weight", 2, 2, 16);
    synthetic_add(s, "model.head.linear.bias", 1, 2, 0);
    synthetic_add(s, "__hparams__.valid_loss.args.quantiles", 1, 3, 0);
    synthetic_add(s, "valid_loss.quantiles", 1, 3, 0);
}

/* Writes <folder>/PatchTST.ckpt with that beginning of the header in place of "{"; returns the file. */
static const char *make(const char *folder, const char *beginning) {
    const char *directory = pml_test_path("%s/%s", pml_test_temporary_dir(), folder);
    const char *path = pml_test_path("%s/PatchTST.ckpt", directory);
    synthetic s;
    size_t header_bytes, size;
    CU_ASSERT_EQUAL_FATAL(pml_test_command(NULL, "mkdir -p '%s'", directory), 0);
    add_tensors(&s);
    (void)synthetic_write(&s, path, &header_bytes);
    unsigned char *old = pml_test_read_file(path, &size);
    const size_t n = strlen(beginning);
    unsigned char *bytes = malloc(size + n);
    if (bytes == NULL) {
        abort();
    }
    const uint64_t length = header_bytes - 9 + n;
    memcpy(bytes, &length, 8);
    memcpy(bytes + 8, beginning, n);
    memcpy(bytes + 8 + n, old + 9, size - 9);
    pml_test_write_file(path, bytes, size - 1 + n);
    free(bytes);
    free(old);
    return path;
}

static void a_checkpoint_with_its_arguments(void) {
    const char *path = make("nf", METADATA("PatchTST", ARGUMENTS(LOSS("MAE"))));
    const char *out = pml_test_path("%s/nf.pml", pml_test_temporary_dir());
    TEST_EXITS(0, "__hparams__.valid_loss.args.quantiles", "'%s' -n --json", path);
    TEST_EXITS(0, "\"dialect\": \"neuralforecast\"", "'%s' -n --json", path);
    TEST_EXITS(0, NULL, "'%s' -o '%s' -f -q", path, out);
    TEST_EXITS(0, "0 differences", "verify '%s' --source '%s'", out, path);
    TEST_EXITS(0, NULL, "'%s/nf' -o '%s' -f -q", pml_test_temporary_dir(), out); /* the folder's one checkpoint */
    pml_file *file = NULL;
    pml_error error;
    const char *activation;
    int64_t context_length;
    bool is_from_last;
    PML_ASSERT_OK(pml_file_open(out, &file, &error), &error);
    PML_ASSERT_OK(pml_metadata_get_string(pml_file_metadata(file), "config.activation", &activation, &error), &error);
    PML_ASSERT_OK(pml_metadata_get_i64(pml_file_metadata(file), "config.context_length", &context_length, &error),
                  &error);
    PML_ASSERT_OK(pml_metadata_get_bool(pml_file_metadata(file), "config.scaling_from_last", &is_from_last, &error),
                  &error);
    CU_ASSERT_STRING_EQUAL(activation, "relu");
    CU_ASSERT_EQUAL(context_length, 16);
    CU_ASSERT_TRUE(is_from_last);
    pml_file_close(file);
    /* And back into its names and arguments, which lie beside the weights then. */
    const char *folder = pml_test_path("%s/nf-out", pml_test_temporary_dir());
    TEST_EXITS(0, "as neuralforecast", "export '%s' -o '%s'", out, folder);
    TEST_EXITS(0, NULL, "'%s' -o '%s-2.pml' -q", folder, folder);
    TEST_EXITS(0, "identical content", "diff '%s' '%s-2.pml'", out, folder);
    TEST_EXITS(65, "dialect hf has no tensor for weight", "export '%s' -o '%s-hf' --dialect hf", out, folder);
}

/* It is part of forecasting, so it travels with the file. */
static void the_scaler_of_windows_is_kept(void) {
    const char *path = make("robust", METADATA("PatchTST", ARGUMENTS("\\\"scaler_type\\\":\\\"robust\\\","
                                                                     "\\\"hist_exog_list\\\":[]")));
    const char *out = pml_test_path("%s/robust.pml", pml_test_temporary_dir());
    TEST_EXITS(0, NULL, "'%s' -o '%s' -q", path, out);
    TEST_EXITS(0, "\"config.window_scaler\": \"robust\"", "inspect '%s' --json", out);
    TEST_EXITS(0, NULL, "export '%s' -o '%s-out' -q", out, out);
    TEST_EXITS(0, NULL, "'%s-out' -o '%s-2.pml' -q", out, out);
    TEST_EXITS(0, "identical content", "diff '%s' '%s-2.pml'", out, out);
}

/* Every argument is written, those of a normalization that is off too. */
static void arguments_without_effect(void) {
    const char *path = make("off", METADATA("PatchTST", ARGUMENTS("\\\"revin\\\":false,\\\"revin_affine\\\":true,"
                                                                  "\\\"revin_subtract_last\\\":true")));
    TEST_EXITS(0, NULL, "'%s' -n", path);
}

static void a_file_beside_it_wins(void) {
    const char *path = make("beside", METADATA("PatchTST", "{"));
    static const char config[] = "{\"h\":2,\"input_size\":16,\"encoder_layers\":1,\"n_heads\":2,\"hidden_size\":4,"
                                 "\"linear_hidden_size\":8,\"patch_len\":8,\"stride\":4}";
    TEST_EXITS(65, "PatchTST.ckpt: hyper_parameters", "'%s' -n", path);
    pml_test_write_file(pml_test_path("%s/beside/config.json", pml_test_temporary_dir()), config, strlen(config));
    TEST_EXITS(0, NULL, "'%s' -n", path);
}

static void what_is_refused(void) {
    TEST_EXITS(65, "model_class 'NHITS' is not supported", "'%s' -n",
               make("class", METADATA("NHITS", ARGUMENTS(LOSS("MAE")))));
    TEST_EXITS(65, "loss 'DistributionLoss' is not supported", "'%s' -n",
               make("loss", METADATA("PatchTST", ARGUMENTS(LOSS("DistributionLoss")))));
    TEST_EXITS(65, "loss 'MQLoss' is not supported", "'%s' -n",
               make("quantiles", METADATA("PatchTST", ARGUMENTS(LOSS("MQLoss")))));
    TEST_EXITS(65, "scaler_type 'revin' is not supported", "'%s' -n",
               make("scaler", METADATA("PatchTST", ARGUMENTS("\\\"scaler_type\\\":\\\"revin\\\""))));
    TEST_EXITS(65, "futr_exog_list is not supported", "'%s' -n",
               make("told", METADATA("PatchTST", ARGUMENTS("\\\"futr_exog_list\\\":[\\\"price\\\"]"))));
    TEST_EXITS(78, "hyper_parameters: loss has no class", "'%s' -n",
               make("unnamed", METADATA("PatchTST", ARGUMENTS("\\\"loss\\\":{}"))));
    TEST_EXITS(78, "an object is expected", "'%s' -n", make("list", METADATA("PatchTST", "[]")));
}

PML_TESTS("convert/neuralforecast", PML_TEST(a_checkpoint_with_its_arguments), PML_TEST(the_scaler_of_windows_is_kept),
          PML_TEST(arguments_without_effect), PML_TEST(a_file_beside_it_wins), PML_TEST(what_is_refused))
