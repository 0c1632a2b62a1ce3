/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * picture.c: the domains of a state directory, as a process that stays hears of them
 *
 * Theory of operation
 *
 * Other processes start, save and define domains, too, and say nothing to us.  But each of these
 * leaves a trace: files come and go, of which the kernel tells (picture-folders.c), and what
 * happens within a run its supervisor tells (picture-run.c).  So whoever stays needs not read the
 * state directory for each question.  Before each answer everything that has been told is taken,
 * by whatever thread asks: the answer is as of now.  What is not certain is not answered, and the
 * caller reads.
 *
 * What becomes of the domains is told in the context, in the order in which it was heard, by
 * whatever thread.
 */

#include "config.h"

#include "driver/picture-private.h"

#include <string.h>

#include <glib-unix.h>

#include "util/fd.h"

typedef struct
{
  GSource source;
  StasisPicture *picture; /* (borrowed) */
} PictureSource;

/* It is told in the picture's context. */
void
stasis_picture_tell (StasisPicture *self, const StasisDomainNews *news)
{
  g_queue_push_tail (&self->news, stasis_domain_news_copy (news));
}

/* The index is made anew when it is needed. */
void
stasis_picture_forget_uuids (StasisPicture *self)
{
  g_clear_pointer (&self->uuids, g_hash_table_unref);
}

static guint
hash_uuid (gconstpointer uuid)
{
  guint32 part;
  memcpy (&part, uuid, sizeof part);
  return part;
}

static gboolean
equal_uuids (gconstpointer one, gconstpointer other)
{
  return memcmp (one, other, STASIS_UUID_SIZE) == 0;
}

/* Of two domains with one UUID none is found. */
static void
note_uuid (GHashTable *uuids, const StasisPictureUuid *uuid, StasisPictureDomain *domain)
{
  if (*uuid->text == '\0')
    return;
  gpointer other = NULL;
  const gboolean is_known
      = g_hash_table_lookup_extended (uuids, uuid->octets, NULL, &other) && other != domain;
  g_hash_table_replace (uuids, (gpointer) uuid->octets, is_known ? NULL : domain);
}

static void
index_uuids (StasisPicture *self)
{
  if (self->uuids != NULL)
    return;
  self->uuids = g_hash_table_new (hash_uuid, equal_uuids);
  GHashTableIter iter;
  gpointer value;
  g_hash_table_iter_init (&iter, self->domains);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    {
      StasisPictureDomain *domain = value;
      note_uuid (self->uuids, &domain->uuid, domain);
      if (domain->run != NULL)
        note_uuid (self->uuids, &domain->run->uuid, domain);
    }
}

/* With the lock held: all that has been told is taken.  What follows from it, news and what is to
 * be tried again, is the context's, which sees nothing of it any more by itself. */
static void
freshen (StasisPicture *self)
{
  stasis_picture_look_at_mounts (self);
  if (stasis_ready_set_take (self->set))
    g_source_set_ready_time (self->source, 0);
}

static gint64
earlier (gint64 one_us, gint64 other_us)
{
  return one_us == 0 ? other_us : other_us == 0 ? one_us : MIN (one_us, other_us);
}

/* What is to be tried again; returns when the next of that is due, or -1. */
static gint64
try_again (StasisPicture *self)
{
  if (self->again_us != 0 && g_get_monotonic_time () >= self->again_us)
    stasis_picture_look_anew (self, FALSE, NULL);
  gint64 due_us = self->again_us;
  GHashTableIter iter;
  gpointer value;
  g_hash_table_iter_init (&iter, self->domains);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    {
      const StasisPictureRun *run = ((StasisPictureDomain *) value)->run;
      if (run == NULL)
        continue;
      stasis_run_follow_retry (run->follow);
      due_us = earlier (due_us, stasis_run_follow_due (run->follow));
    }
  return due_us != 0 ? due_us : -1;
}

static gboolean
dispatch (GSource *source, GSourceFunc callback, gpointer data)
{
  StasisPicture *self = ((PictureSource *) source)->picture;
  GQueue news = G_QUEUE_INIT;
  g_mutex_lock (&self->lock);
  stasis_ready_set_take (self->set);
  g_source_set_ready_time (source, try_again (self));
  news = self->news;
  g_queue_init (&self->news);
  g_mutex_unlock (&self->lock);
  StasisDomainNews *one;
  while ((one = g_queue_pop_head (&news)) != NULL)
    {
      self->func (one, self->data);
      stasis_domain_news_free (one);
    }
  return G_SOURCE_CONTINUE;
}

static gboolean
begin (StasisPicture *self, GMainContext *context, GError **error)
{
  static GSourceFuncs funcs = { .dispatch = dispatch };
  self->set = stasis_ready_set_new (error);
  if (self->set < 0)
    return FALSE;
  self->source = g_source_new (&funcs, sizeof (PictureSource));
  ((PictureSource *) self->source)->picture = self;
  g_source_add_unix_fd (self->source, self->set, G_IO_IN);
  g_source_set_ready_time (self->source, 0);
  g_source_attach (self->source, context);
  return stasis_picture_open_folders (self, error);
}

/* How things are now is not told. */
StasisPicture *
stasis_picture_new (StasisDriver *driver, GMainContext *context, StasisNewsFunc func, gpointer data,
                    GError **error)
{
  StasisPicture *self = g_new0 (StasisPicture, 1);
  self->driver = g_object_ref (driver);
  self->paths = driver->paths;
  self->func = func;
  self->data = data;
  self->set = self->inotify = self->mounts = -1;
  g_mutex_init (&self->lock);
  self->domains = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, stasis_picture_domain_free);
  self->runs = g_hash_table_new (NULL, NULL);
  g_queue_init (&self->news);
  if (begin (self, context, error))
    return self;
  stasis_picture_free (self);
  return NULL;
}

/* NULL is fine. */
void
stasis_picture_free (StasisPicture *self)
{
  if (self == NULL)
    return;
  if (self->source != NULL)
    {
      g_source_destroy (self->source);
      g_source_unref (self->source);
    }
  stasis_picture_forget_uuids (self);
  g_hash_table_unref (self->domains);
  g_hash_table_unref (self->runs);
  g_queue_clear_full (&self->news, stasis_domain_news_free);
  stasis_fd_clear (&self->mounts);
  stasis_fd_clear (&self->inotify);
  stasis_fd_clear (&self->set);
  g_mutex_clear (&self->lock);
  g_object_unref (self->driver);
  g_free (self);
}

/* It answers from it what it can. */
void
stasis_picture_serve (StasisPicture *self, StasisDriver *driver)
{
  driver->picture = self;
}

/* (nullable) Locked and as of now. */
static StasisPicture *
open_picture (StasisDriver *driver)
{
  StasisPicture *self = driver->picture;
  if (self == NULL)
    return NULL;
  g_mutex_lock (&self->lock);
  freshen (self);
  return self;
}

static void
close_picture (StasisPicture *self)
{
  g_mutex_unlock (&self->lock);
}

/* The facts of one. */
gboolean
stasis_picture_get (StasisDriver *driver, const char *name, StasisFacts *out)
{
  StasisPicture *self = open_picture (driver);
  if (self == NULL)
    return FALSE;
  StasisPictureDomain *domain = stasis_picture_find (self, name);
  const gboolean is_certain = domain != NULL && stasis_picture_fill (self, domain, out);
  close_picture (self);
  return is_certain;
}

/* (transfer full) (nullable) */
static char *
name_if_certain (StasisPicture *self, StasisPictureDomain *domain)
{
  StasisFacts facts;
  return domain != NULL && stasis_picture_fill (self, domain, &facts) ? g_strdup (domain->name)
                                                                      : NULL;
}

/* Its name. */
char *
stasis_picture_find_uuid (StasisDriver *driver, const guint8 *uuid)
{
  StasisPicture *self = open_picture (driver);
  if (self == NULL)
    return NULL;
  index_uuids (self);
  char *name = name_if_certain (self, g_hash_table_lookup (self->uuids, uuid));
  close_picture (self);
  return name;
}

/* Its name. */
char *
stasis_picture_find_id (StasisDriver *driver, int id)
{
  StasisPicture *self = open_picture (driver);
  if (self == NULL)
    return NULL;
  char *name = NULL;
  GHashTableIter iter;
  gpointer value;
  g_hash_table_iter_init (&iter, self->runs);
  while (name == NULL && g_hash_table_iter_next (&iter, NULL, &value))
    if (((StasisPictureRun *) value)->id == id)
      name = name_if_certain (self, ((StasisPictureRun *) value)->domain);
  close_picture (self);
  return name;
}

/* Of all. */
GArray *
stasis_picture_list (StasisDriver *driver)
{
  StasisPicture *self = open_picture (driver);
  if (self == NULL)
    return NULL;
  GArray *list = NULL;
  GHashTableIter iter;
  gpointer value;
  if (!self->is_blind)
    list = stasis_facts_new_list ();
  g_hash_table_iter_init (&iter, self->domains);
  while (list != NULL && g_hash_table_iter_next (&iter, NULL, &value))
    {
      StasisPictureDomain *domain = value;
      StasisFacts facts = { .id = -1 };
      stasis_picture_fill (self, domain, &facts);
      facts.name = g_ref_string_acquire (domain->name);
      g_array_append_val (list, facts);
    }
  close_picture (self);
  return list;
}

/* They hold as long as the definition is the same. */
void
stasis_picture_note_sizes (StasisDriver *driver, const char *name, guint64 definition_number,
                           const StasisSizes *sizes)
{
  StasisPicture *self = driver->picture;
  if (self == NULL)
    return;
  g_mutex_lock (&self->lock);
  StasisPictureDomain *domain = stasis_picture_find (self, name);
  if (domain != NULL && domain->number == definition_number)
    {
      domain->sizes = *sizes;
      domain->has_sizes = TRUE;
    }
  g_mutex_unlock (&self->lock);
}
