/*
 * One line on stderr per message, written in one piece: `program: message`. Messages name call and path:
 * `mirror: open "/usr": Permission denied`.
 */
#ifndef TERMITE_LOG_H
#define TERMITE_LOG_H

/* The name in front of every line; kept, not copied. */
void log_init(const char *program);

/* Keeps errno. Lines above 4 KiB are cut. */
void log_line(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
