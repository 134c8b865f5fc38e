/* OpenAI's own client library against the server, where scripts/setup_client has put it. */
#include "tests/runtime/serve/serve_fixture.h"
#include "tests/runtime/serve/serve_models.h"

static void the_client_library_works(void) {
    if (access(pml_test_path("%s/openai-client/bin/python", pml_test_binary_dir()), X_OK) != 0) {
        pml_test_skip("no client library: scripts/setup_client openai BUILD/openai-client");
        return;
    }
    const served_process vectors = serve_start(serve_sentences(), "");
    CU_ASSERT_EQUAL(setenv("PML_SERVE_API_KEY", "open sesame", 1), 0);
    const served_process texts = serve_start(serve_language(), "");
    CU_ASSERT_EQUAL(unsetenv("PML_SERVE_API_KEY"), 0);
    char *output = NULL;
    const int code =
        pml_test_command(&output,
                         "env -u http_proxy -u https_proxy -u all_proxy -u HTTP_PROXY -u HTTPS_PROXY -u ALL_PROXY "
                         "'%s/openai-client/bin/python' '%s/tests/runtime/serve/openai_client.py' "
                         "http://127.0.0.1:%u/v1 http://127.0.0.1:%u/v1",
                         pml_test_binary_dir(), pml_test_source_dir(), vectors.port, texts.port);
    CU_ASSERT_EQUAL(code, 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(output, "the client library works"));
    if (code != 0) {
        (void)printf("%s\n", output);
    }
    free(output);
    serve_stop(&vectors);
    serve_stop(&texts);
}

PML_TESTS("runtime/serve/openai_client", PML_TEST(the_client_library_works))
