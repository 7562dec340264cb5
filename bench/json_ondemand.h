/* simdjson's on-demand interface, used as its documentation shows: a candidate of json_rate. */
#ifndef SLUICE_BENCH_JSON_ONDEMAND_H
#define SLUICE_BENCH_JSON_ONDEMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct ondemand;

struct ondemand *ondemand_new(void);

/* Goes over every value of a document and adds the length of each one's text to *sum. */
bool ondemand_read(struct ondemand *self, const char *text, size_t len, uint64_t *sum);

#ifdef __cplusplus
}
#endif

#endif
