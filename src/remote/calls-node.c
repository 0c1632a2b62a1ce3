/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * calls-node.c: how busy the host is
 */

#include "config.h"

#include <string.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>

#include "remote/calls.h"

#define ALL      (-1) /* processors, or nodes of memory */
#define NS_PER_S G_GUINT64_CONSTANT (1000000000)

static gboolean
throw_which (gint32 number, GError **error)
{
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
               _ ("this is not known of number %d alone"), number);
  return FALSE;
}

/* A client that has room for none asks how many there are. */
static void
give (StasisCall *call, GPtrArray *params_take, gint32 room)
{
  g_autoptr (GPtrArray) params = params_take;
  call->rets[1].i = (gint32) params->len;
  if (room > 0)
    {
      g_ptr_array_set_size (params, MIN ((gint) params->len, room));
      call->rets[0].items = g_steal_pointer (&params);
    }
}

/* Octets that nobody uses. */
gboolean
stasis_call_node_get_free_memory (StasisCall *call, GError **error)
{
  call->rets[0].ul
      = (guint64) MAX (sysconf (_SC_AVPHYS_PAGES), 0) * (guint64) sysconf (_SC_PAGESIZE);
  return TRUE;
}

/* (nullable): behind the name of a line of /proc/stat. */
static const char *
find_line (const char *text, const char *name)
{
  for (const char *line = text; line != NULL; line = strchr (line, '\n'))
    {
      line += *line == '\n' ? 1 : 0;
      if (g_str_has_prefix (line, name) && line[strlen (name)] == ' ')
        return line + strlen (name);
    }
  return NULL;
}

/* user, nice, system, idle, iowait, irq, softirq (proc(5)) */
gboolean
stasis_call_node_get_cpu_stats (StasisCall *call, GError **error)
{
  const gint32 number = call->args[0].i;
  g_autofree char *name = number == ALL ? g_strdup ("cpu") : g_strdup_printf ("cpu%d", number);
  g_autofree char *text = NULL;
  if (!g_file_get_contents ("/proc/stat", &text, NULL, error))
    return FALSE;
  const char *line = find_line (text, name);
  if (line == NULL)
    return throw_which (number, error);
  guint64 ns[7] = { 0 };
  char *at = (char *) line;
  for (gsize i = 0; i < G_N_ELEMENTS (ns); i++)
    ns[i] = g_ascii_strtoull (at, &at, 10) * (NS_PER_S / (guint64) sysconf (_SC_CLK_TCK));
  GPtrArray *params = stasis_wire_params_new ();
  stasis_wire_params_add_ullong (params, "kernel", ns[2] + ns[5] + ns[6]);
  stasis_wire_params_add_ullong (params, "user", ns[0] + ns[1]);
  stasis_wire_params_add_ullong (params, "idle", ns[3]);
  stasis_wire_params_add_ullong (params, "iowait", ns[4]);
  give (call, params, call->args[1].i);
  return TRUE;
}

/* In KiB. */
gboolean
stasis_call_node_get_memory_stats (StasisCall *call, GError **error)
{
  static const struct
  {
    const char *theirs;
    const char *ours;
  } names[] = { { "MemTotal:", "total" },
                { "MemFree:", "free" },
                { "Buffers:", "buffers" },
                { "Cached:", "cached" } };
  g_autofree char *text = NULL;
  if (call->args[1].i != ALL)
    return throw_which (call->args[1].i, error);
  if (!g_file_get_contents ("/proc/meminfo", &text, NULL, error))
    return FALSE;
  GPtrArray *params = stasis_wire_params_new ();
  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    {
      const char *line = find_line (text, names[i].theirs);
      if (line != NULL)
        stasis_wire_params_add_ullong (params, names[i].ours, g_ascii_strtoull (line, NULL, 10));
    }
  give (call, params, call->args[0].i);
  return TRUE;
}

/* Which processors there are, and which run. */
gboolean
stasis_call_node_get_cpu_map (StasisCall *call, GError **error)
{
  const gsize n_cpus = (gsize) MAX (sysconf (_SC_NPROCESSORS_CONF), 1);
  g_autofree guint8 *map = g_malloc0 ((n_cpus + 7) / 8);
  for (gsize i = 0; i < n_cpus; i++)
    {
      g_autofree char *path
          = g_strdup_printf ("/sys/devices/system/cpu/cpu%" G_GSIZE_FORMAT "/online", i);
      g_autofree char *text = NULL;
      /* One that cannot be switched off has no such file. */
      if (g_file_get_contents (path, &text, NULL, NULL) && *text == '0')
        continue;
      map[i / 8] |= (guint8) (1u << (i % 8));
      call->rets[1].u++;
    }
  if (call->args[0].i != 0)
    call->rets[0].bytes = g_bytes_new (map, (n_cpus + 7) / 8);
  if (call->args[1].i == 0)
    call->rets[1].u = 0;
  call->rets[2].i = (gint32) n_cpus;
  return TRUE;
}
