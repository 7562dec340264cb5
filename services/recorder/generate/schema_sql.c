/* Prints the tables that the present dictionary asks for, to draft a migration from: the first one is its whole
 * output, a later one what has come to it since. */
#include <stdio.h>
#include <string.h>

#include "services/recorder/store_internal.h"

int main(int argc, char **argv)
{
    bool postgres = argc == 2 && strcmp(argv[1], "postgres") == 0;
    if (argc != 2 || (!postgres && strcmp(argv[1], "sqlite") != 0)) {
        (void)fprintf(stderr, "usage: schema_sql sqlite|postgres\n");
        return 2;
    }
    struct schema *schema = schema_new();
    if (!schema)
        return 1;
    printf("-- The tables of the data dictionary: what each column means stands in proto/PROTOCOL.md.\n\n");
    for (uint32_t i = 0; i < schema->n_tables; i++)
        schema_table_sql(&schema->tables[i], postgres, stdout);
    schema_destroy(&schema);
    return fflush(stdout) == 0 ? 0 : 1;
}
