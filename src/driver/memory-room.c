/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * memory-room.c: how much memory a process can still have
 *
 * The host's own word is MemAvailable.  A control group (version 2) can set a limit to itself and
 * all below it, so all groups from the process's upwards are asked: what is below the limit, and
 * of what is used the page cache, which the kernel gives up first.  Limits of version 1 are not
 * looked at.
 */

#include "config.h"

#include "driver/memory-room.h"

#include <string.h>

#define CGROUPS "/sys/fs/cgroup"

/* The number behind a word at the beginning of a line. */
static gboolean
find_number (const char *text, const char *word, guint64 *out_number)
{
  const gsize length = strlen (word);
  for (const char *line = text; line != NULL; line = strchr (line, '\n'))
    {
      line += *line == '\n';
      if (strncmp (line, word, length) != 0)
        continue;
      const char *number = line + length + strspn (line + length, " ");
      if (!g_ascii_isdigit (*number))
        return FALSE;
      *out_number = g_ascii_strtoull (number, NULL, 10);
      return TRUE;
    }
  return FALSE;
}

static gboolean
read_number (const char *folder, const char *file, const char *word, guint64 *out_number)
{
  g_autofree char *path = g_build_filename (folder, file, NULL);
  g_autofree char *text = NULL;
  return g_file_get_contents (path, &text, NULL, NULL) && find_number (text, word, out_number);
}

/* FALSE where the group has no limit. */
static gboolean
group_room (const char *folder, guint64 *out_octets)
{
  guint64 max;
  guint64 current;
  guint64 active = 0;
  guint64 inactive = 0;
  if (!read_number (folder, "memory.max", "", &max)
      || !read_number (folder, "memory.current", "", &current))
    return FALSE;
  read_number (folder, "memory.stat", "active_file", &active);
  read_number (folder, "memory.stat", "inactive_file", &inactive);
  const guint64 needed = current - MIN (current, active + inactive);
  *out_octets = max - MIN (max, needed);
  return TRUE;
}

/* The group of version 2 ("0::/a/b"). */
static char *
find_group (const char *root, pid_t pid)
{
  g_autofree char *path = g_strdup_printf ("%s/proc/%d/cgroup", root, (int) pid);
  g_autofree char *text = NULL;
  if (!g_file_get_contents (path, &text, NULL, NULL))
    return NULL;
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);
  for (gsize i = 0; lines[i] != NULL; i++)
    if (g_str_has_prefix (lines[i], "0::/"))
      return g_strdup (lines[i] + strlen ("0::"));
  return NULL;
}

/* How much can the process still have? */
gboolean
stasis_memory_room (const char *root, pid_t pid, guint64 *out_octets)
{
  g_autofree char *proc = g_strconcat (root, "/proc", NULL);
  guint64 room;
  if (!read_number (proc, "meminfo", "MemAvailable:", &room))
    return FALSE;
  room *= 1024;

  g_autofree char *group = find_group (root, pid);
  while (group != NULL)
    {
      g_autofree char *folder = g_strconcat (root, CGROUPS, group, NULL);
      guint64 octets;
      if (group_room (folder, &octets))
        room = MIN (room, octets);
      char *slash = strrchr (group, '/');
      if (slash == NULL || group[1] == '\0')
        break;
      slash[slash == group ? 1 : 0] = '\0';
    }
  *out_octets = room;
  return TRUE;
}
