#include "runtime/train/initializer.h"

#include <math.h>

#include "runtime/ops/parallel.h"

#define COST_NS 40.0 /* of an element */
#define GRAIN 4096u  /* elements */

#define PML_INITIALIZER(name) extern const pml_initializer pml_initializer_##name;
#include "runtime/train/initializers/registry.def"
#undef PML_INITIALIZER

const pml_initializer *const pml_initializers[] = {
#define PML_INITIALIZER(name) &pml_initializer_##name,
#include "runtime/train/initializers/registry.def"
#undef PML_INITIALIZER
    NULL};

const pml_plugin *const pml_initializer_plugins[] = {
#define PML_INITIALIZER(name) &pml_initializer_##name.plugin,
#include "runtime/train/initializers/registry.def"
#undef PML_INITIALIZER
    NULL};

/* ---- targets ---- */
pml_initializer_target pml_initializer_target_matrix(const size_t *shape, unsigned rank) {
    size_t n_matrices = 1;
    const size_t in = shape[rank - 2], out = shape[rank - 1];
    for (unsigned i = 0; i + 2 < rank; i++) {
        n_matrices *= shape[i];
    }
    return (pml_initializer_target){n_matrices, in, out, in, out};
}

pml_initializer_target pml_initializer_target_convolution(size_t n_taps, size_t in, size_t out) {
    return (pml_initializer_target){1, n_taps * in, out, n_taps * in, n_taps * out};
}

pml_initializer_target pml_initializer_target_table(size_t n_rows, size_t width) {
    return (pml_initializer_target){1, n_rows, width, width, n_rows};
}

pml_initializer_target pml_initializer_target_vector(size_t n, size_t fan_in) {
    return (pml_initializer_target){1, 1, n, fan_in, n};
}

/* ---- runs ---- */
pml_status pml_initializer_choose(const char *spec, const pml_initializer **initializer, pml_settings *settings,
                                  pml_error *error) {
    pml_status status = PML_OK;
    size_t i_initializer;
    PML_TRY(pml_plugin_choose("initializer", pml_initializer_plugins, spec, &i_initializer, settings, error));
    *initializer = pml_initializers[i_initializer];
    if ((*initializer)->check != NULL) {
        PML_TRY((*initializer)->check(settings, error));
    }
done:
    return status;
}

typedef struct run {
    const pml_initializer *initializer;
    pml_initializer_part part;
} run;

static void fill_range(void *user, size_t begin, size_t end) {
    const run *r = user;
    pml_initializer_part part = r->part;
    part.begin = begin;
    part.end = end;
    r->initializer->fill(&part);
}

pml_status pml_initializer_run(const pml_initializer *initializer, const pml_settings *settings,
                               const pml_initializer_target *target, uint64_t seed, uint64_t stream, float *values,
                               pml_context *context, pml_error *error) {
    pml_status status = PML_OK;
    const size_t n_each = target->n_rows * target->n_columns, n = target->n_matrices * n_each;
    run r = {initializer, {.settings = settings, .target = target, .seed = seed, .stream = stream, .values = values}};
    if (initializer->needs_fans && (target->fan_in == 0 || target->fan_out == 0)) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "initializer %s: a fan-in of %zu and a fan-out of %zu",
                         initializer->plugin.name, target->fan_in, target->fan_out));
    }
    if (initializer->fill != NULL) {
        pml_context_ranges(context, n, GRAIN, COST_NS * (double)n, fill_range, &r);
    } else {
        for (r.part.begin = 0; r.part.begin < n; r.part.begin += n_each) {
            r.part.end = r.part.begin + n_each;
            PML_TRY(initializer->fill_matrix(&r.part, error));
        }
    }
done:
    return status;
}

/* ---- for initialisers ---- */
void pml_fill_uniform(const pml_initializer_part *part, double low, double high) {
    enum { BLOCK = 256 };
    uint32_t words[BLOCK];
    for (size_t i = part->begin; i < part->end; i += BLOCK) {
        const size_t n = part->end - i < BLOCK ? part->end - i : BLOCK;
        pml_random_words(part->seed, part->stream, i, n, words);
        for (size_t k = 0; k < n; k++) {
            part->values[i + k] = (float)(low + (high - low) * (double)pml_random_unit(words[k]));
        }
    }
}

void pml_fill_normal(const pml_initializer_part *part, double mean, double deviation) {
    for (size_t i = part->begin; i < part->end; i++) {
        part->values[i] = (float)(mean + deviation * pml_random_normal(part->seed, part->stream, i));
    }
}

enum { MODE, NONLINEARITY, SLOPE };
enum { FAN_IN, FAN_OUT };
enum { LEAKY_RELU, RELU, TANH, SELU, LINEAR, SIGMOID };
const pml_plugin_option pml_kaiming_options[] = {
    {"mode", PML_PLUGIN_CHOICE, "fan_in", "fan_in|fan_out", "whether values or gradients keep their variance"},
    {"nonlinearity", PML_PLUGIN_CHOICE, "leaky_relu", "leaky_relu|relu|tanh|selu|linear|sigmoid", "what follows"},
    {"a", PML_PLUGIN_NUMBER, "0", NULL, "slope of leaky_relu below 0"},
    {0}};

double pml_kaiming_deviation(const pml_initializer_part *part) {
    const double nonlinearity = pml_setting(part->settings, NONLINEARITY), a = pml_setting(part->settings, SLOPE);
    const double fan =
        (double)(pml_setting(part->settings, MODE) == FAN_IN ? part->target->fan_in : part->target->fan_out);
    const double gain = nonlinearity == LEAKY_RELU ? sqrt(2 / (1 + a * a))
                        : nonlinearity == RELU     ? sqrt(2)
                        : nonlinearity == TANH     ? 5 / 3.
                        : nonlinearity == SELU     ? 3 / 4.
                                                   : 1;
    return gain / sqrt(fan);
}
