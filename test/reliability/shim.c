/*-------------------------------------------------------------------------
 *
 * shim.c
 *		Calls of the system that fail when they are told to.
 *
 * Preloaded into a server (LD_PRELOAD).  A file, whose name is in the
 * environment variable OMEN_SHIM, is mapped by every process and says which
 * process is to suffer what, and when (resources.py).
 *
 *-------------------------------------------------------------------------
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* What fails. */
enum
{
	NOTHING, MALLOC, WRITE, EXTEND, READ
};

/* The file; resources.py writes it in this layout. */
typedef struct Control
{
	volatile int what;
	volatile int pid;
	volatile int countdown;		/* calls until one fails */
	volatile int fired;			/* calls that failed */
	volatile int error;			/* errno of the call that fails */
} Control;

/* Smaller requests are not those of memory contexts. */
#define LEAST_MALLOC	1024

extern void *__libc_malloc(size_t size);
extern void *__libc_realloc(void *pointer, size_t size);
extern void *__libc_calloc(size_t n, size_t size);

static Control *control;

__attribute__((constructor)) static void
attach(void)
{
	const char *name = getenv("OMEN_SHIM");
	int			fd = name != NULL ? open(name, O_RDWR | O_CLOEXEC) : -1;
	void	   *map;

	if (fd < 0)
		return;
	map = mmap(NULL, sizeof(Control), PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			   0);
	if (map != MAP_FAILED)
		control = map;
	close(fd);
}

/* Is this call the one? */
static int
fails(int what)
{
	if (control == NULL || control->what != what ||
		control->pid != getpid() || --control->countdown != 0)
		return 0;
	control->fired++;
	errno = control->error;
	return 1;
}

/* Data of relations, and temporary files, are below base or pg_tblspc. */
static int
is_data(int fd)
{
	char		link[64];
	char		path[1024];
	ssize_t		length;

	if (control == NULL || control->what == NOTHING ||
		control->pid != getpid())
		return 0;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	length = readlink(link, path, sizeof(path) - 1);
	if (length < 0)
		return 0;
	path[length] = '\0';
	return strstr(path, "/base/") != NULL || strstr(path, "/pg_tblspc/") != NULL;
}

static int
is_beyond_end(int fd, off_t offset)
{
	struct stat st;

	return fstat(fd, &st) == 0 && offset >= st.st_size;
}

static int
write_fails(int fd, off_t offset)
{
	return is_data(fd) &&
		(fails(WRITE) || (is_beyond_end(fd, offset) && fails(EXTEND)));
}

void *
malloc(size_t size)
{
	if (size >= LEAST_MALLOC && fails(MALLOC))
		return NULL;
	return __libc_malloc(size);
}

void *
realloc(void *pointer, size_t size)
{
	if (size >= LEAST_MALLOC && fails(MALLOC))
		return NULL;
	return __libc_realloc(pointer, size);
}

void *
calloc(size_t n, size_t size)
{
	if (n * size >= LEAST_MALLOC && fails(MALLOC))
		return NULL;
	return __libc_calloc(n, size);
}

#define REAL(name) \
	static __typeof__(&name) real; \
	if (real == NULL) \
		*(void **) &real = dlsym(RTLD_NEXT, #name)

#define WRITE_CALL(name) \
ssize_t \
name(int fd, const void *data, size_t size, off_t offset) \
{ \
	REAL(name); \
	return write_fails(fd, offset) ? -1 : real(fd, data, size, offset); \
}

#define READ_CALL(name) \
ssize_t \
name(int fd, void *data, size_t size, off_t offset) \
{ \
	REAL(name); \
	return is_data(fd) && fails(READ) ? -1 : real(fd, data, size, offset); \
}

#define ALLOCATE_CALL(name) \
int \
name(int fd, off_t offset, off_t size) \
{ \
	REAL(name); \
	return is_data(fd) && fails(EXTEND) ? control->error : \
		real(fd, offset, size); \
}

struct iovec;
#define WRITEV_CALL(name) \
ssize_t \
name(int fd, const struct iovec *parts, int n, off_t offset) \
{ \
	REAL(name); \
	return write_fails(fd, offset) ? -1 : real(fd, parts, n, offset); \
}

extern ssize_t pwritev(int fd, const struct iovec *parts, int n, off_t offset);
extern ssize_t pwritev64(int fd, const struct iovec *parts, int n,
						 off_t offset);

WRITE_CALL(pwrite)
WRITE_CALL(pwrite64)
WRITEV_CALL(pwritev)
WRITEV_CALL(pwritev64)
READ_CALL(pread)
READ_CALL(pread64)
ALLOCATE_CALL(posix_fallocate)
ALLOCATE_CALL(posix_fallocate64)
