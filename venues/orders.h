/* What a venue's order side offers, and what it answers. An order goes to the venue as the `order` message
 * exec's ledger holds of it (state PendingNew); answers come back as reports, any number, in any order,
 * possibly late and repeated. Client ids are exec's; a venue never sees two orders under one. */
#ifndef SLUICE_VENUES_ORDERS_H
#define SLUICE_VENUES_ORDERS_H

#include "proto/message.h"

enum report_kind {
    REPORT_ACK,    /* the venue has the order */
    REPORT_FILL,   /* a part was executed: trade_id, price, qty, fee */
    REPORT_DONE,   /* nothing of it is open any more (an IOC's rest is canceled): filled = total executed */
    REPORT_REJECT, /* refused, nothing executed: reason */
    REPORT_NOT_FOUND, /* answer to a look-up */
    REPORT_LISTED /* one of the orders under a prefix of client ids, as asked for at a start: symbol, side, tif, its limit
                         as price, what was ordered as qty, what of it is executed as filled */
};

struct order_report {
    enum report_kind kind;
    char venue[16];
    char client_id[36];
    char venue_id[40];
    char trade_id[40];
    struct dec price, qty; /* of this fill */
    struct dec filled;     /* in total, with DONE and LISTED */
    struct dec fee;
    char fee_currency[16];
    enum liquidity liquidity;
    enum reason reason;
    char symbol[32]; /* this and the next two: with LISTED */
    enum side side;
    enum time_in_force tif;
    int64_t venue_time;   /* ns UTC or market time, the venue's clock */
    int64_t sent_mono_ns; /* local monotonic time at which the order was handed over; 0 = not known */
};

#endif
