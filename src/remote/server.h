/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * server.h: serving libvirt's wire protocol to many connections
 *
 * Theory of operation
 *
 * One thread, that of the main context in which the server was made, reads all connections, and
 * never waits.  What is called is carried out by a pool of threads, the calls of one connection
 * beside each other; those that never wait for a job have a pool of their own, so that the state of
 * a job is told and a job can be aborted while every other thread is at one.  A reply is sent by
 * the thread that has it.  Signs of life are answered by the first thread.
 */

#pragma once

#include <stasis/driver.h>

G_BEGIN_DECLS

typedef struct _StasisServer StasisServer;

typedef struct
{
  guint max_clients;        /* connections at once, readers half of them; more wait */
  guint max_workers;        /* calls at once, besides the quick ones */
  guint max_requests;       /* of one connection at once, likewise */
  guint keepalive_interval; /* seconds of silence until a client is asked for a sign of life; 0:
                               never */
  guint keepalive_count;    /* how often until it is given up */
  const char *save_format;  /* (borrowed) (nullable): of images where clients name none */
} StasisServerConfig;

/* The defaults. */
void stasis_server_config_init (StasisServerConfig *config);

/* For the thread-default main context, which has to run.  @driver is referenced, @config copied. */
StasisServer *stasis_server_new (StasisDriver *driver, const StasisServerConfig *config);

/* Accept connections on a listening socket (consumed).  @uid: who may connect besides root, or -1:
 * whoever can reach the socket. */
void stasis_server_listen (StasisServer *self, int fd_take, gboolean is_read_only, gint64 uid);

/* New calls are carried out by this driver; new limits hold from now on. */
void stasis_server_reload (StasisServer *self, StasisDriver *driver,
                           const StasisServerConfig *config);

/* From now on clients hear of what becomes of the domains, where they do not yet; and this driver,
 * which carries out no calls yet, answers from what is heard. */
gboolean stasis_server_watch (StasisServer *self, StasisDriver *driver, GError **error);

guint stasis_server_n_clients (StasisServer *self);

/* No new connections, no new calls. */
void stasis_server_stop (StasisServer *self);
/* Calls that are under way. */
guint stasis_server_n_calls (StasisServer *self);

/* Stops it, waits for the calls that are under way, and closes all.  NULL is fine. */
void stasis_server_free (StasisServer *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisServer, stasis_server_free)

G_END_DECLS
