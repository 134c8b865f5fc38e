/* PatchTST: the folder names of research code, which hold a run's arguments:
 *   <model id>_PatchTST_<data>_ft<features>_sl336_ll48_pl96_dm16_nh4_el3_dl1_df128_fc1_eb<embed>_dt<distil>_<rest> */
#include <stdio.h>
#include <string.h>

#include "mappers/patchtst/patchtst_config.h"

static const struct {
    const char *letters, *key;
} numbers[] = {{"sl", "seq_len"}, {"pl", "pred_len"}, {"dm", "d_model"},
               {"nh", "n_heads"}, {"el", "e_layers"}, {"df", "d_ff"}};
#define N_NUMBERS (sizeof numbers / sizeof numbers[0])

static const char *const tasks[] = {"long_term_forecast", "short_term_forecast", "imputation", "anomaly_detection",
                                    "classification"};

/* The digits behind "_<letters>" that fill the space up to the next "_". */
static bool find_number(const char *text, const char *letters, const char **digits, size_t *n_digits) {
    size_t length = strlen(letters);
    for (const char *at = strchr(text, '_'); at != NULL; at = strchr(at + 1, '_')) {
        if (strncmp(at + 1, letters, length) == 0) {
            *digits = at + 1 + length;
            *n_digits = strspn(*digits, "0123456789");
            if (*n_digits > 0 && *n_digits <= 9 && ((*digits)[*n_digits] == '_' || (*digits)[*n_digits] == '\0')) {
                return true;
            }
        }
    }
    return false;
}

size_t pml_patchtst_setting_read(const char *setting, char texts[PML_PATCHTST_SETTING_KEYS][64]) {
    size_t n = 0;
    const char *features = strstr(setting, "_ft"); /* what stands before is the user's and may hold anything */
    const char *model = strstr(setting, "_PatchTST_");
    if (model == NULL || features == NULL || features < model) {
        return 0;
    }
    for (size_t i = 0; i < N_NUMBERS; i++) {
        const char *digits;
        size_t n_digits;
        if (!find_number(features, numbers[i].letters, &digits, &n_digits)) {
            return 0;
        }
        (void)snprintf(texts[n++], sizeof texts[0], "%s=%.*s", numbers[i].key, (int)n_digits, digits);
    }
    for (size_t i = 0; i < sizeof tasks / sizeof tasks[0]; i++) {
        if (strncmp(setting, tasks[i], strlen(tasks[i])) == 0 && setting[strlen(tasks[i])] == '_') {
            (void)snprintf(texts[n++], sizeof texts[0], "task_name=%s", tasks[i]);
        }
    }
    return n;
}
