/* Topics: the first frame on PUB sockets. A topic ends in a dot, kind first, then symbol, then venue:
 *   inst|bbo|book|trade . SYMBOL . VENUE .        beat|venue . NAME .       pace .
 *   ledger records: KIND . ROUTE-or-SYMBOL-or-NAME .
 * so that a prefix "book.BTC-USDT." is the symbol at every venue, and never another symbol.
 */
#ifndef SLUICE_PROTO_TOPIC_H
#define SLUICE_PROTO_TOPIC_H

#include "proto/message.h"

enum { TOPIC_MAX = 128 };

/* Writes the topic of a message and a NUL; returns its length (without NUL). */
size_t topic_of(const struct message *m, char out[TOPIC_MAX]);

/* Writes "KIND.SYMBOL.VENUE." for a subscription; symbol or venue may be NULL (then what follows is left out). */
size_t topic_make(const char *kind, const char *symbol, const char *venue, char out[TOPIC_MAX]);

#endif
