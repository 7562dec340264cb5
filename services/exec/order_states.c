/* Fills are listed for every state: what was executed is executed, however late the word of it comes. A
 * terminal order stays terminal, but for one that the venue, asked twice, did not have, and has. */
#include "services/exec/order_states.h"

#include "lib/base/status.h"

struct transition {
    enum order_state from;
    enum order_event event;
    enum order_state to;
};

static const struct transition table[] = {
    {ORDER_PENDING_NEW, EVENT_ACK, ORDER_NEW},
    {ORDER_PENDING_NEW, EVENT_FILL_PART, ORDER_PARTIALLY_FILLED},
    {ORDER_PENDING_NEW, EVENT_FILL_LAST, ORDER_FILLED},
    {ORDER_PENDING_NEW, EVENT_DONE, ORDER_CANCELED},
    {ORDER_PENDING_NEW, EVENT_REJECT, ORDER_REJECTED},
    {ORDER_PENDING_NEW, EVENT_ASK, ORDER_UNKNOWN},

    {ORDER_NEW, EVENT_FILL_PART, ORDER_PARTIALLY_FILLED},
    {ORDER_NEW, EVENT_FILL_LAST, ORDER_FILLED},
    {ORDER_NEW, EVENT_DONE, ORDER_CANCELED},
    {ORDER_NEW, EVENT_REJECT, ORDER_REJECTED},
    {ORDER_NEW, EVENT_ASK, ORDER_UNKNOWN},

    {ORDER_PARTIALLY_FILLED, EVENT_FILL_PART, ORDER_PARTIALLY_FILLED},
    {ORDER_PARTIALLY_FILLED, EVENT_FILL_LAST, ORDER_FILLED},
    {ORDER_PARTIALLY_FILLED, EVENT_DONE, ORDER_CANCELED},
    {ORDER_PARTIALLY_FILLED, EVENT_REJECT, ORDER_CANCELED},
    {ORDER_PARTIALLY_FILLED, EVENT_ASK, ORDER_UNKNOWN},

    {ORDER_PENDING_CANCEL, EVENT_FILL_PART, ORDER_PENDING_CANCEL},
    {ORDER_PENDING_CANCEL, EVENT_FILL_LAST, ORDER_FILLED},
    {ORDER_PENDING_CANCEL, EVENT_DONE, ORDER_CANCELED},
    {ORDER_PENDING_CANCEL, EVENT_ASK, ORDER_UNKNOWN},

    {ORDER_UNKNOWN, EVENT_ACK, ORDER_NEW},
    {ORDER_UNKNOWN, EVENT_FILL_PART, ORDER_PARTIALLY_FILLED},
    {ORDER_UNKNOWN, EVENT_FILL_LAST, ORDER_FILLED},
    {ORDER_UNKNOWN, EVENT_DONE, ORDER_CANCELED},
    {ORDER_UNKNOWN, EVENT_REJECT, ORDER_REJECTED},
    {ORDER_UNKNOWN, EVENT_NOT_FOUND, ORDER_REJECTED},
    {ORDER_UNKNOWN, EVENT_ASK, ORDER_UNKNOWN},

    {ORDER_CANCELED, EVENT_FILL_PART, ORDER_CANCELED},
    {ORDER_CANCELED, EVENT_FILL_LAST, ORDER_FILLED},
    {ORDER_REJECTED, EVENT_FILL_PART, ORDER_CANCELED},
    {ORDER_REJECTED, EVENT_FILL_LAST, ORDER_FILLED},
    {ORDER_REJECTED, EVENT_FOUND, ORDER_NEW},
    {ORDER_EXPIRED, EVENT_FILL_PART, ORDER_EXPIRED},
    {ORDER_EXPIRED, EVENT_FILL_LAST, ORDER_FILLED},
    {ORDER_DENIED, EVENT_FILL_PART, ORDER_CANCELED},
    {ORDER_DENIED, EVENT_FILL_LAST, ORDER_FILLED},
    {ORDER_FILLED, EVENT_FILL_PART, ORDER_FILLED},
    {ORDER_FILLED, EVENT_FILL_LAST, ORDER_FILLED},
};

enum { TRANSITIONS = sizeof table / sizeof *table };

int order_after(enum order_state state, enum order_event event)
{
    for (int i = 0; i < TRANSITIONS; i++) {
        if (table[i].from == state && table[i].event == event)
            return table[i].to;
    }
    return E_ABSENT;
}

bool order_is_terminal(enum order_state state)
{
    return state == ORDER_FILLED || state == ORDER_CANCELED || state == ORDER_REJECTED ||
           state == ORDER_EXPIRED || state == ORDER_DENIED;
}

const char *order_event_text(enum order_event event)
{
    static const char *const texts[EVENT_COUNT] = {"ack",    "fill-part", "fill-last", "done",
                                                   "reject", "not-found", "found",     "ask"};
    return event >= 0 && event < EVENT_COUNT ? texts[event] : "?";
}

void order_states_print(FILE *out)
{
    for (int i = 0; i < TRANSITIONS; i++)
        (void)fprintf(out, "%s %s %s\n", order_state_text(table[i].from), order_event_text(table[i].event),
                      order_state_text(table[i].to));
}
