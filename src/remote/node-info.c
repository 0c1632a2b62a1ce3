/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * node-info.c: the host's processors and memory
 */

#include "config.h"

#include "remote/node-info.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CPUS  "/sys/devices/system/cpu"
#define NODES "/sys/devices/system/node"

static gint32
count_entries (const char *folder, const char *prefix)
{
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  gint32 count = 0;
  const char *name;
  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
    if (g_str_has_prefix (name, prefix) && g_ascii_isdigit (name[strlen (prefix)]))
      count++;
  return count;
}

/* How many different things of that name the processors have, and how many processors tell. */
static guint
count_kinds (const char *first, const char *second)
{
  g_autoptr (GHashTable) kinds = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  const glong n_cpus = sysconf (_SC_NPROCESSORS_CONF);
  for (glong i = 0; i < n_cpus; i++)
    {
      g_autofree char *one = g_strdup_printf (CPUS "/cpu%ld/topology/%s", i, first);
      g_autofree char *other = g_strdup_printf (CPUS "/cpu%ld/topology/%s", i, second);
      g_autofree char *text = NULL;
      g_autofree char *more = NULL;
      if (g_file_get_contents (one, &text, NULL, NULL)
          && g_file_get_contents (other, &more, NULL, NULL))
        g_hash_table_add (kinds, g_strconcat (text, more, NULL));
    }
  return g_hash_table_size (kinds);
}

static gint32
read_mhz (void)
{
  g_autofree char *text = NULL;
  if (!g_file_get_contents ("/proc/cpuinfo", &text, NULL, NULL))
    return 0;
  const char *line = strstr (text, "cpu MHz");
  const char *colon = line != NULL ? strchr (line, ':') : NULL;
  return colon != NULL ? (gint32) g_ascii_strtod (colon + 1, NULL) : 0;
}

/* What a node of memory has, in KiB. */
static guint64
read_node_kib (const char *name)
{
  g_autofree char *path = g_strdup_printf (NODES "/%s/meminfo", name);
  g_autofree char *text = NULL;
  if (!g_file_get_contents (path, &text, NULL, NULL))
    return 0;
  const char *label = "MemTotal:";
  const char *line = strstr (text, label);
  return line != NULL ? g_ascii_strtoull (line + strlen (label), NULL, 10) : 0;
}

/* The sum of the nodes, as libvirt has it: it differs from the kernel's own where memory is plugged
 * in that belongs to none of them. */
static guint64
read_memory_kib (void)
{
  g_autoptr (GDir) dir = g_dir_open (NODES, 0, NULL);
  guint64 sum = 0;
  const char *name;
  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
    if (g_str_has_prefix (name, "node") && g_ascii_isdigit (name[strlen ("node")]))
      sum += read_node_kib (name);
  if (sum > 0)
    return sum;
  const glong pages = sysconf (_SC_PHYS_PAGES);
  const glong page_size = sysconf (_SC_PAGESIZE);
  return (guint64) MAX (pages, 0) * ((guint64) page_size / 1024);
}

static const char *
get_model (void)
{
#if defined(__x86_64__)
  return "x86_64";
#elif defined(__aarch64__)
  return "aarch64";
#else
  return "unknown";
#endif
}

/* What the kernel says. */
void
stasis_node_info_read (StasisNodeInfo *out_info)
{
  const glong cpus = sysconf (_SC_NPROCESSORS_ONLN);
  const guint sockets = MAX (count_kinds ("physical_package_id", "physical_package_id"), 1);
  const guint cores = MAX (count_kinds ("physical_package_id", "core_id"), 1);
  const gint32 nodes = MAX (count_entries (NODES, "node"), 1);
  *out_info = (StasisNodeInfo){
    .model = get_model (),
    .memory_kib = read_memory_kib (),
    .cpus = (gint32) MAX (cpus, 1),
    .mhz = read_mhz (),
    .nodes = nodes,
    .sockets = MAX ((gint32) sockets / nodes, 1),
    .cores = MAX ((gint32) (cores / sockets), 1),
    .threads = MAX ((gint32) (MAX (cpus, 1) / cores), 1),
  };
}
