/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * image-owner.c: whose a save image is
 *
 * An image says which program to start with which arguments, and what is in its memory: only root's
 * or our own, which nobody else can have written to, is obeyed without being asked to.  The pages
 * of an incremental one lie in others too, of which the same holds.
 */

#include "config.h"

#include "driver/image-owner.h"

#include <sys/stat.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>

#include "driver/error.h"
#include "util/fd.h"

/* A socket has no mode. */
gboolean
stasis_image_owner_check (int fd, const char *name, GError **error)
{
  struct stat st;
  if (fstat (fd, &st) < 0)
    return stasis_throw_errno (error, "'%s'", name);
  const gboolean is_ours = st.st_uid == 0 || st.st_uid == geteuid ();
  if (is_ours && (S_ISSOCK (st.st_mode) || (st.st_mode & (S_IWGRP | S_IWOTH)) == 0))
    return TRUE;
  if (is_ours)
    return stasis_throw_refused (
        error,
        _ ("others than its owner may write to '%1$s' (mode %2$04o); --trust restores it anyway"),
        name, (guint) st.st_mode & 07777);
  return stasis_throw_refused (
      error,
      _ ("'%1$s' belongs to user %2$u, neither to root nor to you; --trust restores it anyway"),
      name, (guint) st.st_uid);
}

/* The top is the caller's to ask about. */
gboolean
stasis_image_owner_check_bases (const StasisImageChain *chain, GError **error)
{
  for (guint i = 1; i < stasis_image_chain_n (chain); i++)
    {
      const StasisImage *image = stasis_image_chain_get (chain, i);
      if (stasis_image_owner_check (stasis_image_fd (image), stasis_image_name (image), error))
        continue;
      g_prefix_error (error, _ ("what '%s' stands on: "),
                      stasis_image_name (stasis_image_chain_get (chain, 0)));
      return FALSE;
    }
  return TRUE;
}

/* As root's own it would be trusted at restore, though its definition and memory came from
 * somebody else. */
gboolean
stasis_image_owner_keep (int old_fd, const char *name, int new_fd, GError **error)
{
  struct stat old;
  struct stat new;
  if (fstat (old_fd, &old) < 0 || fstat (new_fd, &new) < 0)
    return stasis_throw_errno (error, "'%s'", name);
  const gboolean differs = old.st_uid != new.st_uid || old.st_gid != new.st_gid;
  if (differs && fchown (new_fd, old.st_uid, old.st_gid) < 0)
    return stasis_throw_errno (error, _ ("cannot keep the owner of '%s'"), name);
  if (fchmod (new_fd, old.st_mode & 0777) < 0)
    return stasis_throw_errno (error, _ ("cannot keep the mode of '%s'"), name);
  return TRUE;
}

gboolean
stasis_image_owner_keep_chain (const StasisImageChain *chain, int new_fd, GError **error)
{
  const StasisImage *image = stasis_image_chain_get (chain, 0);
  for (guint i = 0; i < stasis_image_chain_n (chain); i++)
    {
      const StasisImage *next = stasis_image_chain_get (chain, i);
      if (stasis_image_owner_check (stasis_image_fd (next), stasis_image_name (next), NULL))
        continue;
      image = next;
      break;
    }
  return stasis_image_owner_keep (stasis_image_fd (image), stasis_image_name (image), new_fd,
                                  error);
}
