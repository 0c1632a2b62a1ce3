/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * memory-check.h: verify the image that the guest's memory is mapped from, while it runs
 */

#pragma once

#include "driver/status.h"
#include "supervisor/life.h"

G_BEGIN_DECLS

typedef struct _StasisMemoryChecker StasisMemoryChecker;

/* @folder and @life outlive it. */
StasisMemoryChecker *stasis_memory_checker_new (const char *folder, StasisLife *life);

/* The status file says this now: begin a check that is wanted, end one that is not wanted any
 * more. */
void stasis_memory_checker_set_status (StasisMemoryChecker *checker, const StasisStatus *status);

G_END_DECLS
