/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-timer.h: a migration's guest is paused after a while
 */

#pragma once

#include "cli/progress.h"

G_BEGIN_DECLS

typedef struct _StasisCliTimer StasisCliTimer;

/* Pause @domain in @seconds, which lets its migration come to an end.  @progress: hears of it. */
StasisCliTimer *stasis_cli_timer_begin (StasisDomain *domain, guint seconds,
                                        StasisCliProgress *progress);

/* The migration is over.  NULL is fine. */
void stasis_cli_timer_end (StasisCliTimer *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisCliTimer, stasis_cli_timer_end)

G_END_DECLS
