/* What the environment says about the hub: which variable wins, what is refused, and that no message tells a token. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "convert/hub/hub_environment.h"
#include "tests/harness.h"

static const char *const variables[] = {"HF_ENDPOINT",
                                        "HF_HOME",
                                        "HF_HUB_CACHE",
                                        "HUGGINGFACE_HUB_CACHE",
                                        "XDG_CACHE_HOME",
                                        "HF_TOKEN",
                                        "HUGGING_FACE_HUB_TOKEN",
                                        "HF_TOKEN_PATH",
                                        "HF_HUB_DISABLE_IMPLICIT_TOKEN",
                                        "HF_HUB_OFFLINE",
                                        "TRANSFORMERS_OFFLINE",
                                        "HF_HUB_DISABLE_SYMLINKS",
                                        "HF_HUB_ETAG_TIMEOUT",
                                        "HF_HUB_DOWNLOAD_TIMEOUT",
                                        "PML_HUB_TIME_SCALE",
                                        "http_proxy",
                                        "HTTP_PROXY",
                                        "https_proxy",
                                        "HTTPS_PROXY",
                                        "all_proxy",
                                        "ALL_PROXY",
                                        "no_proxy",
                                        "NO_PROXY",
                                        "SSL_CERT_FILE",
                                        "CURL_CA_BUNDLE",
                                        "REQUESTS_CA_BUNDLE",
                                        "SSL_CERT_DIR",
                                        "MY_PLACE"};

/* Nothing is set but HOME, an empty folder. */
static const char *fresh(const char *name) {
    for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++) {
        (void)unsetenv(variables[i]);
    }
    const char *home = pml_test_fresh_dir(name);
    (void)setenv("HOME", home, 1);
    return home;
}

static pml_hub_environment read_all(const pml_hub_given *given) {
    pml_hub_environment e = {0};
    pml_error error = {0};
    PML_ASSERT_OK(pml_hub_environment_read(given, &e, &error), &error);
    return e;
}

static void check_cache(const char *wanted, const pml_hub_given *given) {
    pml_hub_environment e = read_all(given);
    CU_ASSERT_STRING_EQUAL(e.cache_dir, wanted);
    pml_hub_environment_deinit(&e);
}

static void check_token(const char *wanted, const pml_hub_given *given) {
    pml_hub_environment e = read_all(given);
    CU_ASSERT_EQUAL(e.token == NULL, wanted == NULL);
    if (e.token != NULL && wanted != NULL) {
        CU_ASSERT_STRING_EQUAL(e.token, wanted);
    }
    pml_hub_environment_deinit(&e);
}

static void defaults(void) {
    const char *home = fresh("defaults");
    pml_hub_environment e = read_all(NULL);
    CU_ASSERT_STRING_EQUAL(e.endpoint, "https://huggingface.co");
    CU_ASSERT_STRING_EQUAL(e.cache_dir, pml_test_path("%s/.cache/huggingface/hub", home));
    CU_ASSERT_PTR_NULL(e.token);
    CU_ASSERT_FALSE(e.is_offline || e.no_symlinks);
    CU_ASSERT_PTR_NULL(e.http_proxy);
    CU_ASSERT_PTR_NULL(e.ca_file);
    pml_hub_environment_deinit(&e);
}

static void the_cache_is_found(void) {
    const char *home = fresh("cache");
    (void)setenv("XDG_CACHE_HOME", "/xdg", 1);
    check_cache("/xdg/huggingface/hub", NULL);
    (void)setenv("HF_HOME", "~/hf", 1);
    check_cache(pml_test_path("%s/hf/hub", home), NULL);
    (void)setenv("HUGGINGFACE_HUB_CACHE", "/old", 1);
    check_cache("/old", NULL);
    (void)setenv("MY_PLACE", "/p", 1);
    (void)setenv("HF_HUB_CACHE", "$MY_PLACE/${MY_PLACE}x/$NOT_SET_AT_ALL/$", 1);
    check_cache("/p//px/$NOT_SET_AT_ALL/$", NULL);
    check_cache("/given", &(pml_hub_given){.cache_dir = "/given"});
    (void)setenv("HF_HUB_CACHE", "", 1);
    check_cache("/old", NULL);
}

static void the_token_is_found(void) {
    const char *home = fresh("token");
    const char *folder = pml_test_path("%s/.cache/huggingface", home);
    CU_ASSERT_EQUAL(pml_test_command(NULL, "mkdir -p '%s'", folder), 0);
    check_token(NULL, NULL);
    pml_test_write_file(pml_test_path("%s/token", folder), " hf_login\r\n", 11);
    check_token("hf_login", NULL);
    pml_test_write_file(pml_test_path("%s/other", home), "hf_path\n", 8);
    (void)setenv("HF_TOKEN_PATH", pml_test_path("%s/other", home), 1);
    check_token("hf_path", NULL);
    (void)setenv("HUGGING_FACE_HUB_TOKEN", "hf_old", 1);
    check_token("hf_old", NULL);
    (void)setenv("HF_TOKEN", "\thf_new \n", 1);
    check_token("hf_new", NULL);
    check_token("hf_given", &(pml_hub_given){.token = "hf_given"});
    check_token("hf_path", &(pml_hub_given){.token_file = pml_test_path("%s/other", home)});
    (void)setenv("HF_HUB_DISABLE_IMPLICIT_TOKEN", "Yes", 1);
    check_token(NULL, NULL);
    check_token("hf_given", &(pml_hub_given){.token = "hf_given"});
    (void)setenv("HF_HUB_DISABLE_IMPLICIT_TOKEN", "0", 1);
    check_token(NULL, &(pml_hub_given){.offline = true}); /* nobody is asked */
    (void)setenv("HF_TOKEN", "  \n", 1);
    check_token("hf_path", NULL);
}

static void bad_tokens_are_not_told(void) {
    (void)fresh("bad-token");
    static const char *const bad[] = {"hf_Se\x01"
                                      "cret",
                                      "hf_Se cret",
                                      "hf_Se\xff"
                                      "cret"};
    for (size_t i = 0; i < 3; i++) {
        pml_hub_environment e = {0};
        pml_error error = {0};
        (void)setenv("HF_TOKEN", bad[i], 1);
        PML_ASSERT_FAILS(pml_hub_environment_read(NULL, &e, &error), PML_E_CONFIG, &error, "token");
        CU_ASSERT_PTR_NULL(strstr(error.message, "cret"));
    }
    char large[8193];
    memset(large, 'x', sizeof large - 1);
    large[sizeof large - 1] = '\0';
    pml_hub_environment e = {0};
    PML_ASSERT_FAILS(pml_hub_environment_read(&(pml_hub_given){.token = large}, &e, NULL), PML_E_CONFIG, NULL, NULL);
    PML_ASSERT_FAILS(pml_hub_environment_read(&(pml_hub_given){.token_file = "/nowhere/at/all"}, &e, NULL),
                     PML_E_NOT_FOUND, NULL, NULL);
}

static void endpoints(void) {
    (void)fresh("endpoint");
    static const char *const good[] = {"http://127.0.0.1:1", "https://host", "https://host/a/b", "http://[::1]:80"};
    static const char *const bad[] = {
        "ftp://host", "file:///etc",  "https://user:secret@host", "https://host?q=secret", "https://host#f", "://",
        "http://",    "https://ho st"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        pml_hub_environment e = read_all(&(pml_hub_given){.endpoint = pml_test_path("%s//", good[i])});
        CU_ASSERT_STRING_EQUAL(e.endpoint, good[i]);
        pml_hub_environment_deinit(&e);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        pml_hub_environment e = {0};
        pml_error error = {0};
        (void)setenv("HF_ENDPOINT", bad[i], 1);
        PML_ASSERT_FAILS(pml_hub_environment_read(NULL, &e, &error), PML_E_CONFIG, &error, "endpoint");
        CU_ASSERT_PTR_NULL(strstr(error.message, "user:secret"));
    }
}

static void switches(void) {
    (void)fresh("switches");
    static const char *const yes[] = {"1", "on", "ON", "Yes", "TRUE"}, *const no[] = {"0", "", "off", "2", "truely"};
    for (size_t i = 0; i < 5; i++) {
        (void)setenv("HF_HUB_OFFLINE", yes[i], 1);
        (void)setenv("HF_HUB_DISABLE_SYMLINKS", no[i], 1);
        pml_hub_environment e = read_all(NULL);
        CU_ASSERT_TRUE(e.is_offline);
        CU_ASSERT_FALSE(e.no_symlinks);
        pml_hub_environment_deinit(&e);
        (void)setenv("HF_HUB_OFFLINE", no[i], 1);
        (void)setenv("HF_HUB_DISABLE_SYMLINKS", yes[i], 1);
        e = read_all(NULL);
        CU_ASSERT_FALSE(e.is_offline);
        CU_ASSERT_TRUE(e.no_symlinks);
        pml_hub_environment_deinit(&e);
    }
    (void)setenv("TRANSFORMERS_OFFLINE", "1", 1);
    pml_hub_environment e = read_all(NULL);
    CU_ASSERT_TRUE(e.is_offline);
    pml_hub_environment_deinit(&e);
}

static void proxies_and_certificates(void) {
    (void)fresh("proxies");
    (void)setenv("ALL_PROXY", "all", 1);
    (void)setenv("HTTP_PROXY", "upper", 1);
    (void)setenv("SSL_CERT_FILE", "ssl", 1);
    pml_hub_environment e = read_all(NULL);
    CU_ASSERT_STRING_EQUAL(e.http_proxy, "upper");
    CU_ASSERT_STRING_EQUAL(e.https_proxy, "all");
    CU_ASSERT_STRING_EQUAL(e.ca_file, "ssl");
    pml_hub_environment_deinit(&e);
    (void)setenv("http_proxy", "lower", 1);
    (void)setenv("HTTPS_PROXY", "secure", 1);
    (void)setenv("CURL_CA_BUNDLE", "curl", 1);
    (void)setenv("NO_PROXY", "localhost", 1);
    e = read_all(NULL);
    CU_ASSERT_STRING_EQUAL(e.http_proxy, "lower");
    CU_ASSERT_STRING_EQUAL(e.https_proxy, "secure");
    CU_ASSERT_STRING_EQUAL(e.ca_file, "curl");
    CU_ASSERT_STRING_EQUAL(e.no_proxy, "localhost");
    pml_hub_environment_deinit(&e);
}

static void times(void) {
    static const char *const names[] = {"HF_HUB_ETAG_TIMEOUT", "HF_HUB_DOWNLOAD_TIMEOUT", "PML_HUB_TIME_SCALE"};
    static const char *const bad[] = {"0", "-1", "x", "1x", "nan", "1e99"};
    for (size_t i = 0; i < 3; i++) {
        for (size_t k = 0; k < 6; k++) {
            (void)fresh(pml_test_path("times-%zu-%zu", i, k));
            pml_hub_environment e = {0};
            pml_error error = {0};
            (void)setenv(names[i], bad[k], 1);
            PML_ASSERT_FAILS(pml_hub_environment_read(NULL, &e, &error), PML_E_CONFIG, &error, names[i]);
        }
    }
    (void)fresh("times");
    (void)setenv("HF_HUB_DOWNLOAD_TIMEOUT", "0.5", 1);
    pml_hub_environment e = read_all(NULL);
    CU_ASSERT_TRUE(e.read_ms >= 500 && e.read_ms <= 501);
    CU_ASSERT_TRUE(e.reply_ms >= 10000);
    pml_hub_environment_deinit(&e);
}

PML_TESTS("convert/hub_environment", PML_TEST(defaults), PML_TEST(the_cache_is_found), PML_TEST(the_token_is_found),
          PML_TEST(bad_tokens_are_not_told), PML_TEST(endpoints), PML_TEST(switches),
          PML_TEST(proxies_and_certificates), PML_TEST(times))
