/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vcpu-stats.c: what a guest's processors do on the host
 */

#include "config.h"

#include "driver/vcpu-stats.h"

#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "driver/domain-private.h"
#include "driver/hold.h"
#include "monitor/commands-query.h"

#define NS_PER_S G_GUINT64_CONSTANT (1000000000)

static void
vcpu_free (gpointer data)
{
  StasisVcpuStats *vcpu = data;
  g_bytes_unref (vcpu->cpus);
  g_free (vcpu);
}

/* Behind the command: state is field 3, utime 14, stime 15, processor 39 (proc(5)). */
static void
read_thread (StasisVcpuStats *vcpu, pid_t pid, gint64 tid)
{
  g_autofree char *path
      = g_strdup_printf ("/proc/%d/task/%" G_GINT64_FORMAT "/stat", (int) pid, tid);
  g_autofree char *text = NULL;
  const char *rest = g_file_get_contents (path, &text, NULL, NULL) ? strrchr (text, ')') : NULL;
  g_auto (GStrv) fields = rest != NULL ? g_strsplit (rest + 2, " ", -1) : NULL;
  if (fields == NULL || g_strv_length (fields) < 37)
    return;
  const guint64 ticks
      = g_ascii_strtoull (fields[11], NULL, 10) + g_ascii_strtoull (fields[12], NULL, 10);
  vcpu->time_ns = ticks * (NS_PER_S / (guint64) sysconf (_SC_CLK_TCK));
  vcpu->cpu = (int) g_ascii_strtoll (fields[36], NULL, 10);
}

/* (nullable) @set: all of them. */
static GBytes *
new_map (const cpu_set_t *set)
{
  const glong n_cpus = CLAMP (sysconf (_SC_NPROCESSORS_CONF), 1, CPU_SETSIZE);
  const gsize length = ((gsize) n_cpus + 7) / 8;
  guint8 *map = g_malloc0 (length);
  for (glong i = 0; i < n_cpus; i++)
    if (set == NULL || CPU_ISSET ((gsize) i, set))
      map[i / 8] |= (guint8) (1u << (i % 8));
  return g_bytes_new_take (map, length);
}

/* Of one thread. */
GBytes *
stasis_vcpu_affinity (gint64 tid)
{
  cpu_set_t set;
  CPU_ZERO (&set);
  return new_map (sched_getaffinity ((pid_t) tid, sizeof set, &set) == 0 ? &set : NULL);
}

/* Everywhere. */
GBytes *
stasis_vcpu_any_cpu (void)
{
  return new_map (NULL);
}

/* Of each. */
GPtrArray *
stasis_domain_vcpu_stats (StasisDomain *self, GError **error)
{
  g_autoptr (StasisHold) hold = stasis_hold_take_running (stasis_domain_get_driver (self),
                                                          stasis_domain_get_name (self), error);
  g_autoptr (StasisMonitor) monitor
      = hold != NULL ? stasis_hold_open_monitor (hold, NULL, error) : NULL;
  g_autoptr (GPtrArray) cpus
      = monitor != NULL ? stasis_monitor_query_cpus (monitor, NULL, error) : NULL;
  if (cpus == NULL)
    return NULL;
  GPtrArray *vcpus = g_ptr_array_new_with_free_func (vcpu_free);
  for (guint i = 0; i < cpus->len; i++)
    {
      const StasisMonitorCpu *cpu = g_ptr_array_index (cpus, i);
      StasisVcpuStats *vcpu = g_new0 (StasisVcpuStats, 1);
      vcpu->number = cpu->index;
      vcpu->cpu = -1;
      vcpu->cpus = stasis_vcpu_affinity (cpu->thread_id);
      read_thread (vcpu, hold->status->qemu.pid, cpu->thread_id);
      g_ptr_array_add (vcpus, vcpu);
    }
  return vcpus;
}
