/* The three clocks. Only shells read them; cores get a struct now with every input. */
#ifndef SLUICE_BASE_CLOCK_H
#define SLUICE_BASE_CLOCK_H

#include <stdint.h>

#define NS_PER_US  INT64_C(1000)
#define NS_PER_MS  INT64_C(1000000)
#define NS_PER_SEC INT64_C(1000000000)

struct now {
    int64_t market_ns; /* market time: live the receive clock, in replay the recording's receive time, UTC */
    int64_t mono_ns;   /* the host's monotonic clock: leases, beats, safety ages */
    int64_t utc_ns;    /* the host's wall clock: only for records */
};

int64_t clock_mono_ns(void);
int64_t clock_utc_ns(void);

/* Hash of the host's boot id: monotonic stamps of two processes compare only where it is equal
 * and not 0 (0: the host does not say). */
uint64_t clock_boot_id(void);

/* "2024-08-08T23:54:13.937085768Z"; out has room for 31 bytes. */
void clock_format(int64_t utc_ns, char out[32]);

#endif
