/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * supervise.h: see to it that a running domain has its supervisor
 */

#pragma once

#include "driver/status.h"

G_BEGIN_DECLS

/* Start a supervisor for the domain whose run folder this is, unless one lives, and wait until it
 * answers (ten seconds at most).  Needs status.json there; with or without the domain's lock. */
gboolean stasis_supervise_ensure (const char *folder, GError **error);

/* The same in two steps, for who has something to do meanwhile. */
typedef struct _StasisSupervising StasisSupervising;
StasisSupervising *stasis_supervise_begin (const char *folder,
                                           GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean stasis_supervise_await (const StasisSupervising *self, GError **error);
void stasis_supervising_free (StasisSupervising *self);

/* (transfer full): the log of the supervisor of that domain. */
char *stasis_supervise_log_path (const char *folder, const StasisStatus *status);

/* TRUE while a supervisor lives. */
gboolean stasis_supervise_is_alive (const char *folder);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisSupervising, stasis_supervising_free)

G_END_DECLS
