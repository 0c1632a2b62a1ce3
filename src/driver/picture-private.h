/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * picture-private.h: what the files of the picture share
 *
 * All of it is guarded by the picture's lock, and the functions are called with it held.
 */

#pragma once

#include <sys/stat.h>

#include "driver/picture.h"

#include "driver/driver-private.h"
#include "driver/run-follow.h"
#include "driver/status.h"
#include "util/atomic-file.h"
#include "util/ready-set.h"

G_BEGIN_DECLS

#define STASIS_PICTURE_UUID_TEXT 37u
#define STASIS_PICTURE_XML       ".xml"
#define STASIS_PICTURE_IMAGE     ".stasis"
#define STASIS_PICTURE_JSON      ".json"

/* Those that are watched. */
typedef enum
{
  STASIS_PICTURE_CONFIG,
  STASIS_PICTURE_LIB,
  STASIS_PICTURE_RUN,
  STASIS_PICTURE_DEFINITIONS,
  STASIS_PICTURE_AUTOSTART,
  STASIS_PICTURE_AUTOSTART_ONCE,
  STASIS_PICTURE_SAVE,
  STASIS_PICTURE_LAST,
  STASIS_PICTURE_RUNS,
  STASIS_PICTURE_N_FOLDERS,
} StasisPictureFolder;

/* What is to be told of a definition. */
typedef enum
{
  STASIS_PICTURE_WAS_THERE, /* nothing: it is not new */
  STASIS_PICTURE_HALF_WAY,  /* nothing yet: somebody is at it */
  STASIS_PICTURE_WRITTEN,   /* that there is one now, where there was none */
  STASIS_PICTURE_REPLACED,  /* that it is another one */
} StasisPictureChange;

typedef struct
{
  char text[STASIS_PICTURE_UUID_TEXT]; /* empty: not known */
  guint8 octets[STASIS_UUID_SIZE];
} StasisPictureUuid;

/* That a file is the same, and was not changed. */
typedef struct
{
  dev_t device;
  ino_t inode;
  off_t size;
  struct timespec modified;
  struct timespec changed;
} StasisPictureStamp;

typedef struct _StasisPictureRun StasisPictureRun;

/* One that has a definition, or a run, or both. */
typedef struct
{
  char *name;             /* (owned) a GRefString */
  StasisPictureUuid uuid; /* of its definition */
  StasisPictureStamp definition;
  gboolean is_persistent;
  gboolean is_told; /* that it is, to those who want to hear of it */
  gboolean is_autostart[STASIS_AUTOSTART_N_KINDS];
  gboolean has_managed_save;
  gboolean is_odd;        /* its definition is not a plain file of our own: it may change unheard */
  gboolean is_odd_marked; /* likewise a mark or its image */
  const char *last_reason; /* (nullable) interned: how its last run ended, where that was read */
  guint64 number;          /* of what its definition is now */
  gboolean has_sizes;      /* of that */
  StasisSizes sizes;
  StasisPictureRun *run; /* (owned) (nullable) */
} StasisPictureDomain;

struct _StasisPictureRun
{
  StasisPicture *picture;      /* (borrowed) */
  StasisPictureDomain *domain; /* (borrowed) */
  gboolean is_adopted;         /* it ran before we came */
  int folder;                  /* the watch of its run folder, or -1 */

  /* Of its status. */
  gboolean has_status; /* it could be read; what follows stays where it cannot be any more */
  StasisPictureUuid uuid;
  int id; /* 0: not known yet */
  gint64 started_us;
  gboolean has_journal;
  const char *undecided_reason; /* (nullable) interned */
  StasisProcess qemu;
  int pidfd; /* (owned) -1: it does not live */
  StasisReady ended;

  StasisRunFollow *follow; /* (owned) */
  StasisDomainState state; /* how it is */
  const char *reason;      /* interned */
  StasisDomainState told;  /* to those who want to hear of it */
  const char *end_reason;  /* (nullable) interned: teardown has said so */
  StasisPictureStamp job;  /* of the note about its last job, when it began or we came */
  gint64 told_job_us;      /* how long the last job took that was told, or -1 */
};

struct _StasisPicture
{
  StasisDriver *driver; /* (owned) */
  StasisPaths *paths;   /* (borrowed) the driver's */
  GSource *source;      /* (owned) */
  StasisNewsFunc func;
  gpointer data;

  GMutex lock; /* guards the rest */
  int set;     /* (owned) what can be ready */
  int inotify; /* (owned) */
  StasisReady changed;
  int folders[STASIS_PICTURE_N_FOLDERS];             /* the watches, or -1 */
  StasisFileId folder_ids[STASIS_PICTURE_N_FOLDERS]; /* what was watched; 0: nothing */
  int mounts;                                        /* (owned) tells of mounts; -1: nobody does */
  gboolean is_blind;   /* not all that happens in the folders is heard */
  gint64 again_us;     /* when to try to see once more, or 0 */
  guint64 last_number; /* of a definition */
  GHashTable *domains; /* (owned) name (borrowed) -> StasisPictureDomain */
  GHashTable
      *uuids; /* (owned) (nullable) UUID (borrowed) -> StasisPictureDomain (borrowed) (nullable) */
  GHashTable *runs; /* (owned) watch -> StasisPictureRun (borrowed) */
  GQueue news;      /* (owned) of StasisDomainNews, not told yet */
};

/* picture.c: it is told in the picture's context.  Copied. */
void stasis_picture_tell (StasisPicture *self, const StasisDomainNews *news);
/* What a UUID leads to may be another domain now. */
void stasis_picture_forget_uuids (StasisPicture *self);

/* picture-folders.c: begin to watch, and look at all. */
gboolean stasis_picture_open_folders (StasisPicture *self, GError **error);
/* Look at all once more, where something may have been missed; FALSE where that is not possible. */
gboolean stasis_picture_look_anew (StasisPicture *self, gboolean is_first, GError **error);

/* Look whether a mount has brought, or hidden, a folder. */
void stasis_picture_look_at_mounts (StasisPicture *self);

/* picture-domain.c */
gboolean stasis_picture_uuid_set (StasisPictureUuid *uuid, const char *text);
/* FALSE where it is not there. */
gboolean stasis_picture_stamp (const char *path, StasisPictureStamp *out);
gboolean stasis_picture_stamp_equal (const StasisPictureStamp *one,
                                     const StasisPictureStamp *other);
/* One that is known; or a new one, which is removed again unless it gets a definition or a run. */
StasisPictureDomain *stasis_picture_find (StasisPicture *self, const char *name);
StasisPictureDomain *stasis_picture_make (StasisPicture *self, const char *name);
void stasis_picture_drop_if_gone (StasisPicture *self, StasisPictureDomain *domain);
void stasis_picture_domain_free (gpointer domain);
/* Its definition may be another one. */
void stasis_picture_look_definition (StasisPicture *self, const char *name,
                                     StasisPictureChange change);
/* Its marks for autostart and its managed image may have come or gone. */
void stasis_picture_look_marks (const StasisPicture *self, StasisPictureDomain *domain);
void stasis_picture_renumber (StasisPicture *self, StasisPictureDomain *domain);
/* FALSE where they are not certain. */
gboolean stasis_picture_fill (StasisPicture *self, StasisPictureDomain *domain, StasisFacts *out);

/* picture-run.c */
void stasis_picture_begin_run (StasisPicture *self, const char *name, gboolean is_adopted);
void stasis_picture_end_run (StasisPicture *self, const char *name);
/* Something has happened in its folder. */
void stasis_picture_run_changed (StasisPictureRun *run, guint32 mask, const char *file);
/* Some of it may have been missed: end it, where it is not the same any more, and begin anew. */
void stasis_picture_look_run (StasisPicture *self, const char *name);
gboolean stasis_picture_run_is_certain (const StasisPictureRun *run);
void stasis_picture_run_free (StasisPictureRun *run);

G_END_DECLS
