/* Names of the statuses, for messages to people. */
#include "lib/base/status.h"

const char *status_text(int status)
{
    switch (status) {
    case OK:
        return "ok";
    case E_SYNTAX:
        return "syntax";
    case E_RANGE:
        return "range";
    case E_INEXACT:
        return "inexact";
    case E_FULL:
        return "full";
    case E_ABSENT:
        return "absent";
    case E_EXISTS:
        return "exists";
    case E_IO:
        return "io";
    case E_CORRUPT:
        return "corrupt";
    case E_TYPE:
        return "type";
    case E_BUSY:
        return "busy";
    case E_AGAIN:
        return "again";
    case E_REFUSED:
        return "refused";
    case E_STATE:
        return "state";
    default:
        return "unknown status";
    }
}
