/* Evenly between two bounds. */
#include "runtime/train/initializer.h"

enum { LEAST, MOST };
static const pml_plugin_option options[] = {
    {"min", PML_PLUGIN_NUMBER, "0", NULL, "least value"}, {"max", PML_PLUGIN_NUMBER, "1", NULL, "greatest value"}, {0}};

static pml_status check(const pml_settings *settings, pml_error *error) {
    const double least = pml_setting(settings, LEAST), most = pml_setting(settings, MOST);
    return least <= most ? PML_OK
                         : PML_FAIL(error, PML_E_ARGUMENT, "initializer uniform: min %g is above max %g", least, most);
}

static void fill(const pml_initializer_part *part) {
    pml_fill_uniform(part, pml_setting(part->settings, LEAST), pml_setting(part->settings, MOST));
}

const pml_initializer pml_initializer_uniform = {
    .plugin = {.name = "uniform", .help = "evenly between two bounds", .options = options},
    .check = check,
    .fill = fill,
};
