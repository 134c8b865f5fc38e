/* Five objectives with known minima, searched: lines of "function,sampler,seed,regret", the regret being the best value
 * found above the minimum. `values` prints each function at a few points, for whoever has them in another language.
 *
 *     bench_tune SAMPLER[:SETTING=VALUE,...] SEEDS TRIALS [FUNCTION]
 *     bench_tune values */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/tune/study.h"

typedef struct source { /* of parameters: a trial, or fixed values one after the other */
    pml_study *study;
    const pml_trial *trial;
    const double *fixed;
} source;

static void check(pml_status status, const pml_error *error) {
    if (status != PML_OK) {
        (void)fprintf(stderr, "bench_tune: %s\n", error->message);
        exit(1);
    }
}

static double number(source *s, const char *name, double low, double high, bool log) {
    pml_error error;
    double value = 0;
    if (s->fixed != NULL) {
        return *s->fixed++;
    }
    check(pml_study_suggest_float(s->study, s->trial, name, low, high, 0, log, &value, &error), &error);
    return value;
}

static int64_t whole(source *s, const char *name, int64_t low, int64_t high, bool log) {
    pml_error error;
    int64_t value = 0;
    if (s->fixed != NULL) {
        return (int64_t)*s->fixed++;
    }
    check(pml_study_suggest_int(s->study, s->trial, name, low, high, 1, log, &value, &error), &error);
    return value;
}

static size_t choice(source *s, const char *name, const char *const *choices, size_t n) {
    pml_error error;
    size_t value = 0;
    if (s->fixed != NULL) {
        return (size_t)*s->fixed++;
    }
    check(pml_study_suggest_choice(s->study, s->trial, name, choices, n, &value, &error), &error);
    return value;
}

static double branin(source *s) {
    const double x = number(s, "x", -5, 10, false), y = number(s, "y", 0, 15, false);
    const double t = y - 5.1 / (4 * M_PI * M_PI) * x * x + 5 / M_PI * x - 6;
    return t * t + 10 * (1 - 1 / (8 * M_PI)) * cos(x) + 10;
}

static double hartmann6(source *s) {
    static const double a[4][6] = {
        {10, 3, 17, 3.5, 1.7, 8}, {0.05, 10, 17, 0.1, 8, 14}, {3, 3.5, 1.7, 10, 17, 8}, {17, 8, 0.05, 10, 0.1, 14}};
    static const double p[4][6] = {{0.1312, 0.1696, 0.5569, 0.0124, 0.8283, 0.5886},
                                   {0.2329, 0.4135, 0.8307, 0.3736, 0.1004, 0.9991},
                                   {0.2348, 0.1451, 0.3522, 0.2883, 0.3047, 0.6650},
                                   {0.4047, 0.8828, 0.8732, 0.5743, 0.1091, 0.0381}};
    static const double c[4] = {1, 1.2, 3, 3.2};
    double x[6], sum = 0;
    for (int j = 0; j < 6; j++) {
        const char name[3] = {'x', (char)('0' + j), '\0'};
        x[j] = number(s, name, 0, 1, false);
    }
    for (int i = 0; i < 4; i++) {
        double distance = 0;
        for (int j = 0; j < 6; j++) {
            distance += a[i][j] * (x[j] - p[i][j]) * (x[j] - p[i][j]);
        }
        sum -= c[i] * exp(-distance);
    }
    return sum;
}

static double rosenbrock(source *s) {
    const double x = number(s, "x", -5, 10, false), y = number(s, "y", -5, 10, false);
    return 100 * (y - x * x) * (y - x * x) + (1 - x) * (1 - x);
}

/* A training in miniature: a rate by logarithm, a width, and choices that shift the best of both. */
static double mixed(source *s) {
    static const char *const optimizers[] = {"sgd", "momentum", "adam", "adamw"};
    static const char *const activations[] = {"relu", "gelu", "tanh"};
    static const double best_rate[] = {-1, -1.5, -3, -2.5}, cost[] = {0.6, 0.4, 0.1, 0}, shape[] = {0.1, 0, 0.3};
    const size_t optimizer = choice(s, "optimizer", optimizers, 4);
    const size_t activation = choice(s, "activation", activations, 3);
    const double rate = log10(number(s, "rate", 1e-5, 1, true)), dropout = number(s, "dropout", 0, 0.6, false);
    const double width = log2((double)whole(s, "width", 8, 1024, true));
    const double depth = (double)whole(s, "depth", 1, 8, false);
    return cost[optimizer] + shape[activation] + 0.5 * (rate - best_rate[optimizer]) * (rate - best_rate[optimizer]) +
           0.1 * (width - 7) * (width - 7) + 0.05 * (depth - 4) * (depth - 4) + 4 * (dropout - 0.2) * (dropout - 0.2);
}

/* Three models, each with parameters of its own. */
static double conditional(source *s) {
    static const char *const models[] = {"linear", "forest", "network"};
    const size_t model = choice(s, "model", models, 3);
    if (model == 0) {
        const double penalty = log10(number(s, "penalty", 1e-6, 1e2, true));
        return 0.5 + 0.1 * (penalty + 1) * (penalty + 1);
    }
    if (model == 1) {
        const double trees = log2((double)whole(s, "trees", 8, 512, true));
        const double leaf = number(s, "leaf", 0, 1, false);
        return 0.25 + 0.02 * (trees - 8) * (trees - 8) + (leaf - 0.3) * (leaf - 0.3);
    }
    const double rate = log10(number(s, "rate", 1e-5, 1, true)), decay = number(s, "decay", 0, 1, false);
    const double layers = (double)whole(s, "layers", 1, 6, false);
    return 0.3 * (rate + 3) * (rate + 3) + 2 * (decay - 0.7) * (decay - 0.7) + 0.1 * (layers - 3) * (layers - 3);
}

static const struct {
    const char *name;
    double (*evaluate)(source *s);
    double least;
    double points[3][6];
} functions[] = {
    {"branin", branin, 0.39788735772973816, {{-5, 0}, {M_PI, 2.275}, {7.5, 11}}},
    {"hartmann6",
     hartmann6,
     -3.322368011391339,
     {{0, 0, 0, 0, 0, 0}, {0.2, 0.15, 0.48, 0.28, 0.31, 0.66}, {0.9, 0.1, 0.8, 0.2, 0.7, 0.3}}},
    {"rosenbrock", rosenbrock, 0, {{-5, 10}, {1, 1}, {0.5, -2}}},
    {"mixed", mixed, 0, {{3, 1, 0.0031622776601683794, 0.2, 128, 4}, {0, 2, 0.01, 0, 1000, 8}, {2, 0, 1, 0.6, 8, 1}}},
    {"conditional", conditional, 0, {{2, 0.001, 0.7, 3}, {0, 10}, {1, 64, 0.9}}},
};
enum { N_FUNCTIONS = sizeof functions / sizeof functions[0] };

static double search(size_t i_function, const pml_trial_sampler *sampler, const pml_settings *settings, uint64_t seed,
                     uint64_t n_trials) {
    const pml_study_options options = {.sampler = sampler, .sampler_settings = settings, .seed = seed};
    pml_study *study = NULL;
    pml_error error;
    check(pml_study_open(&options, &study, &error), &error);
    for (uint64_t i = 0; i < n_trials; i++) {
        source s = {.study = study};
        check(pml_study_ask(study, &s.trial, &error), &error);
        const double value = functions[i_function].evaluate(&s);
        check(pml_study_tell(study, s.trial, PML_TRIAL_COMPLETE, value, &error), &error);
    }
    const double regret = pml_study_best(study)->value - functions[i_function].least;
    pml_study_close(study);
    return regret;
}

static void print_values(void) {
    for (size_t i = 0; i < N_FUNCTIONS; i++) {
        for (size_t j = 0; j < 3; j++) {
            source s = {.fixed = functions[i].points[j]};
            (void)printf("%s,%zu,%.17g,%.17g\n", functions[i].name, j, functions[i].evaluate(&s), functions[i].least);
        }
    }
}

int main(int argc, char **argv) {
    pml_error error;
    pml_settings settings;
    const pml_trial_sampler *sampler = NULL;
    if (argc == 2 && strcmp(argv[1], "values") == 0) {
        print_values();
        return 0;
    }
    if (argc < 4) {
        (void)fprintf(stderr,
                      "usage: bench_tune SAMPLER[:SETTING=VALUE,...] SEEDS TRIALS [FUNCTION] | bench_tune values\n");
        return 2;
    }
    check(pml_trial_sampler_choose(argv[1], &sampler, &settings, &error), &error);
    const uint64_t n_seeds = strtoull(argv[2], NULL, 10), n_trials = strtoull(argv[3], NULL, 10);
    for (size_t i = 0; i < N_FUNCTIONS; i++) {
        for (uint64_t seed = 0; seed < n_seeds && (argc == 4 || strcmp(argv[4], functions[i].name) == 0); seed++) {
            (void)printf("%s,%s,%llu,%.17g\n", functions[i].name, sampler->plugin.name, (unsigned long long)seed,
                         search(i, sampler, &settings, seed, n_trials));
        }
    }
    return 0;
}
