/* All plug-ins keep the rules of their tables: names and options once, help everywhere, fallbacks that can be read and
 * lie in their ranges. */
#include "runtime/train/train_kinds.h"

#include <stdio.h>
#include <string.h>

#include "tests/harness.h"

static void check_options(const pml_train_kind *kind, const pml_plugin *plugin) {
    char spec[256] = "";
    size_t n = 0;
    pml_settings plain, spoken;
    pml_error error;
    for (const pml_plugin_option *o = plugin->options; o != NULL && o->name != NULL; o++, n++) {
        CU_ASSERT_TRUE(o->help != NULL && o->help[0] != '\0');
        CU_ASSERT_TRUE(strpbrk(o->name, ":,=/ ") == NULL);
        for (const pml_plugin_option *other = plugin->options; other < o; other++) {
            CU_ASSERT_NOT_EQUAL(strcmp(other->name, o->name), 0);
        }
        const size_t used = strlen(spec);
        if (o->fallback == NULL || o->fallback[0] != '\0') { /* 1 is in the range of all that must be given */
            (void)snprintf(spec + used, sizeof spec - used, "%s%s=%s", used > 0 ? "," : "", o->name,
                           o->fallback != NULL ? o->fallback : "1");
        }
    }
    CU_ASSERT_TRUE(n <= PML_PLUGIN_MAX_OPTIONS);
    PML_ASSERT_OK(pml_plugin_configure(kind->name, plugin, spec, &spoken, &error), &error);
    char needed[256] = "";
    for (const pml_plugin_option *o = plugin->options; o != NULL && o->name != NULL; o++) {
        const size_t used = strlen(needed);
        if (o->fallback == NULL) {
            (void)snprintf(needed + used, sizeof needed - used, "%s%s=1", used > 0 ? "," : "", o->name);
        }
    }
    PML_ASSERT_OK(pml_plugin_configure(kind->name, plugin, needed, &plain, &error), &error);
    CU_ASSERT_TRUE(memcmp(plain.values, spoken.values, sizeof plain.values) == 0);
    CU_ASSERT_TRUE(memcmp(plain.n_values, spoken.n_values, sizeof plain.n_values) == 0);
}

static void every_plugin_keeps_the_rules(void) {
    size_t n_kinds = 0;
    for (const pml_train_kind *kind = pml_train_kinds; kind->name != NULL; kind++, n_kinds++) {
        CU_ASSERT_TRUE(kind->plugins[0] != NULL);
        for (size_t i = 0; kind->plugins[i] != NULL; i++) {
            const pml_plugin *plugin = kind->plugins[i];
            CU_ASSERT_TRUE(plugin->help != NULL && plugin->help[0] != '\0');
            for (size_t k = 0; k < i; k++) {
                CU_ASSERT_NOT_EQUAL(strcmp(kind->plugins[k]->name, plugin->name), 0);
            }
            check_options(kind, plugin);
        }
    }
    CU_ASSERT_EQUAL(n_kinds, 4);
}

PML_TESTS("train/train_kinds", PML_TEST(every_plugin_keeps_the_rules))
