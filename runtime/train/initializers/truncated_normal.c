/* Normal numbers between two bounds, which are values and not multiples of the deviation, as
 * torch.nn.init.trunc_normal_ has them: quantiles of evenly distributed levels. */
#include <math.h>

#include "runtime/models/quantiles.h"
#include "runtime/train/initializer.h"

enum { MEAN, DEVIATION, LEAST, MOST };
static const pml_plugin_option options[] = {{"mean", PML_PLUGIN_NUMBER, "0", NULL, "mean before the cut"},
                                            {"std", PML_PLUGIN_NUMBER, "1", "(0, inf)", "deviation before the cut"},
                                            {"min", PML_PLUGIN_NUMBER, "-2", NULL, "least value"},
                                            {"max", PML_PLUGIN_NUMBER, "2", NULL, "greatest value"},
                                            {0}};

static double share_below(const pml_settings *settings, double value) {
    return .5 * erfc(-(value - pml_setting(settings, MEAN)) / pml_setting(settings, DEVIATION) * sqrt(.5));
}

/* Levels next to 0 or 1 have too few digits to tell values apart. */
static pml_status check(const pml_settings *settings, pml_error *error) {
    const double least = pml_setting(settings, LEAST), most = pml_setting(settings, MOST);
    if (least >= most || share_below(settings, most) - share_below(settings, least) < 1e-6) {
        return PML_FAIL(error, PML_E_ARGUMENT,
                        "initializer truncated_normal: less than a millionth of the numbers is between %g and %g",
                        least, most);
    }
    return PML_OK;
}

static void fill(const pml_initializer_part *part) {
    const pml_settings *s = part->settings;
    const double mean = pml_setting(s, MEAN), deviation = pml_setting(s, DEVIATION);
    const double least = pml_setting(s, LEAST), most = pml_setting(s, MOST);
    const double below = share_below(s, least), inside = share_below(s, most) - below;
    for (size_t i = part->begin; i < part->end; i++) {
        const double u = pml_random_double(part->seed, part->stream, i) + 0x1p-54; /* never 0, never 1 */
        const double value = mean + deviation * pml_normal_quantile(below + inside * u);
        part->values[i] = (float)(value < least ? least : value > most ? most : value);
    }
}

const pml_initializer pml_initializer_truncated_normal = {
    .plugin = {.name = "truncated_normal", .help = "normal numbers between two values", .options = options},
    .check = check,
    .fill = fill,
};
