/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain-news.c: what becomes of the domains of a state directory, by whomever
 *
 * Theory of operation
 *
 * Other processes start, save and define domains, too, and say nothing to us.  But each of these
 * leaves a trace: a run folder comes and goes, a definition is put in its place.  The kernel tells
 * of both (inotify), and what happens within a run its supervisor tells (run-follow.c).
 */

#include "config.h"

#include "driver/domain-news.h"

#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <glib-unix.h>
#include <glib/gi18n-lib.h>

#include "driver/domain-private.h"
#include "driver/driver-private.h"
#include "driver/job-stats-json.h"
#include "driver/run-follow.h"
#include "driver/status.h"
#include "driver/teardown.h"
#include "util/fd.h"
#include "util/xml-peek.h"

#define SUFFIX ".xml"

struct _StasisNewsWatch
{
  StasisPaths *paths;    /* (borrowed) the driver's */
  StasisDriver *driver;  /* (owned) */
  GMainContext *context; /* (owned) */
  StasisNewsFunc func;
  gpointer data;
  int inotify; /* (owned) */
  int runs;    /* the watch of the run folders */
  int definitions;
  GSource *source;     /* (owned) */
  GHashTable *running; /* (owned) name -> Run */
  GHashTable *folders; /* (owned) watch -> Run (borrowed) */
  GHashTable *defined; /* (owned) name -> UUID (char *) */
};

typedef struct
{
  StasisNewsWatch *watch;
  char *name; /* (owned) */
  char *uuid; /* (owned) (nullable) until its status was read */
  int id;
  StasisDomainState state; /* that was told */
  const char *reason;      /* interned */
  gboolean is_adopted;     /* it ran before we came */
  int folder;              /* the watch of its run folder, or -1 */
  const char *end_reason;  /* (nullable) interned: teardown has said so */
  StasisRunFollow *follow; /* (owned) */
} Run;

static void
run_free (gpointer data)
{
  Run *run = data;
  stasis_run_follow_free (run->follow);
  g_free (run->name);
  g_free (run->uuid);
  g_free (run);
}

/* Who it is; a run has a status long before its supervisor says anything. */
static gboolean
identify (Run *run)
{
  if (run->uuid != NULL)
    return TRUE;
  g_autofree char *folder = stasis_paths_domain (run->watch->paths, run->name, NULL);
  g_autoptr (StasisStatus) status = stasis_status_read (folder, NULL);
  if (status == NULL)
    return FALSE;
  run->uuid = g_strdup (status->uuid);
  run->id = status->id;
  return TRUE;
}

static void
tell (const Run *run, StasisDomainNews *news)
{
  news->name = run->name;
  news->uuid = run->uuid;
  news->id = run->id;
  run->watch->func (news, run->watch->data);
}

static void
take_state (Run *run, const StasisJson *event, gboolean is_silent)
{
  const StasisDomainState state
      = (StasisDomainState) stasis_json_int (stasis_json_get (event, "state"), 0);
  const char *reason = stasis_json_string (stasis_json_get (event, "reason"), "unknown");
  /* A guest that is not ready yet is no news. */
  if (g_str_equal (reason, "starting up") || state == STASIS_DOMAIN_NOSTATE)
    return;
  StasisDomainNews news = {
    .kind = STASIS_NEWS_STATE,
    .is_first = run->state == STASIS_DOMAIN_NOSTATE,
    .before = run->state,
    .state = state,
    .reason = reason,
  };
  const gboolean is_new = state != run->state;
  run->state = state;
  run->reason = g_intern_string (reason);
  if (is_new && !is_silent)
    tell (run, &news);
}

static void
take_job (Run *run, const StasisJson *json)
{
  g_autoptr (StasisJobStats) stats = stasis_job_stats_from_json (json, NULL);
  StasisDomainNews news = { .kind = STASIS_NEWS_JOB, .state = run->state, .stats = stats };
  if (stats != NULL)
    tell (run, &news);
}

static void
take_qemu (Run *run, const StasisJson *event)
{
  StasisDomainNews news = { .kind = STASIS_NEWS_QEMU, .state = run->state, .event = event };
  tell (run, &news);
}

static void
on_event (const StasisJson *event, gboolean is_present, gpointer data)
{
  Run *run = data;
  if (!identify (run))
    return;
  const StasisJson *job = stasis_json_get (event, "job");
  if (job != NULL)
    take_job (run, job);
  else if (stasis_json_get (event, "qemu") != NULL)
    take_qemu (run, event);
  else
    take_state (run, event, run->is_adopted && run->state == STASIS_DOMAIN_NOSTATE);
}

static void
begin_run (StasisNewsWatch *self, const char *name, gboolean is_adopted)
{
  if (*name == '.' || g_hash_table_contains (self->running, name))
    return;
  Run *run = g_new0 (Run, 1);
  run->watch = self;
  run->name = g_strdup (name);
  run->is_adopted = is_adopted;
  g_hash_table_replace (self->running, run->name, run);
  /* One that ran before us may end before its supervisor has said a word. */
  if (is_adopted)
    identify (run);
  g_autofree char *folder = stasis_paths_domain (self->paths, name, NULL);
  run->folder = inotify_add_watch (self->inotify, folder, IN_CREATE | IN_ONLYDIR);
  if (run->folder >= 0)
    g_hash_table_replace (self->folders, GINT_TO_POINTER (run->folder), run);
  run->follow = stasis_run_follow_new (folder, !is_adopted, self->context, on_event, run);
}

/* One that never came to run is no news. */
static void
end_run (StasisNewsWatch *self, const char *name)
{
  Run *run = g_hash_table_lookup (self->running, name);
  if (run == NULL)
    return;
  stasis_run_follow_flush (run->follow);
  g_hash_table_steal (self->running, name);
  g_hash_table_remove (self->folders, GINT_TO_POINTER (run->folder));
  run->id = -1;
  StasisDomainNews news = {
    .kind = STASIS_NEWS_ENDED,
    .before = run->state,
    .state = STASIS_DOMAIN_SHUTOFF,
    .reason = run->end_reason,
  };
  if (run->uuid != NULL && (run->is_adopted || run->state != STASIS_DOMAIN_NOSTATE))
    tell (run, &news);
  run_free (run);
}

/* (transfer full) (nullable) */
static char *
read_uuid (const StasisNewsWatch *self, const char *name)
{
  g_autofree char *path = stasis_paths_definition (self->paths, name);
  g_autofree char *xml = NULL;
  return g_file_get_contents (path, &xml, NULL, NULL) ? stasis_xml_peek (xml, "domain/uuid") : NULL;
}

static void
tell_definition (StasisNewsWatch *self, StasisNewsKind kind, const char *name, const char *uuid,
                 gboolean is_first)
{
  const Run *run = g_hash_table_lookup (self->running, name);
  const StasisDomainNews news = {
    .kind = kind,
    .name = name,
    .uuid = uuid,
    .id = run != NULL && run->uuid != NULL ? run->id : -1,
    .is_first = is_first,
  };
  self->func (&news, self->data);
}

static void
add_definition (StasisNewsWatch *self, const char *name, gboolean is_silent)
{
  char *uuid = read_uuid (self, name);
  if (uuid == NULL)
    return;
  const gboolean is_first = !g_hash_table_contains (self->defined, name);
  g_hash_table_replace (self->defined, g_strdup (name), uuid);
  if (!is_silent)
    tell_definition (self, STASIS_NEWS_DEFINED, name, uuid, is_first);
}

static void
remove_definition (StasisNewsWatch *self, const char *name)
{
  g_autofree char *uuid = g_strdup (g_hash_table_lookup (self->defined, name));
  if (uuid == NULL)
    return;
  g_hash_table_remove (self->defined, name);
  tell_definition (self, STASIS_NEWS_UNDEFINED, name, uuid, FALSE);
}

/* Of what comes into a run folder only teardown's word is of interest. */
static void
note_in_run (const StasisNewsWatch *self, const struct inotify_event *event)
{
  Run *run = g_hash_table_lookup (self->folders, GINT_TO_POINTER (event->wd));
  if (run != NULL && g_str_has_prefix (event->name, STASIS_TEARDOWN_ENDED))
    run->end_reason = g_intern_string (event->name + strlen (STASIS_TEARDOWN_ENDED));
}

static void
take_inotify (StasisNewsWatch *self, const struct inotify_event *event)
{
  const gboolean has_come = (event->mask & (IN_CREATE | IN_MOVED_TO)) != 0;
  if (event->len == 0)
    return;
  if (event->wd == self->runs && has_come)
    begin_run (self, event->name, FALSE);
  else if (event->wd == self->runs)
    end_run (self, event->name);
  else if (event->wd != self->definitions)
    note_in_run (self, event);
  else if (g_str_has_suffix (event->name, SUFFIX) && *event->name != '.')
    {
      g_autofree char *name = g_strndup (event->name, strlen (event->name) - strlen (SUFFIX));
      if ((event->mask & IN_MOVED_TO) != 0)
        add_definition (self, name, FALSE);
      else if (!has_come)
        remove_definition (self, name);
    }
}

/* The kernel has lost some: what is there now counts. */
static void
look_anew (StasisNewsWatch *self)
{
  g_autofree char *folder = g_build_filename (self->paths->run, "domains", NULL);
  g_autoptr (GPtrArray) now = stasis_paths_names (folder, "", NULL);
  for (guint i = 0; now != NULL && i < now->len; i++)
    begin_run (self, g_ptr_array_index (now, i), FALSE);
  g_autoptr (GList) known = g_hash_table_get_keys (self->running);
  for (GList *item = known; item != NULL; item = item->next)
    {
      g_autofree char *name = g_strdup (item->data);
      g_autofree char *path = stasis_paths_domain (self->paths, name, NULL);
      if (!g_file_test (path, G_FILE_TEST_IS_DIR))
        end_run (self, name);
    }
}

static gboolean
on_inotify (gint fd, GIOCondition condition, gpointer data)
{
  StasisNewsWatch *self = data;
  union
  {
    struct inotify_event event;
    char octets[16 * 1024];
  } buffer;
  const ssize_t length = read (fd, buffer.octets, sizeof buffer.octets);
  ssize_t position = 0;
  while (position < length)
    {
      const struct inotify_event *event
          = (const struct inotify_event *) (const void *) (buffer.octets + position);
      if ((event->mask & IN_Q_OVERFLOW) != 0)
        look_anew (self);
      else
        take_inotify (self, event);
      position += (ssize_t) (sizeof *event + event->len);
    }
  return G_SOURCE_CONTINUE;
}

static int
add_watch (const StasisNewsWatch *self, const char *folder, guint32 mask, GError **error)
{
  if (!stasis_paths_make (folder, error))
    return -1;
  const int watch = inotify_add_watch (self->inotify, folder, mask | IN_ONLYDIR);
  if (watch < 0)
    stasis_throw_errno (error, _ ("cannot watch '%s'"), folder);
  return watch;
}

/* Watch first, then look: what comes in between is seen twice, not missed. */
static gboolean
begin (StasisNewsWatch *self, GError **error)
{
  g_autofree char *runs = g_build_filename (self->paths->run, "domains", NULL);
  g_autofree char *definitions = g_build_filename (self->paths->config, "domains", NULL);
  self->inotify = inotify_init1 (IN_CLOEXEC | IN_NONBLOCK);
  if (self->inotify < 0)
    return stasis_throw_errno (error, _ ("cannot watch the state directory"));
  self->runs = add_watch (self, runs, IN_CREATE | IN_MOVED_TO | IN_DELETE | IN_MOVED_FROM, error);
  if (self->runs < 0)
    return FALSE;
  self->definitions = add_watch (self, definitions, IN_MOVED_TO | IN_DELETE | IN_MOVED_FROM, error);
  g_autoptr (GPtrArray) names
      = self->definitions >= 0 ? stasis_paths_names (definitions, SUFFIX, error) : NULL;
  if (names == NULL)
    return FALSE;
  for (guint i = 0; i < names->len; i++)
    add_definition (self, g_ptr_array_index (names, i), TRUE);
  g_autoptr (GPtrArray) running = stasis_paths_names (runs, "", error);
  if (running == NULL)
    return FALSE;
  for (guint i = 0; i < running->len; i++)
    begin_run (self, g_ptr_array_index (running, i), TRUE);
  self->source = g_unix_fd_source_new (self->inotify, G_IO_IN);
  g_source_set_callback (self->source, G_SOURCE_FUNC (on_inotify), self, NULL);
  g_source_attach (self->source, self->context);
  return TRUE;
}

/* How things are now is not told. */
StasisNewsWatch *
stasis_news_watch_new (StasisDriver *driver, GMainContext *context, StasisNewsFunc func,
                       gpointer data, GError **error)
{
  StasisNewsWatch *self = g_new0 (StasisNewsWatch, 1);
  self->driver = g_object_ref (driver);
  self->paths = driver->paths;
  self->context = g_main_context_ref (context);
  self->func = func;
  self->data = data;
  self->inotify = -1;
  self->running = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, run_free);
  self->folders = g_hash_table_new (NULL, NULL);
  self->defined = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  if (begin (self, error))
    return self;
  stasis_news_watch_free (self);
  return NULL;
}

/* NULL is fine. */
void
stasis_news_watch_free (StasisNewsWatch *self)
{
  if (self == NULL)
    return;
  if (self->source != NULL)
    {
      g_source_destroy (self->source);
      g_source_unref (self->source);
    }
  stasis_fd_clear (&self->inotify);
  g_hash_table_unref (self->folders);
  g_hash_table_unref (self->running);
  g_hash_table_unref (self->defined);
  g_main_context_unref (self->context);
  g_object_unref (self->driver);
  g_free (self);
}
