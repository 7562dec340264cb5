/* Random numbers that nobody can foresee, for incarnations and ids. */
#ifndef SLUICE_BASE_ENTROPY_H
#define SLUICE_BASE_ENTROPY_H

#include <stdint.h>

uint64_t entropy_u64(void); /* never 0 */

#endif
