#include "lib/base/entropy.h"

#include <sys/random.h>

uint64_t entropy_u64(void)
{
    uint64_t number = 0;
    /* Eight bytes are given whole once the system is up, or the call waits for that. */
    while (number == 0) {
        if (getrandom(&number, sizeof number, 0) != sizeof number)
            number = 0;
    }
    return number;
}
