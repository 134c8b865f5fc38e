/* Header lines as servers write them, and as broken or hostile ones do; addresses and redirects. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "convert/hub/http_reply.h"
#include "convert/hub/hub_url.h"
#include "runtime/base/alloc.h"
#include "tests/harness.h"

static pml_http_reply reply_of(const char *lines) {
    pml_http_reply reply = {0};
    pml_error error = {0};
    for (const char *at = lines; *at != '\0';) {
        const size_t n = strcspn(at, "\n") + 1;
        PML_ASSERT_OK(pml_http_reply_line(&reply, at, n, &error), &error);
        at += n;
    }
    return reply;
}

static void replies_are_read(void) {
    pml_http_reply r = reply_of(
        "HTTP/1.1 100 Continue\r\nETag: \"early\"\r\n\r\nHTTP/1.1 206 Partial Content\r\n"
        "content-length: 42\r\nContent-Range: bytes 10-51/100\r\nETag: W/\"abc\"\r\n"
        "X-Linked-Etag: \"def\"\r\nX-LINKED-SIZE: 100\r\nX-Repo-Commit: 0123\r\n"
        "X-Error-Code: GatedRepo\r\nX-Error-Message: no way\r\nX-Amz-Cf-Id: cf\r\n"
        "X-Request-Id: rid\r\nRetry-After: 7\r\nLocation: /x?y=z\r\n"
        "RateLimit: \"resolvers\";r=2;t=55\r\nRateLimit-Policy: \"fixed window\";\"resolvers\";q=3000;w=300\r\n"
        "Link: <https://h/a>; rel=\"prev\", <https://h/b?c=1>; rel=\"next\"\r\n\r\n");
    CU_ASSERT_EQUAL(r.status, 206);
    CU_ASSERT_TRUE(r.has_length && r.length == 42);
    CU_ASSERT_TRUE(r.has_range && r.range_first == 10 && r.range_last == 51 && r.range_total == 100);
    CU_ASSERT_STRING_EQUAL(r.etag, "abc");
    CU_ASSERT_STRING_EQUAL(r.linked_etag, "def");
    CU_ASSERT_TRUE(r.has_linked_size && r.linked_size == 100);
    CU_ASSERT_STRING_EQUAL(r.commit, "0123");
    CU_ASSERT_STRING_EQUAL(r.error_code, "GatedRepo");
    CU_ASSERT_STRING_EQUAL(r.error_message, "no way");
    CU_ASSERT_STRING_EQUAL(r.request_id, "rid");
    CU_ASSERT_TRUE(r.has_retry_after && r.retry_after_s == 7);
    CU_ASSERT_STRING_EQUAL(r.location, "/x?y=z");
    CU_ASSERT_STRING_EQUAL(r.next_link, "https://h/b?c=1");
    CU_ASSERT_TRUE(r.rate.is_known && r.rate.left == 2 && r.rate.reset_s == 55 && r.rate.quota == 3000);
    CU_ASSERT_STRING_EQUAL(r.rate.name, "resolvers");
    CU_ASSERT_FALSE(r.is_encoded);
    pml_http_reply_deinit(&r);
}

/* One prefix is cut, not any run of its letters. */
static void tags(void) {
    static const char *const cases[][2] = {
        {"\"a\"", "a"}, {"W/\"a\"", "a"}, {"W/W/\"a\"", "W/\"a\""}, {"a", "a"},           {"W/a", "a"},
        {"\"\"", ""},   {"\"", "\""},     {"//W", "//W"},           {"W/\"W/x\"", "W/x"}, {"", ""}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        pml_http_reply r = reply_of(pml_test_path("HTTP/2 200\nETag: %s\n", cases[i][0]));
        CU_ASSERT_STRING_EQUAL(r.etag, cases[i][1]);
        pml_http_reply_deinit(&r);
    }
}

static void ranges_are_exact(void) {
    static const char *const bad[] = {"bytes 10-51/*",
                                      "bytes */100",
                                      "bytes 51-10/100",
                                      "bytes 10-100/100",
                                      "10-51/100",
                                      "bytes 10-51",
                                      "bytes -10-51/100",
                                      "bytes 1-2/3 x",
                                      "items 1-2/3",
                                      "",
                                      "bytes 1-99999999999999999999/99999999999999999999"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        pml_http_reply r = reply_of(pml_test_path("HTTP/1.1 206 x\nContent-Range: %s\n", bad[i]));
        CU_ASSERT_FALSE(r.has_range);
        pml_http_reply_deinit(&r);
    }
}

static void waits(void) {
    char date[64];
    const time_t later = time(NULL) + 100;
    struct tm parts;
    (void)strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&later, &parts));
    pml_http_reply r = reply_of(pml_test_path("HTTP/1.1 429 x\nRetry-After: %s\n", date));
    CU_ASSERT_TRUE(r.has_retry_after && r.retry_after_s > 90 && r.retry_after_s <= 100);
    pml_http_reply_deinit(&r);
    r = reply_of("HTTP/1.1 429 x\nRetry-After: Wed, 21 Oct 2015 07:28:00 GMT\n");
    CU_ASSERT_TRUE(r.has_retry_after && r.retry_after_s == 0);
    pml_http_reply_deinit(&r);
    r = reply_of("HTTP/1.1 429 x\nRetry-After: 999999999999999999999999\n");
    CU_ASSERT_TRUE(r.has_retry_after && r.retry_after_s == UINT64_MAX);
    pml_http_reply_deinit(&r);
    r = reply_of("HTTP/1.1 429 x\nRetry-After: soon\n");
    CU_ASSERT_FALSE(r.has_retry_after);
    pml_http_reply_deinit(&r);
}

static void nonsense_is_absent(void) {
    pml_http_reply r =
        reply_of("HTTP/1.1 99999999999 x\n:\n: x\nContent-Length: -1\nContent-Length\nX-Linked-Size: 1e9\n"
                 "RateLimit: ;;;=\nRateLimit: \"a\";r=x;t=1\nLink: <x\nLink: x>; rel=next\nLocation:\n"
                 "Content-Encoding: identity\nX-Error-Code: a\tb\n");
    CU_ASSERT_EQUAL(r.status, 0);
    CU_ASSERT_FALSE(r.has_length || r.has_linked_size || r.rate.is_known || r.is_encoded);
    CU_ASSERT_PTR_NULL(r.next_link);
    CU_ASSERT_STRING_EQUAL(r.error_code, "a");
    pml_http_reply_deinit(&r);
    r = reply_of("HTTP/1.1 200 OK\nContent-Encoding: gzip\n");
    CU_ASSERT_TRUE(r.is_encoded);
    pml_http_reply_deinit(&r);
}

/* ---- addresses ---- */
static void redirects(void) {
    static const struct {
        const char *from, *location, *to; /* to NULL: refused */
        bool allow_http;
    } cases[] = {
        {"https://h/a/b?c", "/x?y=1", "https://h/x?y=1", false},
        {"https://h/a/b", "c", "https://h/a/c", false},
        {"https://h/a", "//other/x", "https://other/x", false},
        {"https://h/a", "https://other/x#f", "https://other/x", false},
        {"http://h/a", "http://other/x", "http://other/x", true},
        {"http://h/a", "https://other/x", "https://other/x", true},
        {"https://h/a", "http://other/x", NULL, false},
        {"https://h/a", "http://other/x", NULL, true}, /* once secure, always */
        {"http://h/a", "http://other/x", NULL, false},
        {"https://h/a", "ftp://h/x", NULL, true},
        {"https://h/a", "file:///etc/passwd", NULL, true},
        {"https://h/a", "https://user:pass@h/x", NULL, true},
        {"https://h/a", "https://", NULL, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *to = NULL;
        pml_error error = {0};
        const pml_status status =
            pml_hub_url_redirect(cases[i].from, cases[i].location, cases[i].allow_http, &to, &error);
        CU_ASSERT_EQUAL(status, cases[i].to != NULL ? PML_OK : PML_E_NETWORK);
        if (to != NULL && cases[i].to != NULL) {
            CU_ASSERT_STRING_EQUAL(to, cases[i].to);
        }
        CU_ASSERT_PTR_NULL(strstr(error.message, "pass@"));
        pml_free(to);
    }
}

static void origins(void) {
    CU_ASSERT_TRUE(pml_hub_url_same_origin("https://h/a", "https://H:443/b?c"));
    CU_ASSERT_TRUE(pml_hub_url_same_origin("http://h:80", "http://h/x"));
    static const char *const others[] = {
        "http://h/a", "https://h:444/a",  "https://h.evil/a", "https://evil/h", "https://x.h/a", "ftp://h/a", "",
        "h/a",        "https://h@evil/a", "https://evil#@h/a"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        CU_ASSERT_FALSE(pml_hub_url_same_origin("https://h/a", others[i]));
    }
}

static void encoding(void) {
    char *text = NULL;
    pml_error error = {0};
    PML_ASSERT_OK(pml_hub_url_encode("a/b c%d?e#é~.-_", true, &text, &error), &error);
    CU_ASSERT_STRING_EQUAL(text, "a/b%20c%25d%3Fe%23%C3%A9~.-_");
    pml_free(text);
    PML_ASSERT_OK(pml_hub_url_encode("refs/pr/1", false, &text, &error), &error);
    CU_ASSERT_STRING_EQUAL(text, "refs%2Fpr%2F1");
    pml_free(text);
    char shown[16];
    pml_hub_url_show("https://h/abcdefghijk?signature=secret", shown, sizeof shown);
    CU_ASSERT_STRING_EQUAL(shown, "https://h/abcde");
    pml_hub_url_show("h/?secret", shown, sizeof shown);
    CU_ASSERT_STRING_EQUAL(shown, "h/");
}

PML_TESTS("convert/http_reply", PML_TEST(replies_are_read), PML_TEST(tags), PML_TEST(ranges_are_exact), PML_TEST(waits),
          PML_TEST(nonsense_is_absent), PML_TEST(redirects), PML_TEST(origins), PML_TEST(encoding))
