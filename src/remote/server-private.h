/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * server-private.h: what the files of a server share
 *
 * server.c accepts and keeps the sessions, session-io.c reads and writes one, session.c is what
 * calls see of it, dispatch.c makes calls of packets.
 */

#pragma once

#include "driver/picture.h"
#include "remote/autodestroy.h"
#include "remote/closer.h"
#include "remote/message.h"
#include "remote/procedures.h"
#include "remote/readers.h"
#include "remote/server.h"
#include "remote/session.h"

#include <sys/types.h>

G_BEGIN_DECLS

struct _StasisServer
{
  StasisServerConfig config; /* (first thread's) */
  gint max_requests;         /* (atomic) that of the configuration */
  gint max_workers;          /* (atomic) likewise */
  GMutex lock;
  StasisDriver *driver;         /* (owned) (guarded by lock) */
  char *save_format;            /* (owned) (nullable) (guarded by lock) */
  GMainContext *context;        /* (owned) */
  GPtrArray *listeners;         /* (owned) of Listener, see server.c */
  GPtrArray *sessions;          /* (owned) (first thread's) */
  GThreadPool *workers;         /* (owned) */
  GThreadPool *quick;           /* (owned) */
  StasisReaper *reaper;         /* (owned) */
  StasisMigratings *migratings; /* (owned) */
  gint n_performs;              /* (atomic) of migrations */
  GSource *tick;                /* (owned) */
  StasisPicture *picture;       /* (owned) (nullable) */
  StasisReaders *readers;       /* (owned) */
  guint n_readers;              /* (first thread's) of the sessions */
  gboolean is_relieved;         /* (first thread's) about to: too much is kept for readers */
  gboolean is_full;             /* not everybody is accepted for now */
  gint is_stopping;             /* (atomic) */
  gint n_calls;                 /* (atomic) */
};

#define STASIS_QUICK_WORKERS 32

typedef struct
{
  gint32 id;
  gint32 event;
  char *name;        /* (owned) (nullable) QEMU's events: of this name only */
  gboolean any_case; /* in whatever letters */
  gboolean is_of_one;
  guint8 uuid[STASIS_UUID_SIZE];
} StasisCallback;

struct _StasisSession
{
  gatomicrefcount refs;
  StasisServer *server; /* (borrowed): outlives us */
  guint64 number;       /* for messages */
  uid_t uid;
  pid_t pid;
  gboolean is_reader; /* by its socket */
  gint is_own;        /* (atomic) its client knows our own program */
  gint n_call_fds;    /* (atomic) descriptors that its calls have */
  gint n_pipes;       /* (atomic) images that go through it */

  /* The first thread's. */
  GSource *source;   /* (owned) (nullable) */
  GByteArray *in;    /* (owned) what has come of the next packets */
  guint64 in_before; /* octets that came before these */
  GArray *arrivals;  /* (owned) descriptors that came: see descriptors.h */
  gint64 began;      /* µs */
  gint64 last_input; /* µs */
  guint n_pings;     /* unanswered */
  GQueue waiting;    /* (owned) of StasisTask: over the limit */
  gsize waiting_octets;
  gsize kept;         /* octets that its user's share was told of, where it is a reader */
  GPtrArray *streams; /* (owned) see stream.c */
  gboolean has_sent_fds;
  gboolean is_held_by_closer; /* nothing is read before descriptors are closed: see closer.h */
  gboolean is_due;            /* more of what has come is taken when the others had their turn */
  gboolean is_held;           /* nothing is read for now */

  GMutex lock;           /* guards the rest */
  int fd;                /* (owned) or -1: it is closed */
  GQueue out;            /* (owned) what is sent: see session-io.c */
  gsize out_done;        /* octets of the first that are sent */
  gsize out_octets;      /* that are not sent yet */
  guint out_fds;         /* nor these descriptors */
  gboolean is_looked_at; /* the first thread is about to look at what is not sent yet */
  guint n_running;       /* calls */
  guint n_quick;
  gboolean is_open;
  gboolean is_read_only;
  gboolean has_keepalive;
  GArray *callbacks; /* (owned) of StasisCallback */
  GHashTable *jobs;  /* (owned) serial of a long call -> GCancellable: see session-job.c */
  GHashTable *pipes; /* (owned) serial of a call -> StasisPipe (borrowed): see pipe.h */
  gint32 last_callback;
  GArray *mortals; /* (owned) of StasisMortal: guests that end with us */
};

typedef struct
{
  StasisSession *session; /* (owned) */
  const StasisProcedure *procedure;
  StasisMessageHeader header;
  GBytes *payload; /* (owned) */
  GArray *fds;     /* (owned) (nullable) (element-type int) */
} StasisTask;

/* What its client has sent is closed as that user's, or all others'. */
static inline StasisCloserOwner
stasis_session_closer (const StasisSession *self)
{
  return stasis_closer_owner (self->is_reader, self->uid);
}

/* session-io.c */
StasisSession *stasis_session_new (StasisServer *server, int fd_take, gboolean is_read_only);
StasisSession *stasis_session_ref (StasisSession *self);
void stasis_session_unref (StasisSession *self);
void stasis_session_attach (StasisSession *self);
/* On the first thread: it is over. */
void stasis_session_close (StasisSession *self, const char *why);
/* From any thread; consumed. */
void stasis_session_send (StasisSession *self, GByteArray *message_take);
/* The same, and a descriptor behind it. */
void stasis_session_send_fd (StasisSession *self, GByteArray *message_take, int fd_take);
/* From any thread: what is read from it may be another thing now. */
void stasis_session_wake (StasisSession *self);
/* On the first thread: so many of its calls wait, or have descriptors, that no more are taken: they
 * are not read, or refused where an image goes through it. */
gboolean stasis_session_has_enough (const StasisSession *self);
/* On the first thread, once in a second. */
void stasis_session_tick (StasisSession *self, gint64 now);
/* On the first thread: a call has ended, or something was sent; it may go on. */
void stasis_session_go_on (StasisSession *self);

/* events.c, on the first thread: who wants to hear of it does. */
void stasis_server_tell (const StasisDomainNews *news, gpointer server);

/* server.c, on the first thread */
void stasis_server_forget (StasisServer *self, StasisSession *session);
/* So much is kept for a reader now; where it is too much for all, one of them is closed soon. */
void stasis_server_keep (StasisServer *self, StasisSession *session, gsize octets);
/* From any thread: readers' calls that wait for a thread may go on. */
void stasis_server_wake_readers (StasisServer *self);

/* dispatch.c, on the first thread; @fds_take: (nullable) (element-type int) */
void stasis_dispatch (StasisSession *session, const StasisMessageHeader *header,
                      const guint8 *payload, gsize length, GArray *fds_take);
/* On a thread of a pool. */
void stasis_dispatch_run (gpointer task, gpointer server);
/* Have it run, where the limit allows it. */
gboolean stasis_dispatch_push (StasisTask *task_take);
void stasis_task_free (gpointer task);
/* From any thread: a packet of that type with the numbers of a call. */
void stasis_dispatch_send_error (StasisSession *session, const StasisMessageHeader *call,
                                 StasisMessageType type, const GError *error);

G_END_DECLS
