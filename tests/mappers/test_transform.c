#include "mappers/transform.h"

#include <stdio.h>
#include <string.h>

#include "tests/harness.h"
#include "tests/mappers/view_index.h"

#define MAX_ELEMENTS 4096

/* The reference: every step copies all element numbers. */
typedef struct tensor {
    unsigned rank;
    uint64_t shape[PML_MAX_RANK];
    uint64_t count;
    uint64_t elements[MAX_ELEMENTS];
} tensor;

static uint64_t next_random(uint64_t *state) {
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state >> 33;
}

static void reference_permute(tensor *t, const unsigned *order) {
    static tensor before;
    before = *t;
    uint64_t strides[PML_MAX_RANK] = {0};
    uint64_t stride = 1;
    for (unsigned i = t->rank; i-- > 0; stride *= before.shape[i]) {
        strides[i] = stride;
    }
    for (unsigned i = 0; i < t->rank; i++) {
        t->shape[i] = before.shape[order[i]];
    }
    for (uint64_t i = 0; i < t->count; i++) {
        uint64_t rest = i, from = 0;
        for (unsigned j = t->rank; j-- > 0;) {
            from += rest % t->shape[j] * strides[order[j]];
            rest /= t->shape[j];
        }
        t->elements[i] = before.elements[from];
    }
}

static void reference_slice(tensor *t, unsigned i_axis, uint64_t i_part, uint64_t n_parts) {
    static tensor before;
    before = *t;
    uint64_t inner = 1, size = t->shape[i_axis], part = size / n_parts;
    for (unsigned i = i_axis + 1; i < t->rank; i++) {
        inner *= t->shape[i];
    }
    t->shape[i_axis] = part;
    t->count /= n_parts;
    for (uint64_t i = 0; i < t->count; i++) {
        uint64_t outer = i / inner / part, along = i / inner % part, rest = i % inner;
        t->elements[i] = before.elements[(outer * size + i_part * part + along) * inner + rest];
    }
}

static void append(char *steps, size_t steps_bytes, const char *step) {
    size_t used = strlen(steps);
    (void)snprintf(steps + used, steps_bytes - used, "%s%s", used > 0 ? ";" : "", step);
}

/* One random step, written into `text` and done to the reference. */
static void random_step(tensor *t, uint64_t *seed, char *text, size_t text_bytes) {
    unsigned kind = (unsigned)(next_random(seed) % 5);
    text[0] = '\0';
    if (kind == 0 && t->rank >= 2) {
        unsigned order[PML_MAX_RANK];
        for (unsigned i = 0; i < t->rank; i++) {
            order[i] = i + 2 == t->rank ? i + 1 : i + 1 == t->rank ? i - 1 : i;
        }
        reference_permute(t, order);
        (void)snprintf(text, text_bytes, "transpose");
    } else if (kind == 1 && t->rank >= 1) {
        unsigned order[PML_MAX_RANK];
        size_t used = (size_t)snprintf(text, text_bytes, "permute(");
        for (unsigned i = 0; i < t->rank; i++) {
            unsigned j = (unsigned)(next_random(seed) % (i + 1));
            order[i] = order[j];
            order[j] = i;
        }
        for (unsigned i = 0; i < t->rank; i++) {
            used += (size_t)snprintf(text + used, text_bytes - used, "%s%u", i > 0 ? "," : "", order[i]);
        }
        (void)snprintf(text + used, text_bytes - used, ")");
        reference_permute(t, order);
    } else if (kind == 2) {
        unsigned n = 0;
        for (unsigned i = 0; i < t->rank; i++) {
            if (t->shape[i] != 1) {
                t->shape[n++] = t->shape[i];
            }
        }
        t->rank = n;
        (void)snprintf(text, text_bytes, "squeeze");
    } else if (kind == 3) {
        /* A random factorization of the count. */
        static const uint64_t primes[] = {2, 3, 5, 7};
        uint64_t rest = t->count;
        unsigned rank = 1 + (unsigned)(next_random(seed) % 4);
        for (unsigned i = 0; i < rank; i++) {
            t->shape[i] = 1;
        }
        while (rest > 1) {
            for (size_t i = 0; i < 4; i++) {
                if (rest % primes[i] == 0) {
                    t->shape[next_random(seed) % rank] *= primes[i];
                    rest /= primes[i];
                }
            }
        }
        t->rank = rank;
        unsigned i_open = (unsigned)(next_random(seed) % (rank + 1));
        size_t used = (size_t)snprintf(text, text_bytes, "reshape(");
        for (unsigned i = 0; i < rank; i++) {
            long long size = i == i_open ? -1 : (long long)t->shape[i];
            used += (size_t)snprintf(text + used, text_bytes - used, "%s%lld", i > 0 ? ", " : "", size);
        }
        (void)snprintf(text + used, text_bytes - used, ")");
    } else if (t->rank >= 1) {
        unsigned i_axis = (unsigned)(next_random(seed) % t->rank);
        uint64_t n_parts = t->shape[i_axis] % 2 == 0 ? 2 : 1;
        uint64_t i_part = next_random(seed) % n_parts;
        reference_slice(t, i_axis, i_part, n_parts);
        (void)snprintf(text, text_bytes, "slice(%u,%u,%u)", i_axis, (unsigned)i_part, (unsigned)n_parts);
    }
}

/* Rows and columns of a range, in chains with other steps. */
static void narrows(void) {
    const uint64_t shape[] = {1, 6, 4};
    pml_view view;
    pml_error error;
    PML_ASSERT_OK(pml_transform_view("reshape(-1,4);narrow(0,2,3)", shape, 3, &view, &error), &error);
    CU_ASSERT_TRUE(view.rank == 2 && view.shape[0] == 3 && view.shape[1] == 4);
    for (uint64_t i = 0; i < 12; i++) {
        CU_ASSERT_EQUAL(view_source_index(&view, i), 8 + i);
    }
    PML_ASSERT_OK(pml_transform_view("narrow(2,1,2);transpose;narrow(2,5,1)", shape, 3, &view, &error), &error);
    CU_ASSERT_TRUE(view.rank == 3 && view.shape[0] == 1 && view.shape[1] == 2 && view.shape[2] == 1);
    CU_ASSERT_EQUAL(view_source_index(&view, 0), 21);
    CU_ASSERT_EQUAL(view_source_index(&view, 1), 22);
    PML_ASSERT_OK(pml_transform_view("narrow(0,0,1);narrow(1,0,6)", shape, 3, &view, &error), &error);
    CU_ASSERT_EQUAL(view_source_index(&view, 23), 23);
}

/* A chain either gives exactly what copying step by step gives, or says that strides cannot express it. */
static void agrees_with_copying(void) {
    uint64_t seed = 1;
    size_t n_expressed = 0, n_refused = 0;
    for (int round = 0; round < 20000; round++) {
        static tensor t;
        uint64_t shape[PML_MAX_RANK];
        static const uint64_t sizes[] = {1, 2, 3, 4, 6, 5};
        unsigned rank = (unsigned)(next_random(&seed) % 5);
        t.rank = rank;
        t.count = 1;
        for (unsigned i = 0; i < rank; i++) {
            shape[i] = t.shape[i] = sizes[next_random(&seed) % 6];
            t.count *= shape[i];
        }
        for (uint64_t i = 0; i < t.count; i++) {
            t.elements[i] = i;
        }
        char steps[512] = "";
        unsigned n_steps = (unsigned)(next_random(&seed) % 5);
        for (unsigned i = 0; i < n_steps; i++) {
            char step[128];
            random_step(&t, &seed, step, sizeof step);
            if (step[0] != '\0') {
                append(steps, sizeof steps, step);
            }
        }
        pml_view view;
        pml_error error;
        pml_status status = pml_transform_view(steps, shape, rank, &view, &error);
        if (status != PML_OK) {
            CU_ASSERT_EQUAL(status, PML_E_CONFIG);
            CU_ASSERT_PTR_NOT_NULL(strstr(error.message, "cannot be expressed by strides"));
            n_refused++;
            continue;
        }
        n_expressed++;
        bool is_same = view.rank == t.rank && memcmp(view.shape, t.shape, t.rank * sizeof t.shape[0]) == 0;
        uint64_t product = 1;
        for (unsigned i = 0; i < view.n_factors; i++) {
            product *= view.factor_size[i];
            is_same = is_same && view.factor_size[i] > 1;
        }
        is_same = is_same && product == t.count;
        for (uint64_t i = 0; is_same && i < t.count; i++) {
            is_same = view_source_index(&view, i) == t.elements[i];
        }
        if (!is_same) {
            (void)printf("\n    %s differs from copying\n", steps);
        }
        CU_ASSERT_TRUE(is_same);
    }
    CU_ASSERT_TRUE(n_expressed > 15000);
    CU_ASSERT_TRUE(n_refused > 100);
}

/* The head of PatchTST's research code: columns d*N+n become n*D+d, then [in][out]. */
static void permutes_a_head_without_copy(void) {
    enum { S = 3, D = 4, N = 5 };
    const uint64_t shape[] = {S, D * N};
    pml_view view;
    pml_error error;
    PML_ASSERT_OK(pml_transform_view("reshape(3,4,5);permute(0,2,1);reshape(3,-1);transpose", shape, 2, &view, &error),
                  &error);
    CU_ASSERT_EQUAL(view.rank, 2);
    CU_ASSERT_EQUAL(view.shape[0], D * N);
    CU_ASSERT_EQUAL(view.shape[1], S);
    for (uint64_t n = 0; n < N; n++) {
        for (uint64_t d = 0; d < D; d++) {
            for (uint64_t s = 0; s < S; s++) {
                CU_ASSERT_EQUAL(view_source_index(&view, (n * D + d) * S + s), s * D * N + d * N + n);
            }
        }
    }
}

static void marks_stacks(void) {
    const uint64_t shape[] = {2, 3};
    pml_view view;
    pml_error error;
    PML_ASSERT_OK(pml_transform_view("transpose;stack(c)", shape, 2, &view, &error), &error);
    CU_ASSERT_TRUE(view.is_stacked);
    CU_ASSERT_EQUAL(view.shape[0], 3);
    PML_ASSERT_OK(pml_transform_view("stack( 7 ) ; transpose", shape, 2, &view, &error), &error);
    CU_ASSERT_TRUE(view.is_stacked);
    PML_ASSERT_OK(pml_transform_view("", shape, 2, &view, &error), &error);
    CU_ASSERT_FALSE(view.is_stacked);
    CU_ASSERT_EQUAL(view.n_factors, 2);
}

static void refuses_malformed_steps(void) {
    static const char *const malformed[] = {"transposed",
                                            "transpose()",
                                            "transpose;",
                                            ";transpose",
                                            "transpose transpose",
                                            "permute",
                                            "permute()",
                                            "permute(0)",
                                            "permute(0,0)",
                                            "permute(0,2)",
                                            "permute(-1,0)",
                                            "permute(0,1,2)",
                                            "permute(1,0",
                                            "permute(1;0)",
                                            "reshape(0,6)",
                                            "reshape(-1,-1)",
                                            "reshape(4)",
                                            "reshape(-1,4)",
                                            "reshape(-2,3)",
                                            "reshape(a)",
                                            "reshape(c)",
                                            "narrow",
                                            "narrow(0,0)",
                                            "narrow(2,0,1)",
                                            "narrow(0,-1,1)",
                                            "narrow(0,1,2)",
                                            "narrow(0,3,1)",
                                            "narrow(0,0,0)",
                                            "narrow(-1,0,1)",
                                            "narrow(0,9223372036854775807,1)",
                                            "permute(1,0);reshape(6);narrow(0,1,2)",
                                            "slice(0,0)",
                                            "slice(2,0,1)",
                                            "slice(0,2,2)",
                                            "slice(1,0,2)",
                                            "slice(-1,0,1)",
                                            "slice(0,0,0)",
                                            "stack",
                                            "stack()",
                                            "stack(-1)",
                                            "stack(0);stack(1)",
                                            "stack(0,1)",
                                            "stack(d)",
                                            "squeeze(0)",
                                            "SQUEEZE",
                                            "reshape(9999999999999999999)",
                                            "reshape(1,1,1,1,1,1,1,1,6)",
                                            "reshape(1.5)",
                                            "reshape(4294967296,4294967296,-1)",
                                            "slice(0,0,9223372036854775807)",
                                            "cast"};
    const uint64_t shape[] = {2, 3};
    for (size_t i = 0; i < sizeof malformed / sizeof malformed[0]; i++) {
        pml_view view = {.rank = 77};
        pml_error error;
        PML_ASSERT_FAILS(pml_transform_view(malformed[i], shape, 2, &view, &error), PML_E_CONFIG, &error, "transform");
        CU_ASSERT_EQUAL(view.rank, 77); /* untouched */
    }
}

static void refuses_impossible_shapes(void) {
    const uint64_t huge[] = {UINT64_MAX, 2}, empty[] = {0, 3}, scalar[] = {1};
    pml_view view;
    pml_error error;
    PML_ASSERT_FAILS(pml_transform_view("", huge, 2, &view, &error), PML_E_CONFIG, &error, "too large");
    PML_ASSERT_FAILS(pml_transform_view("", empty, 2, &view, &error), PML_E_CONFIG, &error, "empty");
    PML_ASSERT_FAILS(pml_transform_view("transpose", scalar, 1, &view, &error), PML_E_CONFIG, &error, "two axes");
    PML_ASSERT_FAILS(pml_transform_view("", huge, 9, &view, &error), PML_E_CONFIG, &error, "");
    PML_ASSERT_OK(pml_transform_view("squeeze", scalar, 1, &view, &error), &error);
    CU_ASSERT_EQUAL(view.rank, 0);
    PML_ASSERT_OK(pml_transform_view("reshape(1,1)", scalar, 0, &view, &error), &error);
    CU_ASSERT_EQUAL(view.rank, 2);
    CU_ASSERT_EQUAL(view_source_index(&view, 0), 0);
}

PML_TESTS("mappers/transform", PML_TEST(agrees_with_copying), PML_TEST(narrows), PML_TEST(permutes_a_head_without_copy),
          PML_TEST(marks_stacks), PML_TEST(refuses_malformed_steps), PML_TEST(refuses_impossible_shapes))
