#include "runtime/base/plugin.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/quote.h"

#define MAX_TEXT_BYTES 512u /* of a name or of a value */
#define MOST_INTEGER 0x1p53

typedef struct piece { /* of a text */
    const char *text;
    size_t length;
} piece;

typedef char names_text[512];

static void add_name(names_text list, const char *name) {
    const size_t used = strlen(list);
    (void)snprintf(list + used, sizeof(names_text) - used, "%s%s", used > 0 ? ", " : "", name);
}

static bool is_name(const piece *p, const char *name) {
    return strlen(name) == p->length && strncmp(p->text, name, p->length) == 0;
}

/* Everything up to `separator`, which *rest then lies behind (NULL: there was none). */
static piece cut(const char *text, char separator, const char **rest) {
    const char *end = strchr(text, separator);
    *rest = end == NULL ? NULL : end + 1;
    return (piece){text, end == NULL ? strlen(text) : (size_t)(end - text)};
}

static pml_status copy_piece(const piece *p, char text[MAX_TEXT_BYTES], pml_error *error) {
    if (p->length >= MAX_TEXT_BYTES) {
        return PML_FAIL(error, PML_E_ARGUMENT, "%zu bytes are too long for a name or a value", p->length);
    }
    memcpy(text, p->text, p->length);
    text[p->length] = '\0';
    return PML_OK;
}

/* ---- values ---- */
static bool in_range(const char *range, double value) {
    if (range == NULL) {
        return true;
    }
    char *end;
    const double least = strtod(range + 1, &end);
    const double most = strtod(end + 1, &end);
    const bool above = *range == '[' ? value >= least : value > least;
    return above && (*end == ']' ? value <= most : value < most);
}

static bool read_number(const pml_plugin_option *option, const char *text, double *value) {
    char *end;
    if (*text == '\0' || strspn(text, "+-.0123456789eE") != strlen(text)) {
        return false;
    }
    *value = strtod(text, &end);
    const bool is_whole =
        option->type != PML_PLUGIN_INTEGER || (fabs(*value) <= MOST_INTEGER && *value == floor(*value));
    return *end == '\0' && isfinite(*value) && is_whole && in_range(option->range, *value);
}

static bool read_choice(const char *choices, const char *text, double *value) {
    piece p;
    *value = 0;
    for (const char *rest = choices; rest != NULL; *value += 1) {
        p = cut(rest, '|', &rest);
        if (is_name(&p, text)) {
            return true;
        }
    }
    return false;
}

static bool read_list(const pml_plugin_option *option, const char *text, double *values, size_t *n_values) {
    char number[MAX_TEXT_BYTES];
    *n_values = 0;
    for (const char *rest = text; rest != NULL;) {
        const piece p = cut(rest, '/', &rest);
        if (*n_values == PML_PLUGIN_MAX_VALUES || copy_piece(&p, number, NULL) != PML_OK ||
            !read_number(option, number, &values[*n_values])) {
            return false;
        }
        ++*n_values;
    }
    return true;
}

static bool read_value(const pml_plugin_option *option, const char *text, double *values, size_t *n_values) {
    *n_values = 1;
    switch (option->type) {
    case PML_PLUGIN_SWITCH:
        values[0] = strcmp(text, "true") == 0;
        return values[0] == 1 || strcmp(text, "false") == 0;
    case PML_PLUGIN_CHOICE:
        return read_choice(option->range, text, values);
    case PML_PLUGIN_LIST:
        return read_list(option, text, values, n_values);
    case PML_PLUGIN_NUMBER:
    case PML_PLUGIN_INTEGER:
        break;
    }
    return read_number(option, text, values);
}

static const char *type_name(const pml_plugin_option *option) {
    static const char *const names[] = {[PML_PLUGIN_NUMBER] = "a number",
                                        [PML_PLUGIN_INTEGER] = "a whole number",
                                        [PML_PLUGIN_SWITCH] = "true or false",
                                        [PML_PLUGIN_CHOICE] = "one",
                                        [PML_PLUGIN_LIST] = "numbers with '/' between them, each"};
    return names[option->type];
}

/* ---- options ---- */
static size_t count_options(const pml_plugin *plugin) {
    size_t n = 0;
    while (plugin->options != NULL && plugin->options[n].name != NULL) {
        n++;
    }
    return n;
}

static pml_status unknown_option(const char *kind, const pml_plugin *plugin, const char *name, pml_error *error) {
    names_text known = "";
    pml_quoted quoted;
    for (size_t i = 0; i < count_options(plugin); i++) {
        add_name(known, plugin->options[i].name);
    }
    return PML_FAIL(error, PML_E_ARGUMENT, "%s %s has no option %s; %s%s", kind, plugin->name, pml_quote(&quoted, name),
                    known[0] != '\0' ? "it has " : "it has none", known);
}

/* What the table says where nothing is said; an option without that stays without values. */
static void set_fallbacks(const pml_plugin *plugin, pml_settings *settings) {
    memset(settings, 0, sizeof *settings);
    for (size_t i = 0; i < count_options(plugin); i++) {
        const pml_plugin_option *option = &plugin->options[i];
        if (option->fallback != NULL && option->fallback[0] != '\0') {
            (void)read_value(option, option->fallback, settings->values[i], &settings->n_values[i]);
        }
    }
}

static pml_status set_option(const char *kind, const pml_plugin *plugin, size_t i_option, const char *text,
                             pml_settings *settings, pml_error *error) {
    const pml_plugin_option *option = &plugin->options[i_option];
    const size_t n_before = settings->n_values[i_option];
    pml_quoted quoted;
    if (!read_value(option, text, settings->values[i_option], &settings->n_values[i_option])) {
        return PML_FAIL(error, PML_E_ARGUMENT, "%s %s: %s is %s%s%s, not %s", kind, plugin->name, option->name,
                        type_name(option), option->range != NULL ? " of " : "",
                        option->range != NULL ? option->range : "", pml_quote(&quoted, text));
    }
    if (option->type == PML_PLUGIN_LIST && !plugin->is_list_open && n_before > 0 &&
        settings->n_values[i_option] != n_before) {
        return PML_FAIL(error, PML_E_ARGUMENT, "%s %s: %s has %zu values with '/' between them, not %zu", kind,
                        plugin->name, option->name, n_before, settings->n_values[i_option]);
    }
    return PML_OK;
}

static pml_status read_option(const char *kind, const pml_plugin *plugin, const piece *item, bool *is_given,
                              pml_settings *settings, pml_error *error) {
    char name[MAX_TEXT_BYTES];
    pml_status status = copy_piece(item, name, error);
    if (status != PML_OK) {
        return status;
    }
    char *value = strchr(name, '=');
    if (value == NULL) {
        pml_quoted quoted;
        return PML_FAIL(error, PML_E_ARGUMENT, "%s %s: %s is not key=value", kind, plugin->name,
                        pml_quote(&quoted, name));
    }
    *value++ = '\0';
    for (size_t i = 0; i < count_options(plugin); i++) {
        if (strcmp(plugin->options[i].name, name) == 0) {
            if (is_given[i]) {
                return PML_FAIL(error, PML_E_ARGUMENT, "%s %s: %s is given twice", kind, plugin->name, name);
            }
            is_given[i] = true;
            return set_option(kind, plugin, i, value, settings, error);
        }
    }
    return unknown_option(kind, plugin, name, error);
}

pml_status pml_plugin_configure(const char *kind, const pml_plugin *plugin, const char *text, pml_settings *settings,
                                pml_error *error) {
    pml_status status = PML_OK;
    bool is_given[PML_PLUGIN_MAX_OPTIONS] = {false};
    set_fallbacks(plugin, settings);
    for (const char *rest = text != NULL && *text != '\0' ? text : NULL; rest != NULL;) {
        const piece item = cut(rest, ',', &rest);
        PML_TRY(read_option(kind, plugin, &item, is_given, settings, error));
    }
    for (size_t i = 0; i < count_options(plugin); i++) {
        if (settings->n_values[i] == 0 && plugin->options[i].fallback == NULL) {
            PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "%s %s needs %s=...: %s", kind, plugin->name,
                             plugin->options[i].name, plugin->options[i].help));
        }
    }
done:
    return status;
}

pml_status pml_plugin_choose(const char *kind, const pml_plugin *const *plugins, const char *spec, size_t *i_plugin,
                             pml_settings *settings, pml_error *error) {
    const char *options;
    const piece name = cut(spec, ':', &options);
    names_text known = "";
    for (size_t i = 0; plugins[i] != NULL; i++) {
        if (is_name(&name, plugins[i]->name)) {
            *i_plugin = i;
            return pml_plugin_configure(kind, plugins[i], options, settings, error);
        }
        add_name(known, plugins[i]->name);
    }
    char text[MAX_TEXT_BYTES];
    pml_quoted quoted;
    const pml_status status = copy_piece(&name, text, error);
    return status != PML_OK ? status
                            : PML_FAIL(error, PML_E_NOT_FOUND, "there is no %s %s; there are %s", kind,
                                       pml_quote(&quoted, text), known);
}
