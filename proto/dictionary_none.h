/* Gives every macro of dictionary.def an empty meaning. Includers redefine those that they need; it has
 * no include guard on purpose. */
#undef ENUM
#undef VALUE
#undef END_ENUM
#undef RECORD
#undef END_RECORD
#undef MESSAGE
#undef END_MESSAGE
#undef FIELD
#undef FIELD_STR
#undef FIELD_ENUM
#undef FIELD_LIST
#define ENUM(name)
#define VALUE(enum_name, constant, number, text)
#define END_ENUM(name)
#define RECORD(name, doc)
#define END_RECORD(name)
#define MESSAGE(name, constant, number, class, doc)
#define END_MESSAGE(name)
#define FIELD(kind, name, doc)
#define FIELD_STR(name, bytes, doc)
#define FIELD_ENUM(name, enum_name, doc)
#define FIELD_LIST(name, record, max, doc)
