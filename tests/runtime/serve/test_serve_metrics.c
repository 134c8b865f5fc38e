#include "runtime/serve/serve_metrics.h"

#include <string.h>

#include "tests/harness.h"

static void writes_what_was_counted(void) {
    static const char *const routes[] = {"a", "b"};
    pml_serve_metrics *m;
    pml_error error;
    char *text = NULL;
    size_t size_bytes;
    PML_ASSERT_OK(pml_serve_metrics_create(routes, 2, &m, &error), &error);
    pml_serve_metrics_request(m, 1, 200, 0.004);
    pml_serve_metrics_request(m, 1, 200, 1000);
    pml_serve_metrics_request(m, 0, 9999, 0.0005);
    pml_serve_metrics_observe(m, PML_HISTOGRAM_TEXTS, 3);
    pml_serve_metrics_observe(m, PML_HISTOGRAM_TEXTS, 4);
    pml_serve_metrics_observe(m, PML_HISTOGRAM_TEXTS, 1000);
    pml_serve_metrics_count(m, PML_COUNTER_PROMPT_TOKENS, 7);
    FILE *stream = open_memstream(&text, &size_bytes);
    CU_ASSERT_PTR_NOT_NULL_FATAL(stream);
    pml_serve_metrics_write(m, &(pml_serve_gauges){5, 6, 8}, stream);
    (void)fclose(stream);
    static const char *const lines[] = {"pml_requests_total{route=\"b\",status=\"200\"} 2\n",
                                        "pml_requests_total{route=\"a\",status=\"0\"} 1\n",
                                        "pml_request_duration_seconds_bucket{route=\"b\",le=\"0.0025\"} 0\n",
                                        "pml_request_duration_seconds_bucket{route=\"b\",le=\"0.005\"} 1\n",
                                        "pml_request_duration_seconds_bucket{route=\"b\",le=\"300\"} 1\n",
                                        "pml_request_duration_seconds_bucket{route=\"b\",le=\"+Inf\"} 2\n",
                                        "pml_request_duration_seconds_count{route=\"b\"} 2\n",
                                        "pml_batch_texts_bucket{le=\"2\"} 0\n",
                                        "pml_batch_texts_bucket{le=\"4\"} 2\n",
                                        "pml_batch_texts_bucket{le=\"+Inf\"} 3\n",
                                        "pml_batch_texts_sum 1007\n",
                                        "pml_batch_texts_count 3\n",
                                        "# TYPE pml_prompt_tokens_total counter\npml_prompt_tokens_total 7\n",
                                        "pml_queue_depth 5\n",
                                        "pml_connections 6\n",
                                        "pml_memory_bytes 8\n"};
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        CU_ASSERT_PTR_NOT_NULL(strstr(text, lines[i]));
    }
    free(text);
    pml_serve_metrics_destroy(m);
}

static void failing_allocations_are_errors(void) {
    static const char *const routes[] = {"a"};
    for (unsigned long n = 1; n <= 3; n++) {
        pml_serve_metrics *m;
        pml_error error;
        pml_test_fail_allocation(n, false);
        const pml_status status = pml_serve_metrics_create(routes, 1, &m, &error);
        pml_test_fail_allocation(0, false);
        CU_ASSERT_TRUE(status == PML_E_MEMORY && m == NULL);
    }
}

PML_TESTS("runtime/serve/serve_metrics", PML_TEST(writes_what_was_counted), PML_TEST(failing_allocations_are_errors))
