/* The socket of a project. The names are those that master/socket-path.ts makes, see test/master/socket-path.test.ts. */
#include "../shell/project.h"

#include "sha256.h"
#include "tap.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *hash_of(const char *text)
{
	static char hex[2 * SHA256_LENGTH + 1];
	unsigned char hash[SHA256_LENGTH];
	sha256(bytes_of(text), hash);
	for (size_t i = 0; i < sizeof hash; i++)
		sprintf(hex + 2 * i, "%02x", hash[i]);
	return hex;
}

static const char *socket_of(const char *root)
{
	static char path[PATH_MAX + PROJECT_SOCKET_MAX];
	int failed = project_socket(path, root, 0xfd01, 0x1234abcd);
	return failed == 0 ? path : strerror(-failed);
}

static void test_hash(void)
{
	/* Source: the examples of FIPS 180-4. */
	tap_ok(strcmp(hash_of("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad") == 0,
	   "sha256() of one block");
	tap_ok(strcmp(hash_of(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855") == 0,
	   "sha256() of nothing");
	tap_ok(strcmp(hash_of("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
		  "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1") == 0,
	   "sha256() whose length is in a block of its own");
	char text[201];
	memset(text, 'a', 200);
	text[200] = 0;
	tap_ok(strcmp(hash_of(text), "c2a908d98f5df987ade41b5fce213067efbcc21ef2240212a41e54b5e7c28ae5") == 0,
	   "sha256() of several blocks");
}

static void test_places(void)
{
	setenv("XDG_CACHE_HOME", "/cache", 1);
	tap_ok(strcmp(socket_of("/srv/a"), "/cache/termite/projects/b068a6cef8334eeb/socket-fd01-1234abcd") == 0,
	   "project_socket() is below $XDG_CACHE_HOME");
	setenv("XDG_CACHE_HOME", "relative", 1);
	setenv("HOME", "/home/me", 1);
	tap_ok(strncmp(socket_of("/srv/a"), "/home/me/.cache/termite/projects/", 33) == 0,
	   "project_socket() is in the home folder when $XDG_CACHE_HOME is no absolute path");
	setenv("HOME", "", 1);
	tap_ok(strcmp(socket_of("/srv/a"), strerror(ENOENT)) == 0, "project_socket() is nowhere without a home");
	char longest[PATH_MAX + 1];
	memset(longest, 'x', PATH_MAX);
	longest[0] = '/';
	longest[PATH_MAX] = 0;
	setenv("XDG_CACHE_HOME", longest, 1);
	tap_ok(strcmp(socket_of("/srv/a"), strerror(ENAMETOOLONG)) == 0, "project_socket() refuses what no path can be");
}

int main(void)
{
	test_hash();
	test_places();
	return tap_done();
}
