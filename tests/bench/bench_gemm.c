/* Times every kernel of matrix products over sizes of real models and prints CSV: one line per kernel and size, with
 * the fraction of what the core can do at most, measured in the same turns.
 *
 *     bench_gemm [-o OP,..] [-i ISA,..] [-m M,..] [-n N,..] [-k K,..] [-s MILLISECONDS]
 *
 * Columns: op, isa, m, n, k, us (least time of a call), gop_per_s (2 m n k per call), peak_gop_per_s (registers only),
 * fraction, weight_gb_per_s (bytes of weights and scales per call), read_gb_per_s (the fastest loop
 * that reads as many bytes from the same caches), read_fraction. Weights are those of the call before: they come from
 * the greatest cache that holds them. Rows of I8 products are quantized before. -s: least time spent per line. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/alloc.h"
#include "runtime/kernels/kernels.h"
#include "tests/bench/peak.h"

enum { MOST_SIZES = 16, LEAST_ROUNDS = 5 };
#define ROUND_S 0.0005

typedef struct sizes {
    size_t count, values[MOST_SIZES];
} sizes;

/* A form of weights, and the kernels that take it. */
typedef struct form {
    const char *name; /* printed; the kernel's op up to the size of a group */
    const char *op;
    const char *dtype;
    double bits; /* of storage per weight */
    size_t group_rows;
} form;
static const form forms[] = {
    {"matmul_panel_f32", "matmul_panel_f32", "f32", 32, 0},
    {"matmul_panel_bf16", "matmul_panel_bf16", "bf16", 16, 0},
    {"matmul_panel_i8", "matmul_panel_i8", "i8", 8, 0},
    {"matmul_panel_i8g64", "matmul_panel_i8g", "i8", 8 * 68.0 / 64, 64},
    {"matmul_panel_i8g32", "matmul_panel_i8g", "i8", 8 * 36.0 / 32, 32},
};

typedef struct operands {
    float *x, *y, *bias, *scales, *x_scales;
    uint8_t *x_i8;
    void *w, *sums;
    size_t w_bytes;
} operands;

static void *take(size_t size_bytes) {
    void *made = NULL;
    if (pml_alloc_aligned(size_bytes, &made, NULL) != PML_OK) {
        (void)fprintf(stderr, "bench_gemm: out of memory\n");
        exit(1);
    }
    memset(made, 0, size_bytes);
    return made;
}

/* Values do not matter to the time as long as they are ordinary numbers: 1 in each dtype. */
static operands make_operands(size_t m, size_t n, size_t k) {
    operands o = {.w_bytes = (n + 15) * (k + 3) * sizeof(float)};
    o.x = take(m * k * sizeof(float));
    o.y = take(m * n * sizeof(float));
    o.bias = take(n * sizeof(float));
    o.w = take(o.w_bytes);
    o.sums = take((n + 15) * (k / 32 + 1) * sizeof(int32_t));
    o.scales = take((n + 15) * (k / 32 + 1) * sizeof(float));
    o.x_scales = take(m * (k / 32 + 1) * sizeof(float));
    o.x_i8 = take(m * (k + 67));
    for (size_t i = 0; i < m * k; i++) {
        o.x[i] = 1.0f;
    }
    memset(o.x_i8, 129, m * (k + 67));
    return o;
}

static void free_operands(operands *o) {
    void *all[] = {o->x, o->y, o->bias, o->w, o->sums, o->scales, o->x_scales, o->x_i8};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        pml_free(all[i]);
    }
}

static void fill_weights(const operands *o, const form *f) {
    if (strcmp(f->dtype, "f32") == 0) {
        for (size_t i = 0; i < o->w_bytes / sizeof(float); i++) {
            ((float *)o->w)[i] = 1.0f;
        }
    } else if (strcmp(f->dtype, "bf16") == 0) {
        for (size_t i = 0; i < o->w_bytes / sizeof(uint16_t); i++) {
            ((uint16_t *)o->w)[i] = 0x3f80;
        }
    } else {
        memset(o->w, 1, o->w_bytes);
    }
}

static void call(const form *f, const pml_kernel_variant *variant, const operands *o, size_t m, size_t n, size_t k) {
    if (strcmp(f->dtype, "i8") != 0) {
        ((pml_matmul_fn *)variant->code)(&(pml_matmul){
            .m = m, .k = k, .n = n, .x = o->x, .x_stride = k, .w = o->w, .y = o->y, .y_stride = n, .bias = o->bias});
        return;
    }
    ((pml_matmul_i8_fn *)variant->code)(&(pml_matmul_i8){.m = m,
                                                         .k = k,
                                                         .n = n,
                                                         .x = o->x_i8,
                                                         .x_stride = (k + 3) / 4 * 4 + 64,
                                                         .x_scales = o->x_scales,
                                                         .w = o->w,
                                                         .w_scales = o->scales,
                                                         .w_sums = o->sums,
                                                         .group_rows = f->group_rows,
                                                         .scale_factor = 1.0f,
                                                         .y = o->y,
                                                         .y_stride = n,
                                                         .bias = o->bias});
}

static const peak *find_peak(const form *f, const char *isa) {
    const peak *p = peaks;
    while (p->loop != NULL && (strcmp(p->dtype, f->dtype) != 0 || strcmp(p->isa, isa) != 0)) {
        p++;
    }
    return p->loop == NULL ? NULL : p;
}

/* One line: turns of the kernel, the peak loop and the read loop alternate; the best of each counts. */
static void bench(const form *f, const pml_kernel_variant *variant, size_t m, size_t n, size_t k, double least_s) {
    operands o = make_operands(m, n, k);
    fill_weights(&o, f);
    const peak *limit = find_peak(f, variant->isa);
    const size_t read_bytes = (size_t)((double)(n * k) * f->bits / 8);
    double call_s = 1e30, read_s = 1e30, peak_rate = 0;
    call(f, variant, &o, m, n, k);
    const double begin = now_s();
    for (int round = 0; round < LEAST_ROUNDS || now_s() - begin < least_s; round++) {
        double start = now_s(), end = start;
        for (size_t calls = 0; end - start < ROUND_S; calls++) {
            const double before = end;
            call(f, variant, &o, m, n, k);
            end = now_s();
            call_s = end - before < call_s ? end - before : call_s;
        }
        for (size_t i = 0; i < PEAK_READ_LOOPS; i++) {
            (void)peak_read_s(i, o.w, read_bytes);
            const double one_s = peak_read_s(i, o.w, read_bytes);
            read_s = one_s < read_s ? one_s : read_s;
        }
        if (limit != NULL) {
            const double rate = peak_measure(limit);
            peak_rate = rate > peak_rate ? rate : peak_rate;
        }
    }
    const double rate = 2.0 * (double)m * (double)n * (double)k / call_s * 1e-9;
    const double bytes_rate = (double)read_bytes / call_s * 1e-9, read_rate = (double)read_bytes / read_s * 1e-9;
    (void)printf("%s,%s,%zu,%zu,%zu,%.2f,%.1f,", f->name, variant->isa, m, n, k, call_s * 1e6, rate);
    if (limit != NULL) {
        (void)printf("%.1f,%.3f,", peak_rate, rate / peak_rate);
    } else {
        (void)printf(",,");
    }
    (void)printf("%.2f,%.2f,%.3f\n", bytes_rate, read_rate, bytes_rate / read_rate);
    (void)fflush(stdout);
    free_operands(&o);
}

static sizes read_sizes(const char *text) {
    sizes s = {0};
    while (s.count < MOST_SIZES) {
        char *end;
        s.values[s.count++] = strtoul(text, &end, 10);
        if (end == text || s.values[s.count - 1] == 0 || s.values[s.count - 1] > 65536) {
            (void)fprintf(stderr, "bench_gemm: no list of sizes: %s\n", text);
            exit(2);
        }
        if (*end != ',') {
            break;
        }
        text = end + 1;
    }
    return s;
}

/* Whether a comma list names `word`; NULL names all. */
static bool names(const char *list, const char *word) {
    const size_t length = strlen(word);
    for (const char *p = list; p != NULL && *p != '\0'; p += *p == ',') {
        const size_t n = strcspn(p, ",");
        if (n == length && memcmp(p, word, n) == 0) {
            return true;
        }
        p += n;
    }
    return list == NULL;
}

int main(int argc, char **argv) {
    const char *ops = NULL, *isas = NULL;
    sizes m = read_sizes("1,4,16,128"), n = read_sizes("384,768,1536,3072"), k = n;
    double least_s = 0.02;
    int option;
    while ((option = getopt(argc, argv, "o:i:m:n:k:s:")) != -1) {
        switch (option) {
        case 'o':
            ops = optarg;
            break;
        case 'i':
            isas = optarg;
            break;
        case 'm':
            m = read_sizes(optarg);
            break;
        case 'n':
            n = read_sizes(optarg);
            break;
        case 'k':
            k = read_sizes(optarg);
            break;
        case 's':
            least_s = strtod(optarg, NULL) * 1e-3;
            break;
        default:
            return 2;
        }
    }
    (void)puts("op,isa,m,n,k,us,gop_per_s,peak_gop_per_s,fraction,weight_gb_per_s,read_gb_per_s,read_fraction");
    const uint32_t available = pml_isa_detect();
    for (size_t i = 0; i < m.count * n.count * k.count; i++) {
        for (size_t i_form = 0; i_form < sizeof forms / sizeof forms[0]; i_form++) {
            const form *f = &forms[i_form];
            for (const pml_kernel_variant *v = pml_kernel_variants; v->op != NULL; v++) {
                if (strcmp(v->op, f->op) == 0 && (v->needs & available) == v->needs && names(ops, f->name) &&
                    (isas == NULL ? strcmp(v->isa, "scalar") != 0 : names(isas, v->isa))) {
                    bench(f, v, m.values[i / (n.count * k.count)], n.values[i / k.count % n.count],
                          k.values[i % k.count], least_s);
                }
            }
        }
    }
    return 0;
}
