/* Normal numbers. */
#include "runtime/train/initializer.h"

enum { MEAN, DEVIATION };
static const pml_plugin_option options[] = {{"mean", PML_PLUGIN_NUMBER, "0", NULL, "mean"},
                                            {"std", PML_PLUGIN_NUMBER, "1", "[0, inf)", "standard deviation"},
                                            {0}};

static void fill(const pml_initializer_part *part) {
    pml_fill_normal(part, pml_setting(part->settings, MEAN), pml_setting(part->settings, DEVIATION));
}

const pml_initializer pml_initializer_normal = {
    .plugin = {.name = "normal", .help = "normal numbers", .options = options},
    .fill = fill,
};
