/* One value. */
#include "runtime/train/initializer.h"

enum { VALUE };
static const pml_plugin_option options[] = {{"value", PML_PLUGIN_NUMBER, NULL, NULL, "of all"}, {0}};

static void fill(const pml_initializer_part *part) {
    for (size_t i = part->begin; i < part->end; i++) {
        part->values[i] = (float)pml_setting(part->settings, VALUE);
    }
}

const pml_initializer pml_initializer_constant = {
    .plugin = {.name = "constant", .help = "one value", .options = options},
    .fill = fill,
};
