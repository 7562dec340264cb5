/* An order's states as a table: what each event makes of each state. States and names are FIX's, and Unknown:
 * sent, outcome not known. What the table does not list changes nothing and is counted. */
#ifndef SLUICE_SERVICES_EXEC_ORDER_STATES_H
#define SLUICE_SERVICES_EXEC_ORDER_STATES_H

#include <stdio.h>

#include "proto/message.h"

enum order_event {
    EVENT_ACK,       /* the venue has it */
    EVENT_FILL_PART, /* executed in part */
    EVENT_FILL_LAST, /* executed whole */
    EVENT_DONE,      /* nothing of it is open any more */
    EVENT_REJECT,    /* refused */
    EVENT_NOT_FOUND, /* the venue, asked, does not have it */
    EVENT_FOUND,     /* the venue has it after all, though asked it did not */
    EVENT_ASK,       /* no answer came, or a restart: the venue is asked */
    EVENT_COUNT
};

/* The state after the event, or E_ABSENT when the table does not list it. */
int order_after(enum order_state state, enum order_event event);

/* Nothing of it is open any more. A late fill may still come. */
bool order_is_terminal(enum order_state state);

const char *order_event_text(enum order_event event);

/* The table, one line a transition: "PendingNew ack New". */
void order_states_print(FILE *out);

#endif
