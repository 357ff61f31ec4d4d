/*
 * Named checks of file-system behaviour. `checks NAME` runs one of them in the current directory, which holds the
 * fixture tree of fixture.sh, and prints what it saw. Nothing here judges: the test runs every check once in a plain
 * directory (the oracle) and once through the mirror, and compares what was printed and the trees that are left.
 * Print relations and results, never inode numbers, times of now or device numbers: those may differ.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

static const char *outcome(long result) { return result < 0 ? strerrorname_np(errno) : "ok"; }
#define SAY(call) printf("%s: %s\n", #call, outcome(call))

static int open_or_die(const char *path, int flags, mode_t mode)
{
	int fd = open(path, flags, mode);
	if (fd < 0) {
		printf("open %s: %s\n", path, strerrorname_np(errno));
		exit(1);
	}
	return fd;
}

static void put(const char *path, const char *text)
{
	int fd = open_or_die(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	if (write(fd, text, strlen(text)) < 0)
		printf("write %s: %s\n", path, strerrorname_np(errno));
	close(fd);
}

static void show(const char *path)
{
	char buffer[200];
	int fd = open(path, O_RDONLY);
	if (fd < 0) {
		printf("%s: %s\n", path, strerrorname_np(errno));
		return;
	}
	ssize_t n = read(fd, buffer, sizeof buffer);
	printf("%s: %.*s|\n", path, (int)(n < 0 ? 0 : n), buffer);
	close(fd);
}

static void show_stat(const char *path)
{
	struct stat st;
	if (lstat(path, &st) < 0) {
		printf("%s: %s\n", path, strerrorname_np(errno));
		return;
	}
	printf("%s: mode %o", path, st.st_mode);
	if (!S_ISDIR(st.st_mode))
		printf(" size %lld links %lu", (long long)st.st_size, (unsigned long)st.st_nlink);
	printf("\n");
}

static int by_name(const struct dirent **a, const struct dirent **b) { return strcmp((*a)->d_name, (*b)->d_name); }

static void list(const char *path)
{
	struct dirent **names;
	int n = scandir(path, &names, NULL, by_name);
	printf("%s:", path);
	for (int i = 0; i < n; i++)
		printf(" [%s]", names[i]->d_name);
	printf(n < 0 ? " %s\n" : "\n", strerrorname_np(errno));
}

static int same_file(const char *a, const char *b)
{
	struct stat x, y;
	return !stat(a, &x) && !stat(b, &y) && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

static void set_times(const char *path, long seconds, long nanoseconds)
{
	struct timespec times[2] = {{seconds, nanoseconds}, {seconds, nanoseconds}};
	SAY(utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW));
}

static void show_mtime(const char *path)
{
	struct stat st;
	if (!lstat(path, &st))
		printf("%s: mtime %ld.%09ld\n", path, (long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
}

#define CHECK(name) static void name(void)

/* Reading */
CHECK(readFile) { show("file"); show_stat("file"); }
CHECK(readEmpty) { show("empty"); show_stat("empty"); }
CHECK(readBig)
{
	static char buffer[1 << 16];
	unsigned sum = 0;
	long total = 0;
	int fd = open_or_die("big", O_RDONLY, 0);
	for (ssize_t n; (n = read(fd, buffer, sizeof buffer)) > 0; total += n)
		for (ssize_t i = 0; i < n; i++)
			sum = sum * 31 + (unsigned char)buffer[i];
	printf("%ld bytes, sum %u\n", total, sum);
}
CHECK(preadPastEnd)
{
	char c;
	int fd = open_or_die("file", O_RDONLY, 0);
	printf("%zd\n", pread(fd, &c, 1, 1000));
}
CHECK(mmapRead)
{
	int fd = open_or_die("big", O_RDONLY, 0);
	char *p = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
	printf("%d %d %d\n", p[0], p[100], p[4095]);
}
CHECK(statKinds)
{
	const char *paths[] = {"file", "executable", "readonly", "setuid", "link", "dangling", "dirlink", "pipe", "dir/sub"};
	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
		show_stat(paths[i]);
}
CHECK(absentPaths)
{
	SAY(access("nothing", F_OK));
	SAY(access("file/below", F_OK));
	SAY(access("dangling", F_OK));
	SAY(access("nothing/below", F_OK));
}
CHECK(accessBits) { SAY(access("executable", X_OK)); SAY(access("file", X_OK)); SAY(access("file", R_OK)); }
CHECK(listRoot) { list("."); }
CHECK(listNested) { list("dir"); list("dir/sub"); list("emptydir"); }
CHECK(listManyEntries)
{
	int n = 0;
	DIR *d = opendir("many");
	while (readdir(d))
		n++;
	printf("%d\n", n);
}
CHECK(listSeekBack)
{
	DIR *d = opendir("many");
	int first = 0, second = 0;
	while (readdir(d))
		first++;
	rewinddir(d);
	while (readdir(d))
		second++;
	printf("%d %d\n", first, second);
}
CHECK(direntTypes)
{
	struct dirent **e;
	int n = scandir(".", &e, NULL, by_name);
	for (int i = 0; i < n; i++)
		if (e[i]->d_type != DT_UNKNOWN)
			printf("%s %d\n", e[i]->d_name, e[i]->d_type);
}
CHECK(readLinks)
{
	char target[300];
	const char *links[] = {"link", "dangling", "dirlink", "longlink"};
	for (int i = 0; i < 4; i++) {
		ssize_t n = readlink(links[i], target, sizeof target);
		printf("%s -> %.*s\n", links[i], (int)n, target);
	}
	show("link");
	show("dirlink/a");
}
CHECK(oddNames) { show("name with space"); show("new\nline"); show("\xff\xfe bytes"); show_stat("\xff\xfe bytes"); }
CHECK(uniqueInodes) { printf("%d %d %d\n", same_file("twin1", "twin2"), same_file("file", "link"), same_file("dir", "dirlink")); }
CHECK(readPrivateFile) { show("private"); show_stat("private"); }
CHECK(openDirectoryForWriting) { SAY(open("dir", O_WRONLY)); SAY(open("dir", O_RDONLY | O_DIRECTORY)); SAY(open("file", O_RDONLY | O_DIRECTORY)); }
CHECK(noFollow) { SAY(open("link", O_RDONLY | O_NOFOLLOW)); SAY(open("dirlink", O_RDONLY | O_NOFOLLOW | O_DIRECTORY)); }
CHECK(executeFile) { fflush(stdout); printf("status %d\n", system("./executable arg")); }
CHECK(executeNonExecutable) { char *argv[] = {"./file", NULL}; SAY(execv("./file", argv)); }
CHECK(fileSystemSize)
{
	struct statvfs s;
	int result = statvfs(".", &s);
	printf("%d %d\n", result, result == 0 && s.f_bsize > 0);
}

/* Creating and writing */
CHECK(createFile) { put("new", "new content\n"); show("new"); show_stat("new"); }
CHECK(createExclusive) { SAY(open("fresh", O_CREAT | O_EXCL | O_WRONLY, 0600)); SAY(open("file", O_CREAT | O_EXCL | O_WRONLY, 0600)); }
CHECK(createInSubdirectory) { put("dir/sub/new", "x"); list("dir/sub"); }
CHECK(createModeAndUmask) { umask(027); close(open("masked", O_CREAT | O_WRONLY, 0777)); show_stat("masked"); mkdir("maskeddir", 0777); show_stat("maskeddir"); }
CHECK(createOddNames) { put("sp ace", "1"); put("li\nne", "2"); put("\xfe\xff", "3"); mkdir("d\xe9", 0755); put("d\xe9/f", "4"); list("."); }
CHECK(createLongName)
{
	char name[300];
	memset(name, 'n', 255);
	name[255] = 0;
	put(name, "long");
	memset(name, 'm', 256);
	name[256] = 0;
	SAY(open(name, O_CREAT | O_WRONLY, 0644));
}
CHECK(overwriteFile) { put("file", "changed\n"); show("file"); }
CHECK(overwriteSameContent) { put("file", "hello\n"); show("file"); }
CHECK(appendFile)
{
	int fd = open_or_die("file", O_WRONLY | O_APPEND, 0);
	SAY(write(fd, "more\n", 5));
	show("file");
}
CHECK(writeInMiddle)
{
	int fd = open_or_die("big", O_RDWR, 0);
	SAY(pwrite(fd, "XYZ", 3, 500000));
	char c[4] = {0};
	SAY(pread(fd, c, 3, 500000));
	puts(c);
}
CHECK(truncateShorter) { SAY(truncate("big", 1000)); show_stat("big"); }
CHECK(truncateLonger) { SAY(truncate("file", 5000)); show_stat("file"); show("file"); }
CHECK(truncateOnOpen) { close(open("file", O_WRONLY | O_TRUNC)); show_stat("file"); }
CHECK(ftruncateOpen) { int fd = open_or_die("file", O_RDWR, 0); SAY(ftruncate(fd, 2)); show("file"); SAY(ftruncate(fd, 9)); show_stat("file"); }
CHECK(writerSeenByEarlierReader)
{
	char c[10] = {0};
	int reader = open_or_die("w", O_RDWR | O_CREAT, 0644);
	put("w", "later");
	SAY(read(reader, c, 9));
	puts(c);
}
CHECK(openUnlinked)
{
	char c[10] = {0};
	struct stat st;
	int fd = open_or_die("file", O_RDONLY, 0);
	SAY(unlink("file"));
	SAY(read(fd, c, 9));
	SAY(fstat(fd, &st));
	printf("%s size %lld\n", c, (long long)st.st_size);
	show("file");
}
CHECK(sparseFile)
{
	int fd = open_or_die("sparse", O_CREAT | O_RDWR, 0644);
	SAY(pwrite(fd, "end", 3, 10 << 20));
	show_stat("sparse");
}
CHECK(hugeSparseFile)
{
	int fd = open_or_die("huge", O_CREAT | O_RDWR, 0644);
	SAY(ftruncate(fd, 5LL << 30));
	SAY(pwrite(fd, "end", 3, (5LL << 30) - 3));
	show_stat("huge");
}
CHECK(mmapWrite)
{
	int fd = open_or_die("file", O_RDWR, 0);
	char *p = mmap(NULL, 6, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	memcpy(p, "J", 1);
	SAY(msync(p, 6, MS_SYNC));
	show("file");
}
CHECK(vectoredWrite)
{
	struct iovec v[2] = {{"ab", 2}, {"cd", 2}};
	int fd = open_or_die("vector", O_CREAT | O_WRONLY, 0644);
	SAY(writev(fd, v, 2));
	show("vector");
}
CHECK(fallocateFile) { int fd = open_or_die("reserved", O_CREAT | O_RDWR, 0644); SAY(posix_fallocate(fd, 0, 10000)); show_stat("reserved"); }
CHECK(temporaryThenLink)
{
	int fd = open_or_die(".", O_TMPFILE | O_RDWR, 0640);
	SAY(write(fd, "tmp", 3));
	char path[64];
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	SAY(linkat(AT_FDCWD, path, AT_FDCWD, "named", AT_SYMLINK_FOLLOW));
	show_stat("named");
}
CHECK(lockFile)
{
	int fd = open_or_die("file", O_RDWR, 0);
	struct flock l = {.l_type = F_WRLCK};
	SAY(fcntl(fd, F_SETLK, &l));
	SAY(flock(fd, LOCK_EX | LOCK_NB));
}
CHECK(syncFile) { int fd = open_or_die("synced", O_CREAT | O_WRONLY, 0644); SAY(write(fd, "s", 1)); SAY(fsync(fd)); SAY(fdatasync(fd)); }
CHECK(copyRange)
{
	int in = open_or_die("big", O_RDONLY, 0), out = open_or_die("copy", O_CREAT | O_WRONLY, 0644);
	static char buffer[1 << 16];
	long total = 0;
	/* EXDEV between the layers of an overlay: copy_file_range(2) wants its callers to go on with read and write. */
	for (ssize_t n; (n = copy_file_range(in, NULL, out, NULL, 1 << 20, 0)) > 0;)
		total += n;
	for (ssize_t n; (n = read(in, buffer, sizeof buffer)) > 0;)
		total += write(out, buffer, n);
	printf("%ld\n", total);
}
CHECK(manyOpenFiles)
{
	char name[32];
	int opened = 0;
	for (int i = 0; i < 500; i++) {
		snprintf(name, sizeof name, "many/f%d", i);
		opened += open(name, O_RDONLY) >= 0;
	}
	printf("%d\n", opened);
}

/* Deleting */
CHECK(deleteFile) { SAY(unlink("file")); show("file"); SAY(unlink("file")); }
CHECK(deleteAndRecreate) { SAY(unlink("file")); put("file", "again"); show("file"); show_stat("file"); }
CHECK(deleteCreated) { put("brief", "x"); SAY(unlink("brief")); list("emptydir"); }
CHECK(deleteDirectoryWithUnlink) { printf("%d\n", unlink("dir") < 0); }
CHECK(removeEmptyDirectory) { SAY(rmdir("emptydir")); show_stat("emptydir"); }
CHECK(removeFullDirectory) { SAY(rmdir("dir")); }
CHECK(removeTree) { fflush(stdout); printf("%d\n", system("rm -rf dir")); show_stat("dir"); list("."); }
CHECK(removeTreeAndRecreate) { fflush(stdout); printf("%d\n", system("rm -rf dir")); SAY(mkdir("dir", 0755)); put("dir/only", "x"); list("dir"); }
CHECK(removeTreePartly) { SAY(unlink("dir/a")); SAY(unlink("dir/sub/x")); list("dir"); list("dir/sub"); }
CHECK(deleteSymlink) { SAY(unlink("link")); SAY(unlink("dirlink")); show("file"); list("dir"); }
CHECK(deleteOneHardLink) { SAY(unlink("hard1")); show("hard2"); }

/* Directories */
CHECK(makeDirectory) { SAY(mkdir("made", 0755)); SAY(mkdir("made", 0755)); SAY(mkdir("file", 0755)); SAY(mkdir("no/parent", 0755)); SAY(mkdir("file/below", 0755)); show_stat("made"); }
CHECK(makeNestedDirectories) { fflush(stdout); printf("%d\n", system("mkdir -p x/../y a//b//c")); list("."); list("a/b"); }
CHECK(makeAndRemoveDirectory) { SAY(mkdir("brief", 0755)); SAY(rmdir("brief")); list("."); }
CHECK(removeAndMakeDirectory) { SAY(rmdir("emptydir")); SAY(mkdir("emptydir", 0700)); show_stat("emptydir"); }
CHECK(unreadableDirectory) { SAY(mkdir("closed", 0755)); put("closed/f", "x"); SAY(chmod("closed", 0)); show_stat("closed"); SAY(chmod("closed", 0711)); }
CHECK(stickyAndSetgidDirectory) { SAY(mkdir("shared", 0755)); SAY(chmod("shared", 01777)); show_stat("shared"); }

/* Renaming */
CHECK(renameFile) { SAY(rename("file", "renamed")); show("renamed"); show("file"); }
CHECK(renameOverExisting) { SAY(rename("file", "readonly")); show("readonly"); show_stat("readonly"); }
CHECK(renameEqualContents) { SAY(rename("twin1", "twin2")); show("twin2"); show("twin1"); fflush(stdout); put("t.Tpo", "hello\n"); printf("%d\n", system("mv t.Tpo file")); }
CHECK(renameNewOverExisting) { put("new", "n"); SAY(rename("new", "file")); show("file"); show_stat("file"); }
CHECK(renameIntoDirectory) { SAY(rename("file", "dir/sub/file")); list("dir/sub"); }
CHECK(renameNewDirectory) { SAY(mkdir("n", 0755)); put("n/f", "x"); SAY(rename("n", "m")); list("m"); show_stat("n"); }
CHECK(moveDirectory) { fflush(stdout); printf("%d\n", system("mv dir moved")); list("moved"); list("moved/sub"); show("moved/a"); show_stat("dir"); }
CHECK(moveDirectoryAndChange) { fflush(stdout); printf("%d\n", system("mv dir moved")); put("moved/a", "changed"); SAY(unlink("moved/sub/x")); put("moved/sub/new", "n"); list("moved/sub"); }
CHECK(moveDirectoryTwice) { fflush(stdout); printf("%d\n", system("mv dir one && mv one two && mv two/sub three")); list("two"); list("three"); }
CHECK(swapDirectories) { fflush(stdout); printf("%d\n", system("mv dir t && mv emptydir dir && mv t emptydir")); list("dir"); list("emptydir"); }
CHECK(moveSubdirectoryUp) { fflush(stdout); printf("%d\n", system("mv dir/sub up && rm -r dir")); list("up"); }
CHECK(renameOverDirectory) { SAY(rename("file", "dir")); SAY(rename("emptydir", "file")); fflush(stdout); printf("%d\n", system("rm -r dir && mv file dir")); show("dir"); }
CHECK(renameSymlink) { SAY(rename("link", "link2")); show("link2"); show_stat("link"); }
CHECK(renameExchangeBack) { SAY(rename("file", "t")); SAY(rename("t", "file")); show("file"); }

/* Replacing one kind by another */
CHECK(fileBecomesDirectory) { SAY(unlink("file")); SAY(mkdir("file", 0755)); put("file/in", "x"); list("file"); }
CHECK(directoryBecomesFile) { fflush(stdout); printf("%d\n", system("rm -r dir")); put("dir", "a file now"); show("dir"); }
CHECK(fileBecomesSymlink) { SAY(unlink("file")); SAY(symlink("big", "file")); show_stat("file"); }
CHECK(symlinkBecomesFile) { SAY(unlink("link")); put("link", "real"); show_stat("link"); show("file"); }
CHECK(directoryBecomesSymlink) { fflush(stdout); printf("%d\n", system("rm -r dir; ln -s emptydir dir")); list("dir/."); }
CHECK(symlinkBecomesDirectory) { SAY(unlink("dirlink")); SAY(mkdir("dirlink", 0755)); put("dirlink/f", "1"); list("dirlink"); }
CHECK(symlinkRetargeted) { fflush(stdout); printf("%d\n", system("ln -sf big link && ln -sfn emptydir dirlink")); show_stat("link"); }
CHECK(fifoBecomesFile) { SAY(unlink("pipe")); put("pipe", "x"); show_stat("pipe"); }

/* Links, FIFOs, attributes */
CHECK(makeSymlinks) { SAY(symlink("file", "s1")); SAY(symlink("/absolute/nowhere", "s2")); SAY(symlink("\xff", "s3")); SAY(symlink("x", "file")); show("s1"); }
CHECK(hardLinkNewFile) { put("h1", "linked"); SAY(link("h1", "h2")); SAY(link("h1", "dir/h3")); show_stat("h1"); printf("%d\n", same_file("h1", "dir/h3")); }
CHECK(hardLinkExistingFile) { SAY(link("file", "file2")); printf("%d\n", same_file("file", "file2")); show_stat("file2"); }
CHECK(hardLinkThenWrite) { put("h1", "one"); SAY(link("h1", "h2")); put("h2", "two"); show("h1"); }
CHECK(hardLinkThenUnlink) { put("h1", "one"); SAY(link("h1", "h2")); SAY(unlink("h1")); show_stat("h2"); }
CHECK(makeFifo) { SAY(mkfifo("p2", 0640)); show_stat("p2"); }
CHECK(fifoCarriesData)
{
	char c[6] = {0};
	mkfifo("p3", 0600);
	if (!fork()) {
		int out = open("p3", O_WRONLY);
		_exit(write(out, "data!", 5) != 5);
	}
	int in = open_or_die("p3", O_RDONLY, 0);
	SAY(read(in, c, 5));
	wait(NULL);
	puts(c);
}
CHECK(chmodFile) { SAY(chmod("file", 0755)); show_stat("file"); show("file"); }
CHECK(chmodDirectory) { SAY(chmod("dir", 0750)); show_stat("dir"); list("dir"); }
CHECK(chmodBackAndForth) { SAY(chmod("file", 0600)); SAY(chmod("file", 0644)); show_stat("file"); }
CHECK(chmodSetuid) { SAY(chmod("executable", 04755)); show_stat("executable"); }
CHECK(setuidGivenBack)
{
	/* Whether the write takes it away depends on CAP_FSETID, which no command has in a sandbox. */
	int fd = open_or_die("setuid", O_WRONLY | O_APPEND, 0);
	SAY(write(fd, "x", 1));
	SAY(chmod("setuid", 04755));
	show_stat("setuid");
}
CHECK(chmodReadonlyThenWrite) { SAY(chmod("readonly", 0644)); put("readonly", "w"); show("readonly"); }
CHECK(touchExisting) { SAY(utimensat(AT_FDCWD, "file", NULL, 0)); show("file"); }
CHECK(explicitTimes) { set_times("file", 1000000000, 123456789); show_mtime("file"); set_times("dir/a", 1234567890, 0); show_mtime("dir/a"); }
CHECK(explicitDirectoryTime) { put("dir/new", "x"); set_times("dir", 1000000000, 5); show_mtime("dir"); }
CHECK(timesOfNewFile) { put("old", "x"); set_times("old", 1100000000, 999999999); show_mtime("old"); }
CHECK(copyPreserving) { fflush(stdout); printf("%d\n", system("cp -p file kept && cp -a dir copied")); show_stat("kept"); list("copied"); }
CHECK(mtimeMovesOnWrite)
{
	struct stat before, after;
	set_times("file", 1000000000, 0);
	stat("file", &before);
	put("file", "w");
	stat("file", &after);
	printf("%d\n", after.st_mtime > before.st_mtime);
}
CHECK(parentMtimeMoves)
{
	struct stat before, after;
	stat("dir", &before);
	put("dir/new", "w");
	stat("dir", &after);
	printf("%d\n", after.st_mtim.tv_sec > before.st_mtim.tv_sec);
}
CHECK(ownerIsMe)
{
	struct stat st;
	put("mine", "x");
	stat("mine", &st);
	printf("%d %d\n", st.st_uid == geteuid(), st.st_gid == getegid());
	stat("file", &st);
	printf("%d %d\n", st.st_uid == geteuid(), st.st_gid == getegid());
}
CHECK(workingDirectory)
{
	char path[4096];
	SAY(chdir("dir/sub"));
	printf("%s\n", strrchr(getcwd(path, sizeof path), '/'));
	SAY(chdir("../../dirlink"));
	printf("%s\n", strrchr(getcwd(path, sizeof path), '/'));
}
CHECK(deletedWorkingDirectory)
{
	char path[4096];
	SAY(chdir("emptydir"));
	SAY(rmdir("../emptydir"));
	printf("%d\n", getcwd(path, sizeof path) == NULL);
}
CHECK(childProcessWrites)
{
	fflush(stdout);
	printf("%d\n", system("(echo one > c1; (echo two > c2) & wait); cat c1 c2"));
}
CHECK(shellRedirections) { fflush(stdout); printf("%d\n", system("cat file > out 2> err; cat file >> out; : > empty2; exec 3<>rw; echo x >&3")); show("out"); }

#define EACH(X)                                                                                                        \
	X(readFile) X(readEmpty) X(readBig) X(preadPastEnd) X(mmapRead) X(statKinds) X(absentPaths) X(accessBits)             \
	X(listRoot) X(listNested) X(listManyEntries) X(listSeekBack) X(direntTypes) X(readLinks) X(oddNames)                  \
	X(uniqueInodes) X(readPrivateFile) X(openDirectoryForWriting) X(noFollow) X(executeFile) X(executeNonExecutable)      \
	X(fileSystemSize) X(createFile) X(createExclusive) X(createInSubdirectory) X(createModeAndUmask) X(createOddNames)    \
	X(createLongName) X(overwriteFile) X(overwriteSameContent) X(appendFile) X(writeInMiddle) X(truncateShorter)          \
	X(truncateLonger) X(truncateOnOpen) X(ftruncateOpen) X(writerSeenByEarlierReader) X(openUnlinked) X(sparseFile)       \
	X(hugeSparseFile) X(mmapWrite) X(vectoredWrite) X(fallocateFile) X(temporaryThenLink) X(lockFile) X(syncFile)         \
	X(copyRange) X(manyOpenFiles) X(deleteFile) X(deleteAndRecreate) X(deleteCreated) X(deleteDirectoryWithUnlink)        \
	X(removeEmptyDirectory) X(removeFullDirectory) X(removeTree) X(removeTreeAndRecreate) X(removeTreePartly)             \
	X(deleteSymlink) X(deleteOneHardLink) X(makeDirectory) X(makeNestedDirectories) X(makeAndRemoveDirectory)             \
	X(removeAndMakeDirectory) X(unreadableDirectory) X(stickyAndSetgidDirectory) X(renameFile) X(renameOverExisting)      \
	X(renameEqualContents) X(renameNewOverExisting) X(renameIntoDirectory) X(renameNewDirectory) X(moveDirectory)         \
	X(moveDirectoryAndChange) X(moveDirectoryTwice) X(swapDirectories) X(moveSubdirectoryUp) X(renameOverDirectory)       \
	X(renameSymlink) X(renameExchangeBack) X(fileBecomesDirectory) X(directoryBecomesFile) X(fileBecomesSymlink)          \
	X(symlinkBecomesFile) X(directoryBecomesSymlink) X(symlinkBecomesDirectory) X(symlinkRetargeted) X(fifoBecomesFile)   \
	X(makeSymlinks) X(hardLinkNewFile) X(hardLinkExistingFile) X(hardLinkThenWrite) X(hardLinkThenUnlink) X(makeFifo)     \
	X(fifoCarriesData) X(chmodFile) X(chmodDirectory) X(chmodBackAndForth) X(chmodSetuid) X(setuidGivenBack)         \
	X(chmodReadonlyThenWrite) X(touchExisting) X(explicitTimes) X(explicitDirectoryTime) X(timesOfNewFile)                \
	X(copyPreserving) X(mtimeMovesOnWrite) X(parentMtimeMoves) X(ownerIsMe) X(workingDirectory)                           \
	X(deletedWorkingDirectory) X(childProcessWrites) X(shellRedirections)

#define ROW(name) {#name, name},
static const struct {
	const char *name;
	void (*run)(void);
} checks[] = {EACH(ROW)};

/* Without an argument: the names, one a line. */
int main(int argc, char **argv)
{
	umask(022);
	for (size_t i = 0; i < sizeof checks / sizeof *checks; i++) {
		if (argc < 2)
			puts(checks[i].name);
		else if (!strcmp(argv[1], checks[i].name))
			return checks[i].run(), 0;
	}
	return argc < 2 ? 0 : 99;
}
