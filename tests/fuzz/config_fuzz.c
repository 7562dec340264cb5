/* No bytes in a configuration file may crash a reader; what is accepted survives being written and read
 * again. */
#include <stdlib.h>
#include <string.h>

#include "lib/runtime/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static struct config first, second;
    char error[CONFIG_ERROR_MAX];
    config_defaults(&first);
    if (config_load_text(&first, "fuzz", (const char *)bytes, len, error) != OK) {
        if (error[0] == '\0')
            abort();
        return 0;
    }
    char *text = NULL;
    size_t written = 0;
    FILE *out = open_memstream(&text, &written);
    if (out == NULL)
        return 0;
    config_write(&first, out, len % 2 == 1);
    fclose(out);
    config_defaults(&second);
    if (config_load_text(&second, "written", text, written, error) != OK ||
        memcmp(&first, &second, sizeof first) != 0)
        abort();
    free(text);
    return 0;
}
