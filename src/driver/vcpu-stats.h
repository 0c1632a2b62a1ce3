/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vcpu-stats.h: what a guest's processors do on the host
 */

#pragma once

#include <stasis/stasis.h>

G_BEGIN_DECLS

typedef struct
{
  guint number;
  guint64 time_ns; /* that its thread has run */
  int cpu;         /* of the host, where it ran last; -1: unknown */
  GBytes *cpus;    /* (owned) a bit for each processor of the host on which it may run */
} StasisVcpuStats;

/* (transfer full) (element-type StasisVcpuStats): of a running domain. */
GPtrArray *stasis_domain_vcpu_stats (StasisDomain *self, GError **error);

/* (transfer full): a bit for each processor of the host on which that thread, or process, may run.
 */
GBytes *stasis_vcpu_affinity (gint64 tid);

/* (transfer full): a bit for each processor of the host: where a guest that is not bound may run.
 */
GBytes *stasis_vcpu_any_cpu (void);

G_END_DECLS
