/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-mirror-ways.h: QEMU's connections to where its disks are copied
 */

#pragma once

#include "driver/status.h"

G_BEGIN_DECLS

/* (transfer full): the sockets that QEMU has, a set. */
GHashTable *stasis_mirror_ways_list (const StasisProcess *qemu,
                                     GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Those by TCP that have come since @before, and lead to @port: the kernel is to see soon that
 * nobody answers.  (transfer full): where they lead to, as numbers; an error where there are none.
 */
char **stasis_mirror_ways_tune (const StasisProcess *qemu, GHashTable *before, guint16 port,
                                GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Break off those that lead to one of @peers, without QEMU's help.  Where that cannot be it is
 * logged: who undoes a migration goes on all the same. */
void stasis_mirror_ways_cut (const StasisProcess *qemu, const char *const *peers);
/* Those of a migration whose journal is at SENDING; else none. */
void stasis_mirror_ways_cut_of (const StasisStatus *status);
/* Likewise of the domain with that run folder, if its job is this one: it is aborted, and whoever
 * does it may be waiting for QEMU. */
void stasis_mirror_ways_cut_job (const char *folder, const char *job_id);

G_END_DECLS
