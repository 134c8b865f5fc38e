/* Any text as the name of a run: it is read as one, or it is none. */
#include <stdlib.h>
#include <string.h>

#include "mappers/setting.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const models[] = {"DLinear", "FEDformer", "iTransformer", NULL};
    cJSON *arguments = NULL;
    char *text = malloc(size + 1);
    if (text == NULL) {
        return 0;
    }
    memcpy(text, data, size);
    text[size] = '\0';
    if (pml_setting_read(text, models, &arguments, NULL) == PML_OK && arguments != NULL) {
        /* What was read says at least these. */
        if (cJSON_GetObjectItemCaseSensitive(arguments, "model") == NULL ||
            cJSON_GetObjectItemCaseSensitive(arguments, "seq_len") == NULL) {
            abort();
        }
    }
    cJSON_Delete(arguments);
    free(text);
    return 0;
}
