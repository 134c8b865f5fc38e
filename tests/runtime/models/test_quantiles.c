/* Quantiles against printed tables (NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.6.7.1 and 1.3.6.7.2), closed
 * forms and values of 40-digit arithmetic; and those of models against their outputs. */
#include "runtime/models/quantiles.h"

#include "tests/runtime/models/patchtst_builder.h"

static const double means[C] = {10, -3, 100}, deviations[C] = {2, 0.5, 30}; /* as patchtst_builder.h stores them */

static bool is_close(double value, double wanted, double tolerance) {
    const bool fits = fabs(value - wanted) <= tolerance * fabs(wanted);
    if (!fits) {
        (void)printf("\n    %.17g, expected %.17g\n", value, wanted);
    }
    return fits;
}

static void normal_is_that_of_the_tables(void) {
    static const struct {
        double level, printed;
    } table[] = {{0.9, 1.282}, {0.95, 1.645}, {0.975, 1.960}, {0.99, 2.326}, {0.999, 3.090}};
    static const struct {
        double level, exact;
    } rows[] = {{0.975, 1.9599639845400539},
                {0.9, 1.2815515655446006},
                {0.25, -0.67448975019608174},
                {1e-10, -6.3613409024040562},
                {1e-300, -37.047096299361199}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        CU_ASSERT_DOUBLE_EQUAL(pml_normal_quantile(table[i].level), table[i].printed, 5e-4);
        CU_ASSERT_DOUBLE_EQUAL(pml_normal_quantile(1 - table[i].level), -table[i].printed, 5e-4);
    }
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        CU_ASSERT_TRUE(is_close(pml_normal_quantile(rows[i].level), rows[i].exact, 1e-13));
    }
    CU_ASSERT_EQUAL(pml_normal_quantile(0.5), 0);
    CU_ASSERT_DOUBLE_EQUAL(pml_normal_quantile(0.500000001), 2.5066282037387114e-9, 1e-15);
}

static void student_t_is_that_of_the_tables(void) {
    static const struct {
        double level, df, printed;
    } table[] = {{0.9, 1, 3.078}, {0.975, 5, 2.571}, {0.95, 10, 1.812}, {0.995, 30, 2.750}, {0.999, 2, 22.327}};
    static const struct {
        double level, df, exact;
    } rows[] = {
        {0.9, 2.5, 1.7302509288071768},    {0.001, 2.5, -13.822193110865965},   {0.975, 5, 2.5705818356363148},
        {0.995, 30, 2.749995653567225},    {0.1, 1000, -1.2823987214609244},    {0.99, 9999, 2.3267208759753905},
        {0.99, 10001, 2.3267208013710218}, {0.025, 20000, -1.9600826051581352}, {1e-10, 3, -2225.7692846830932}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        CU_ASSERT_DOUBLE_EQUAL(pml_student_t_quantile(table[i].level, table[i].df), table[i].printed, 6e-4);
    }
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        CU_ASSERT_TRUE(is_close(pml_student_t_quantile(rows[i].level, rows[i].df), rows[i].exact, 1e-11));
    }
    for (int i = 1; i < 100; i++) { /* both have closed forms */
        const double p = i / 100.0, one = i == 50 ? 0 : tan(3.14159265358979323846 * (p - 0.5));
        const double two = (2 * p - 1) / sqrt(2 * p * (1 - p));
        CU_ASSERT_DOUBLE_EQUAL(pml_student_t_quantile(p, 1), one, 1e-12 * (1 + fabs(one)));
        CU_ASSERT_DOUBLE_EQUAL(pml_student_t_quantile(p, 2), two, 1e-12 * (1 + fabs(two)));
    }
    CU_ASSERT_EQUAL(pml_student_t_quantile(0.5, 1e38), 0);
    CU_ASSERT_TRUE(is_close(pml_student_t_quantile(0.975, 1e38), 1.9599639845400539, 1e-13));
    CU_ASSERT_TRUE(is_close(pml_student_t_quantile(1e-300, 2), -7.0710678118654752e149, 1e-11));
    CU_ASSERT_TRUE(isinf(pml_student_t_quantile(1e-300, 0.5)));
}

static void negative_binomial_is_summed_right(void) {
    static const struct {
        double level, count, log_odds, exact;
    } rows[] = {{0.5, 2.5, 1, 6}, {0.1, 2.5, 1, 1},      {0.9, 2.5, 1, 14},  {0.99, 0.05, 3, 22},
                {0.9, 3, -3, 1},  {0.999, 40, 0.5, 113}, {0.5, 0.3, 8, 218}, {0.9, 0.3, 8, 2638},
                {0.9, 0, 800, 0}, {0.9, 5, -800, 0},     {1e-300, 1, 2, 0}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        CU_ASSERT_EQUAL(pml_negative_binomial_quantile(rows[i].level, rows[i].count, rows[i].log_odds), rows[i].exact);
    }
    for (int i = 1; i < 100; i++) { /* of count 1 it is the geometric distribution: P(X > k) = success^(k + 1) */
        const double level = i / 100.0 + 0.001, success = 1 / (1 + exp(-2.0));
        CU_ASSERT_EQUAL(pml_negative_binomial_quantile(level, 1, 2), ceil(log1p(-level) / log(success)) - 1);
    }
    CU_ASSERT_TRUE(isinf(pml_negative_binomial_quantile(0.5, 1, 800)));
    CU_ASSERT_TRUE(isinf(pml_negative_binomial_quantile(0.5, 1e10, -20)));
    /* a large count is nearly normal: mean 1e8, deviation 14142 */
    CU_ASSERT_DOUBLE_EQUAL(pml_negative_binomial_quantile(0.975, 1e8, 0), 1e8 + 1.95996 * 14142.1356, 3);
}

/* A model's forecast and quantiles of one window, and the ports that they come from. */
typedef struct foretold {
    opened o;
    double point[S * C], quantiles[3][S * C];
    const float *df, *location, *scale, *window_location, *window_scale;
} foretold;
static const double levels[3] = {0.9, 0.025, 0.5}; /* in no order */

static const float *port(const pml_model *model, const char *name) {
    const pml_array *output = pml_model_output(model, name);
    return output != NULL ? output->data : NULL;
}

static void foretell(const build *b, bool scaled, foretold *f) {
    float raw[T * C];
    double context[T * C];
    f->o = open_model(b, NULL);
    fill_series(raw, 1);
    for (size_t i = 0; i < T * C; i++) {
        context[i] = (double)raw[i] * 5 + means[i % C];
    }
    PML_ASSERT_OK(pml_model_forecast(f->o.model, context, T, C, f->point, &error), &error);
    PML_ASSERT_OK(pml_model_quantiles(f->o.model, levels, 3, C, scaled, f->quantiles[0], &error), &error);
    f->df = port(f->o.model, "df");
    f->location = port(f->o.model, "dist_loc");
    f->scale = port(f->o.model, "dist_scale");
    f->window_location = port(f->o.model, "loc");
    f->window_scale = port(f->o.model, "scale");
}

static void check_symmetric(const char *name, bool has_scaler, bool scaled) {
    foretold f;
    foretell(&(build){.distribution = name, .has_scaler = has_scaler}, scaled, &f);
    for (size_t q = 0; q < 3; q++) {
        for (size_t i = 0; i < S * C; i++) {
            const size_t c = i % C;
            const double z =
                f.df != NULL ? pml_student_t_quantile(levels[q], (double)f.df[i]) : pml_normal_quantile(levels[q]);
            double x = (double)f.location[i] + (double)f.scale[i] * z;
            x = x * (double)f.window_scale[c] + (double)f.window_location[c];
            x = has_scaler && !scaled ? x * deviations[c] + means[c] : x;
            CU_ASSERT_DOUBLE_EQUAL(f.quantiles[q][i], x, 1e-12 * (1 + fabs(x)));
            CU_ASSERT_TRUE(f.quantiles[1][i] < f.quantiles[2][i] && f.quantiles[2][i] < f.quantiles[0][i]);
        }
    }
    for (size_t i = 0; i < S * C && !scaled; i++) { /* the median is the mean */
        CU_ASSERT_DOUBLE_EQUAL(f.quantiles[2][i], f.point[i], 1e-5 * (1 + fabs(f.point[i])));
    }
    close_model(&f.o);
}

static void a_models_quantiles_are_in_the_units_of_the_data(void) {
    check_symmetric("normal", true, false);
    check_symmetric("normal", false, false);
    check_symmetric("student_t", true, false);
    check_symmetric("student_t", true, true);
}

/* P(X <= k), added up. */
static double share_up_to(double k, double count, double log_odds) {
    const double success = 1 / (1 + exp(-log_odds));
    double chance = pow(1 - success, count), sum = 0;
    for (double i = 0; i <= k; i++) {
        sum += chance;
        chance *= (i + count) / (i + 1) * success;
    }
    return sum;
}

static void counts_grow_with_the_windows_scale(void) {
    foretold f;
    foretell(&(build){.distribution = "negative_binomial"}, false, &f);
    for (size_t q = 0; q < 3; q++) {
        for (size_t i = 0; i < S * C; i++) {
            const double k = f.quantiles[q][i], count = (double)f.location[i];
            const double log_odds = (double)f.scale[i] + log((double)f.window_scale[i % C]);
            CU_ASSERT_EQUAL(k, floor(k));
            CU_ASSERT_TRUE(share_up_to(k, count, log_odds) >= levels[q]);
            CU_ASSERT_TRUE(share_up_to(k - 1, count, log_odds) < levels[q]);
        }
    }
    close_model(&f.o);
}

static void points_have_none(void) {
    double quantiles[S * C];
    opened o = open_model(&(build){.head = "prediction"}, NULL);
    PML_ASSERT_FAILS(pml_model_check_quantiles(o.model, &error), PML_E_UNSUPPORTED, &error, "foretells points");
    PML_ASSERT_FAILS(pml_model_quantiles(o.model, levels, 1, C, false, quantiles, &error), PML_E_UNSUPPORTED, &error,
                     "patchtst");
    close_model(&o);
    o = open_model(&(build){.head = "regression", .pooling = "mean", .distribution = "normal"}, NULL);
    PML_ASSERT_FAILS(pml_model_check_quantiles(o.model, &error), PML_E_UNSUPPORTED, &error, "does not forecast");
    close_model(&o);
}

PML_TESTS("models/quantiles", PML_TEST(normal_is_that_of_the_tables), PML_TEST(student_t_is_that_of_the_tables),
          PML_TEST(negative_binomial_is_summed_right), PML_TEST(a_models_quantiles_are_in_the_units_of_the_data),
          PML_TEST(counts_grow_with_the_windows_scale), PML_TEST(points_have_none))
