/* Writes PROTOCOL.md: the prose of a file, then the dictionary as tables.
 *   protocol_doc protocol_prose.md > PROTOCOL.md */
#include "proto/message.h"

#include <stdio.h>

static const char *kind_text(const struct field *f)
{
    static const char *const texts[] = {"U64",   "I64", "U32", "I32",   "BOOL", "TIME", "MONO", "EXP",
                                        "PRICE", "QTY", "DEC", "MONEY", "STR",  "ENUM", "LIST"};
    return texts[f->kind];
}

static void print_wire_type(const struct field *f)
{
    switch (f->kind) {
    case FIELD_U64:
    case FIELD_U32:
        printf("uint");
        break;
    case FIELD_BOOL:
        printf("bool");
        break;
    case FIELD_EXP:
        printf("int, %d to %d", DEC_EXP_MIN, DEC_EXP_MAX);
        break;
    case FIELD_DEC:
        printf("array[2]");
        break;
    case FIELD_MONEY:
        printf("str, decimal");
        break;
    case FIELD_STR:
        printf("str, at most %d bytes", f->size - 1);
        break;
    case FIELD_ENUM:
        printf("uint, [%s](#enum-%s)", f->values->name, f->values->name);
        break;
    case FIELD_LIST:
        printf("array of at most %d [%s](#record-%s)", f->max, f->record->name, f->record->name);
        break;
    default:
        printf("int");
    }
}

static void print_fields(const struct record_kind *record)
{
    int n = 0;
    printf("| # | field | kind | on the wire | meaning |\n| --- | --- | --- | --- | --- |\n");
    for (const struct field *f = record->fields(); f->name; f++) {
        printf("| %d | `%s` | %s | ", n++, f->name, kind_text(f));
        print_wire_type(f);
        printf(" | %s |\n", f->doc);
    }
    printf("\n");
}

/* Names of enums, records and messages may be the same: the anchor says which is meant. */
static void print_messages(void)
{
    static const char *const classes[] = {"market", "ledger", "command", "service"};
    printf("## Messages\n\n| type | message | class | what it is |\n| --- | --- | --- | --- |\n");
    for (const struct message_kind *const *k = message_kinds(); *k; k++)
        printf("| %u | [%s](#message-%s) | %s | %s |\n", (*k)->type, (*k)->body->name, (*k)->body->name,
               classes[(*k)->class], (*k)->body->doc);
    printf("\n");
    for (const struct message_kind *const *k = message_kinds(); *k; k++) {
        printf("### Message `%s`\n\nType %u, %s: %s.\n\n", (*k)->body->name, (*k)->type, classes[(*k)->class],
               (*k)->body->doc);
        print_fields((*k)->body);
    }
}

static void print_records(void)
{
    printf("## Records\n\nParts of messages, never sent alone.\n\n");
    for (const struct record_kind *const *r = record_kinds(); *r; r++) {
        printf("### Record `%s`\n\n%s.\n\n", (*r)->name, (*r)->doc);
        print_fields(*r);
    }
}

static void print_enums(void)
{
    printf("## Enumerations\n\nThe number on the wire; the text in JSON and in the database.\n");
    for (const struct enum_kind *const *e = enum_kinds(); *e; e++) {
        printf("\n### Enum `%s`\n\n| number | text |\n| --- | --- |\n", (*e)->name);
        for (const struct enum_value *v = (*e)->values; v->text; v++)
            printf("| %d | `%s` |\n", v->number, v->text);
    }
}

static int copy_file(const char *path)
{
    char bytes[4096];
    size_t n;
    FILE *file = fopen(path, "r");
    if (!file)
        return -1;
    while ((n = fread(bytes, 1, sizeof(bytes), file)) > 0)
        fwrite(bytes, 1, n, stdout);
    int failed = ferror(file);
    fclose(file);
    return failed ? -1 : 0;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: protocol_doc PROSE.md > PROTOCOL.md\n");
        return 2;
    }
    if (copy_file(argv[1]) != 0) {
        perror(argv[1]);
        return 1;
    }
    print_messages();
    print_records();
    print_enums();
    return fflush(stdout) == 0 ? 0 : 1;
}
