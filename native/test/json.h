/*
 * Just enough JSON to read the descriptions in golden/: strings without escapes, integers, true, false, null, arrays and
 * objects. Anything else ends the test program.
 */
#ifndef TERMITE_TEST_JSON_H
#define TERMITE_TEST_JSON_H

#include "bytes.h"

#include <ctype.h>
#include <stdint.h>
#include <stdio.h>

struct json {
	enum { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT } kind;
	uint64_t number;    /* also of a bool */
	char *string;
	char *key;          /* when it is the member of an object */
	struct json *items; /* of an array or object */
	size_t count;
};

_Noreturn static inline void json_give_up(const char *why)
{
	printf("Bail out! golden description: %s\n", why);
	exit(1);
}

static inline void json_blanks(const char **at)
{
	*at += strspn(*at, " \n\t\r");
}

static inline bool json_take(const char **at, const char *word)
{
	json_blanks(at);
	if (strncmp(*at, word, strlen(word)) != 0)
		return false;
	*at += strlen(word);
	return true;
}

static inline char *json_string(const char **at)
{
	if (!json_take(at, "\""))
		json_give_up("a string was expected");
	size_t length = strcspn(*at, "\"");
	char *string = strndup(*at, length);
	*at += length + 1;
	return string;
}

static inline struct json json_value(const char **at);

static inline void json_items(const char **at, struct json *value, const char *closing)
{
	value->items = calloc(1, sizeof *value->items);
	while (!json_take(at, closing)) {
		if (value->count > 0 && !json_take(at, ","))
			json_give_up("a comma was expected");
		char *key = value->kind == JSON_OBJECT ? json_string(at) : NULL;
		if (key && !json_take(at, ":"))
			json_give_up("a colon was expected");
		value->items = realloc(value->items, (value->count + 1) * sizeof *value->items);
		value->items[value->count] = json_value(at);
		value->items[value->count++].key = key;
	}
}

static inline struct json json_value(const char **at)
{
	struct json value = { .kind = JSON_NULL };
	json_blanks(at);
	if (json_take(at, "null"))
		return value;
	if (json_take(at, "true") || json_take(at, "false")) {
		value.kind = JSON_BOOL;
		value.number = (*at)[-2] == 'u';
	} else if (**at == '"') {
		value.kind = JSON_STRING;
		value.string = json_string(at);
	} else if (json_take(at, "[")) {
		value.kind = JSON_ARRAY;
		json_items(at, &value, "]");
	} else if (json_take(at, "{")) {
		value.kind = JSON_OBJECT;
		json_items(at, &value, "}");
	} else if (isdigit((unsigned char)**at)) {
		value.kind = JSON_NUMBER;
		value.number = strtoull(*at, (char **)(uintptr_t)at, 10);
	} else {
		json_give_up("a value was expected");
	}
	return value;
}

static inline void json_free(struct json *value)
{
	for (size_t i = 0; i < value->count; i++)
		json_free(&value->items[i]);
	free(value->items);
	free(value->string);
	free(value->key);
}

static inline const struct json *json_get(const struct json *object, const char *key)
{
	for (size_t i = 0; i < object->count; i++) {
		if (strcmp(object->items[i].key, key) == 0)
			return &object->items[i];
	}
	json_give_up(key);
}

/* The bytes of a string of hex digits; malloc'ed, to be freed by the caller. */
static inline struct bytes json_hex(const struct json *value)
{
	size_t length = strlen(value->string) / 2;
	unsigned char *data = malloc(length + 1);
	for (size_t i = 0; i < length; i++) {
		unsigned byte;
		if (sscanf(value->string + 2 * i, "%2x", &byte) != 1)
			json_give_up("hex digits were expected");
		data[i] = (unsigned char)byte;
	}
	return (struct bytes){ data, length };
}

/* A file of test/golden; the caller frees the data. The tests run in native/. */
static inline struct bytes golden_read(const char *name)
{
	char path[256];
	snprintf(path, sizeof path, "test/golden/%s", name);
	FILE *file = fopen(path, "rb");
	if (file == NULL)
		json_give_up(path);
	unsigned char *data = malloc(1 << 20);
	size_t length = fread(data, 1, (1 << 20) - 1, file);
	fclose(file);
	data[length] = 0;
	/* Exactly as large as the content, so that the sanitizer sees every read beyond it. */
	return (struct bytes){ realloc(data, length + 1), length };
}

static inline struct json golden_describe(const char *name)
{
	struct bytes text = golden_read(name);
	const char *at = (const char *)text.data;
	struct json value = json_value(&at);
	free((void *)(uintptr_t)text.data);
	return value;
}

static inline void golden_free(struct bytes bytes)
{
	free((void *)(uintptr_t)bytes.data);
}

#endif
