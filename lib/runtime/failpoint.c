#include "lib/runtime/failpoint.h"

#include <inttypes.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static int64_t kill_at;        /* 0 = never */
static _Atomic int64_t passed; /* a thread that writes a snapshot passes gaps too */

void failpoint_arm(void)
{
    const char *at = getenv("SLUICE_KILL_AT");
    kill_at = at ? strtoll(at, NULL, 10) : 0;
    passed = 0;
}

void failpoint(void)
{
    if (++passed == kill_at)
        (void)raise(SIGKILL);
}

void failpoint_report(void)
{
    const char *path = getenv("SLUICE_COUNT_GAPS");
    FILE *f = path ? fopen(path, "we") : NULL;
    if (!f)
        return;
    (void)fprintf(f, "%" PRId64 "\n", passed);
    (void)fclose(f);
}
