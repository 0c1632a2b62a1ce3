/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * helper.h: run this test program again as another process
 */

#pragma once

#include <gio/gio.h>

/* Start this program with "--helper" and these words (NULL at the end), and wait for the line
 * that it prints when it is ready.  @fault: (nullable): STASIS_FAULT for it. */
GSubprocess *helper_start (const char *fault, ...) G_GNUC_NULL_TERMINATED;
/* In the helper: say that we are ready, and wait for ever. */
void helper_wait (void);
pid_t helper_pid (GSubprocess *helper);
