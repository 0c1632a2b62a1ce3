/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * image-renew.c: a copy takes the name of an image, which goes on without one
 *
 * A file that a guest has mapped must not become shorter as long as QEMU lives, whatever memory
 * the guest has of its own by now (memory-pull.c), and nobody can be kept from `cp OTHER IMAGE`.
 * A file that has no name can be opened by nobody.  So what people have under the name becomes
 * another file with the same octets: shared with the old one where the file system can do that
 * (FICLONE), else copied; the room of the old one is free when QEMU ends.
 */

#include "config.h"

#include "driver/image-renew.h"

#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>
#include <linux/fs.h>
#include <stasis/error.h>

#include "driver/image-name.h"
#include "driver/image-open.h"
#include "driver/image-owner.h"
#include "driver/marks.h"
#include "driver/save-target.h"
#include "image/copy.h"
#include "util/attributes.h"
#include "util/fd.h"

struct _StasisImageRenewal
{
  char *path;              /* (owned) its name */
  int fd;                  /* (borrowed) the image */
  StasisImageInput *image; /* (owned) (nullable) the same by its name */
  StasisAtomicFile *file;  /* (owned) (nullable) the copy */
  struct stat seen;        /* of the image, before anybody read it for the copy */
  gboolean is_verified;
};

static gboolean
look (int fd, struct stat *out_stat, GError **error)
{
  return fstat (fd, out_stat) == 0 || stasis_throw_errno (error, _ ("cannot look at the image"));
}

static gboolean
refuse_names (const char *path, GError **error)
{
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_REFUSED,
               _ ("the image was moved away from '%s' meanwhile, or has got further names (hard "
                  "links), under which it could be cut off below the guest"),
               path);
  return FALSE;
}

/* By the name that it has now: it is that name which the copy takes. */
static gboolean
open_image (StasisImageRenewal *self, const StasisFileId *id, GCancellable *cancellable,
            GError **error)
{
  StasisFileId found = { 0 };
  g_autoptr (StasisSaveTarget) target = stasis_save_target_new (self->path, error);
  if (target != NULL)
    self->image = stasis_image_open_any (target->path, -1, cancellable, error);
  if (self->image == NULL
      || !stasis_file_id_of_fd (stasis_image_input_fd (self->image), &found, error))
    return FALSE;
  if (found.device != id->device || found.inode != id->inode || target->seen.inode != id->inode)
    return refuse_names (self->path, error);
  self->file = stasis_save_target_begin (target, error);
  return self->file != NULL;
}

/* Begin. */
StasisImageRenewal *
stasis_image_renewal_new (const char *path, int fd, const StasisFileId *id,
                          GCancellable *cancellable, GError **error)
{
  g_autoptr (StasisImageRenewal) self = g_new0 (StasisImageRenewal, 1);
  self->fd = fd;
  if (!look (fd, &self->seen, error))
    return NULL;
  if (self->seen.st_nlink == 0)
    {
      self->path = g_strdup (path);
      return g_steal_pointer (&self);
    }
  self->path = stasis_image_name_now (path, fd, error);
  return self->path != NULL && open_image (self, id, cancellable, error) ? g_steal_pointer (&self)
                                                                         : NULL;
}

/* What is there to copy? */
guint64
stasis_image_renewal_size (const StasisImageRenewal *self)
{
  return self->file != NULL ? (guint64) self->seen.st_size : 0;
}

static gboolean
copy_octets (const StasisImageRenewal *self, StasisImageProgress progress, gpointer data,
             GCancellable *cancellable, GError **error)
{
  const int in = stasis_image_input_fd (self->image);
  const int out = stasis_atomic_file_fd (self->file);
  const off_t size = self->seen.st_size;
  if (ioctl (out, FICLONE, in) == 0)
    return TRUE;
  if (!stasis_image_copy_range (in, 0, (guint64) size, out, 0, progress, data, cancellable, error))
    return FALSE;
  return ftruncate (out, size) == 0
         || stasis_throw_errno (error, _ ("cannot set the size of the image"));
}

/* What people have given the file is the copy's too: it is the same file to them. */
static gboolean
copy_attributes (const StasisImageRenewal *self, GError **error)
{
  const int in = stasis_image_input_fd (self->image);
  const int out = stasis_atomic_file_fd (self->file);
  const struct timespec times[] = { self->seen.st_atim, self->seen.st_mtim };
  if (!stasis_image_owner_keep (in, stasis_image_input_name (self->image), out, error)
      || !stasis_attributes_copy (in, out, error))
    return FALSE;
  return futimens (out, times) == 0
         || stasis_throw_errno (error, _ ("cannot keep the times of the image"));
}

/* Copy it. */
gboolean
stasis_image_renewal_copy (StasisImageRenewal *self, StasisImageProgress progress, gpointer data,
                           GCancellable *cancellable, GError **error)
{
  if (self->file == NULL)
    return TRUE;
  const int out = stasis_atomic_file_fd (self->file);
  if (!copy_octets (self, progress, data, cancellable, error) || !copy_attributes (self, error))
    return FALSE;
  return fsync (out) == 0 || stasis_throw_errno (error, _ ("cannot sync the copy of the image"));
}

/* Give it the name. */
gboolean
stasis_image_renewal_commit (StasisImageRenewal *self, const StasisPaths *paths, GError **error)
{
  if (self->file != NULL)
    {
      const gboolean was_verified
          = stasis_mark_is_verified (paths, stasis_image_input_fd (self->image));
      if (!stasis_atomic_file_rename (self->file, NULL, error))
        return FALSE;
      if (was_verified)
        stasis_mark_verified (paths, stasis_atomic_file_fd (self->file));
    }
  struct stat now;
  return look (self->fd, &now, error) && (now.st_nlink == 0 || refuse_names (self->path, error));
}

/* NULL is fine. */
void
stasis_image_renewal_free (StasisImageRenewal *self)
{
  if (self == NULL)
    return;

  g_clear_pointer (&self->image, stasis_image_input_free);
  g_clear_pointer (&self->file, stasis_atomic_file_free);
  g_free (self->path);
  g_free (self);
}
