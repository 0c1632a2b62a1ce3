/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * program.h: a program that octets are sent through
 *
 * One thread at a time.  Neither end of it can block the other: every step sends and receives
 * what is possible at that moment.
 */

#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

typedef struct _StasisProgram StasisProgram;

/* Start argv[0], looked up in PATH.  G_IO_ERROR_NOT_FOUND where it is not there; the error names
 * @package, which has it on Debian. */
StasisProgram *stasis_program_start (const char *const *argv, const char *package,
                                     GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Send some of @octets (@size may be 0), receive up to @room octets into @buffer.  With @wait, does
 * not return before at least one of them has happened, or nothing more can come out. */
gboolean stasis_program_step (StasisProgram *program, const void *octets, gsize size,
                              gsize *out_sent, void *buffer, gsize room, gsize *out_received,
                              gboolean wait, GCancellable *cancellable, GError **error);

/* Nothing more will be sent. */
void stasis_program_end_input (StasisProgram *program);

/* TRUE once it takes no more input. */
gboolean stasis_program_is_deaf (const StasisProgram *program);

/* TRUE once nothing more can come out. */
gboolean stasis_program_is_silent (const StasisProgram *program);

/* Wait for its end, once it is silent.  Fails with STASIS_IMAGE_ERROR_CORRUPT where it failed,
 * complained, or left some of its input, and says what it wrote to its standard error; with
 * G_IO_ERROR_FAILED where a signal killed it. */
gboolean stasis_program_wait (StasisProgram *program, GCancellable *cancellable, GError **error);

/* Kills it if it still runs.  NULL is fine. */
void stasis_program_free (StasisProgram *program);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisProgram, stasis_program_free)

G_END_DECLS
