/* Prints docs/configuration.md. */
#include "lib/runtime/config.h"

int main(void)
{
    config_document(stdout);
    return fflush(stdout) == 0 ? 0 : 1;
}
