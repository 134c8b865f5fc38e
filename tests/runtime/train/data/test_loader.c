#include "runtime/train/data/loader.h"

#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/train/data/array_data.h"
#include "tests/harness.h"

enum { N = 23, MOST = 64 };

/* Samples 0 .. N-1, each with its number, twice it as I64, and three values. */
static pml_dataset *numbers(void) {
    static float x[N], triples[N][3];
    static int64_t labels[N];
    for (size_t i = 0; i < N; i++) {
        x[i] = (float)i;
        labels[i] = 2 * (int64_t)i;
        for (size_t j = 0; j < 3; j++) {
            triples[i][j] = (float)(100 * i + j);
        }
    }
    const pml_data_array arrays[] = {{.name = "x", .dtype = PML_DTYPE_F32, .data = x},
                                     {.name = "labels", .dtype = PML_DTYPE_I64, .data = labels},
                                     {"triples", PML_DTYPE_F32, triples, 1, {3}}};
    pml_dataset *dataset = NULL;
    pml_error error = {0};
    PML_ASSERT_OK(pml_array_data_create(arrays, 3, N, &dataset, &error), &error);
    return dataset;
}

/* Ragged: sample i has 1 + i % 5 tokens, each 10 i + its place, and the epoch as its target. */
static pml_status fetch_ragged(const pml_dataset *dataset, size_t i_sample, const pml_data_key *key,
                               void *const *values, size_t *length, pml_error *error) {
    float *ids = values[0];
    int64_t *targets = values[1];
    if (dataset->digest == i_sample) {
        return PML_FAIL(error, PML_E_FORMAT, "sample %zu is spoilt", i_sample);
    }
    *length = 1 + i_sample % 5;
    for (size_t t = 0; t < *length; t++) {
        ids[t] = (float)(10 * i_sample + t);
        targets[t] = (int64_t)(1000 * key->seed + key->epoch);
    }
    return PML_OK;
}

static void destroy_ragged(pml_dataset *dataset) {
    (void)dataset;
}

static pml_dataset ragged(void) {
    static const pml_dataset_type type = {fetch_ragged, destroy_ragged};
    static uint32_t classes[N];
    for (uint32_t i = 0; i < N; i++) {
        classes[i] = i % 3;
    }
    return (pml_dataset){.type = &type,
                         .n_samples = N,
                         .n_fields = 2,
                         .fields = {{"ids", PML_DTYPE_F32, 1, {5}, true, -7}, {"t", PML_DTYPE_I64, 1, {5}, true, -100}},
                         .classes = classes,
                         .n_classes = 3,
                         .digest = UINT64_MAX};
}

static pml_loader *open_loader(const pml_dataset *dataset, const pml_loader_options *options) {
    pml_loader *loader = NULL;
    pml_error error = {0};
    PML_ASSERT_OK(pml_loader_create(dataset, options, &loader, &error), &error);
    return loader;
}

/* Appends one epoch's sample numbers as they come; returns how many batches. Checks that fields are the samples'. */
static size_t read_epoch(pml_loader *loader, size_t *samples, size_t *n_samples) {
    size_t n_batches = 0;
    pml_error error = {0};
    for (;;) {
        const pml_batch *batch = NULL;
        PML_ASSERT_OK(pml_loader_next(loader, &batch, &error), &error);
        if (batch == NULL) {
            return n_batches;
        }
        n_batches++;
        const pml_batch_field *x = pml_batch_find(batch, "x"), *labels = pml_batch_find(batch, "labels");
        const pml_batch_field *triples = pml_batch_find(batch, "triples");
        CU_ASSERT_TRUE(x->rank == 1 && x->shape[0] == batch->n_samples && batch->lengths == NULL);
        CU_ASSERT_TRUE(triples->rank == 2 && triples->shape[0] == batch->n_samples && triples->shape[1] == 3);
        for (size_t i = 0; i < batch->n_samples && *n_samples < MOST; i++) {
            const size_t sample = batch->samples[i];
            CU_ASSERT_EQUAL(((const float *)x->data)[i], (float)sample);
            CU_ASSERT_EQUAL(((const int64_t *)labels->data)[i], 2 * (int64_t)sample);
            CU_ASSERT_EQUAL(((const float *)triples->data)[3 * i + 2], (float)(100 * sample + 2));
            samples[(*n_samples)++] = sample;
        }
    }
}

static void as_they_stand(void) {
    pml_dataset *dataset = numbers();
    for (size_t n_prefetch = 0; n_prefetch < 4; n_prefetch++) {
        for (int drop = 0; drop < 2; drop++) {
            pml_loader *loader = open_loader(
                dataset, &(pml_loader_options){.batch_size = 5, .drop_last = drop, .n_prefetch = n_prefetch});
            CU_ASSERT_EQUAL(pml_loader_n_batches(loader), drop ? 4 : 5);
            for (int epoch = 0; epoch < 2; epoch++) {
                size_t samples[MOST], n_samples = 0;
                CU_ASSERT_EQUAL(read_epoch(loader, samples, &n_samples), drop ? 4 : 5);
                CU_ASSERT_EQUAL(n_samples, drop ? 20 : N);
                for (size_t i = 0; i < n_samples; i++) {
                    CU_ASSERT_EQUAL(samples[i], i);
                }
            }
            pml_loader_destroy(loader);
        }
    }
    pml_dataset_destroy(dataset);
}

static void a_shuffle_is_a_permutation_of_its_seed_and_epoch(void) {
    pml_dataset *dataset = numbers();
    size_t orders[2][3][MOST];
    for (uint64_t seed = 0; seed < 2; seed++) {
        pml_loader *loader =
            open_loader(dataset, &(pml_loader_options){.batch_size = 4, .shuffle = true, .seed = seed});
        for (size_t epoch = 0; epoch < 3; epoch++) {
            size_t n_samples = 0;
            bool seen[N] = {false};
            (void)read_epoch(loader, orders[seed][epoch], &n_samples);
            CU_ASSERT_EQUAL(n_samples, N);
            for (size_t i = 0; i < N; i++) {
                CU_ASSERT_FALSE(seen[orders[seed][epoch][i]]);
                seen[orders[seed][epoch][i]] = true;
            }
        }
        pml_loader_destroy(loader);
    }
    const size_t size = N * sizeof(size_t);
    CU_ASSERT_NOT_EQUAL(memcmp(orders[0][0], orders[0][1], size), 0);
    CU_ASSERT_NOT_EQUAL(memcmp(orders[0][1], orders[0][2], size), 0);
    CU_ASSERT_NOT_EQUAL(memcmp(orders[0][0], orders[1][0], size), 0);
    pml_dataset_destroy(dataset);
}

/* N ranks with batches of B and one with N B see the same, for full batches and for the rest. */
static void ranks_share_every_batch(void) {
    pml_dataset *dataset = numbers();
    for (size_t n_ranks = 1; n_ranks <= 4; n_ranks++) {
        for (size_t size = 1; size <= 3; size++) {
            pml_loader *ranks[4], *one;
            pml_loader_options options = {.batch_size = size, .shuffle = true, .seed = 3, .n_ranks = n_ranks};
            for (size_t r = 0; r < n_ranks; r++) {
                options.i_rank = r;
                options.n_prefetch = r;
                ranks[r] = open_loader(dataset, &options);
            }
            one = open_loader(dataset, &(pml_loader_options){.batch_size = size * n_ranks, .shuffle = true, .seed = 3});
            size_t n_seen = 0;
            for (;;) {
                const pml_batch *whole = NULL;
                pml_error error = {0};
                PML_ASSERT_OK(pml_loader_next(one, &whole, &error), &error);
                size_t n_shared = 0;
                for (size_t r = 0; r < n_ranks; r++) {
                    const pml_batch *part = NULL;
                    PML_ASSERT_OK(pml_loader_next(ranks[r], &part, &error), &error);
                    CU_ASSERT_EQUAL(part == NULL, whole == NULL);
                    for (size_t i = 0; part != NULL && whole != NULL && i < part->n_samples; i++) {
                        CU_ASSERT_EQUAL(part->samples[i], whole->samples[n_shared++]);
                    }
                    CU_ASSERT_TRUE(part == NULL || (part->n_all == whole->n_samples && part->n_samples <= size));
                    const pml_loader_position here = pml_loader_tell(ranks[r]), there = pml_loader_tell(one);
                    CU_ASSERT_TRUE(here.epoch == there.epoch && here.i_draw == there.i_draw);
                }
                if (whole == NULL) {
                    break;
                }
                CU_ASSERT_EQUAL(n_shared, whole->n_samples);
                n_seen += n_shared;
            }
            CU_ASSERT_EQUAL(n_seen, N);
            for (size_t r = 0; r < n_ranks; r++) {
                pml_loader_destroy(ranks[r]);
            }
            pml_loader_destroy(one);
        }
    }
    pml_dataset_destroy(dataset);
}

/* Whole batches, bytes and all, as one string. */
static size_t dump(pml_loader *loader, size_t n_calls, char *bytes, size_t capacity) {
    size_t used = 0;
    for (size_t n = 0; n < n_calls; n++) {
        const pml_batch *batch = NULL;
        pml_error error = {0};
        PML_ASSERT_OK(pml_loader_next(loader, &batch, &error), &error);
        if (batch == NULL) {
            bytes[used++] = 'E';
            continue;
        }
        for (size_t f = 0; f < batch->n_fields; f++) {
            const pml_batch_field *field = &batch->fields[f];
            size_t size_bytes = pml_dtype_bits(field->dtype) / 8;
            for (size_t axis = 0; axis < field->rank; axis++) {
                bytes[used++] = (char)field->shape[axis];
                size_bytes *= field->shape[axis];
            }
            CU_ASSERT_FATAL(used + size_bytes < capacity);
            memcpy(bytes + used, field->data, size_bytes);
            used += size_bytes;
        }
    }
    return used;
}

static void a_resumed_loader_gives_the_same_bits(void) {
    static char whole[65536], again[65536];
    pml_dataset dataset = ragged();
    pml_error error = {0};
    pml_loader_options options = {.batch_size = 4, .shuffle = true, .seed = 11};
    for (size_t n_prefetch = 0; n_prefetch < 3; n_prefetch++) {
        options.n_prefetch = n_prefetch;
        for (size_t n_before = 0; n_before < 15; n_before++) { /* two epochs of 6 batches, and their ends */
            pml_loader *first = open_loader(&dataset, &options), *second = open_loader(&dataset, &options);
            (void)dump(first, n_before, whole, sizeof whole);
            const pml_loader_position position = pml_loader_tell(first);
            (void)dump(second, 1, again, sizeof again); /* it has been elsewhere */
            PML_ASSERT_OK(pml_loader_seek(second, position, &error), &error);
            const size_t n = dump(first, 9, whole, sizeof whole);
            CU_ASSERT_TRUE(dump(second, 9, again, sizeof again) == n && memcmp(whole, again, n) == 0);
            pml_loader_destroy(first);
            pml_loader_destroy(second);
        }
    }
    pml_loader *loader = open_loader(&dataset, &options);
    PML_ASSERT_OK(pml_loader_seek(loader, (pml_loader_position){7, N}, &error), &error);
    const pml_batch *batch = NULL;
    PML_ASSERT_OK(pml_loader_next(loader, &batch, &error), &error);
    CU_ASSERT_PTR_NULL(batch);
    PML_ASSERT_OK(pml_loader_next(loader, &batch, &error), &error);
    CU_ASSERT_TRUE(batch != NULL && batch->epoch == 8 && batch->i_first == 0);
    PML_ASSERT_FAILS(pml_loader_seek(loader, (pml_loader_position){0, N + 1}, &error), PML_E_ARGUMENT, &error,
                     "no sample 24");
    pml_loader_destroy(loader);
}

static void a_thread_changes_nothing(void) {
    static char plain[65536], ahead[65536];
    pml_dataset dataset = ragged();
    pml_loader_options options = {.batch_size = 3, .shuffle = true, .seed = 5};
    pml_loader *loader = open_loader(&dataset, &options);
    const size_t n = dump(loader, 40, plain, sizeof plain);
    pml_loader_destroy(loader);
    for (size_t n_prefetch = 1; n_prefetch < 6; n_prefetch++) {
        options.n_prefetch = n_prefetch;
        loader = open_loader(&dataset, &options);
        CU_ASSERT_TRUE(dump(loader, 40, ahead, sizeof ahead) == n && memcmp(plain, ahead, n) == 0);
        pml_loader_destroy(loader);
    }
}

/* Destroyed at once, and with a full queue that nobody empties. */
static void a_thread_ends_when_it_is_told(void) {
    pml_dataset dataset = ragged();
    for (size_t n_calls = 0; n_calls < 50; n_calls++) {
        static char bytes[65536];
        pml_loader *loader =
            open_loader(&dataset, &(pml_loader_options){.batch_size = 2, .n_prefetch = 1 + n_calls % 4});
        (void)dump(loader, n_calls % 5, bytes, sizeof bytes);
        pml_loader_destroy(loader);
    }
    pml_loader_destroy(NULL);
}

static void ragged_samples_are_filled_up_to_the_longest(void) {
    pml_dataset dataset = ragged();
    pml_loader *loader = open_loader(&dataset, &(pml_loader_options){.batch_size = 4, .seed = 2});
    pml_error error = {0};
    const pml_batch *batch = NULL;
    PML_ASSERT_OK(pml_loader_seek(loader, (pml_loader_position){9, 4}, &error), &error);
    PML_ASSERT_OK(pml_loader_next(loader, &batch, &error), &error); /* samples 4 to 7: 5, 1, 2 and 3 tokens */
    CU_ASSERT_FATAL(batch != NULL && batch->n_samples == 4);
    static const float ids[4][5] = {
        {40, 41, 42, 43, 44}, {50, -7, -7, -7, -7}, {60, 61, -7, -7, -7}, {70, 71, 72, -7, -7}};
    const pml_batch_field *field = pml_batch_find(batch, "ids");
    CU_ASSERT_TRUE(field->rank == 2 && field->shape[0] == 4 && field->shape[1] == 5);
    CU_ASSERT_EQUAL(memcmp(field->data, ids, sizeof ids), 0);
    const int64_t *targets = pml_batch_find(batch, "t")->data;
    CU_ASSERT_TRUE(targets[0] == 2009 && targets[5] == 2009 && targets[6] == -100);
    CU_ASSERT_TRUE(batch->lengths[1] == 1 && batch->lengths[3] == 3);
    CU_ASSERT_PTR_NULL(pml_batch_find(batch, "none"));
    PML_ASSERT_OK(pml_loader_seek(loader, (pml_loader_position){0, 21}, &error), &error);
    PML_ASSERT_OK(pml_loader_next(loader, &batch, &error), &error); /* samples 21 and 22: 2 and 3 tokens */
    CU_ASSERT_TRUE(batch->n_samples == 2 && batch->fields[0].shape[1] == 3);
    static const float short_ids[2][3] = {{210, 211, -7}, {220, 221, 222}};
    CU_ASSERT_EQUAL(memcmp(batch->fields[0].data, short_ids, sizeof short_ids), 0);
    pml_loader_destroy(loader);
}

/* A sample of weight w of a sum W comes n w / W times; one of weight 0 never. */
static void weights_say_how_often_a_sample_comes(void) {
    pml_dataset dataset = ragged();
    double weights[N] = {0};
    weights[3] = 1;
    weights[8] = 3;
    size_t counts[N] = {0};
    const pml_loader_options options = {.batch_size = 100, .weights = weights, .n_draws = 10000, .seed = 1};
    pml_loader *loader = open_loader(&dataset, &options);
    CU_ASSERT_EQUAL(pml_loader_n_batches(loader), 100);
    size_t first[2][100];
    for (int epoch = 0; epoch < 2; epoch++) {
        const pml_batch *batch = NULL;
        pml_error error = {0};
        for (;;) {
            PML_ASSERT_OK(pml_loader_next(loader, &batch, &error), &error);
            if (batch == NULL) {
                break;
            }
            if (batch->i_first == 0) {
                memcpy(first[epoch], batch->samples, sizeof first[epoch]);
            }
            for (size_t i = 0; i < batch->n_samples; i++) {
                counts[batch->samples[i]]++;
            }
        }
    }
    CU_ASSERT_EQUAL(counts[3] + counts[8], 20000);
    CU_ASSERT_TRUE(counts[3] > 4700 && counts[3] < 5300); /* deviation 61 */
    CU_ASSERT_NOT_EQUAL(memcmp(first[0], first[1], sizeof first[0]), 0);
    pml_loader_destroy(loader);
    static const double class_weights[] = {0, 0, 2};
    loader = open_loader(&dataset,
                         &(pml_loader_options){.batch_size = N, .class_weights = class_weights, .n_class_weights = 3});
    const pml_batch *batch = NULL;
    pml_error error = {0};
    PML_ASSERT_OK(pml_loader_next(loader, &batch, &error), &error);
    CU_ASSERT_EQUAL_FATAL(batch->n_samples, N);
    for (size_t i = 0; i < N; i++) {
        CU_ASSERT_EQUAL(batch->samples[i] % 3, 2);
    }
    pml_loader_destroy(loader);
}

static void what_cannot_be_is_an_error(void) {
    pml_dataset dataset = ragged();
    double zeros[N] = {0}, negative[N] = {1, -1};
    static const double class_weights[] = {1, 1};
    const struct {
        pml_loader_options options;
        const char *part;
    } rows[] = {{{.batch_size = 0}, "at least 1"},
                {{.batch_size = 1, .i_rank = 2, .n_ranks = 2}, "rank 2 of 2"},
                {{.batch_size = 1, .i_rank = 1}, "rank 1 of 1"},
                {{.batch_size = SIZE_MAX, .n_ranks = 2}, "2 x 1844"},
                {{.batch_size = SIZE_MAX / 8}, "too large"},
                {{.batch_size = N + 1, .drop_last = true}, "fewer samples (23) than a batch (24)"},
                {{.batch_size = 6, .n_ranks = 4, .drop_last = true}, "fewer samples"},
                {{.batch_size = 1, .n_prefetch = PML_MAX_PREFETCH + 1}, "ahead"},
                {{.batch_size = 1, .n_draws = 4}, "goes with weights"},
                {{.batch_size = 1, .weights = zeros}, "add up to 0"},
                {{.batch_size = 1, .weights = negative}, "the weight of sample 1 is -1"},
                {{.batch_size = 1, .class_weights = class_weights, .n_class_weights = 2}, "2 weights of 3 classes"},
                {{.batch_size = 1, .weights = zeros, .class_weights = class_weights, .n_class_weights = 3},
                 "exclude each other"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        pml_loader *loader = NULL;
        pml_error error = {0};
        PML_ASSERT_FAILS(pml_loader_create(&dataset, &rows[i].options, &loader, &error), PML_E_ARGUMENT, &error,
                         rows[i].part);
        CU_ASSERT_PTR_NULL(loader);
    }
    dataset.n_samples = 0;
    pml_loader *loader = NULL;
    pml_error error = {0};
    PML_ASSERT_FAILS(pml_loader_create(&dataset, &(pml_loader_options){.batch_size = 1}, &loader, &error),
                     PML_E_ARGUMENT, &error, "no samples");
}

/* A sample that cannot be had stops the loader where it is, again and again, until it can. */
static void a_spoilt_sample_is_an_error_at_its_batch(void) {
    for (size_t n_prefetch = 0; n_prefetch < 4; n_prefetch++) {
        pml_dataset dataset = ragged();
        dataset.digest = 9;
        pml_loader *loader = open_loader(&dataset, &(pml_loader_options){.batch_size = 4, .n_prefetch = n_prefetch});
        const pml_batch *batch = NULL;
        pml_error error = {0};
        PML_ASSERT_OK(pml_loader_next(loader, &batch, &error), &error);
        PML_ASSERT_OK(pml_loader_next(loader, &batch, &error), &error);
        for (int i = 0; i < 2; i++) {
            PML_ASSERT_FAILS(pml_loader_next(loader, &batch, &error), PML_E_FORMAT, &error, "sample 9 is spoilt");
            CU_ASSERT_PTR_NULL(batch);
            CU_ASSERT_EQUAL(pml_loader_tell(loader).i_draw, 8);
        }
        dataset.digest = UINT64_MAX;
        PML_ASSERT_OK(pml_loader_next(loader, &batch, &error), &error);
        CU_ASSERT_TRUE(batch != NULL && batch->samples[1] == 9);
        pml_loader_destroy(loader);
    }
}

static void after_the_first_step_nothing_is_allocated(void) {
    static char bytes[65536];
    pml_dataset dataset = ragged();
    pml_loader *loader = open_loader(&dataset, &(pml_loader_options){.batch_size = 4, .shuffle = true});
    const uint64_t before = pml_allocation_count();
    (void)dump(loader, 20, bytes, sizeof bytes);
    CU_ASSERT_EQUAL(pml_allocation_count(), before);
    pml_loader_destroy(loader);
}

static void memory_may_run_out_anywhere(void) {
    pml_dataset dataset = ragged();
    const pml_loader_options options = {.batch_size = 4, .shuffle = true, .n_prefetch = 2};
    for (unsigned long n = 1;; n++) {
        pml_loader *loader = NULL;
        pml_error error = {0};
        pml_test_fail_allocation(n, false);
        const pml_status status = pml_loader_create(&dataset, &options, &loader, &error);
        pml_test_fail_allocation(0, false);
        if (status == PML_OK) {
            CU_ASSERT_TRUE(n > 3);
            pml_loader_destroy(loader);
            break;
        }
        CU_ASSERT_EQUAL(status, PML_E_MEMORY);
        CU_ASSERT_PTR_NULL(loader);
    }
}

PML_TESTS("runtime/train/data/loader", PML_TEST(as_they_stand),
          PML_TEST(a_shuffle_is_a_permutation_of_its_seed_and_epoch), PML_TEST(ranks_share_every_batch),
          PML_TEST(a_resumed_loader_gives_the_same_bits), PML_TEST(a_thread_changes_nothing),
          PML_TEST(a_thread_ends_when_it_is_told), PML_TEST(ragged_samples_are_filled_up_to_the_longest),
          PML_TEST(weights_say_how_often_a_sample_comes), PML_TEST(what_cannot_be_is_an_error),
          PML_TEST(a_spoilt_sample_is_an_error_at_its_batch), PML_TEST(after_the_first_step_nothing_is_allocated),
          PML_TEST(memory_may_run_out_anywhere))
