#include "bench/json_ondemand.h"

#include <cstring>
#include <new>

#define SIMDJSON_EXCEPTIONS 0
#include <simdjson.h>

using namespace simdjson;

struct ondemand {
    simdjson::ondemand::parser parser;
    char text[(1 << 20) + SIMDJSON_PADDING];
};

namespace
{

bool visit(simdjson::ondemand::value v, uint64_t *sum);

bool visit_object(simdjson::ondemand::object object, uint64_t *sum)
{
    for (auto found : object) {
        simdjson::ondemand::field field;
        if (std::move(found).get(field) != SUCCESS) {
            return false;
        }
        *sum += static_cast<unsigned char>(field.key().raw()[0]);
        if (!visit(field.value(), sum)) {
            return false;
        }
    }
    return true;
}

bool visit_array(simdjson::ondemand::array array, uint64_t *sum)
{
    for (auto found : array) {
        simdjson::ondemand::value element;
        if (found.get(element) != SUCCESS || !visit(element, sum)) {
            return false;
        }
    }
    return true;
}

template <class any> bool visit_container(any &v, simdjson::ondemand::json_type type, uint64_t *sum)
{
    if (type == simdjson::ondemand::json_type::object) {
        simdjson::ondemand::object object;
        return v.get_object().get(object) == SUCCESS && visit_object(object, sum);
    }
    simdjson::ondemand::array array;
    return v.get_array().get(array) == SUCCESS && visit_array(array, sum);
}

bool visit(simdjson::ondemand::value v, uint64_t *sum)
{
    simdjson::ondemand::json_type type;
    if (v.type().get(type) != SUCCESS) {
        return false;
    }
    if (type == simdjson::ondemand::json_type::object || type == simdjson::ondemand::json_type::array) {
        return visit_container(v, type, sum);
    }
    *sum += v.raw_json_token().size();
    return true;
}

} // namespace

struct ondemand *ondemand_new(void)
{
    return new (std::nothrow) struct ondemand;
}

bool ondemand_read(struct ondemand *self, const char *text, size_t len, uint64_t *sum)
{
    if (len > sizeof self->text - SIMDJSON_PADDING) {
        return false;
    }
    memcpy(self->text, text, len);
    simdjson::ondemand::document document;
    simdjson::ondemand::json_type type;
    if (self->parser.iterate(self->text, len, sizeof self->text).get(document) != SUCCESS ||
        document.type().get(type) != SUCCESS) {
        return false;
    }
    if (type != simdjson::ondemand::json_type::object && type != simdjson::ondemand::json_type::array) {
        return true;
    }
    return visit_container(document, type, sum);
}
