/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * picture-domain.c: what the picture shows of a domain, whether it runs or not
 *
 * Our own files are replaced by a rename and have one name.  Anything else, a link to elsewhere, a
 * file of several names, may change without a word to who watches the folder: such a domain is
 * looked at each time it is asked for.
 */

#include "config.h"

#include "driver/picture-private.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>

#include "driver/teardown.h"
#include "util/xml-peek.h"

/* Both spellings, or none. */
gboolean
stasis_picture_uuid_set (StasisPictureUuid *uuid, const char *text)
{
  *uuid = (StasisPictureUuid){ { 0 }, { 0 } };
  if (text == NULL || !stasis_uuid_parse (text, uuid->octets, NULL))
    return FALSE;
  g_autofree char *usual = stasis_uuid_format (uuid->octets);
  g_strlcpy (uuid->text, usual, sizeof uuid->text);
  return TRUE;
}

static void
set_stamp (StasisPictureStamp *stamp, const struct stat *st)
{
  *stamp = (StasisPictureStamp){ st->st_dev, st->st_ino, st->st_size, st->st_mtim, st->st_ctim };
}

/* Of what is there. */
gboolean
stasis_picture_stamp (const char *path, StasisPictureStamp *out)
{
  struct stat st;
  if (stat (path, &st) < 0)
    return FALSE;
  set_stamp (out, &st);
  return TRUE;
}

static gboolean
is_same_time (const struct timespec *one, const struct timespec *other)
{
  return one->tv_sec == other->tv_sec && one->tv_nsec == other->tv_nsec;
}

/* TRUE where nobody has touched it in between. */
gboolean
stasis_picture_stamp_equal (const StasisPictureStamp *one, const StasisPictureStamp *other)
{
  return one->device == other->device && one->inode == other->inode && one->size == other->size
         && is_same_time (&one->modified, &other->modified)
         && is_same_time (&one->changed, &other->changed);
}

/* One that is known. */
StasisPictureDomain *
stasis_picture_find (StasisPicture *self, const char *name)
{
  return g_hash_table_lookup (self->domains, name);
}

/* The same, or a new one. */
StasisPictureDomain *
stasis_picture_make (StasisPicture *self, const char *name)
{
  StasisPictureDomain *domain = stasis_picture_find (self, name);
  if (domain != NULL)
    return domain;
  domain = g_new0 (StasisPictureDomain, 1);
  domain->name = g_ref_string_new (name);
  g_hash_table_replace (self->domains, domain->name, domain);
  stasis_picture_look_marks (self, domain);
  stasis_picture_renumber (self, domain);
  return domain;
}

/* Nobody can ask for it. */
void
stasis_picture_drop_if_gone (StasisPicture *self, StasisPictureDomain *domain)
{
  if (domain->is_persistent || domain->run != NULL)
    return;
  stasis_picture_forget_uuids (self);
  g_hash_table_remove (self->domains, domain->name);
}

/* With its run. */
void
stasis_picture_domain_free (gpointer data)
{
  StasisPictureDomain *domain = data;
  stasis_picture_run_free (domain->run);
  g_ref_string_release (domain->name);
  g_free (domain);
}

/* What was read of its definition holds no more. */
void
stasis_picture_renumber (StasisPicture *self, StasisPictureDomain *domain)
{
  domain->number = ++self->last_number;
  domain->has_sizes = FALSE;
}

static void
tell_definition (StasisPicture *self, const StasisPictureDomain *domain, StasisNewsKind kind,
                 gboolean is_first)
{
  const StasisDomainNews news = {
    .kind = kind,
    .name = domain->name,
    .uuid = domain->uuid.text,
    .id = domain->run != NULL && domain->run->id > 0 ? domain->run->id : -1,
    .is_first = is_first,
  };
  stasis_picture_tell (self, &news);
}

static void
remove_definition (StasisPicture *self, const char *name)
{
  StasisPictureDomain *domain = stasis_picture_find (self, name);
  if (domain == NULL || !domain->is_persistent)
    return;
  if (domain->is_told)
    tell_definition (self, domain, STASIS_NEWS_UNDEFINED, FALSE);
  domain->is_persistent = domain->is_told = domain->is_odd = FALSE;
  domain->definition = (StasisPictureStamp){ 0 };
  domain->last_reason = NULL;
  stasis_picture_uuid_set (&domain->uuid, NULL);
  stasis_picture_forget_uuids (self);
  stasis_picture_renumber (self, domain);
  stasis_picture_drop_if_gone (self, domain);
}

/* (transfer full) (nullable) Whatever may be there under that name: what is no file is not waited
 * for. */
static char *
read_uuid (const char *path)
{
  struct stat st;
  g_autofree char *xml = NULL;
  if (stat (path, &st) < 0 || !S_ISREG (st.st_mode)
      || !g_file_get_contents (path, &xml, NULL, NULL))
    return NULL;
  return stasis_xml_peek (xml, "domain/uuid");
}

static void
tell_change (StasisPicture *self, StasisPictureDomain *domain, StasisPictureChange change)
{
  if (*domain->uuid.text == '\0' || change == STASIS_PICTURE_HALF_WAY)
    return;
  if (change == STASIS_PICTURE_REPLACED || (change == STASIS_PICTURE_WRITTEN && !domain->is_told))
    tell_definition (self, domain, STASIS_NEWS_DEFINED, !domain->is_told);
  domain->is_told = TRUE;
}

/* One that cannot be read counts as one. */
void
stasis_picture_look_definition (StasisPicture *self, const char *name, StasisPictureChange change)
{
  g_autofree char *path = stasis_paths_definition (self->paths, name);
  struct stat st;
  if (lstat (path, &st) < 0)
    {
      remove_definition (self, name);
      return;
    }
  StasisPictureDomain *domain = stasis_picture_make (self, name);
  g_autofree char *uuid = read_uuid (path);
  domain->is_persistent = TRUE;
  domain->is_odd = !S_ISREG (st.st_mode) || st.st_nlink != 1;
  set_stamp (&domain->definition, &st);
  stasis_picture_uuid_set (&domain->uuid, uuid);
  stasis_picture_forget_uuids (self);
  stasis_picture_renumber (self, domain);
  tell_change (self, domain, change);
}

/* Of a link only one to the definition says something for sure. */
static gboolean
has_mark (const StasisPicture *self, StasisAutostart which, const char *name, gboolean *out_is_odd)
{
  g_autofree char *path = stasis_paths_autostart (self->paths, which, name);
  g_autofree char *usual = g_strdup_printf ("../domains/%s" STASIS_PICTURE_XML, name);
  char target[PATH_MAX];
  const ssize_t length = readlink (path, target, sizeof target);
  *out_is_odd |= length < 0 ? errno != ENOENT
                            : length != (ssize_t) strlen (usual)
                                  || memcmp (target, usual, (gsize) length) != 0;
  return length >= 0;
}

static gboolean
has_image (const StasisPicture *self, const char *name, gboolean *out_is_odd)
{
  g_autofree char *path = stasis_paths_managed_save (self->paths, name);
  struct stat st;
  if (lstat (path, &st) < 0)
    {
      *out_is_odd |= errno != ENOENT;
      return FALSE;
    }
  *out_is_odd |= S_ISLNK (st.st_mode);
  return TRUE;
}

/* Look whether they are there. */
void
stasis_picture_look_marks (const StasisPicture *self, StasisPictureDomain *domain)
{
  domain->is_odd_marked = FALSE;
  for (guint i = 0; i < STASIS_AUTOSTART_N_KINDS; i++)
    domain->is_autostart[i] = has_mark (self, i, domain->name, &domain->is_odd_marked);
  domain->has_managed_save = has_image (self, domain->name, &domain->is_odd_marked);
}

/* Read once. */
static const char *
last_reason (const StasisPicture *self, StasisPictureDomain *domain)
{
  if (domain->last_reason != NULL)
    return domain->last_reason;
  g_autofree char *path = stasis_paths_last (self->paths, domain->name);
  const char *reason = stasis_last_read_reason (path, 0);
  domain->last_reason = reason != NULL ? reason : "unknown";
  return domain->last_reason;
}

static void
fill_run (const StasisPictureRun *run, StasisFacts *out)
{
  memcpy (out->uuid, run->uuid.octets, sizeof out->uuid);
  out->id = run->id;
  out->is_active = TRUE;
  out->qemu_pid = run->qemu.pid;
  out->supervisor_pid = (pid_t) stasis_run_follow_pid (run->follow);
  out->has_state = stasis_run_follow_is_current (run->follow);
  out->state = run->state;
  out->reason = run->undecided_reason != NULL && run->state == STASIS_DOMAIN_PAUSED
                    ? run->undecided_reason
                    : run->reason;
}

/* All but its name. */
gboolean
stasis_picture_fill (StasisPicture *self, StasisPictureDomain *domain, StasisFacts *out)
{
  const StasisPictureRun *run = domain->run;
  if (self->is_blind || domain->is_odd || domain->is_odd_marked
      || (domain->is_persistent && *domain->uuid.text == '\0')
      || (run != NULL && !stasis_picture_run_is_certain (run)))
    return FALSE;
  *out = (StasisFacts){
    .id = -1,
    .is_certain = TRUE,
    .is_persistent = domain->is_persistent,
    .has_managed_save = domain->has_managed_save,
    .has_sizes = domain->has_sizes,
    .sizes = domain->sizes,
    .definition_number = domain->number,
  };
  memcpy (out->is_autostart, domain->is_autostart, sizeof out->is_autostart);
  if (run != NULL)
    {
      fill_run (run, out);
      return TRUE;
    }
  memcpy (out->uuid, domain->uuid.octets, sizeof out->uuid);
  out->has_state = TRUE;
  out->state = STASIS_DOMAIN_SHUTOFF;
  out->reason = last_reason (self, domain);
  return TRUE;
}
