/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * agent.c: the one program of the test guest
 *
 * Theory of operation
 *
 * /init has mounted the file systems and leaves the console to us, as process 1.
 * One thread prints `tick N UPTIME` on ttyS0 every 100 ms from the start, one
 * waits for the power button, and the main thread loads the modules listed in
 * /modules and then answers lines on the virtio-serial port org.stasis.agent, so
 * whoever gets an answer knows that every device is there:
 *
 *   [@TAG ]COMMAND [ARGUMENT...]   ->   [@TAG ]ok|error [ANSWER]
 *
 * A tag comes back with the answer, so that a host which connects anew (after a
 * restore, say) can tell an old answer from its own.  When the host hangs up,
 * half a line and an unread answer are dropped.
 */

#include "memory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/input.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PORT    "org.stasis.agent"
#define TICK_US 100000
#define BLOCK   512

static uint64_t ticks;

static double
clock_seconds (clockid_t id)
{
  struct timespec now;
  clock_gettime (id, &now);
  return (double) now.tv_sec + (double) now.tv_nsec / 1e9;
}

static void *
tick_thread (void *nothing)
{
  const int console = open ("/dev/ttyS0", O_WRONLY | O_NOCTTY | O_CLOEXEC);
  while (1)
    {
      const uint64_t n = __atomic_add_fetch (&ticks, 1, __ATOMIC_RELAXED);
      dprintf (console, "tick %llu %.3f\n", (unsigned long long) n, clock_seconds (CLOCK_BOOTTIME));
      usleep (TICK_US);
    }
  return nothing;
}

static void
write_file (const char *path, const char *text)
{
  const int fd = open (path, O_WRONLY | O_CLOEXEC);
  if (fd >= 0 && write (fd, text, strlen (text)) < 0)
    perror (path);
  close (fd);
}

static void
load_modules (void)
{
  FILE *list = fopen ("/modules", "re");
  char path[256];
  while (list != NULL && fgets (path, sizeof path, list) != NULL)
    {
      path[strcspn (path, "\n")] = '\0';
      const int fd = open (path, O_RDONLY | O_CLOEXEC);
      if (fd < 0
          || (syscall (SYS_finit_module, fd, "", 0) != 0 && errno != EEXIST && errno != ENODEV))
        perror (path);
      close (fd);
    }
  if (list != NULL)
    fclose (list);
}

/* The power button, or -1. */
static int
open_button (void)
{
  for (int i = 0; i < 8; i++)
    {
      char path[32], name[64] = "";
      snprintf (path, sizeof path, "/dev/input/event%d", i);
      const int fd = open (path, O_RDONLY | O_CLOEXEC);
      if (fd >= 0 && ioctl (fd, EVIOCGNAME (sizeof name - 1), name) > 0
          && strcmp (name, "Power Button") == 0)
        return fd;
      close (fd);
    }
  return -1;
}

static void *
button_thread (void *button)
{
  struct input_event event;
  while (read (*(const int *) button, &event, sizeof event) == sizeof event)
    if (event.type == EV_KEY && event.code == KEY_POWER && event.value == 1)
      reboot (RB_POWER_OFF);
  return NULL;
}

/* Each command writes its answer and returns 0, or -1 for an error. */

static int
do_ping (char *arguments, char *answer, size_t size)
{
  return snprintf (answer, size, "pong") < 0;
}

static int
do_time (char *arguments, char *answer, size_t size)
{
  snprintf (answer, size, "%.3f %.3f %llu", clock_seconds (CLOCK_REALTIME),
            clock_seconds (CLOCK_BOOTTIME),
            (unsigned long long) __atomic_load_n (&ticks, __ATOMIC_RELAXED));
  return 0;
}

static int
do_fill (char *arguments, char *answer, size_t size)
{
  unsigned long long mib = 0, seed = 0;
  char kind[8] = "mix";
  if (sscanf (arguments, "%llu %llu %7s", &mib, &seed, kind) < 2 || mib > 1u << 20)
    return snprintf (answer, size, "fill MIB SEED [random|text|mix]"), -1;
  const Kind what = strcmp (kind, "random") == 0 ? KIND_RANDOM
                    : strcmp (kind, "text") == 0 ? KIND_TEXT
                                                 : KIND_MIX;
  if (memory_fill (mib << 8, seed, what) != 0)
    return snprintf (answer, size, "too little memory for %llu MiB", mib), -1;
  return snprintf (answer, size, "%llu MiB", mib), 0;
}

static int
do_sum (char *arguments, char *answer, size_t size)
{
  snprintf (answer, size, "%016llx", (unsigned long long) memory_sum ());
  return 0;
}

static int
do_check (char *arguments, char *answer, size_t size)
{
  uint64_t pages, writes;
  const uint64_t bad = memory_check (&pages, &writes);
  snprintf (answer, size, "%llu bad of %llu pages, %llu writes", (unsigned long long) bad,
            (unsigned long long) pages, (unsigned long long) writes);
  return bad == 0 ? 0 : -1;
}

static int
do_dirty (char *arguments, char *answer, size_t size)
{
  memory_dirty (strtoull (arguments, NULL, 10));
  return snprintf (answer, size, "%llu pages/s", strtoull (arguments, NULL, 10)), 0;
}

/* Run a command in busybox's shell; the answer is its output on one line. */
static int
do_sh (char *arguments, char *answer, size_t size)
{
  FILE *output = popen (arguments, "r");
  const size_t length = output != NULL ? fread (answer, 1, size - 1, output) : 0;
  answer[length] = '\0';
  for (char *p = answer; *p != '\0'; p++)
    if (*p == '\n')
      *p = p[1] == '\0' ? '\0' : ' ';
  return output != NULL && pclose (output) == 0 ? 0 : -1;
}

static int
do_net (char *arguments, char *answer, size_t size)
{
  char script[] = "ip link set lo up; ip link set eth0 up; udhcpc -i eth0 -n -q -t 5 -T 1 "
                  "-s /dhcp >/dev/null 2>&1; ip -4 -o addr show dev eth0 | "
                  "sed -n 's/.*inet \\([0-9.]*\\).*/\\1/p' | grep .";
  return do_sh (script, answer, size);
}

static int
do_write_disk (char *arguments, char *answer, size_t size)
{
  char path[64], block[BLOCK] __attribute__ ((aligned (BLOCK))) = "";
  unsigned long long offset;
  int text = 0;
  if (sscanf (arguments, "%63s %llu %n", path, &offset, &text) < 2 || text == 0)
    return snprintf (answer, size, "write-disk DEVICE OFFSET TEXT"), -1;
  snprintf (block, sizeof block, "%s", arguments + text);
  const int fd = open (path, O_WRONLY | O_DIRECT | O_SYNC | O_CLOEXEC);
  const int ok = fd >= 0 && pwrite (fd, block, BLOCK, (off_t) (offset / BLOCK * BLOCK)) == BLOCK;
  snprintf (answer, size, "%s", ok ? "written" : strerror (errno));
  close (fd);
  return ok ? 0 : -1;
}

static int
do_read_disk (char *arguments, char *answer, size_t size)
{
  char path[64], block[BLOCK] __attribute__ ((aligned (BLOCK))) = "";
  unsigned long long offset;
  if (sscanf (arguments, "%63s %llu", path, &offset) < 2)
    return snprintf (answer, size, "read-disk DEVICE OFFSET"), -1;
  const int fd = open (path, O_RDONLY | O_DIRECT | O_CLOEXEC);
  const int ok = fd >= 0 && pread (fd, block, BLOCK, (off_t) (offset / BLOCK * BLOCK)) == BLOCK;
  block[BLOCK - 1] = '\0';
  snprintf (answer, size, "%s", ok ? block : strerror (errno));
  close (fd);
  return ok ? 0 : -1;
}

static int
do_poweroff (char *arguments, char *answer, size_t size)
{
  sync ();
  return reboot (RB_POWER_OFF);
}

static int
do_reboot (char *arguments, char *answer, size_t size)
{
  sync ();
  return reboot (RB_AUTOBOOT);
}

static int
do_crash (char *arguments, char *answer, size_t size)
{
  write_file ("/proc/sysrq-trigger", "c");
  return -1;
}

static const struct
{
  const char *name;
  int (*run) (char *arguments, char *answer, size_t size);
} commands[] = {
  { "ping", do_ping },
  { "time", do_time },
  { "fill", do_fill },
  { "sum", do_sum },
  { "check", do_check },
  { "dirty", do_dirty },
  { "sh", do_sh },
  { "net", do_net },
  { "write-disk", do_write_disk },
  { "read-disk", do_read_disk },
  { "poweroff", do_poweroff },
  { "reboot", do_reboot },
  { "crash", do_crash },
};

static void
answer_line (int port, char *line)
{
  char answer[3072] = "unknown command", *tag = "", *rest = line;
  if (*line == '@')
    {
      tag = strsep (&rest, " ");
      rest = rest != NULL ? rest : "";
    }
  const char *name = strsep (&rest, " ");
  int result = -1;
  for (unsigned i = 0; i < sizeof commands / sizeof commands[0]; i++)
    if (strcmp (commands[i].name, name) == 0)
      result = commands[i].run (rest != NULL ? rest : "", answer, sizeof answer);

  char text[4096];
  const int length = snprintf (text, sizeof text, "%s%s%s %s\n", tag, *tag != '\0' ? " " : "",
                               result == 0 ? "ok" : "error", answer);
  struct pollfd wait = { .fd = port, .events = POLLOUT };
  if (poll (&wait, 1, 5000) > 0 && write (port, text, (size_t) length) != length)
    fprintf (stderr, "answer lost\n");
}

static int
open_port (void)
{
  DIR *ports = opendir ("/sys/class/virtio-ports");
  const struct dirent *entry;
  int fd = -1;
  while (fd < 0 && ports != NULL && (entry = readdir (ports)) != NULL)
    {
      char path[300], name[64] = "";
      snprintf (path, sizeof path, "/sys/class/virtio-ports/%s/name", entry->d_name);
      FILE *file = fopen (path, "re");
      if (file != NULL && fgets (name, sizeof name, file) != NULL && strcmp (name, PORT "\n") == 0)
        {
          snprintf (path, sizeof path, "/dev/%s", entry->d_name);
          fd = open (path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
        }
      if (file != NULL)
        fclose (file);
    }
  if (ports != NULL)
    closedir (ports);
  return fd;
}

static void
serve (int port)
{
  char line[1024];
  size_t length = 0;
  while (1)
    {
      struct pollfd wait = { .fd = port, .events = POLLIN };
      if (poll (&wait, 1, -1) < 0 || read (port, line + length, 1) != 1)
        {
          length = 0; /* nobody is connected: poll returns at once, and there is nothing to read */
          usleep (20000);
          continue;
        }
      if (line[length] == '\n')
        {
          line[length] = '\0';
          answer_line (port, line);
          length = 0;
        }
      else if (length < sizeof line - 2)
        length++;
    }
}

int
main (void)
{
  pthread_t thread;
  pthread_create (&thread, NULL, tick_thread, NULL);
  load_modules ();
  static int button;
  button = open_button ();
  pthread_create (&thread, NULL, button_thread, &button);

  int port;
  while ((port = open_port ()) < 0)
    usleep (20000);
  serve (port);
}
