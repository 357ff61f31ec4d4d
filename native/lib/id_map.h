/* Who is who in a user namespace of one's own. */
#ifndef TERMITE_ID_MAP_H
#define TERMITE_ID_MAP_H

/*
 * Maps, for the calling process which has just made its user namespace, one id inside to one id outside. Works without
 * privileges outside when the id outside is our own. 0 or -errno, *path the file that could not be written.
 */
int id_map(unsigned inside_uid, unsigned outside_uid, unsigned inside_gid, unsigned outside_gid, const char **path);

#endif
