/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * secret-memory.h: libssh2's memory, which is wiped when it is given back
 *
 * It copies passwords and keys into packets and buffers of its own, and forgets to wipe some of
 * them.  What it frees (answers to questions, signatures) has to come from here.
 */

#pragma once

#include <stddef.h>

#include <glib.h>

G_BEGIN_DECLS

/* As libssh2_session_init_ex() takes them; @abstract is not looked at. */
void *stasis_secret_alloc (size_t size, void **abstract) G_GNUC_WARN_UNUSED_RESULT;
void *stasis_secret_realloc (void *memory, size_t size, void **abstract) G_GNUC_WARN_UNUSED_RESULT;
void stasis_secret_free (void *memory, void **abstract);

G_END_DECLS
