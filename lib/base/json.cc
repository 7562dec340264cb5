/* The JSON parser. simdjson finds every token's place (its first stage: vector code chosen at run time, which
 * also checks UTF-8, control characters and the end of the last string); the walk here, over those places,
 * checks the grammar of the whole document and writes the nodes. No number is converted, no string unescaped:
 * who wants one asks for it. */
#include "lib/base/json.h"

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <memory>
#include <new>

#define SIMDJSON_EXCEPTIONS 0
#include <simdjson.h>

#include "lib/base/status.h"

namespace
{

constexpr uint32_t DEPTH_MAX = 32;
constexpr size_t FIRST_BYTES = 64 * 1024, BYTES_MAX = 256 * 1024 * 1024;
constexpr size_t FIRST_NODES = 8 * 1024;

bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

bool is_digit(char c)
{
    return static_cast<unsigned char>(c - '0') < 10;
}

/* Where the number at p ends; NULL when it is none. The text behind it is padded, so a digit more may be
 * looked at. */
const char *number_end(const char *p)
{
    p += *p == '-';
    if (*p == '0') {
        p++;
    } else if (is_digit(*p)) {
        while (is_digit(*p)) {
            p++;
        }
    } else {
        return nullptr;
    }
    if (*p == '.') {
        if (!is_digit(*++p)) {
            return nullptr;
        }
        while (is_digit(*p)) {
            p++;
        }
    }
    if (*p == 'e' || *p == 'E') {
        p++;
        p += *p == '+' || *p == '-';
        if (!is_digit(*p)) {
            return nullptr;
        }
        while (is_digit(*p)) {
            p++;
        }
    }
    return p;
}

} // namespace

struct json {
    std::unique_ptr<simdjson::internal::dom_parser_implementation> stage;
    std::unique_ptr<char[]> text; /* the document and simdjson's padding */
    size_t text_cap = 0;
    std::unique_ptr<json_node[]> nodes;
    size_t nodes_cap = 0;
    uint32_t nodes_n = 0;
    char error[128] = "";

    int fail(int status, const char *format, ...) __attribute__((format(printf, 3, 4)));
    bool hold_text(size_t len);
    bool hold_nodes(size_t n);
};

namespace
{

/* One pass over the tokens. Containers that are open stand on a stack; each step takes one more member of the
 * innermost, or closes it. */
class walk
{
  public:
    walk(json *parser, size_t len)
        : self(*parser), text(parser->text.get()), nodes(parser->nodes.get()),
          at(parser->stage->structural_indexes.get()), tokens(parser->stage->n_structural_indexes),
          text_len(static_cast<uint32_t>(len))
    {
    }

    int document()
    {
        int status = value();
        while (status == OK && depth > 0) {
            status = step();
        }
        if (status == OK && token < tokens) {
            return self.fail(E_SYNTAX, "byte %u: expected the end of the document, found '%.8s'", place(),
                             here());
        }
        self.nodes_n = status == OK ? count : 0;
        return status;
    }

  private:
    json &self;
    const char *text;
    json_node *nodes;
    const uint32_t *at;
    uint32_t tokens;
    uint32_t text_len;
    uint32_t token = 0;
    uint32_t count = 0; /* of nodes */
    uint32_t depth = 0;
    uint32_t open[DEPTH_MAX];

    uint32_t place() const
    {
        return token < tokens ? at[token] : text_len;
    }

    uint32_t place_after() const
    {
        return token + 1 < tokens ? at[token + 1] : text_len;
    }

    const char *here() const
    {
        return text + place();
    }

    char peek() const
    {
        return token < tokens ? text[at[token]] : '\0';
    }

    int expected(const char *what)
    {
        if (token >= tokens) {
            return self.fail(E_SYNTAX, "byte %u: expected %s, but the document ends", text_len, what);
        }
        return self.fail(E_SYNTAX, "byte %u: expected %s, found '%.8s'", place(), what, here());
    }

    void scalar(json_kind kind, const char *start, const char *end)
    {
        json_node *node = &nodes[count++];
        *node = {start, static_cast<uint32_t>(end - start), count, 0, kind};
        token++;
    }

    /* Only space may stand between a scalar's end and the next token. */
    bool ends_at(const char *end) const
    {
        const char *next = text + place_after();
        while (end < next && is_space(*end)) {
            end++;
        }
        return end == next;
    }

    int string()
    {
        const char *start = here() + 1, *end = text + place_after() - 1;
        while (end > start && *end != '"') {
            end--;
        }
        if (end < start || *end != '"') {
            return expected("a closed string");
        }
        scalar(JSON_STRING, start, end);
        return OK;
    }

    int number()
    {
        const char *start = here(), *end = number_end(start);
        if (end == nullptr || !ends_at(end)) {
            return expected("a number");
        }
        scalar(JSON_NUMBER, start, end);
        return OK;
    }

    int literal(const char *word, size_t len, json_kind kind)
    {
        const char *start = here();
        if (memcmp(start, word, len) != 0 || !ends_at(start + len)) {
            return expected("a value");
        }
        scalar(kind, start, start + len);
        return OK;
    }

    int container(json_kind kind)
    {
        if (depth == DEPTH_MAX) {
            return self.fail(E_SYNTAX, "byte %u: nested deeper than %u", place(), DEPTH_MAX);
        }
        open[depth++] = count;
        nodes[count++] = {here(), 0, 0, 0, kind};
        token++;
        return OK;
    }

    int value()
    {
        switch (peek()) {
        case '"':
            return string();
        case '[':
            return container(JSON_ARRAY);
        case '{':
            return container(JSON_OBJECT);
        case 't':
            return literal("true", 4, JSON_TRUE);
        case 'f':
            return literal("false", 5, JSON_FALSE);
        case 'n':
            return literal("null", 4, JSON_NULL);
        default:
            return is_digit(peek()) || peek() == '-' ? number() : expected("a value");
        }
    }

    int step()
    {
        json_node *parent = &nodes[open[depth - 1]];
        bool object = parent->kind == JSON_OBJECT;
        if (peek() == (object ? '}' : ']')) {
            parent->len = static_cast<uint32_t>(here() + 1 - parent->text);
            parent->next = count;
            depth--;
            token++;
            return OK;
        }
        if (parent->size > 0) {
            if (peek() != ',') {
                return expected(object ? "',' or '}'" : "',' or ']'");
            }
            token++;
        }
        parent->size++;
        return object ? member() : value();
    }

    int member()
    {
        if (peek() != '"') {
            return expected("a key");
        }
        int status = string();
        if (status != OK) {
            return status;
        }
        if (peek() != ':') {
            return expected("':'");
        }
        token++;
        return value();
    }
};

} // namespace

int json::fail(int status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error, sizeof error, format, arguments);
    va_end(arguments);
    nodes_n = 0;
    return status;
}

bool json::hold_text(size_t len)
{
    if (len <= text_cap) {
        return true;
    }
    size_t cap = std::max({len, 2 * text_cap, FIRST_BYTES});
    std::unique_ptr<char[]> room(new (std::nothrow) char[cap + simdjson::SIMDJSON_PADDING]);
    if (!room || stage->set_capacity(cap) != simdjson::SUCCESS) {
        return false;
    }
    text = std::move(room);
    text_cap = cap;
    return true;
}

bool json::hold_nodes(size_t n)
{
    if (n <= nodes_cap) {
        return true;
    }
    size_t cap = std::max({n, 2 * nodes_cap, FIRST_NODES});
    std::unique_ptr<json_node[]> room(new (std::nothrow) json_node[cap]);
    if (!room) {
        return false;
    }
    nodes = std::move(room);
    nodes_cap = cap;
    return true;
}

struct json *json_new(void)
{
    struct json *self = new (std::nothrow) struct json;
    if (self == nullptr) {
        return nullptr;
    }
    simdjson::error_code error = simdjson::get_active_implementation()->create_dom_parser_implementation(
        FIRST_BYTES, DEPTH_MAX, self->stage);
    if (error != simdjson::SUCCESS || !self->hold_text(FIRST_BYTES) || !self->hold_nodes(FIRST_NODES)) {
        json_destroy(&self);
    }
    return self;
}

void json_destroy(struct json **self)
{
    delete *self;
    *self = nullptr;
}

int json_parse(struct json *self, const char *text, size_t len)
{
    if (len > BYTES_MAX) {
        return self->fail(E_RANGE, "document of %zu bytes, expected at most %zu", len, BYTES_MAX);
    }
    if (!self->hold_text(len)) {
        return self->fail(E_FULL, "no memory for a document of %zu bytes", len);
    }
    if (len > 0) {
        memcpy(self->text.get(), text, len);
    }
    memset(self->text.get() + len, 0, simdjson::SIMDJSON_PADDING);
    simdjson::error_code error = self->stage->stage1(reinterpret_cast<const uint8_t *>(self->text.get()), len,
                                                     simdjson::stage1_mode::regular);
    if (error != simdjson::SUCCESS) {
        return self->fail(E_SYNTAX, "%s", simdjson::error_message(error));
    }
    /* Each node has a token of its own. */
    if (!self->hold_nodes(self->stage->n_structural_indexes)) {
        return self->fail(E_FULL, "no memory for %u nodes", self->stage->n_structural_indexes);
    }
    self->error[0] = '\0';
    return walk(self, len).document();
}

const char *json_error(const struct json *self)
{
    return self->error;
}

const struct json_node *json_root(const struct json *self)
{
    return self->nodes_n > 0 ? self->nodes.get() : nullptr;
}

const struct json_node *json_first(const struct json *, const struct json_node *parent)
{
    return parent != nullptr && parent->size > 0 ? parent + 1 : nullptr;
}

const struct json_node *json_after(const struct json *self, const struct json_node *parent,
                                   const struct json_node *node)
{
    return node->next < parent->next ? self->nodes.get() + node->next : nullptr;
}

/* Keys are a letter or a few: a call that compares them would cost more than they do. No string of a document
 * has a NUL in it, so that the comparison ends with the shorter of the two. */
static bool is_key(const json_node *node, const char *key)
{
    for (uint32_t i = 0; i < node->len; i++) {
        if (node->text[i] != key[i]) {
            return false;
        }
    }
    return key[node->len] == '\0';
}

const struct json_node *json_get(const struct json *self, const struct json_node *object, const char *key)
{
    if (object == nullptr || object->kind != JSON_OBJECT) {
        return nullptr;
    }
    const json_node *nodes = self->nodes.get(), *at = object + 1;
    for (uint32_t i = 0; i < object->size; i++) {
        if (is_key(at, key)) {
            return at + 1;
        }
        at = nodes + at[1].next;
    }
    return nullptr;
}

bool json_utf8(const char *text, size_t len)
{
    return simdjson::validate_utf8(text, len);
}
