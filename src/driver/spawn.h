/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * spawn.h: programs that outlive the one that starts them
 */

#pragma once

#include <gio/gio.h>

#include "util/process.h"

G_BEGIN_DECLS

typedef struct _StasisSpawn StasisSpawn;

/* Prepare a program: in a session of its own, standard input from nowhere, output and errors
 * appended to @log.  It exists once begun, but runs only after stasis_spawn_go(): between the
 * two the caller notes its pid where others find it. */
StasisSpawn *stasis_spawn_new (const char *log);
void stasis_spawn_free (StasisSpawn *spawn);

void stasis_spawn_add_arg (StasisSpawn *spawn, const char *arg);
/* A small fixed environment for the program in place of ours, which it has otherwise. */
void stasis_spawn_clear_env (StasisSpawn *spawn);
/* On top of that (which this implies); only the program gets it, never the launcher before it. */
void stasis_spawn_set_env (StasisSpawn *spawn, const char *name, const char *value);
/* Run as this user, with this supplementary group (or -1), without capabilities or the way to
 * new privileges. */
void stasis_spawn_set_user (StasisSpawn *spawn, guint32 uid, guint32 gid, gint64 extra_group);
/* Hand over a descriptor (consumed); it has the returned number in the program. */
int stasis_spawn_take_fd (StasisSpawn *spawn, int fd_take);

/* The program exists and waits.  If this process dies before go, it ends by itself. */
gboolean stasis_spawn_begin (StasisSpawn *spawn, StasisProcess *out_process, GError **error);
gboolean stasis_spawn_go (StasisSpawn *spawn, GError **error);

/* (transfer full) That small environment. */
GStrv stasis_spawn_base_env (void);

/* The path of one of our helper programs: beside this one (build tree), in STASIS_LIBEXEC_DIR,
 * or in the installed libexec folder. */
char *stasis_spawn_find_helper (const char *name);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisSpawn, stasis_spawn_free)

G_END_DECLS
